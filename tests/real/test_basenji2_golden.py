"""Basenji2 against the original code under seeded weights, and its Keras file against a documented one."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from enformer_core.genome.fasta import Genome
from enformer_core.models.basenji2 import Basenji2, Basenji2Config
from enformer_core.models.geometry import BASENJI2
from enformer_core.models.layers import one_hot
from enformer_core.models.registry import ModelSource
from enformer_core.models.weights.check import load_parameters
from enformer_core.models.weights.source import open_weights
from enformer_core.scoring.precision import inference_in_true_float32
from tests.support import seeded_basenji2 as seeded
from tests.support.closeness import relative_l2

HUMAN = Basenji2Config()
A, G = 0, 2


@pytest.fixture(scope="module")
def golden(golden_dir: Path) -> dict[str, np.ndarray]:
    with np.load(golden_dir / "basenji2_seed0.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    return seeded.keras_arrays(HUMAN)


@pytest.fixture(scope="module")
def windows(data_dir: Path, golden: dict[str, np.ndarray]) -> torch.Tensor:
    """Base codes of the reference and the alternate window of chr20:4699605 A>G, at index L/2 - 1."""
    _, chrom, pos, _, ref, alt = golden["variant"]
    assert (ref, alt) == ("A", "G")
    index = BASENJI2.window_bp // 2 - 1
    start = int(pos) - 1 - index
    genome = Genome(data_dir / "reference" / "grch38.chr20_and_21_10M.fa.gz")
    reference = genome.fetch(str(chrom), start, start + BASENJI2.window_bp)
    assert reference[index] == A
    alternate = reference.copy()
    alternate[index] = G
    return torch.from_numpy(np.stack([reference, alternate]))


def test_seeded_weights_are_those_of_the_golden(golden, arrays):
    assert list(arrays) == list(golden["weight_keys"])
    assert ["x".join(map(str, array.shape)) for array in arrays.values()] == list(
        golden["weight_shapes"]
    )
    assert [array.sum(dtype=np.float64) for array in arrays.values()] == pytest.approx(
        golden["weight_check_sum"], rel=1e-12
    )


def test_our_keras_file_has_the_documented_tree_and_is_read_bit_for_bit(
    golden_dir: Path, tmp_path: Path, arrays
):
    path = tmp_path / "model_human.h5"
    seeded.write_hdf5(path, arrays, seeded.layer_names(HUMAN))
    documented, _, _ = (golden_dir / "basenji2_h5_layout.txt").read_text().partition("\n\n")
    names = re.search(r"'layer_names': \[(.*?)\]", documented)
    assert names is not None
    assert seeded.layer_names(HUMAN) == re.findall(r"'([^']+)'", names.group(1))
    datasets = {
        f"/{layer}/{layer}/{name}:0 shape={array.shape} dtype={array.dtype}"
        for key, array in arrays.items()
        for _, layer, name in [key.split("/")]
    }
    assert datasets == set(re.findall(r"^dataset (.*)$", documented, flags=re.MULTILINE))

    loaded = ModelSource("basenji2", str(path)).load(open_weights(str(path)))
    state, expected = loaded.state, seeded.state_dict(HUMAN, arrays)
    assert set(state) == set(expected)
    for name, tensor in expected.items():
        assert torch.equal(state[name], tensor), name


def predict(
    arrays: dict[str, np.ndarray],
    windows: torch.Tensor,
    dtype: torch.dtype,
    device: torch.device,
) -> np.ndarray:
    """Predictions [2, bins, tracks] of the reference and the alternate window, as float64."""
    with torch.device("meta"):
        model = Basenji2(HUMAN)
    load_parameters(model, seeded.state_dict(HUMAN, arrays), source="seeded")
    model.eval().to(device, dtype)
    with inference_in_true_float32():
        rows = [
            model(one_hot(window[None].to(device), dtype), "human")[0].double().cpu().numpy()
            for window in windows
        ]
    return np.stack(rows)


def check_against_the_original(
    predictions: np.ndarray,
    golden: dict[str, np.ndarray],
    *,
    atol: float,
    signed: float,
    absolute: float,
) -> None:
    """Predictions within `atol`; relative L2 over tracks of signed scores and of absolute ones within the other two."""
    reference, alternate = predictions
    np.testing.assert_allclose(
        reference[:, golden["tracks_human"]], golden["pred_f64_human"], rtol=0, atol=atol
    )
    difference = alternate - reference
    log_difference = np.log2(1 + alternate) - np.log2(1 + reference)
    assert relative_l2(difference.sum(axis=0), golden["SAD_f64_human"]) < signed
    assert relative_l2(log_difference.sum(axis=0), golden["logSAD_f64_human"]) < signed
    assert relative_l2(np.linalg.norm(log_difference, axis=0), golden["logD2_f64_human"]) < absolute
    assert relative_l2(np.abs(difference).max(axis=0), np.abs(golden["SAX_f64_human"])) < absolute
    assert relative_l2(reference.sum(axis=0), golden["refsum_f64_human"]) < 1e-6


def test_float32_agrees_with_the_original_in_float64(golden, arrays, windows, device):
    predictions = predict(arrays, windows, torch.float32, device)
    check_against_the_original(predictions, golden, atol=1e-4, signed=2e-3, absolute=3e-4)


@pytest.mark.full
def test_float64_agrees_with_the_original_in_float64(golden, arrays, windows, device):
    predictions = predict(arrays, windows, torch.float64, device)
    check_against_the_original(predictions, golden, atol=1e-12, signed=1e-9, absolute=1e-9)

"""The published sizes in the published formats: read bit for bit, imported, and scored with."""

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pyarrow.dataset
import pytest
import torch
from safetensors.torch import load_file

from enformer_core.models.basenji2 import Basenji2Config
from enformer_core.models.registry import ModelSource, model_spec
from enformer_core.models.weights.check import state_sha256
from jobs.cli import main
from tests.support import seeded_basenji2, small_weights
from tests.support.seeded import our_names, seeded_state
from tests.support.vcf import write_vcf

SUPPORT = Path(__file__).parent.parent / "support"
TENSORFLOW = "tensorflow-cpu==2.15.1"
CPU = torch.device("cpu")

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def tensorflow_python() -> str:
    """An interpreter with TensorFlow, apart from this one: ENFORMER_RAY_TF_PYTHON, or one made in the user's cache."""
    if given := os.environ.get("ENFORMER_RAY_TF_PYTHON"):
        return given
    if sys.version_info >= (3, 12):
        pytest.skip(
            f"{TENSORFLOW} needs Python 3.11: name one that has it in ENFORMER_RAY_TF_PYTHON"
        )
    place = (
        Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "enformer-ray" / TENSORFLOW
    )
    python, made = place / "bin" / "python", place / ".made"
    if not made.exists():
        venv.create(place, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", TENSORFLOW], check=True)
        made.touch()
    return str(python)


def imported(source: Path, out: Path, model: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["weights", "import", str(source), str(out), "--model", model]) == 0
    return capsys.readouterr().out


def test_a_checkpoint_that_tensorflow_wrote(tensorflow_python, tmp_path, capsys):
    bundle, out = tmp_path / "bundle", tmp_path / "enformer.safetensors"
    command = [
        sys.executable,
        SUPPORT / "make_sonnet_bundle.py",
        "--size",
        "full",
        "--tensorflow",
        tensorflow_python,
    ]
    subprocess.run([*command, bundle], check=True)
    expected = seeded_state(0)
    model = ModelSource("enformer", str(bundle)).build(CPU)
    assert small_weights.differing(dict(model.state_dict()), our_names(expected)) == []

    text = imported(bundle, out, "enformer", capsys)
    assert "mapped: 273 tensors, 251,221,292 trained parameters (" in text
    assert "not counted); left out: 58 for training only" in text
    assert small_weights.differing(load_file(out), expected) == []
    assert state_sha256(load_file(out)) == state_sha256(expected)


@pytest.fixture(scope="module")
def basenji2(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, torch.Tensor]]:
    """Seeded weights of the human model in the tree of the published file, and under our names."""
    config, path = Basenji2Config(), tmp_path_factory.mktemp("basenji2") / "model_human.h5"
    arrays = seeded_basenji2.keras_arrays(config)
    seeded_basenji2.write_hdf5(path, arrays, seeded_basenji2.layer_names(config))
    return path, seeded_basenji2.state_dict(config, arrays)


def test_a_keras_file_of_basenji2(basenji2, tmp_path, capsys):
    path, expected = basenji2
    text = imported(path, tmp_path / "w.safetensors", "basenji2", capsys)
    assert "basenji2, human (5,313 tracks)" in text
    assert re.search(
        r"mapped: 152 tensors, 30,0\d\d,\d{3} trained parameters \(.*\); left out: nothing", text
    )
    published = model_spec("basenji2").published_state(expected)
    assert small_weights.differing(load_file(tmp_path / "w.safetensors"), published) == []


VARIANT = ("chr20", 4_699_605, "A", "G")


def scored(vcf: Path, genome: Path, weights: Path, out: Path) -> dict[str, np.ndarray]:
    """Both statistics of the one variant, by the command, from two plain passes over the forward strand."""
    fixed = [
        "--model",
        "basenji2",
        "--engine",
        "direct",
        "--strands",
        "forward",
        "--statistics",
        "sad,log_d2",
    ]
    paths = ["--genome", str(genome), "--weights", str(weights), "--out", str(out)]
    assert main(["score", str(vcf), *fixed, *paths, "--ray", "off"]) == 0
    table = pyarrow.dataset.dataset(out / "scores").to_table(columns=["status", "sad", "log_d2"])
    (row,) = table.to_pylist()
    assert row["status"] == "ok"
    return {name: np.array(row[name], np.float64) for name in ("sad", "log_d2")}


def test_basenji2_scores_a_variant_from_both_files_alike(
    basenji2, data_dir, golden_dir, tmp_path, capsys
):
    """chr20:4699605 A>G: the published file and the imported one the same, and as the original program in float64."""
    vcf, ours = tmp_path / "one.vcf", tmp_path / "w.safetensors"
    write_vcf(vcf, [VARIANT])
    imported(basenji2[0], ours, "basenji2", capsys)
    genome = data_dir / "reference" / "grch38.chr20_and_21_10M.fa.gz"
    found = scored(vcf, genome, basenji2[0], tmp_path / "published")
    again = scored(vcf, genome, ours, tmp_path / "ours")
    golden = np.load(golden_dir / "basenji2_seed0.npz")
    for statistic, original, tolerance in (("sad", "SAD", 2e-3), ("log_d2", "logD2", 3e-4)):
        np.testing.assert_array_equal(found[statistic], again[statistic])
        expected = golden[f"{original}_f64_human"]
        error = np.linalg.norm(found[statistic] - expected) / np.linalg.norm(expected)
        print(f"{statistic}: relative L2 {error:.1e}")
        assert found[statistic].shape == (5313,)
        assert error < tolerance

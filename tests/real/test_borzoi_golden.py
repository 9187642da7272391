"""Borzoi's family against the original code: a small trained model, and five graphs under weights by a rule."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from enformer_core.analyses.contribution_tables import contributions
from enformer_core.evaluate.tfrecords import read_examples
from enformer_core.genome.fasta import Genome
from enformer_core.models.base import HeadedNetwork, Network
from enformer_core.models.borzoi_params import read_params
from enformer_core.models.borzoi_spec import SPEC
from enformer_core.models.layers import one_hot
from enformer_core.models.tracks.squashing import Squashing, unsquashed
from enformer_core.models.weights.check import load_parameters
from enformer_core.models.weights.keras import KerasLayers
from enformer_core.models.weights.source import open_weights
from enformer_core.scoring.attribution import Attributor
from enformer_core.scoring.precision import inference_in_true_float32
from tests.support.closeness import relative_l2
from tests.support.seeded_borzoi import keras_arrays, keras_layers

pytestmark = pytest.mark.usefixtures("one_thread")

GRAPHS = ("full_narrow", "mini_noup", "numconvs2", "pool8", "prime")
WITH_FILES = ("mini_noup", "numconvs2", "pool8")
A, G = 0, 2


@pytest.fixture(scope="module")
def place(golden_dir: Path) -> Path:
    return golden_dir / "borzoi"


@pytest.fixture(scope="module")
def golden(place: Path) -> dict[str, np.ndarray]:
    with np.load(place / "tiny_golden.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def of_graphs(place: Path) -> dict[str, np.ndarray]:
    with np.load(place / "graphs_golden.npz") as arrays:
        return dict(arrays)


def network_of(params: Path, weights: Path | KerasLayers) -> HeadedNetwork:
    """The network of a parameter file, filled from a Keras file or its layers."""
    spec = replace(SPEC, config=read_params(str(params)))
    if isinstance(weights, Path):
        loaded = spec.load(open_weights(str(weights)))
    else:
        heads = spec.config.output_tracks
        loaded = spec.weights.keras.load(
            weights, heads, lambda head: spec.empty_network({head: heads[head]})
        )
    network = spec.empty_network(spec.held_heads(loaded.state))
    load_parameters(network, loaded.state, source=str(params))
    return network.eval().requires_grad_(requires_grad=False)


@pytest.fixture(scope="module")
def trained(place: Path) -> HeadedNetwork:
    return network_of(place / "tiny" / "params.json", place / "tiny" / "model.h5")


@pytest.fixture(scope="module")
def unseen(place: Path) -> list[dict[str, np.ndarray]]:
    """Base codes and targets of the ten sequences that the trained model has not seen."""
    files = sorted((place / "tiny" / "tfrecords").glob("test-*.tfr"))
    return [
        {
            "codes": np.frombuffer(example["sequence"], np.uint8),
            "targets": np.frombuffer(example["target"], np.float16).reshape(2048, 74),
        }
        for path in files
        for example in read_examples(path)
    ]


def predicted(
    network: nn.Module, codes: np.ndarray, dtype: torch.dtype = torch.float32
) -> np.ndarray:
    letters = one_hot(torch.from_numpy(codes.copy())[None], dtype)
    with inference_in_true_float32():
        return network(letters, "human")[0].double().numpy()


# ---------------------------------------------------------------------------------------------------------------------
# Five graphs
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WITH_FILES)
def test_a_keras_file_is_read_as_the_rule_writes_it(place: Path, name: str):
    params, weights = place / "graphs" / f"{name}.params.json", place / "graphs" / f"{name}.h5"
    by_rule = keras_layers(keras_arrays(read_params(str(params))))
    one = network_of(params, weights).state_dict()
    other = network_of(params, by_rule).state_dict()
    assert one.keys() == other.keys()
    for key, tensor in one.items():
        assert torch.equal(tensor, other[key]), key


@pytest.mark.parametrize("name", GRAPHS)
def test_each_graph_is_the_original_one(
    place: Path, data_dir: Path, of_graphs: dict[str, np.ndarray], name: str
):
    params = place / "graphs" / f"{name}.params.json"
    network = network_of(params, keras_layers(keras_arrays(read_params(str(params)))))
    window_bp = network.geometry.window_bp
    # chr20:4699605 A>G at index L/2 - 1
    start = 4_699_605 - window_bp // 2
    genome = Genome(data_dir / "reference" / "grch38.chr20_and_21_10M.fa.gz")
    reference = genome.fetch("chr20", start, start + window_bp)
    alternate = reference.copy()
    assert reference[window_bp // 2 - 1] == A
    alternate[window_bp // 2 - 1] = G

    expected, sad = of_graphs[f"{name}_ref_f64"], of_graphs[f"{name}_SAD_f64"]
    single = predicted(network, reference)
    assert single.shape == expected.shape == (network.geometry.bins, 12)
    assert relative_l2(single, expected) < 5e-6
    network.double()
    ref = predicted(network, reference, torch.float64)
    alt = predicted(network, alternate, torch.float64)
    # the golden is rounded to float32, which is 3e-8
    assert relative_l2(ref, expected) < 1e-7
    assert relative_l2((alt - ref).sum(axis=0), sad) < 1e-7


# ---------------------------------------------------------------------------------------------------------------------
# The trained model
# ---------------------------------------------------------------------------------------------------------------------


def test_the_trained_model_predicts_what_the_original_does(
    trained: HeadedNetwork, golden: dict[str, np.ndarray], unseen
):
    assert sum(tensor.numel() for tensor in trained.state_dict().values() if tensor.ndim) == 642_994
    (first, second, third, fourth) = golden["pred_windows_index"]
    for number, at in enumerate((first, second)):
        made = predicted(trained, unseen[at]["codes"])
        assert relative_l2(made, golden["pred_windows_tf32"][number]) < 5e-6
    for number, at in enumerate((third, fourth)):
        made = predicted(trained, unseen[at]["codes"])[:, ::3]
        assert relative_l2(made, golden["pred_windows_tf32_every3rd_track"][number]) < 5e-6


def test_its_accuracy_is_the_printed_one(
    trained: HeadedNetwork, golden: dict[str, np.ndarray], unseen
):
    made = [predicted(trained, one["codes"]) for one in unseen]
    sums = np.stack([one.sum(axis=0) for one in made])
    assert relative_l2(sums, golden["pred_test_sum_tf32"]) < 2e-6
    joined = np.concatenate(made)
    targets = np.concatenate([one["targets"] for one in unseen]).astype(np.float64)
    centred, measured = joined - joined.mean(axis=0), targets - targets.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=0) * np.linalg.norm(measured, axis=0)
    pearson = (centred * measured).sum(axis=0) / lengths
    np.testing.assert_allclose(pearson, golden["acc_test_pearsonr"], rtol=0, atol=2e-5)
    explained = 1 - ((targets - joined) ** 2).sum(axis=0) / (measured**2).sum(axis=0)
    np.testing.assert_allclose(explained, golden["acc_test_r2"], rtol=1e-4, atol=1e-4)
    # what hound_eval prints
    assert pearson.mean() == pytest.approx(0.40851, abs=1e-5)
    assert explained.mean() == pytest.approx(-0.09307, abs=1e-5)


@pytest.fixture(scope="module")
def attributed(data_dir: Path, golden: dict[str, np.ndarray]) -> np.ndarray:
    """Base codes of the window whose contributions are known."""
    start = int(golden["contrib_window_start0"])
    genome = Genome(data_dir / "reference" / "grch38.chr20_and_21_10M.fa.gz")
    return genome.fetch("chr20", start, start + 131_072)


@contextmanager
def recorded(modules: dict[str, nn.Module]) -> Iterator[dict[str, tuple[Tensor, Tensor]]]:
    """What each module reads and gives, while this lasts."""
    seen: dict[str, tuple[Tensor, Tensor]] = {}

    def hook(name: str):
        return lambda module, inputs, output: seen.update({name: (inputs[0], output)})

    handles = [module.register_forward_hook(hook(name)) for name, module in modules.items()]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def test_activations_are_those_of_the_original(
    trained: HeadedNetwork, golden: dict[str, np.ndarray], attributed: np.ndarray
):
    with recorded(dict(trained.named_modules())) as seen:
        predicted(trained, attributed)
    reads, gives = 0, 1
    tower = {f"conv1d_{i + 1}": (f"tower.{i}", gives) for i in range(6)}
    at = tower | {
        "conv1d": ("stem.conv", gives),
        "max_pooling1d": ("stem.pool", gives),
        "multihead_attention": ("transformer.0.attention", gives),
        "add": ("transformer.0.mlp_norm", reads),
        "add_1": ("transformer.0", gives),
        "multihead_attention_1": ("transformer.1.attention", gives),
        "add_3": ("transformer.1", gives),
        "add_4": ("unet.0.separable", reads),
        "separable_conv1d": ("unet.0.separable", gives),
        "add_5": ("unet.1.separable", reads),
        "separable_conv1d_1": ("unet.1.separable", gives),
    }
    found = {}
    for keras, (ours, which) in at.items():
        values = seen[ours][which][0]
        # ours lie as [channels, length] but in the transformer
        found[keras] = values if ours.startswith("transformer") else values.T
    found["max_pooling1d_6"] = seen["transformer.0"][reads][0]
    found["cropping1d"] = found["separable_conv1d_1"][1024:-1024]
    known = {key[4:-4] for key in golden if key.startswith("act_")}
    assert known == set(found)
    for name, values in found.items():
        middle = len(values) // 2
        rows = [0, 1, 2, middle - 1, middle, middle + 1, -2, -1]
        assert relative_l2(values[rows], golden[f"act_{name}_f64"]) < 1e-5, name
        sums = values.double().sum(dim=0)
        assert relative_l2(sums, golden[f"actsum_{name}_f64"]) < 1e-5, name


def gradient(network: nn.Module, codes: np.ndarray, aim) -> tuple[float, np.ndarray, np.ndarray]:
    """A number that is made of predictions, the letters, and its derivative by each of them."""
    letters = one_hot(torch.from_numpy(codes.copy())[None], torch.float32).requires_grad_()
    value = aim(network(letters, "human")[0])
    value.backward()
    return value.item(), letters.detach()[0].numpy(), letters.grad[0].double().numpy()


def test_contributions_to_a_mean_are_those_of_the_original(
    trained: HeadedNetwork, golden: dict[str, np.ndarray], attributed: np.ndarray
):
    bins, tracks = golden["contrib_bins"], golden["contrib_tracks"]
    assert isinstance(trained, Network)
    attributor = Attributor(
        trained, "human", [tuple(tracks)], torch.device("cpu"), strands="forward"
    )
    found = attributor.attribute(attributed, range(bins[0], bins[-1] + 1))
    assert found.objectives[0] == pytest.approx(float(golden["contrib_contrib_target"]), rel=1e-5)
    (by_base,) = contributions(found.gradients, attributed)
    assert relative_l2(by_base, golden["contrib_contrib_f64"]) < 1e-4
    assert relative_l2(found.gradients[0].sum(axis=0), golden["contrib_grad_sums"]) < 1e-4


def test_contributions_to_a_logarithm_of_the_data_scale_are_those_of_the_original(
    trained: HeadedNetwork, golden: dict[str, np.ndarray], attributed: np.ndarray
):
    bins, tracks = golden["contrib_satg_bins"], golden["contrib_satg_tracks"]
    squashings = [Squashing(clip_soft=64.0, sum_stat="sum_sqrt")] * len(tracks)

    def aim(made: Tensor) -> Tensor:
        per_bin = unsquashed(made[bins][:, tracks], squashings).mean(dim=1)
        return (per_bin.sum() + 1e-6).log()

    value, letters, slopes = gradient(trained, attributed, aim)
    assert value == pytest.approx(float(golden["contrib_satg_target"]), rel=1e-5)
    centred = slopes - slopes.mean(axis=1, keepdims=True)
    assert relative_l2((letters * centred).sum(axis=1), golden["contrib_satg_f64"]) < 1e-4

"""Basenji2 against hand counts and an independent NumPy network; its Keras files back and forth, whole and broken."""

import importlib
import math
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from enformer_core.errors import InputError
from enformer_core.models.basenji2 import Basenji2, Basenji2Config, ConvBlock
from enformer_core.models.geometry import BASENJI2, Geometry
from enformer_core.models.weights.check import load_parameters
from enformer_core.models.weights.keras import config_of, read_keras_basenji2
from tests.support import seeded_basenji2 as seeded

TINY = Basenji2Config(
    geometry=Geometry(window_bp=256, bin_bp=8, bins=24),
    stem_channels=3,
    tower_channels=(4, 5),
    dilated_channels=2,
    dilations=(1, 2, 3, 4),
    final_channels=6,
    output_tracks={"human": 7},
)


pytestmark = pytest.mark.usefixtures("one_thread")


def loaded(config: Basenji2Config, seed: int = 0) -> Basenji2:
    with torch.device("meta"):
        model = Basenji2(config)
    load_parameters(
        model, seeded.state_dict(config, seeded.keras_arrays(config, seed)), source="seeded"
    )
    return model.eval().double()


def random_one_hot(length_bp: int, *, seed: int = 1) -> Tensor:
    codes = np.random.default_rng(seed).integers(0, 5, length_bp)
    return torch.from_numpy(np.vstack([np.eye(4), np.zeros(4)])[codes])[None]


# ---------------------------------------------------------------------------------------------------------------------
# An independent network: NumPy, [length, channels], Keras' weights as they are
# ---------------------------------------------------------------------------------------------------------------------


def np_gelu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-1.702 * x))


def np_convolve(x: np.ndarray, kernel: np.ndarray, dilation: int) -> np.ndarray:
    reach = dilation * (len(kernel) - 1) // 2
    padded = np.pad(x, ((reach, reach), (0, 0)))
    return sum(
        padded[tap * dilation : tap * dilation + len(x)] @ weight
        for tap, weight in enumerate(kernel)
    )


def np_network(
    arrays: dict[str, np.ndarray], config: Basenji2Config, x: np.ndarray, *, gelu_last: bool
) -> np.ndarray:
    """The whole network; `gelu_last` puts convolution and BatchNorm before the activation, which is wrong."""
    values = [array.astype(float) for array in arrays.values()]

    def block(x: np.ndarray, dilation: int = 1) -> np.ndarray:
        kernel, gamma, beta, mean, variance = (values.pop(0) for _ in range(5))
        made = np_convolve(x if gelu_last else np_gelu(x), kernel, dilation)
        made = gamma * (made - mean) / np.sqrt(variance + 1e-3) + beta
        return np_gelu(made) if gelu_last else made

    for _ in range(1 + len(config.tower_channels)):
        made = block(x)
        x = np.maximum(made[0::2], made[1::2])
    for dilation in config.dilations:
        x = x + block(block(x, dilation))
    crop = config.geometry.crop_tokens
    x = np_gelu(block(x[crop:-crop]))
    kernel, bias = values
    return np.log1p(np.exp(x @ kernel + bias))


def test_agrees_with_an_independent_network_and_only_in_this_order():
    x, arrays = random_one_hot(256), seeded.keras_arrays(TINY)
    with torch.no_grad():
        ours = loaded(TINY)(x, "human")[0].numpy()
    assert ours.shape == (24, 7)
    np.testing.assert_allclose(
        ours, np_network(arrays, TINY, x[0].numpy(), gelu_last=False), rtol=0, atol=1e-13
    )
    assert np.abs(ours - np_network(arrays, TINY, x[0].numpy(), gelu_last=True)).max() > 1e-2


# ---------------------------------------------------------------------------------------------------------------------
# Hand counts
# ---------------------------------------------------------------------------------------------------------------------


def single_channel(kernel: list[float], *, dilation: int = 1, pool: int = 1) -> ConvBlock:
    block = ConvBlock(1, 1, width=len(kernel), dilation=dilation, pool=pool).eval().double()
    block.norm.running_var.fill_(1 - 1e-3)  # with Keras' epsilon, a BatchNorm that changes nothing
    with torch.no_grad():
        block.conv.weight.copy_(torch.tensor(kernel)[None, None])
    return block


def run_block(block: nn.Module, values: list[float]) -> list[float]:
    with torch.no_grad():
        return block(torch.tensor(values, dtype=torch.float64)[None, None])[0, 0].tolist()


def gelu_of(x: float) -> float:
    return x / (1 + math.exp(-1.702 * x))


def test_activation_then_convolution_then_norm():
    block = single_channel([-3.0])
    with torch.no_grad():
        block.norm.bias.fill_(-5.0)
    # -3 gelu(1) - 5; an activation after the convolution or the norm would bring this near 0
    assert run_block(block, [1.0]) == pytest.approx([-3 * gelu_of(1) - 5])


def test_norm_has_the_epsilon_of_keras():
    block = single_channel([1.0])
    block.norm.running_var.fill_(0.003)
    block.norm.running_mean.fill_(0.5)
    assert run_block(block, [2.0]) == pytest.approx([(gelu_of(2) - 0.5) / math.sqrt(0.003 + 0.001)])


def test_dilated_convolution_reaches_both_sides_alike():
    one = gelu_of(1)
    impulse = [0.0] * 4 + [1.0] + [0.0] * 4
    # out[i] = sum over taps of kernel[tap] in[i + (tap - 1) dilation]
    expected = [0, 30 * one, 0, 0, 20 * one, 0, 0, 10 * one, 0]
    assert run_block(single_channel([10.0, 20.0, 30.0], dilation=3), impulse) == pytest.approx(
        expected
    )


def test_pooling_takes_the_larger_of_each_pair():
    assert run_block(single_channel([1.0], pool=2), [1, 3, -2, 0, 5, 4]) == pytest.approx(
        [gelu_of(3), gelu_of(0), gelu_of(5)]
    )


def test_published_sizes_follow_from_their_rules():
    config = Basenji2Config()
    assert config.tower_channels == tuple(round(339 * 1.1776**i) for i in range(6))
    dilations = [1.0]
    while len(dilations) < 11:
        dilations.append(float(np.round(dilations[-1] * 1.5)))
    assert list(config.dilations) == dilations == [1, 2, 3, 4, 6, 9, 14, 21, 32, 48, 72]
    assert (BASENJI2.tokens, BASENJI2.crop_tokens, BASENJI2.output_bp) == (1024, 64, 114_688)


def test_layers_are_dilated_as_configured_and_no_convolution_has_a_bias():
    with torch.device("meta"):
        model = Basenji2()
    blocks = [module for module in model.modules() if isinstance(module, ConvBlock)]
    assert [block.conv.dilation for block in blocks if block.conv.kernel_size == (3,)] == [
        (rate,) for rate in (1, 2, 3, 4, 6, 9, 14, 21, 32, 48, 72)
    ]
    assert len(blocks) == 30
    assert all(block.conv.bias is None and block.norm.eps == 1e-3 for block in blocks)


@pytest.mark.parametrize(("head", "tracks"), [("human", 5313), ("mouse", 1643)])
def test_parameter_count(head: str, tracks: int):
    with torch.device("meta"):
        model = Basenji2(Basenji2Config(output_tracks={head: tracks}))
    kernels = 15 * 4 * 288 + 5 * (
        288 * 339 + 339 * 399 + 399 * 470 + 470 * 554 + 554 * 652 + 652 * 768
    )
    kernels += 11 * (3 * 768 * 384 + 384 * 768) + 768 * 1536
    norms = 2 * (288 + 339 + 399 + 470 + 554 + 652 + 768 + 11 * (384 + 768) + 1536)
    assert kernels + norms == 21_922_147
    assert sum(p.numel() for p in model.parameters()) == 21_922_147 + 1537 * tracks
    assert 21_922_147 + 1537 * 5313 == 30_088_228


# ---------------------------------------------------------------------------------------------------------------------
# What can see what
# ---------------------------------------------------------------------------------------------------------------------


def test_a_base_changes_no_bin_beyond_its_receptive_field():
    """Stem 7 bp, tower 2 (2 + 4 + … + 64) bp and dilated blocks 212 tokens to each side of a bin: 27,395 bp."""
    reach_bp = 7 + 2 * 126 + 128 * 212
    narrow = Basenji2Config(
        stem_channels=4,
        tower_channels=(4, 4, 4, 4, 4, 4),
        dilated_channels=4,
        final_channels=4,
        output_tracks={"human": 3},
    )
    model, x = loaded(narrow), random_one_hot(BASENJI2.window_bp)
    index = 65_535
    x[0, index] = torch.eye(4, dtype=x.dtype)[0]
    changed = x.clone()
    changed[0, index] = torch.eye(4, dtype=x.dtype)[2]
    with torch.no_grad():
        difference = (model(x, "human") - model(changed, "human"))[0].abs().amax(dim=-1)
    starts_bp = BASENJI2.crop_bp + BASENJI2.bin_bp * np.arange(BASENJI2.bins)
    distance_bp = np.maximum(np.maximum(starts_bp - index, index - (starts_bp + 127)), 0)
    assert reach_bp == 27_395
    seen = difference.numpy() > 0
    assert not seen[distance_bp > reach_bp].any()
    assert distance_bp[seen].max() > 26_000


def test_tokens_are_cropped_last_so_flanks_are_seen():
    model, x = loaded(TINY), random_one_hot(256)
    flank = x.clone()
    flank[0, :32] = 0  # the 4 cropped tokens of one side
    with torch.no_grad():
        difference = (model(x, "human") - model(flank, "human"))[0].abs().amax(dim=-1)
    assert difference[0] > 0
    assert difference[-1] == 0


def test_tracks_are_picked_in_the_order_asked_for():
    model, x = loaded(TINY), random_one_hot(256)
    with torch.no_grad():
        torch.testing.assert_close(
            model(x, "human", torch.tensor([5, 0, 5])),
            model(x, "human")[..., [5, 0, 5]],
            rtol=0,
            atol=1e-15,
        )
        assert model.embed(x).shape == (1, 24, 6)


def test_each_sequence_of_a_batch_is_predicted_alone():
    model = loaded(TINY)
    batch = torch.cat([random_one_hot(256, seed=seed) for seed in (1, 2, 3)])
    with torch.no_grad():
        alone = torch.cat([model(x[None], "human") for x in batch])
        torch.testing.assert_close(model(batch, "human"), alone, rtol=0, atol=1e-14)


def test_gradient_is_that_of_finite_differences():
    model, x = loaded(TINY), random_one_hot(256).requires_grad_()
    model(x, "human")[0, 11:13, 2].sum().backward()
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=x.dtype)
    step = 1e-6
    with torch.no_grad():
        up, down = (
            model(x + sign * step * direction, "human")[0, 11:13, 2].sum() for sign in (1, -1)
        )
    assert float((x.grad * direction).sum()) == pytest.approx(
        float((up - down) / (2 * step)), rel=1e-6
    )


def test_a_sequence_of_broken_tokens_is_refused():
    with pytest.raises(ValueError, match="252 bp is not a whole number of 8-bp tokens"):
        loaded(TINY).embed(random_one_hot(252))


def test_pooling_must_make_the_tokens_of_the_geometry():
    with pytest.raises(ValueError, match="pool 4 bp to a token, the geometry 8"):
        Basenji2Config(geometry=TINY.geometry, tower_channels=(4,))


# ---------------------------------------------------------------------------------------------------------------------
# Keras' files
# ---------------------------------------------------------------------------------------------------------------------

TINY_HEADS = Basenji2Config(
    geometry=TINY.geometry,
    stem_channels=3,
    tower_channels=(4, 5),
    dilated_channels=2,
    dilations=(1, 2, 3, 4),
    final_channels=6,
    output_tracks={"human": 7, "mouse": 4},
)


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    return seeded.keras_arrays(TINY)


@pytest.fixture
def weights_file(tmp_path: Path, arrays: dict[str, np.ndarray]) -> Path:
    path = tmp_path / "model_human.h5"
    seeded.write_hdf5(path, arrays, seeded.layer_names(TINY))
    return path


@pytest.mark.parametrize("whole_model", [False, True])
def test_import_gives_the_same_parameters_bit_for_bit(tmp_path: Path, arrays, whole_model: bool):
    path = tmp_path / "model_human.h5"
    seeded.write_hdf5(path, arrays, seeded.layer_names(TINY), whole_model=whole_model)
    state, expected = read_keras_basenji2(path, TINY_HEADS), seeded.state_dict(TINY, arrays)
    assert set(state) == set(expected)
    for name, tensor in expected.items():
        assert state[name].dtype == tensor.dtype
        assert torch.equal(state[name], tensor), name
        assert state[name].is_contiguous()


def test_layers_come_in_the_order_of_the_model_not_of_the_alphabet(weights_file: Path, arrays):
    with h5py.File(weights_file) as root:
        listed = [name for name in root if name.startswith("conv1d")]
    assert listed.index("conv1d_10") < listed.index("conv1d_2")
    state = read_keras_basenji2(weights_file, TINY_HEADS)
    np.testing.assert_array_equal(
        state["final.conv.weight"][:, :, 0].numpy().T, arrays["22/conv1d_11/kernel"][0]
    )


def test_number_of_outputs_decides_the_head(tmp_path: Path):
    mouse = Basenji2Config(**{**vars(TINY), "output_tracks": {"mouse": 4}})
    path = tmp_path / "model_mouse.h5"
    seeded.write_hdf5(path, seeded.keras_arrays(mouse), seeded.layer_names(mouse))
    state = read_keras_basenji2(path, TINY_HEADS)
    assert state["_heads.mouse.0.weight"].shape == (4, 6)
    assert not any("human" in name for name in state)


def test_what_is_read_fits_the_model_of_its_config(weights_file: Path):
    state = read_keras_basenji2(weights_file, TINY_HEADS)
    config = config_of(state, TINY_HEADS)
    assert config == TINY
    with torch.device("meta"):
        model = Basenji2(config)
    load_parameters(model, state, source=str(weights_file))
    x = random_one_hot(256)
    with torch.no_grad():
        torch.testing.assert_close(
            model.eval().double()(x, "human"), loaded(TINY)(x, "human"), rtol=0, atol=0
        )


def test_unknown_number_of_outputs_is_named(tmp_path: Path):
    other = Basenji2Config(**{**vars(TINY), "output_tracks": {"human": 9}})
    path = tmp_path / "other.h5"
    seeded.write_hdf5(path, seeded.keras_arrays(other), seeded.layer_names(other))
    with pytest.raises(
        InputError,
        match=r"other\.h5: layer dense has 9 outputs, expected 7 \(human\) or 4 \(mouse\)",
    ):
        read_keras_basenji2(path, TINY_HEADS)


@pytest.mark.parametrize(
    ("key", "array", "message"),
    [
        (
            "4/conv1d_2/kernel",
            np.zeros((5, 4, 6), np.float32),
            r"layer conv1d_2: kernel is float32 \(5, 4, 6\), but tower\.1\.conv .* has float32 \(5, 4, 5\)",
        ),
        (
            "5/batch_normalization_2/beta",
            np.zeros(4, np.float32),
            r"batch_normalization_2: beta is float32 \(4,\)",
        ),
        (
            "24/dense/kernel",
            np.zeros((5, 7), np.float32),
            r"layer dense: kernel is float32 \(5, 7\)",
        ),
        ("0/conv1d/kernel", np.zeros((15, 4, 3), np.float16), r"layer conv1d: kernel is float16"),
    ],
)
def test_wrong_shape_or_type_names_layer_and_both_values(
    tmp_path: Path, arrays, key: str, array, message: str
):
    assert key in arrays
    path = tmp_path / "model.h5"
    seeded.write_hdf5(path, {**arrays, key: array}, seeded.layer_names(TINY))
    with pytest.raises(InputError, match=message):
        read_keras_basenji2(path, TINY_HEADS)


def test_layers_out_of_order_are_refused(tmp_path: Path, arrays):
    names = seeded.layer_names(TINY)
    i, j = names.index("conv1d_1"), names.index("batch_normalization_1")
    names[i], names[j] = names[j], names[i]
    path = tmp_path / "model.h5"
    seeded.write_hdf5(path, arrays, names)
    with pytest.raises(
        InputError,
        match=r"batch_normalization_1 holds gamma.*but tower\.0\.conv in its place has kernel",
    ):
        read_keras_basenji2(path, TINY_HEADS)


def test_missing_layers_are_counted(tmp_path: Path, arrays):
    names = [
        name
        for name in seeded.layer_names(TINY)
        if name not in {"conv1d_3", "batch_normalization_3"}
    ]
    path = tmp_path / "model.h5"
    seeded.write_hdf5(path, arrays, names)
    with pytest.raises(
        InputError, match=r"23 layers with weights, but Basenji2 has 25: 12 convolutions"
    ):
        read_keras_basenji2(path, TINY_HEADS)


def test_a_convolution_with_a_bias_is_another_model(tmp_path: Path, arrays):
    path = tmp_path / "model.h5"
    biased = {**arrays, "0/conv1d/bias": np.zeros(3, np.float32)}
    seeded.write_hdf5(path, biased, seeded.layer_names(TINY))
    with pytest.raises(
        InputError, match=r"layer conv1d holds kernel, bias, but stem\.conv in its place has kernel"
    ):
        read_keras_basenji2(path, TINY_HEADS)


def test_a_tree_without_its_head_is_refused(tmp_path: Path, arrays):
    path = tmp_path / "trunk.h5"
    seeded.write_hdf5(path, arrays, seeded.layer_names(TINY)[:-1])
    with pytest.raises(
        InputError, match=r"last layer, batch_normalization_11, holds gamma.* expected kernel, bias"
    ):
        read_keras_basenji2(path, TINY_HEADS)


def test_a_layer_without_its_weights_is_refused(weights_file: Path):
    with h5py.File(weights_file, "a") as root:
        del root["conv1d_4/conv1d_4/kernel:0"]
    with pytest.raises(InputError, match="not a readable HDF5 file"):
        read_keras_basenji2(weights_file, TINY_HEADS)


def test_hdf5_of_another_kind(tmp_path: Path):
    path = tmp_path / "data.h5"
    with h5py.File(path, "w") as root:
        root.create_dataset("layers", data=np.zeros(3))
    with pytest.raises(InputError, match=r"data\.h5: HDF5 without the attribute layer_names"):
        read_keras_basenji2(path)


def test_hdf5_without_weights(tmp_path: Path):
    path = tmp_path / "empty.h5"
    seeded.write_hdf5(path, {}, seeded.layer_names(TINY))
    with pytest.raises(InputError, match=r"empty\.h5: no layer has weights"):
        read_keras_basenji2(path)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_truncated_file(weights_file: Path, share: float):
    content = weights_file.read_bytes()
    weights_file.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"model_human\.h5: not a readable HDF5 file"):
        read_keras_basenji2(weights_file, TINY_HEADS)


def test_not_hdf5(tmp_path: Path):
    path = tmp_path / "page.h5"
    path.write_text("<html>404</html>")
    with pytest.raises(InputError, match=r"page\.h5: not a readable HDF5 file"):
        read_keras_basenji2(path)


def test_saved_model_directory_and_missing_file(tmp_path: Path):
    (tmp_path / "model_human.tf").mkdir()
    with pytest.raises(
        InputError, match=r"model_human\.tf: a directory, .*SavedModel.*give the HDF5 file"
    ):
        read_keras_basenji2(tmp_path / "model_human.tf")
    with pytest.raises(InputError, match=r"absent\.h5: no such weights file"):
        read_keras_basenji2(tmp_path / "absent.h5")


def test_without_h5py_the_message_says_what_to_install(
    weights_file: Path, monkeypatch: pytest.MonkeyPatch
):
    real = importlib.import_module

    def blocked(name: str, *rest: str) -> object:
        if name == "h5py":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", blocked)
    with pytest.raises(InputError, match=r"needs h5py: pip install 'enformer-ray\[keras\]'"):
        read_keras_basenji2(weights_file, TINY_HEADS)

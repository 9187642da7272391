"""Basenji2's Keras files: the same parameters bit for bit, or a message that names what is wrong."""

import importlib
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor

from enformer_core.errors import InputError
from enformer_core.models.basenji2 import Basenji2
from enformer_core.models.basenji2_spec import SPEC, Basenji2Config
from enformer_core.models.geometry import Geometry
from enformer_core.models.weights.check import load_parameters
from enformer_core.models.weights.keras import KerasOrder, read_keras
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

TINY_HEADS = Basenji2Config(
    geometry=TINY.geometry,
    stem_channels=3,
    tower_channels=(4, 5),
    dilated_channels=2,
    dilations=(1, 2, 3, 4),
    final_channels=6,
    output_tracks={"human": 7, "mouse": 4},
)

TINY_SPEC = replace(SPEC, config=TINY_HEADS)


def read(path: Path) -> dict[str, Tensor]:
    """Parameters of a Keras file under our names."""
    content = read_keras(path)
    heads = TINY_HEADS.output_tracks
    return (
        KerasOrder("Basenji2")
        .load(content, heads, lambda head: TINY_SPEC.empty_network({head: heads[head]}))
        .state
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
    state, expected = read(path), seeded.state_dict(TINY, arrays)
    assert set(state) == set(expected)
    for name, tensor in expected.items():
        assert state[name].dtype == tensor.dtype
        assert torch.equal(state[name], tensor), name
        assert state[name].is_contiguous()


def test_layers_come_in_the_order_of_the_model_not_of_the_alphabet(weights_file: Path, arrays):
    with h5py.File(weights_file) as root:
        listed = [name for name in root if name.startswith("conv1d")]
    assert listed.index("conv1d_10") < listed.index("conv1d_2")
    state = read(weights_file)
    np.testing.assert_array_equal(
        state["final.conv.weight"][:, :, 0].numpy().T, arrays["22/conv1d_11/kernel"][0]
    )


def test_number_of_outputs_decides_the_head(tmp_path: Path):
    mouse = Basenji2Config(**{**vars(TINY), "output_tracks": {"mouse": 4}})
    path = tmp_path / "model_mouse.h5"
    seeded.write_hdf5(path, seeded.keras_arrays(mouse), seeded.layer_names(mouse))
    state = read(path)
    assert state["heads.mouse.weight"].shape == (4, 6)
    assert not any("human" in name for name in state)


def test_what_is_read_fits_the_model_of_its_config(weights_file: Path):
    state = read(weights_file)
    config = replace(TINY_HEADS, output_tracks=TINY_SPEC.held_heads(state))
    assert config == TINY
    with torch.device("meta"):
        model = Basenji2(config)
    load_parameters(model, state, source=str(weights_file))
    x = seeded.random_one_hot(256)
    with torch.no_grad():
        torch.testing.assert_close(
            model.eval().double()(x, "human"), seeded.seeded_model(TINY)(x, "human"), rtol=0, atol=0
        )


def test_unknown_number_of_outputs_is_named(tmp_path: Path):
    other = Basenji2Config(**{**vars(TINY), "output_tracks": {"human": 9}})
    path = tmp_path / "other.h5"
    seeded.write_hdf5(path, seeded.keras_arrays(other), seeded.layer_names(other))
    with pytest.raises(
        InputError,
        match=r"other\.h5: layer dense has 9 outputs, expected 7 \(human\) or 4 \(mouse\)",
    ):
        read(path)


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
        read(path)


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
        read(path)


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
        read(path)


def test_a_convolution_with_a_bias_is_another_model(tmp_path: Path, arrays):
    path = tmp_path / "model.h5"
    biased = {**arrays, "0/conv1d/bias": np.zeros(3, np.float32)}
    seeded.write_hdf5(path, biased, seeded.layer_names(TINY))
    with pytest.raises(
        InputError, match=r"layer conv1d holds kernel, bias, but stem\.conv in its place has kernel"
    ):
        read(path)


def test_a_tree_without_its_head_is_refused(tmp_path: Path, arrays):
    path = tmp_path / "trunk.h5"
    seeded.write_hdf5(path, arrays, seeded.layer_names(TINY)[:-1])
    with pytest.raises(
        InputError, match=r"last layer, batch_normalization_11, holds gamma.* expected kernel, bias"
    ):
        read(path)


def test_a_layer_without_its_weights_is_refused(weights_file: Path):
    with h5py.File(weights_file, "a") as root:
        del root["conv1d_4/conv1d_4/kernel:0"]
    with pytest.raises(InputError, match="not a readable HDF5 file"):
        read(weights_file)


def test_hdf5_of_another_kind(tmp_path: Path):
    path = tmp_path / "data.h5"
    with h5py.File(path, "w") as root:
        root.create_dataset("layers", data=np.zeros(3))
    with pytest.raises(InputError, match=r"data\.h5: HDF5 without the attribute layer_names"):
        read(path)


def test_hdf5_without_weights(tmp_path: Path):
    path = tmp_path / "empty.h5"
    seeded.write_hdf5(path, {}, seeded.layer_names(TINY))
    with pytest.raises(InputError, match=r"empty\.h5: no layer has weights"):
        read(path)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_truncated_file(weights_file: Path, share: float):
    content = weights_file.read_bytes()
    weights_file.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"model_human\.h5: not a readable HDF5 file"):
        read(weights_file)


def test_not_hdf5(tmp_path: Path):
    path = tmp_path / "page.h5"
    path.write_text("<html>404</html>")
    with pytest.raises(InputError, match=r"page\.h5: not a readable HDF5 file"):
        read(path)


def test_saved_model_directory_and_missing_file(tmp_path: Path):
    (tmp_path / "model_human.tf").mkdir()
    with pytest.raises(
        InputError, match=r"model_human\.tf: a directory, .*SavedModel.*give the HDF5 file"
    ):
        read(tmp_path / "model_human.tf")
    with pytest.raises(InputError, match=r"absent\.h5: no such weights file"):
        read(tmp_path / "absent.h5")


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
        read(weights_file)

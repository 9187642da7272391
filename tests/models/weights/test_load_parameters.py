"""Parameters are put into a model whole, or refused by name; and digests of what they contain."""

import hashlib
import shutil
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from enformer_core.errors import InputError
from enformer_core.models.weights.check import file_sha256, load_parameters, state_sha256
from tests.support.published_enformer import (
    COUNTER,
    alias,
    load,
    meta_model,
    read,
    same,
)
from tests.support.seeded import our_names, seeded_state, tiny_config


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """What files hold: tensors by their published names."""
    return seeded_state(config=tiny_config())


# Loading


def test_parameters_are_the_files_tensors_themselves(state: dict[str, Tensor]) -> None:
    model = load(state)
    assert same({**model.state_dict()}, our_names(state))
    assert model.stem.conv.weight.data_ptr() == state["stem.0.weight"].data_ptr()


def test_counters_may_be_absent(state: dict[str, Tensor]) -> None:
    model = load({name: tensor for name, tensor in state.items() if COUNTER not in name})
    assert same({**model.state_dict()}, our_names(state))


def test_missing_and_unknown_names_are_counted(state: dict[str, Tensor]) -> None:
    changed = {
        name: tensor for name, tensor in state.items() if not name.startswith("conv_tower.0")
    }
    changed["surplus"] = torch.zeros(1)
    lacking = sum(name.startswith("conv_tower.0") and "num_batches" not in name for name in state)
    with pytest.raises(
        InputError,
        match=rf"w\.bin: lacks {lacking} .*conv_tower\.0\.0\.0\.weight.* and \d+ more\).* 1 .*\(surplus\)",
    ):
        load(changed)


def test_weights_of_another_model_are_recognised(state: dict[str, Tensor]) -> None:
    with pytest.raises(InputError, match="another model"):
        load({f"layer{i}": torch.zeros(1) for i in range(300)})
    with pytest.raises(InputError, match=r"another model"):
        load({})
    with pytest.raises(InputError, match=r"without `module\.`"):
        load({f"module.{name}": tensor for name, tensor in state.items()})


def test_shapes_are_compared(state: dict[str, Tensor]) -> None:
    with pytest.raises(
        InputError, match=r"_heads\.human\.0\.bias has shape \(4,\), the model wants \(3,\)"
    ):
        load({**state, "_heads.human.0.bias": torch.zeros(4)})


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int32])
def test_other_precision_is_refused(state: dict[str, Tensor], dtype: torch.dtype) -> None:
    found = str(dtype).removeprefix("torch.")
    with pytest.raises(InputError, match=rf"stem\.0\.bias is {found}, the model wants float32"):
        load({**state, "stem.0.bias": state["stem.0.bias"].to(dtype)})


def test_values_that_are_not_finite_are_counted(state: dict[str, Tensor]) -> None:
    bad = state["stem.0.weight"].clone()
    bad.view(-1)[:3] = torch.tensor([float("nan"), float("inf"), -float("inf")])
    with pytest.raises(
        InputError, match=r"stem\.0\.weight holds 1 NaN and 2 infinite values among 480"
    ):
        load({**state, "stem.0.weight": bad})


def test_negative_variance_is_refused(state: dict[str, Tensor]) -> None:
    name = "stem.1.fn.0.running_var"
    with pytest.raises(InputError, match="mean and variance swapped"):
        load({**state, name: state["stem.1.fn.0.running_mean"]})


def test_refused_weights_leave_the_model_as_it_was(state: dict[str, Tensor]) -> None:
    model = meta_model()
    changed = our_names({**state, "_heads.mouse.0.bias": torch.zeros(9)})
    with pytest.raises(InputError):
        load_parameters(model, changed, source="w.bin")
    assert all(tensor.is_meta for tensor in model.state_dict().values())


# Digests


def test_content_digest_by_hand() -> None:
    state = {"b": torch.tensor([[1.0, 2.0]]), "a": torch.tensor(3, dtype=torch.int64)}
    written = b"a int64 \n" + struct.pack("<q", 3) + b"b float32 1,2\n" + struct.pack("<2f", 1, 2)
    assert state_sha256(state) == hashlib.sha256(written).hexdigest()


def test_content_digest_does_not_see_the_container(
    state: dict[str, Tensor], tmp_path: Path
) -> None:
    torch.save(dict(reversed(state.items())), tmp_path / "w.bin")
    save_file(
        {alias(name): t for name, t in state.items() if "num_batches" not in name},
        tmp_path / "w.safetensors",
    )
    digests = {state_sha256(read(path)) for path in tmp_path.iterdir()}
    assert digests == {state_sha256(our_names(state))}
    turned = state["stem.0.weight"].mT.contiguous().view(8, 4, 15)
    assert state_sha256(our_names({**state, "stem.0.weight": turned})) not in digests


def test_content_digest_of_a_view_is_that_of_its_values() -> None:
    tensor = torch.arange(6.0).view(2, 3)
    assert state_sha256({"a": tensor.T}) == state_sha256({"a": tensor.T.contiguous()})


def test_file_digest(tmp_path: Path) -> None:
    path = tmp_path / "w"
    path.write_bytes(b"abc")
    assert file_sha256(path) == file_sha256([path]) == hashlib.sha256(b"abc").hexdigest()
    shutil.copy(path, tmp_path / "v")
    assert file_sha256([path, tmp_path / "v"]) != file_sha256(path)
    with pytest.raises(InputError, match="none: cannot be read"):
        file_sha256(tmp_path / "none")
    with pytest.raises(InputError, match="no weights file"):
        file_sha256([])

"""Weights that are cut, exchanged, rounded, broken or another model's, in every format: each is refused by name.

Through `ModelSource`, as a command meets them. A message begins with the file as it was given, and names the tensor and
both values.
"""

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import google_crc32c
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from enformer_core.errors import InputError
from enformer_core.models.basenji2 import Basenji2
from enformer_core.models.enformer import Enformer
from enformer_core.models.registry import ModelSource, model_spec
from enformer_core.models.weights.check import load_parameters
from tests.models.weights.test_sonnet import data_of, index_of, key, number, rows, write_index
from tests.support import seeded_basenji2
from tests.support import small_weights as small

CPU = torch.device("cpu")

TENSORFLOW_TYPES = {"float32": 1, "float64": 2, "int32": 3, "float16": 19}


@pytest.fixture(autouse=True)
def small_models(monkeypatch: pytest.MonkeyPatch, one_thread: None) -> None:
    small.install(monkeypatch)


# Sources with one thing wrong: each writer is given tensors by its own format's keys


def write_safetensors(path: Path, changed: Mapping[str, np.ndarray]) -> str:
    state = small.enformer_state() | {
        name: torch.from_numpy(values) for name, values in changed.items()
    }
    save_file(state, path / "w.safetensors")
    return str(path / "w.safetensors")


def write_bin(path: Path, changed: Mapping[str, np.ndarray]) -> str:
    state = small.enformer_state() | {
        name: torch.from_numpy(values) for name, values in changed.items()
    }
    torch.save(state, path / "w.bin")
    return str(path / "w.bin")


def write_sonnet(path: Path, changed: Mapping[str, np.ndarray]) -> str:
    """The fixture, with changed tensors behind its data and their rows in its index: every checksum is right."""
    shutil.copytree(small.FIXTURES / "sonnet_small", path / "sonnet")
    prefix = path / "sonnet" / "seeded-1"
    content = dict(rows(index_of(prefix).read_bytes()))
    for name, values in changed.items():
        with data_of(prefix).open("ab") as file:
            offset = file.tell()
            file.write(values.tobytes())
        assert key(name) in content
        content[key(name)] = row(values, offset)
    write_index(index_of(prefix), content)
    return str(prefix)


def row(values: np.ndarray, offset: int) -> bytes:
    """BundleEntryProto: dtype, shape, offset, size and masked checksum."""
    crc = google_crc32c.value(values.tobytes())
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32
    dimensions = b"".join(
        b"\x12" + number(len(size)) + size for size in (b"\x08" + number(n) for n in values.shape)
    )
    return (
        b"\x08" + number(TENSORFLOW_TYPES[str(values.dtype)]) + b"\x12" + number(len(dimensions)) + dimensions
        + b"\x20" + number(offset) + b"\x28" + number(values.nbytes) + b"\x35" + masked.to_bytes(4, "little")
    )  # fmt: skip


def write_keras(path: Path, changed: Mapping[str, np.ndarray]) -> str:
    config = small.one_head()
    arrays = {**seeded_basenji2.keras_arrays(config), **changed}
    seeded_basenji2.write_hdf5(path / "w.h5", arrays, seeded_basenji2.layer_names(config))
    return str(path / "w.h5")


def hugging_face_tensors() -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in small.enformer_state().items()}


LAYER = "_trunk/_layers/2/_layers/0/_layers/0/_module/_layers/1"

NORM = "_trunk/_layers/0/_layers/1/_module/_layers/0"


def sonnet_tensors() -> dict[str, np.ndarray]:
    """Those that are changed below, in Sonnet's order of axes."""
    state = hugging_face_tensors()
    averages = {"moving_mean": "running_mean", "moving_variance": "running_var"}
    return {
        f"{LAYER}/_q_layer/w": state["transformer.0.0.fn.1.to_q.weight"].T.copy(),
        f"{LAYER}/_embedding_layer/w": state["transformer.0.0.fn.1.to_out.weight"].T.copy(),
        **{
            f"{NORM}/{theirs}/average": state[f"stem.1.fn.0.{ours}"][None, None]
            for theirs, ours in averages.items()
        },
    }


@dataclass(frozen=True)
class Format:
    """A format: how it is written, two of its tensors with unlike shapes, and a mean and its variance.

    Attributes:
        model: whose weights are written.
        write: writes them with changed tensors; gives the source.
        tensors: the sound tensors by the format's keys.
        pair: keys of two tensors of unlike shapes; `ours` is our name of the first.
        averages: keys of a BatchNorm's mean and variance; `variance` is our name of the latter.
    """

    model: str
    write: Callable[[Path, Mapping[str, np.ndarray]], str]
    tensors: Callable[[], dict[str, np.ndarray]]
    pair: tuple[str, str]
    ours: str
    averages: tuple[str, str]
    variance: str


TO_Q, TO_OUT = "transformer.0.0.fn.1.to_q.weight", "transformer.0.0.fn.1.to_out.weight"

STEM = ("stem.1.fn.0.running_mean", "stem.1.fn.0.running_var")

FORMATS = {
    "safetensors": Format(
        "enformer",
        write_safetensors,
        hugging_face_tensors,
        (TO_Q, TO_OUT),
        TO_Q,
        STEM,
        "stem.1.fn.0.running_var",
    ),
    "bin": Format(
        "enformer",
        write_bin,
        hugging_face_tensors,
        (TO_Q, TO_OUT),
        TO_Q,
        STEM,
        "stem.1.fn.0.running_var",
    ),
    "sonnet": Format(
        "enformer",
        write_sonnet,
        sonnet_tensors,
        (f"{LAYER}/_q_layer/w", f"{LAYER}/_embedding_layer/w"),
        TO_Q,
        (f"{NORM}/moving_mean/average", f"{NORM}/moving_variance/average"),
        "stem.1.fn.0.running_var",
    ),
    "keras": Format(
        "basenji2",
        write_keras,
        lambda: seeded_basenji2.keras_arrays(small.one_head()),
        ("2/conv1d_1/kernel", "4/conv1d_2/kernel"),
        "tower.0.conv.weight",
        ("3/batch_normalization_1/moving_mean", "3/batch_normalization_1/moving_variance"),
        "tower.0.norm.running_var",
    ),
}


def refusal(model: str, source: str) -> str:
    """The message with which a source is refused; it begins with the source."""
    with pytest.raises(InputError) as refused:
        ModelSource(model, source).build(CPU)
    message = str(refused.value)
    assert message.startswith(source), message
    assert "Traceback" not in message
    assert len(message) < 600
    return message


def called(name: str, ours: str, text: str, message: str) -> bool:
    """Whether a message says `text` of a tensor, by the file's own name for it where that is not ours."""
    if name in {"sonnet", "keras"}:
        return (
            re.search(rf": [\w/]+ \(our {re.escape(ours)}\) {re.escape(text)}", message) is not None
        )
    return f": {ours} {text}" in message


@pytest.mark.parametrize("name", FORMATS)
def test_unchanged_weights_are_taken(tmp_path: Path, name: str) -> None:
    """The writers themselves do no harm: what is refused below is refused for its change."""
    form = FORMATS[name]
    tensors = form.tensors()
    kept = {one: tensors[one] for one in (*form.pair, *form.averages)}
    built = ModelSource(form.model, form.write(tmp_path, kept)).build(CPU)
    assert isinstance(built, Enformer | Basenji2)
    assert (
        small.differing(small.state_of(form.model, built), small.expected_state(form.model)) == []
    )


@pytest.mark.parametrize("name", FORMATS)
def test_two_tensors_exchanged(tmp_path: Path, name: str) -> None:
    form = FORMATS[name]
    tensors = form.tensors()
    first, second = form.pair
    assert tensors[first].shape != tensors[second].shape
    message = refusal(
        form.model, form.write(tmp_path, {first: tensors[second], second: tensors[first]})
    )
    found, wanted = tensors[second].shape, tensors[first].shape
    if name == "keras":  # as the file has it
        assert (
            f"layer conv1d_1: kernel is float32 {found}, but tower.0.conv in its place has float32 {wanted}"
            in message
        )
    else:  # as the model has it
        shape = found[::-1] if name == "sonnet" else found
        assert called(name, form.ours, f"has shape {shape}, the model wants ", message)
        assert f"wants {wanted[::-1] if name == 'sonnet' else wanted}. " in message


@pytest.mark.parametrize("name", FORMATS)
def test_a_mean_and_its_variance_exchanged(tmp_path: Path, name: str) -> None:
    """Of the same shape, they are told apart by a negative variance."""
    form = FORMATS[name]
    tensors = form.tensors()
    mean, variance = form.averages
    message = refusal(
        form.model, form.write(tmp_path, {mean: tensors[variance], variance: tensors[mean]})
    )
    lowest = tensors[mean].min()
    assert lowest < 0
    assert called(
        name,
        form.variance,
        f"is a variance and holds {lowest:g}. Were mean and variance swapped",
        message,
    )


@pytest.mark.parametrize("dtype", ["float16", "float64"])
@pytest.mark.parametrize("name", FORMATS)
def test_another_precision(tmp_path: Path, name: str, dtype: str) -> None:
    form = FORMATS[name]
    first = form.pair[0]
    message = refusal(
        form.model, form.write(tmp_path, {first: form.tensors()[first].astype(dtype)})
    )
    if name == "keras":
        assert re.search(
            rf"layer conv1d_1: kernel is {dtype} \(.*\), but tower\.0\.conv .* has float32 \(",
            message,
        )
    else:
        assert called(name, form.ours, f"is {dtype}, the model wants float32. ", message)


def with_broken(values: np.ndarray) -> np.ndarray:
    broken = values.copy()
    broken.reshape(-1)[:3] = [np.nan, np.inf, np.nan]
    return broken


@pytest.mark.parametrize("name", FORMATS)
def test_values_that_are_not_finite(tmp_path: Path, name: str) -> None:
    form = FORMATS[name]
    first = form.pair[0]
    values = form.tensors()[first]
    message = refusal(form.model, form.write(tmp_path, {first: with_broken(values)}))
    assert called(
        name, form.ours, f"holds 2 NaN and 1 infinite values among {values.size}. ", message
    )


@pytest.mark.parametrize("model", ["enformer", "basenji2"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_one_value_that_is_not_finite_is_found_wherever_it_is(model: str, value: float) -> None:
    names = model_spec(model).weights.names
    state = {names.ours(name): tensor for name, tensor in small.expected_state(model).items()}
    with torch.device("meta"):
        network = Enformer(small.ENFORMER) if model == "enformer" else Basenji2(small.one_head())
    for name, tensor in state.items():
        broken = tensor.clone()
        broken.view(-1)[-1] = value
        with pytest.raises(
            InputError, match=rf"^w: {re.escape(name)} holds [01] NaN and [01] infinite"
        ):
            load_parameters(network, {**state, name: broken}, source="w")
    assert all(tensor.is_meta for tensor in network.state_dict().values())


# Cut files


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
@pytest.mark.parametrize("name", FORMATS)
def test_a_cut_file(tmp_path: Path, name: str, share: float) -> None:
    source = FORMATS[name].write(tmp_path, {})
    files = [data_of(Path(source)), index_of(Path(source))] if name == "sonnet" else [Path(source)]
    for file in files:
        whole = file.read_bytes()
        length = int(len(whole) * share)
        file.write_bytes(whole[:length])
        message = refusal(FORMATS[name].model, source)
        assert message.startswith(f"{file}: ")
        if name == "sonnet":
            assert f"truncated at {length} bytes" in message
        elif name == "keras":
            assert "not a readable HDF5 file, perhaps cut off in transfer" in message
        else:
            assert (
                "it is empty" if not length else f"truncated or damaged at {length} bytes"
            ) in message
        file.write_bytes(whole)
    ModelSource(FORMATS[name].model, source).build(CPU)


# Other models


@pytest.mark.parametrize("name", ["safetensors", "bin", "sonnet"])
def test_a_head_of_another_size(tmp_path: Path, name: str) -> None:
    """A model fine-tuned to tracks of its own: both numbers are named."""
    bias = np.zeros(4, np.float32)
    theirs = "_heads/human/_layers/0/b" if name == "sonnet" else "_heads.human.0.bias"
    message = refusal("enformer", FORMATS[name].write(tmp_path, {theirs: bias}))
    text = "has shape (4,), the model wants (3,). Are these weights of another size"
    assert called(name, "_heads.human.0.bias", text, message)


def test_names_of_no_model_that_is_known(tmp_path: Path) -> None:
    state = {f"encoder.layer.{number}.weight": torch.zeros(2) for number in range(60)}
    save_file(state, tmp_path / "w.safetensors")
    torch.save(state, tmp_path / "w.bin")
    for model in ("enformer", "basenji2"):
        for source in (str(tmp_path / "w.safetensors"), str(tmp_path / "w.bin")):
            message = refusal(model, source)
            assert "another model" in message or "holds none of the heads human, mouse" in message


def lacking(name: str) -> tuple[dict[str, Tensor], int]:
    state = {
        key: tensor for key, tensor in small.enformer_state().items() if not key.startswith(name)
    }
    return state, len(small.enformer_state()) - len(state)


@pytest.mark.parametrize(
    "name", ["conv_tower.3.", "transformer.0.0.", "final_pointwise.", "_heads.mouse."]
)
def test_a_part_that_is_missing(tmp_path: Path, name: str) -> None:
    state, count = lacking(name)
    save_file(state, tmp_path / "w.safetensors")
    message = refusal("enformer", str(tmp_path / "w.safetensors"))
    assert f": lacks {count} of its names ({name}" in message
    assert "Is the file complete" in message


# Tables of targets


@pytest.mark.parametrize(
    ("rows_given", "whose"), [(5312, ""), (5314, ""), (1643, "; it is the table of the mouse head")]
)
def test_a_targets_table_with_another_number_of_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_given: int, whose: str
) -> None:
    monkeypatch.undo()  # the published sizes, which are not built here
    table = tmp_path / "targets.txt"
    lines = [f"{number}\tID{number}\tDNASE:sample" for number in range(rows_given)]
    table.write_text("\n".join(["index\tidentifier\tdescription", *lines]) + "\n")
    with pytest.raises(InputError) as refused:
        ModelSource("enformer", "nowhere.safetensors").tracks("human", str(table))
    assert str(refused.value) == (
        f"{table}: has {rows_given:,} tracks, the human head 5,313{whose}. "
        "Give the human head's table with --targets, or choose another --head."
    )


def test_a_targets_table_that_does_not_fit_the_head_of_a_keras_file(tmp_path: Path) -> None:
    table = tmp_path / "targets.txt"
    table.write_text("index\tidentifier\tdescription\n0\tA\tDNASE:a\n")
    source = ModelSource("basenji2", write_keras(tmp_path, {}))
    with pytest.raises(
        InputError,
        match=re.escape(f"{table}: has 1 track, the human head 7. Give the human head's"),
    ):
        source.tracks("human", str(table))

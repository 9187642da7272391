"""Any source of weights, read by the reader of its format.

The format follows from what the source is and what its files begin and end with; an ending decides only where the
content does not tell. Knows the formats and how to tell the models apart. Does not know whether the tensors fit a model
(see `check`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from enformer_core.errors import InputError
from enformer_core.models.basenji2 import Basenji2Config
from enformer_core.models.weights.check import Reading
from enformer_core.models.weights.huggingface import (
    HUB_SCHEME,
    huggingface_files,
    huggingface_reading,
    in_layout,
)
from enformer_core.models.weights.keras import PUBLISHED, keras_basenji2_reading
from enformer_core.models.weights.tensorflow.sonnet import sonnet_files, sonnet_reading
from enformer_core.models.weights.tensorflow.tensor_bundle import INDEX_MAGIC

READABLE = (
    "a .safetensors, .bin or .pt file, an index.json of several, a directory with them or hf://owner/name; "
    "the prefix, .index or directory of a TensorFlow checkpoint; a Keras HDF5 file"
)

_HUGGING_FACE, _SONNET, _KERAS = "Hugging Face", "TensorFlow checkpoint (Sonnet)", "Keras HDF5"

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"

_HDF5_ENDINGS = (".h5", ".hdf5", ".keras", ".keras-h5")

_BUNDLE_MEMBER = re.compile(r"(.+)\.(?:index|data-\d{5}-of-\d{5})")

_MARKS = {
    "enformer": re.compile(r"conv_tower\.|transformer\."),
    "basenji2": re.compile(r"dilated\.|tower\."),
}


@dataclass(frozen=True)
class Weights:
    """What a source of weights holds.

    Attributes:
        source: as it was given.
        format: the format's name.
        files: what was read; their digest names the weights.
        reading: tensors under our names, and what became of theirs.
        model: whose names these are, `enformer` or `basenji2`; None where they are neither's.
    """

    source: str
    format: str
    files: tuple[Path, ...]
    reading: Reading
    model: str | None

    def require(self, model: str) -> None:
        """Refuse weights that bear another model's names.

        Raises:
            InputError: naming the source, both models and a name that tells.
        """
        if self.model not in (None, model):
            names = self.reading.names
            theirs, ours = next(
                (theirs, ours)
                for theirs, ours in names.items()
                if _MARKS[str(self.model)].match(ours)
            )
            shown = theirs if theirs == ours else f"{theirs} ({ours})"
            raise InputError(
                f"{self.source}: holds weights of {self.model} ({self.format}; it has {shown}), but the model asked "
                f"for is {model}. Use --model {self.model}, or weights of {model}."
            )


@dataclass(frozen=True)
class _Located:
    """A source whose format is known; `place` is a path, or an `hf://` address."""

    format: str
    place: Path | str


def read_weights(source: str, *, basenji2: Basenji2Config = PUBLISHED) -> Weights:
    """Read weights of any format.

    Args:
        source: a path or `hf://` address; `READABLE` says which.
        basenji2: the sizes to expect of a Keras file, by which its layers are told apart.

    Raises:
        InputError: when the source is missing, ambiguous, damaged or of another kind.
    """
    located = _locate(source)
    if located.format == _HUGGING_FACE:
        reading = huggingface_reading(located.place)
    elif located.format == _SONNET:
        reading = sonnet_reading(Path(located.place))
    else:
        reading = keras_basenji2_reading(located.place, basenji2)
    return Weights(source, located.format, _files(located), reading, model_of(reading.state))


def weight_files(source: str) -> tuple[Path, ...]:
    """The files that hold the weights, for digests.

    Raises:
        InputError: when they are not there.
    """
    return _files(_locate(source))


def model_of(state: Mapping[str, Tensor]) -> str | None:
    """The model that the parameters' names belong to, or None."""
    found = [model for model, mark in _MARKS.items() if any(map(mark.match, state))]
    return found[0] if len(found) == 1 else None


def _files(located: _Located) -> tuple[Path, ...]:
    if located.format == _HUGGING_FACE:
        return huggingface_files(located.place)
    return (
        sonnet_files(Path(located.place)) if located.format == _SONNET else (Path(located.place),)
    )


def _locate(source: str) -> _Located:
    if source.startswith(HUB_SCHEME):
        return _Located(_HUGGING_FACE, source)
    path = Path(source)
    if path.is_dir():
        return _in_directory(path)
    if not path.is_file():
        if path.with_name(path.name + ".index").is_file():
            return _Located(_SONNET, path)
        raise InputError(
            f"{path}: there is no such file, nor a checkpoint {path.name}.index. Readable: {READABLE}."
        )
    return _by_content(path)


def _by_content(path: Path) -> _Located:
    try:
        with path.open("rb") as file:
            beginning = file.read(len(_HDF5_MAGIC))
            file.seek(max(0, path.stat().st_size - len(INDEX_MAGIC)))
            end = file.read()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}). Is it yours to read?"
        ) from error
    member = _BUNDLE_MEMBER.fullmatch(path.name)
    if beginning == _HDF5_MAGIC:
        return _Located(_KERAS, path)
    if end == INDEX_MAGIC or (member and path.with_name(f"{member[1]}.index").is_file()):
        return _Located(_SONNET, path.with_name(member[1]) if member else path)
    if path.suffix in _HDF5_ENDINGS and not beginning:
        return _Located(_KERAS, path)  # its reader says what is wrong
    return _Located(_HUGGING_FACE, path)


def _in_directory(directory: Path) -> _Located:
    """The one thing in it that can be read: weights as Hugging Face names them, or a checkpoint."""
    prefixes = [path.with_suffix("") for path in sorted(directory.glob("*.index"))]
    checkpoint = bool(prefixes) or (directory / "checkpoint").is_file()
    if in_layout(directory) and checkpoint:
        raise InputError(
            f"{directory}: holds Hugging Face files and a TensorFlow checkpoint. Name one of them."
        )
    if in_layout(directory):
        return _Located(_HUGGING_FACE, directory)
    if checkpoint:  # of several, the file `checkpoint` names one
        return _Located(_SONNET, prefixes[0] if len(prefixes) == 1 else directory)
    if (directory / "saved_model.pb").is_file():
        raise InputError(
            f"{directory}: a TensorFlow SavedModel, which is not read. Fetch the checkpoint or the HDF5 file."
        )
    raise InputError(
        f"{directory}: holds no weights under a name that is known. Readable: {READABLE}."
    )

"""Any source of weights: its format, its files, and their content by the reader of the format.

The format follows from what the source is and what its files begin and end with; an ending decides only where the
content does not tell. Does not know which model the tensors are for.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from enformer_core.errors import InputError
from enformer_core.models.weights.keras import KerasLayers, read_keras
from enformer_core.models.weights.mappings import Format
from enformer_core.models.weights.tensor_files import (
    HUB_SCHEME,
    NamedTensors,
    holds_tensor_files,
    is_known_kind,
    read_tensors,
    tensor_files,
)
from enformer_core.models.weights.tensorflow.tensor_bundle import (
    INDEX_MAGIC,
    TensorBundle,
    bundle_prefix,
    open_bundle,
)

READABLE = (
    "a .safetensors, .bin or .pt file, an index.json of several, a directory with them or hf://owner/name; "
    "the prefix, .index or directory of a TensorFlow checkpoint; a Keras HDF5 file"
)

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"

_HDF5_ENDINGS = (".h5", ".hdf5", ".keras", ".keras-h5")

_BUNDLE_MEMBER = re.compile(r"(.+)\.(?:index|data-\d{5}-of-\d{5})")


@dataclass(frozen=True)
class WeightsContent:
    """What a source of weights holds, by its own names.

    Attributes:
        source: as it was given.
        format: the format of its files.
        files: what was read; their digest names the weights.
        tensors: the content, as the format has it.
    """

    source: str
    format: Format
    files: tuple[Path, ...]
    tensors: NamedTensors | TensorBundle | KerasLayers


def open_weights(source: str) -> WeightsContent:
    """Find the format of weights and read them, or, of a checkpoint, their index.

    Args:
        source: a path or `hf://` address; `READABLE` says which.

    Raises:
        InputError: when the source is missing, ambiguous, damaged or of another kind.
    """
    located = _locate(source)
    tensors: NamedTensors | TensorBundle | KerasLayers
    match located.format:
        case Format.HUGGING_FACE:
            tensors = read_tensors(located.place)
        case Format.SONNET:
            tensors = open_bundle(bundle_prefix(Path(located.place)))
        case Format.KERAS:
            tensors = read_keras(Path(located.place))
    return WeightsContent(source, located.format, _files(located), tensors)


def weight_files(source: str) -> tuple[Path, ...]:
    """The files that hold the weights, for digests.

    Raises:
        InputError: when they are not there.
    """
    return _files(_locate(source))


@dataclass(frozen=True)
class _Located:
    """A source whose format is known; `place` is a path, or an `hf://` address."""

    format: Format
    place: Path | str


def _files(located: _Located) -> tuple[Path, ...]:
    match located.format:
        case Format.HUGGING_FACE:
            return tensor_files(located.place)
        case Format.SONNET:
            return open_bundle(bundle_prefix(Path(located.place))).files
        case Format.KERAS:
            return (Path(located.place),)


def _locate(source: str) -> _Located:
    if source.startswith(HUB_SCHEME):
        return _Located(Format.HUGGING_FACE, source)
    path = Path(source)
    if path.is_dir():
        return _in_directory(path)
    if path.is_file():
        return _by_content(path)
    # A checkpoint is named by a prefix, under which there is no file.
    if path.with_name(path.name + ".index").is_file():
        return _Located(Format.SONNET, path)
    raise InputError(
        f"{path}: there is no such file, nor a checkpoint {path.name}.index. Readable: {READABLE}."
    )


def _by_content(path: Path) -> _Located:
    """The format of one file, by its first and last bytes."""
    try:
        with path.open("rb") as file:
            beginning = file.read(len(_HDF5_MAGIC))
            file.seek(max(0, path.stat().st_size - len(INDEX_MAGIC)))
            end = file.read()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}). Is it yours to read?"
        ) from error
    if beginning == _HDF5_MAGIC:
        return _Located(Format.KERAS, path)
    # The index of a checkpoint ends with a magic number; its data files have no mark but their index beside them.
    member = _BUNDLE_MEMBER.fullmatch(path.name)
    has_index = member is not None and path.with_name(f"{member[1]}.index").is_file()
    if end == INDEX_MAGIC or has_index:
        return _Located(Format.SONNET, path.with_name(member[1]) if member else path)
    if path.suffix in _HDF5_ENDINGS and not is_known_kind(path):
        # empty, or a web page in its place: the reader of HDF5 says what is wrong
        return _Located(Format.KERAS, path)
    return _Located(Format.HUGGING_FACE, path)


def _in_directory(directory: Path) -> _Located:
    """The one thing in it that can be read: weights as Hugging Face names them, or a checkpoint."""
    prefixes = [path.with_suffix("") for path in sorted(directory.glob("*.index"))]
    # TensorFlow writes a file `checkpoint` that names the last prefix; who copied one checkpoint may have left it.
    holds_checkpoint = bool(prefixes) or (directory / "checkpoint").is_file()
    holds_tensors = holds_tensor_files(directory)
    if holds_tensors and holds_checkpoint:
        raise InputError(
            f"{directory}: holds Hugging Face files and a TensorFlow checkpoint. Name one of them."
        )
    if holds_tensors:
        return _Located(Format.HUGGING_FACE, directory)
    if holds_checkpoint:
        # Of several, the file `checkpoint` in the directory names one.
        return _Located(Format.SONNET, prefixes[0] if len(prefixes) == 1 else directory)
    if (directory / "saved_model.pb").is_file():
        raise InputError(
            f"{directory}: a TensorFlow SavedModel, which is not read. Fetch the checkpoint or the HDF5 file."
        )
    raise InputError(
        f"{directory}: holds no weights under a name that is known. Readable: {READABLE}."
    )

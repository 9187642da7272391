"""Tensors by name from `.safetensors` and PyTorch files: one, several with an index, a directory, or the Hub.

No file is trusted: pickles are read by PyTorch's restricted reader, and whatever is wrong is named.
"""

import json
import os
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from enformer_core.errors import InputError
from enformer_core.machine import CACHE_VARIABLE, cache_directory
from enformer_core.words import counted

if TYPE_CHECKING:
    from torch import Tensor
else:
    Tensor = Any  # whoever only plans or reads runs needs no torch

HUB_SCHEME = "hf://"

_SAFETENSORS = ".safetensors"

_PICKLED = (".bin", ".pt", ".pth")

_INDEX = ".index.json"

_ZIP_MAGIC = b"PK\x03\x04"

_BEGINNING_BYTES = 64  # so much of a file tells what it is

# Where a directory or repository offers several, the first is read: safetensors cannot carry code.
_CANDIDATES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)


class _Kind(NamedTuple):
    """What a file looks like, for messages, and which endings such a file bears."""

    name: str
    endings: tuple[str, ...]


_UNKNOWN = _Kind("", ())

_KINDS = {  # by what files begin with
    _ZIP_MAGIC: _Kind("a PyTorch archive (.bin, .pt)", _PICKLED),
    b"\x80": _Kind("an old PyTorch or Python pickle (.bin, .pt)", _PICKLED),
    b"version https://git-lfs": _Kind(
        "a Git LFS pointer, not the file itself: fetch it with `git lfs pull`", ()
    ),
    b"\x89HDF": _Kind("HDF5, as Keras writes it", ()),
    b"\x1f\x8b": _Kind("gzip: unpack it first", ()),
    b"<": _Kind("a web page or XML, perhaps the error message of a download", ()),
}


@dataclass(frozen=True)
class NamedTensors:
    """The tensors of all files of a source, by the names that the files give them.

    They may share memory with the files, which must not be changed in place while they live.
    """

    source: str
    tensors: Mapping[str, Tensor]

    @property
    def names(self) -> Iterable[str]:
        """What the files call their tensors."""
        return self.tensors.keys()


def read_tensors(source: Path | str) -> NamedTensors:
    """Read tensors, on the CPU, mapped from disk where the format allows.

    Args:
        source: A `.safetensors`, `.bin`, `.pt` or `.pth` file, or one with another ending that begins as they do; a
            `*.index.json` of a sharded one; a directory with either; or `hf://owner/name[@revision]`, fetched or taken
            from the local cache (extra `hub`).

    Raises:
        InputError: A file is missing, truncated, of another kind or would run code; a name stands in two files.
    """
    state: dict[str, Tensor] = {}
    located = _locate(source)
    for member in located.members:
        tensors = _read_member(member)
        if twice := state.keys() & tensors.keys():
            raise InputError(
                f"{member}: {min(twice)} stands in another file of {source} too. Remove one of the two."
            )
        state |= tensors
    if located.index is not None:
        _check_index(located.index, state)
    return NamedTensors(str(source), state)


def tensor_files(source: Path | str) -> tuple[Path, ...]:
    """The files that `read_tensors(source)` reads, for digests; an index is not among them.

    Raises:
        InputError: There is none.
    """
    return _locate(source).members


def holds_tensor_files(directory: Path) -> bool:
    """Whether a directory holds weights under one of the names that Hugging Face gives them."""
    return _candidate(directory) is not None


@dataclass(frozen=True)
class _Located:
    """The index, where there is one, and the files that hold tensors."""

    index: Path | None
    members: tuple[Path, ...]


def _locate(source: Path | str) -> _Located:
    if isinstance(source, str) and source.startswith(HUB_SCHEME):
        path = _fetch(source)
    elif Path(source).is_dir():
        path = _in_directory(Path(source))
    else:
        path = Path(source)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file. Name a weights file, or fetch it first.")
    if not path.name.endswith(_INDEX):
        return _Located(None, (path,))
    members = sorted(set(_weight_map(path).values()))
    return _Located(path, tuple(path.parent / name for name in members))


def _candidate(directory: Path) -> Path | None:
    present = (directory / name for name in _CANDIDATES if (directory / name).is_file())
    return next(present, None)


def _in_directory(directory: Path) -> Path:
    path = _candidate(directory)
    if path is None:
        raise InputError(
            f"{directory}: holds none of {', '.join(_CANDIDATES)}. Name the weights file itself."
        )
    return path


def _weight_map(index: Path) -> dict[str, str]:
    """The file of each tensor, as an index says."""
    try:
        weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        names = {str(key): str(name) for key, name in weight_map.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{index}: is not an index of sharded weights ({error!r}). Fetch it again."
        ) from error
    outside = [name for name in names.values() if Path(name).name != name]
    if outside or not names:
        raise InputError(
            f"{index}: must name files beside it, names {outside[:1] or 'none'}. Fetch it again."
        )
    return names


def _check_index(index: Path, state: Mapping[str, Tensor]) -> None:
    promised = _weight_map(index).keys()
    if differing := sorted(promised ^ state.keys()):
        raise InputError(
            f"{index}: promises {counted(len(promised), 'tensors')}, its files hold {len(state)}; "
            f"{differing[0]} is on one side only. Fetch index and files of one revision."
        )


def _read_member(path: Path) -> dict[str, Tensor]:
    try:
        loaded = _load(path)
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(
            f"{path}: there is no such file. Fetch all files of the weights."
        ) from error
    except Exception as error:  # damaged files make the libraries raise almost anything
        raise InputError(f"{path}: cannot be read as weights; {_diagnosis(path, error)}") from error
    import torch  # noqa: PLC0415

    if not isinstance(loaded, dict) or not all(
        isinstance(tensor, torch.Tensor) for tensor in loaded.values()
    ):
        raise InputError(
            f"{path}: holds other things than tensors by name. Save the model's state_dict() alone."
        )
    return {str(name): tensor.detach() for name, tensor in loaded.items()}


def _load(path: Path) -> object:
    """What the library of the file's format makes of it; a pickle may hold anything that is harmless."""
    import torch  # noqa: PLC0415
    from safetensors.torch import load_file  # noqa: PLC0415

    beginning = _beginning(path)
    has_known_ending = path.suffix in (_SAFETENSORS, *_PICKLED)
    looks_like = _looks_like(beginning)
    endings = (path.suffix,) if has_known_ending else looks_like.endings
    if not endings and looks_like.name:
        raise InputError(f"{path}: it looks like {looks_like.name}.")
    if not endings:
        raise InputError(
            f"{path}: ends with {path.suffix!r}, not one of .safetensors, {', '.join(_PICKLED)}."
        )
    if endings == (_SAFETENSORS,):
        return load_file(path, device="cpu")
    with warnings.catch_warnings():
        # About pickle protocols; the restricted reader judges for itself.
        warnings.simplefilter("ignore", UserWarning)
        # Only archives can be mapped; PyTorch's older format is one stream.
        return torch.load(
            path, map_location="cpu", weights_only=True, mmap=beginning.startswith(_ZIP_MAGIC)
        )


def is_known_kind(path: Path) -> bool:
    """Whether a file begins as something that has a name here, whatever its ending."""
    return bool(_looks_like(_beginning(path)).name)


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_BEGINNING_BYTES)


def _diagnosis(path: Path, error: Exception) -> str:
    """What is probably wrong with a file that its library could not read."""
    beginning = _beginning(path)
    if not beginning:
        return "it is empty. Fetch it again."
    looks_like = _looks_like(beginning)
    misnamed = path.suffix not in looks_like.endings and path.suffix in (_SAFETENSORS, *_PICKLED)
    if looks_like.name and misnamed:
        return f"it looks like {looks_like.name}."
    refused_code = re.search("Unsupported (global|class|operand)|Trying to", str(error))
    if looks_like.name and refused_code:
        return f"it holds more than tensors and could run code ({_reason(error)}). Get the safetensors file instead."
    return f"it is truncated or damaged at {path.stat().st_size} bytes ({_reason(error)}). Fetch it again."


def _looks_like(beginning: bytes) -> _Kind:
    if beginning[8:9] == b"{":  # behind the length of its header, in 8 bytes
        return _Kind("safetensors (.safetensors)", (_SAFETENSORS,))
    for magic, kind in _KINDS.items():
        if beginning.startswith(magic):
            return kind
    return _UNKNOWN


def _reason(error: Exception) -> str:
    """The telling part of a library's message, which may run over pages."""
    message = str(error)
    telling = re.search(r"(Unsupported|Trying to)[^\n]*?(?=\. |\n|$)", message)
    telling = telling or re.search(r".+", message)
    return telling.group()[:120] if telling else type(error).__name__


def _fetch(source: str) -> Path:
    """Download from the Hub, or find in its cache; all files of a sharded source lie beside the one returned."""
    try:
        from huggingface_hub import hf_hub_download  # noqa: PLC0415 - an extra
        from huggingface_hub.errors import EntryNotFoundError  # noqa: PLC0415
    except ImportError as error:
        raise InputError(
            f"{source}: needs huggingface_hub. Install the extra `hub`, or name a local file."
        ) from error
    name, _, revision = source.removeprefix(HUB_SCHEME).partition("@")
    # Where a cache is named, all of it goes there; else the Hub's own is shared with other programs.
    cache = cache_directory("huggingface") if os.environ.get(CACHE_VARIABLE) else None
    reason = ""
    for candidate in _CANDIDATES:
        try:
            path = Path(
                hf_hub_download(name, candidate, revision=revision or None, cache_dir=cache)
            )
            shards = _weight_map(path).values() if candidate.endswith(_INDEX) else ()
            for shard in sorted(set(shards)):
                # The snapshot's folder is called after the commit, so that all files are of one.
                hf_hub_download(name, shard, revision=path.parent.name, cache_dir=cache)
        except EntryNotFoundError as error:
            reason = _reason(error)
        except (OSError, ValueError) as error:  # the library's own errors are of these kinds
            raise InputError(
                f"{source}: cannot be fetched ({_reason(error)}). Is it hf://owner/name@revision?"
            ) from error
        else:
            return path
    raise InputError(
        f"{source}: has none of {', '.join(_CANDIDATES)}, or cannot be reached ({reason})."
    )

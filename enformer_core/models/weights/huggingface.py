"""Hugging Face files, `.safetensors` and `.bin`, as tensors under our parameter names.

The published Enformer stores the trunk twice: `stem.0.weight` is also `_trunk.1.0.weight`. Files that refuse such
aliases keep either half; both are read here. Knows file formats and names. Does not know whether the tensors fit a
model (see `check`). Source of the names: lucidrains/enformer-pytorch and `EleutherAI/enformer-official-rough`.
"""

import json
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from enformer_core.errors import InputError
from enformer_core.models.weights.check import ALIAS, COUNTER, Reading

HUB_SCHEME = "hf://"

_TRUNK = {
    "_trunk.1.": "stem.",
    "_trunk.2.": "conv_tower.",
    "_trunk.4.": "transformer.",
    "_trunk.6.": "final_pointwise.",
}

_SAFETENSORS = ".safetensors"

_PICKLED = (".bin", ".pt", ".pth")

_COUNTER = "num_batches_tracked"

# Where a directory or repository offers several, the first is read: safetensors cannot carry code.
_CANDIDATES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)

_BEGINNINGS = (  # what files begin with, what they are, and which suffixes they bear; for messages
    (b"PK\x03\x04", "a PyTorch archive (.bin, .pt)", _PICKLED),
    (b"\x80", "an old PyTorch or Python pickle (.bin, .pt)", _PICKLED),
    (
        b"version https://git-lfs",
        "a Git LFS pointer, not the file itself: fetch it with `git lfs pull`",
        (),
    ),
    (b"\x89HDF", "HDF5, as Keras writes it", ()),
    (b"\x1f\x8b", "gzip: unpack it first", ()),
    (b"<", "a web page or XML, perhaps the error message of a download", ()),
)


def read_huggingface(source: Path | str) -> dict[str, Tensor]:
    """Read weights, on the CPU, mapped from disk where the format allows.

    Args:
        source: A `.safetensors`, `.bin`, `.pt` or `.pth` file, or one with another ending that begins as they do; a
            `*.index.json` of a sharded one; a directory with either; or `hf://owner/name[@revision]`, fetched or taken
            from the local cache (extra `hub`).

    Returns:
        Tensors by our parameter names, `_trunk.` aliases resolved. They may share memory with the file, which must not
        be changed in place while they live. Nothing is checked against a model yet.

    Raises:
        InputError: A file is missing, truncated, of another kind or would run code; an alias differs from its name.
    """
    return _resolve_aliases(_read_all(source), str(source))


def huggingface_reading(source: Path | str) -> Reading:
    """As `read_huggingface`, without counters of BatchNorm, and with the names that the files give.

    Raises:
        InputError: As `read_huggingface`.
    """
    raw = _read_all(source)
    resolved = _resolve_aliases(raw, str(source))
    left_out = {key: COUNTER for key in raw if key.endswith(_COUNTER)}
    left_out |= {key: ALIAS for key in raw if _our_name(key) != key and _our_name(key) in raw}
    names = {key: _our_name(key) for key in raw if key not in left_out}
    return Reading({name: resolved[name] for name in names.values()}, names, left_out)


def _read_all(source: Path | str) -> dict[str, Tensor]:
    """The tensors of all files, under their names."""
    state: dict[str, Tensor] = {}
    index, members = _locate(source)
    for member in members:
        tensors = _read_member(member)
        if twice := state.keys() & tensors.keys():
            raise InputError(
                f"{member}: {min(twice)} stands in another file of {source} too. Remove one of the two."
            )
        state |= tensors
    if index is not None:
        _check_index(index, state)
    return state


def huggingface_files(source: Path | str) -> tuple[Path, ...]:
    """The files that `read_huggingface(source)` takes its tensors from, for digests; an index is not among them.

    Raises:
        InputError: There is none.
    """
    return _locate(source)[1]


def _locate(source: Path | str) -> tuple[Path | None, tuple[Path, ...]]:
    """The index, where there is one, and the files that hold tensors."""
    if isinstance(source, str) and source.startswith(HUB_SCHEME):
        path = _fetch(source)
    else:
        path = _in_directory(Path(source)) if Path(source).is_dir() else Path(source)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file. Name a weights file, or fetch it first.")
    if not path.name.endswith(".index.json"):
        return None, (path,)
    return path, tuple(path.parent / name for name in sorted(set(_weight_map(path).values())))


def in_layout(directory: Path) -> bool:
    """Whether a directory holds weights under one of the names that Hugging Face gives them."""
    return any((directory / name).is_file() for name in _CANDIDATES)


def _in_directory(directory: Path) -> Path:
    found = next((directory / name for name in _CANDIDATES if (directory / name).is_file()), None)
    if found is None:
        raise InputError(
            f"{directory}: holds none of {', '.join(_CANDIDATES)}. Name the weights file itself."
        )
    return found


def _weight_map(index: Path) -> dict[str, str]:
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
            f"{index}: promises {len(promised)} tensors, its files hold {len(state)}; "
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
    if not isinstance(loaded, dict) or not all(
        isinstance(tensor, Tensor) for tensor in loaded.values()
    ):
        raise InputError(
            f"{path}: holds other things than tensors by name. Save the model's state_dict() alone."
        )
    return {str(name): tensor.detach() for name, tensor in loaded.items()}


def _load(path: Path) -> Any:
    with path.open("rb") as file:
        beginning = file.read(64)
    known = (path.suffix,) if path.suffix in (_SAFETENSORS, *_PICKLED) else _looks(beginning)[1]
    if not known:
        raise InputError(
            f"{path}: ends with {path.suffix!r}, not one of .safetensors, {', '.join(_PICKLED)}."
        )
    if known == (_SAFETENSORS,):
        return load_file(path, device="cpu")
    archive = beginning.startswith(b"PK\x03\x04")
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", UserWarning
        )  # about pickle protocols; the restricted reader judges for itself
        return torch.load(path, map_location="cpu", weights_only=True, mmap=archive)


def _diagnosis(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        beginning = file.read(64)
    if not beginning:
        return "it is empty. Fetch it again."
    looks, suffixes = _looks(beginning)
    if looks and path.suffix not in suffixes and path.suffix in (_SAFETENSORS, *_PICKLED):
        return f"it looks like {looks}."
    if looks and re.search("Unsupported (global|class|operand)|Trying to", str(error)):
        return f"it holds more than tensors and could run code ({_reason(error)}). Get the safetensors file instead."
    return f"it is truncated or damaged at {path.stat().st_size} bytes ({_reason(error)}). Fetch it again."


def _looks(beginning: bytes) -> tuple[str, tuple[str, ...]]:
    if beginning[8:9] == b"{":  # behind the header's length
        return "safetensors (.safetensors)", (_SAFETENSORS,)
    return next(
        ((what, suffixes) for magic, what, suffixes in _BEGINNINGS if beginning.startswith(magic)),
        ("", ()),
    )


def _reason(error: Exception) -> str:
    """The telling part of a library's message, which may run over pages."""
    telling = re.search(r"(Unsupported|Trying to)[^\n]*?(?=\. |\n|$)", str(error)) or re.search(
        r".+", str(error)
    )
    return telling.group()[:120] if telling else type(error).__name__


def _resolve_aliases(state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    resolved = {key: tensor for key, tensor in state.items() if _our_name(key) == key}
    for key, tensor in state.items():
        name = _our_name(key)
        if not _same(resolved.setdefault(name, tensor), tensor):
            raise InputError(
                f"{source}: {key} differs from {name}, of which it is an alias. Fetch the file again."
            )
    return resolved


def _our_name(key: str) -> str:
    alias = next((alias for alias in _TRUNK if key.startswith(alias)), None)
    return key if alias is None else _TRUNK[alias] + key.removeprefix(alias)


def _same(one: Tensor, other: Tensor) -> bool:
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return one.is_set_to(other) or torch.equal(one, other)


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
    reason = ""
    for candidate in _CANDIDATES:
        try:
            path = Path(hf_hub_download(name, candidate, revision=revision or None))
            shards = _weight_map(path).values() if candidate.endswith(".index.json") else ()
            for shard in sorted(set(shards)):
                hf_hub_download(name, shard, revision=path.parent.name)
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

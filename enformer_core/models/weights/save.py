"""Weights to a `.safetensors` file that is either whole or not there, and the same bytes whenever the content is."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from enformer_core.errors import InputError
from enformer_core.user_path import circle_of_links, real_path, why_unwritable

# The library writes several keys in an order that changes from one process to the next, so all go into one, as JSON.
_KEY = "enformer-ray"


def save_weights(
    path: Path,
    state: Mapping[str, Tensor],
    metadata: Mapping[str, str],
) -> None:
    """Write float32 tensors to `path`, replacing what is there, by way of a file of another name beside it.

    Raises:
        InputError: when what is there is no file, the directory is missing or cannot be written, or the disk is full.
        ValueError: for a tensor of another type.
    """
    for name, tensor in state.items():
        if tensor.dtype != torch.float32:
            raise ValueError(f"{name} is {tensor.dtype}, not float32")
    described = {_KEY: json.dumps(dict(metadata), sort_keys=True)}
    target = real_path(path)  # of a link it is the file behind that is replaced
    if target.exists() and not target.is_file():
        raise InputError(f"{path}: is no file. Choose another place for it.")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if target.is_symlink():
            raise circle_of_links(path)
        temporary.touch()  # a missing directory is an OSError here, and an error of the library's own below
        save_file(_apart(state), temporary, described)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({why_unwritable(path, error)}). Choose another place for it."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def read_metadata(path: Path) -> dict[str, str]:
    """What `save_weights` wrote beside the tensors; of files that earlier releases wrote, too.

    Raises:
        InputError: when it is not a `.safetensors` file.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
    except Exception as error:  # the library's own error has no public base
        raise InputError(f"{path}: cannot be read as safetensors: {error}") from error
    # Earlier releases gave each entry a key of its own, and their version the key that now holds all.
    written = metadata.get(_KEY, "")
    return dict(json.loads(written)) if written.startswith("{") else metadata


def _apart(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors in C order, none of which shares memory with another: the library refuses those that do."""
    apart = {}
    used: set[int] = set()
    for name, tensor in state.items():
        contiguous = tensor.detach().contiguous()
        memory = contiguous.untyped_storage().data_ptr()
        apart[name] = contiguous.clone() if memory in used else contiguous
        used.add(memory)
    return apart

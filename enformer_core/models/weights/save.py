"""Weights to a `.safetensors` file that is either whole or not there, and the same bytes whenever the content is.

The library's own writer puts the metadata in a random order, so the digest of its file would change from one writing to
the next. Source of the layout: huggingface/safetensors, README, "Format".
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from enformer_core.errors import InputError

_ALIGNMENT_BYTES = 8

_FLOAT32_BYTES = 4


def save_weights(path: Path, state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write float32 tensors to `path`, replacing what is there, by way of a file of another name beside it.

    Raises:
        InputError: when the directory is missing or cannot be written, or the disk is full.
        ValueError: for a tensor of another type.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(_header(state, metadata))
            for name in sorted(state):
                file.write(
                    state[name].detach().contiguous().reshape(-1).view(torch.uint8).numpy().data
                )
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}). Choose another place for it."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _header(state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    entries: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    end = 0
    for name in sorted(state):
        tensor = state[name]
        if tensor.dtype != torch.float32:
            raise ValueError(f"{name} is {tensor.dtype}, not float32")
        start, end = end, end + _FLOAT32_BYTES * tensor.numel()
        entries[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(entries, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % _ALIGNMENT_BYTES)
    return len(text).to_bytes(8, "little") + text

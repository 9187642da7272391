"""Weights are proved to fit a model before they are put into it, and named by what they contain.

Knows names, shapes, types and digests. Does not know file formats, nor what a parameter means to a model.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from enformer_core.errors import InputError

_COUNTER = "num_batches_tracked"  # BatchNorm counts training steps; inference never reads it, and some files lack it


def load_parameters(
    model: nn.Module,
    state: Mapping[str, Tensor],
    *,
    source: str,
    theirs: Mapping[str, str] | None = None,
) -> None:
    """Put `state` into `model`, or refuse it whole.

    The tensors themselves become the model's parameters, so a model made under `torch.device("meta")` costs no memory
    beside the file's. Half and double precision are refused rather than converted: effects of variants are small
    differences of large numbers, so a rounding that nobody asked for would change scores silently.

    Args:
        model: Its own `state_dict` says which names, shapes and types are wanted.
        state: Tensors by parameter name. Counters of BatchNorm (`num_batches_tracked`) may be absent.
        source: What messages call the origin of `state`, such as a path.
        theirs: What the source calls a tensor, by our name, where that differs; for messages.

    Raises:
        InputError: A name is missing or unknown; a shape or type differs; a value is NaN or infinite; a variance is
            negative. The model is left as it was.
    """
    wanted = model.state_dict()
    _check_names(wanted, state, source)
    for name, parameter in wanted.items():
        if name in state:
            known_as = (theirs or {}).get(name, name)
            named = name if known_as == name else f"{known_as} (our {name})"
            _check_tensor(named, state[name], parameter, source)
    counters = {
        name: torch.zeros((), dtype=torch.int64) for name in wanted if name.endswith(_COUNTER)
    }
    model.load_state_dict({**counters, **state}, strict=True, assign=True)


def _check_names(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor], source: str) -> None:
    missing = [name for name in wanted if name not in state and not name.endswith(_COUNTER)]
    unknown = [name for name in state if name not in wanted]
    if not missing and not unknown:
        return
    parts = [
        f"{what} {_some(names)}"
        for what, names in (("lacks", missing), ("has the unknown", unknown))
        if names
    ]
    raise InputError(f"{source}: {' and '.join(parts)}. {_names_remedy(wanted, state)}")


def _names_remedy(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str:
    half = len(wanted) / 2
    if sum(name in wanted for name in state) >= half:
        return "Is the file complete, and of this version of the model?"
    if sum(name.partition(".")[2] in wanted for name in state) >= half:
        prefix = next(name.partition(".")[0] for name in state if name.partition(".")[2] in wanted)
        return f"The names carry a prefix: save them again without `{prefix}.`."
    return "These look like the weights of another model; choose the model that they belong to."


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{len(names)} of its names ({shown}{', …' if len(names) > 5 else ''})"


def _check_tensor(name: str, found: Tensor, wanted: Tensor, source: str) -> None:
    if found.shape != wanted.shape:
        raise InputError(
            f"{source}: {name} has shape {tuple(found.shape)}, the model wants {tuple(wanted.shape)}. "
            "Are these weights of another size of the model, or of other output tracks?"
        )
    if found.dtype != wanted.dtype:
        raise InputError(
            f"{source}: {name} is {_type(found)}, the model wants {_type(wanted)}. Use the original weights: rounded "
            "ones give other scores. Or convert them knowingly (`tensor.float()`), save them and give the new file."
        )
    if found.is_floating_point():
        _check_values(name, found, source)


def _check_values(name: str, found: Tensor, source: str) -> None:
    if not found.numel():
        return
    low, high = (value.item() for value in torch.aminmax(found))  # both are NaN where any value is
    if not -float("inf") < low <= high < float("inf"):
        nan, infinite = int(found.isnan().sum()), int(found.isinf().sum())
        raise InputError(
            f"{source}: {name} holds {nan} NaN and {infinite} infinite values among {found.numel()}. "
            "The file is damaged or its training failed; fetch it again."
        )
    if name.rstrip(")").endswith("running_var") and low < 0:
        raise InputError(
            f"{source}: {name} is a variance and holds {low:g}. Were mean and variance swapped in a conversion?"
        )


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def file_sha256(path: Path | Iterable[Path]) -> str:
    """SHA-256 of a file in hexadecimal; of several files, SHA-256 over the sorted digests of each, in ASCII.

    Names and order of several files do not matter. Files are streamed, never held in memory.

    Raises:
        InputError: A file cannot be read, or there is none.
    """
    if isinstance(path, Path):
        return _one_sha256(path)
    digests = sorted(map(_one_sha256, path))
    if not digests:
        raise InputError("no weights file to take a digest of: name at least one")
    return (
        digests[0]
        if len(digests) == 1
        else hashlib.sha256("".join(digests).encode("ascii")).hexdigest()
    )


def _one_sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}). Name a weights file."
        ) from error


def state_sha256(state: Mapping[str, Tensor]) -> str:
    r"""SHA-256 of what weights contain, whatever file they came from.

    Over the names in sorted order: name, type and shape as the ASCII line `name dtype d0,d1,…\n`, then the values as
    little-endian bytes in C order. Counters of BatchNorm (`num_batches_tracked`) are left out: some formats lack them.
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        if name.endswith(_COUNTER):
            continue
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {_type(tensor)} {','.join(map(str, tensor.shape))}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


ALIAS = "alias"

COUNTER = "counter of batches"

TRAINING = "for training only"


@dataclass(frozen=True)
class Reading:
    """The content of one source of weights.

    Attributes:
        state: tensors by our parameter names.
        names: our name by theirs, one for each tensor of `state`.
        left_out: their names of what is not needed, with the reason: `ALIAS`, `COUNTER` or `TRAINING`.
    """

    state: dict[str, Tensor]
    names: Mapping[str, str]
    left_out: Mapping[str, str] = field(default_factory=dict)

"""Weights are proved to fit a model before they are put into it, and named by what they contain.

Knows names, shapes, types and digests. Does not know file formats, nor what a parameter means to a model.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from enformer_core.errors import InputError, first_few
from enformer_core.models.weights.loaded import BATCH_COUNTER

if TYPE_CHECKING:
    from torch import Tensor, nn
else:
    Tensor = Any  # whoever only plans or reads runs needs no torch


def _our_name(ours: str) -> str:
    return ours


def load_parameters(
    model: "nn.Module",
    state: Mapping[str, Tensor],
    *,
    source: str,
    published: Callable[[str], str] = _our_name,
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
        published: What messages call a parameter, by the model's name for it.
        theirs: What the source calls a tensor, by the model's name, where that differs; for messages.

    Raises:
        InputError: A name is missing or unknown; a shape or type differs; a value is NaN or infinite; a variance is
            negative. The model is left as it was.
    """
    import torch  # noqa: PLC0415

    wanted = model.state_dict()
    # All names before any tensor: of a file for another model, the first wrong shape would tell less.
    _check_names([published(name) for name in wanted], [published(name) for name in state], source)
    for name, parameter in wanted.items():
        if name in state:
            shown = published(name)
            their_name = (theirs or {}).get(name, shown)
            if their_name != shown:
                shown = f"{their_name} (our {shown})"
            _check_tensor(shown, state[name], parameter, source)
    # The model's own counters are of the device without memory, too, so that they need values where a file has none.
    counters = {
        name: torch.zeros((), dtype=torch.int64) for name in wanted if name.endswith(BATCH_COUNTER)
    }
    model.load_state_dict({**counters, **state}, strict=True, assign=True)


def _check_names(
    wanted: Sequence[str],
    given: Sequence[str],
    source: str,
) -> None:
    known = set(wanted)
    present = set(given)
    missing = [name for name in wanted if name not in present and not name.endswith(BATCH_COUNTER)]
    unknown = [name for name in given if name not in known]
    parts = []
    if missing:
        parts.append(f"lacks {len(missing)} of its names ({first_few(missing)})")
    if unknown:
        parts.append(f"has the unknown {len(unknown)} of its names ({first_few(unknown)})")
    if parts:
        raise InputError(f"{source}: {' and '.join(parts)}. {_names_remedy(wanted, given)}")


def _names_remedy(wanted: Sequence[str], given: Sequence[str]) -> str:
    """What is probably wrong, by how many of the names would fit as they are, or without a prefix."""
    half = len(wanted) / 2
    known = set(wanted)
    if sum(name in known for name in given) >= half:
        return "Is the file complete, and of this version of the model?"
    prefixed = [name for name in given if name.partition(".")[2] in known]
    if len(prefixed) >= half:
        prefix, _, _ = prefixed[0].partition(".")
        return f"The names carry a prefix: save them again without `{prefix}.`."
    return "These look like the weights of another model; choose the model that they belong to."


def _check_tensor(
    name: str,
    given: Tensor,
    wanted: Tensor,
    source: str,
) -> None:
    if given.shape != wanted.shape:
        raise InputError(
            f"{source}: {name} has shape {tuple(given.shape)}, the model wants {tuple(wanted.shape)}. "
            "Are these weights of another size of the model, or of other output tracks?"
        )
    if given.dtype != wanted.dtype:
        raise InputError(
            f"{source}: {name} is {_type(given)}, the model wants {_type(wanted)}. Use the original weights: rounded "
            "ones give other scores. Or convert them knowingly (`tensor.float()`), save them and give the new file."
        )
    if given.is_floating_point() and given.numel():
        _check_values(name, given, source)


def _check_values(name: str, given: Tensor, source: str) -> None:
    import torch  # noqa: PLC0415

    low, high = (value.item() for value in torch.aminmax(given))  # both are NaN where any value is
    if not -float("inf") < low <= high < float("inf"):
        nan = int(given.isnan().sum())
        infinite = int(given.isinf().sum())
        raise InputError(
            f"{source}: {name} holds {nan} NaN and {infinite} infinite values among {given.numel()}. "
            "The file is damaged or its training failed; fetch it again."
        )
    is_variance = name.rstrip(")").endswith("running_var")  # `theirs (our ….running_var)` too
    if is_variance and low < 0:
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
    paths = [path] if isinstance(path, Path) else path
    digests = sorted(map(_one_sha256, paths))
    if not digests:
        raise InputError("no weights file to take a digest of: name at least one")
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode("ascii")).hexdigest()


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

    Args:
        state: tensors by their published names, which do not change when our modules are arranged anew.
    """
    import torch  # noqa: PLC0415

    digest = hashlib.sha256()
    for name in sorted(state):
        if name.endswith(BATCH_COUNTER):
            continue
        # As bytes, whatever the type: NumPy has no bfloat16.
        tensor = state[name].detach().cpu().contiguous()
        shape = ",".join(map(str, tensor.shape))
        digest.update(f"{name} {_type(tensor)} {shape}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()

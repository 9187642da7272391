"""Weights as the user names them, on this node: those of one model, or of several replicates whose mean is asked for.

Replicates are models of one kind that were trained apart. Loads no torch.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from enformer_core.dataset.digests import sha256
from enformer_core.errors import InputError
from enformer_core.storage.open import local_path
from enformer_core.user_path import user_path

if TYPE_CHECKING:
    from enformer_core.models.registry import ModelSource


def model_source(model: str, weights: str | None, params: str | None) -> "ModelSource":
    """A model with its weights and sizes on this node, as the user named them."""
    # here, so that whoever reads runs needs no torch
    from enformer_core.models.registry import ModelSource  # noqa: PLC0415

    sizes = None if params is None else local_path(params)
    return ModelSource(model, located_weights(weights), given=weights, params=sizes)


def located_weights(name: str | None) -> str | None:
    """A path on this node of the weights that the user named, or their address on the Hugging Face hub.

    Raises:
        InputError: for several files, and for an address that nothing reads.
    """
    if name is None:
        return None
    several = weights_named(name)
    if len(several) > 1:
        raise InputError(
            f"--weights {name}: names {len(several)} files, and the mean over several replicates of a model is what "
            "`enformer-ray score` (and `plan`) takes alone. Name one."
        )
    return local_path(name, also=("hf",))


def weights_named(names: str) -> tuple[str, ...]:
    """Each file of weights that the user named: of `a.h5,b.h5` two; a path that is there is one, whatever its commas.

    Raises:
        InputError: where there is nothing between two commas.
    """
    if "," not in names or os.path.lexists(user_path(names)):
        return (names,)
    parts = tuple(part.strip() for part in names.split(","))
    if not all(parts):
        raise InputError(
            f"--weights {names}: names nothing between two commas, or behind the last. Leave the comma out."
        )
    return parts


def models_named(names: str | None) -> int:
    """Of how many models the mean is asked for, by names of weights; none of them need be there."""
    return 1 if names is None else len(weights_named(names))


def replicates_sha256(digests: Sequence[str]) -> str:
    """Digest of weights: of one model its own; of several replicates SHA-256 over theirs in order, in ASCII."""
    return digests[0] if len(digests) == 1 else sha256("".join(digests).encode("ascii"))


def check_parameters(sources: Sequence["ModelSource"]) -> None:
    """Refuse weights that do not fit, and replicates whose parameters are the same in files of other content.

    Args:
        sources: of each the model and its weights on this node.

    Raises:
        InputError: naming what does not fit, or both files.
    """
    import torch  # noqa: PLC0415

    if len(sources) == 1:
        sources[0].build(torch.device("cpu"))
        return
    # one after another: no more than one need be held
    digests = [source.parameters_sha256() for source in sources]
    check_replicates([str(source.given or source.weights) for source in sources], digests)


def check_replicates(names: Sequence[str], digests: Sequence[str]) -> None:
    """Refuse a model that is named twice: it would count twice in the mean, and make the spread smaller than it is.

    Args:
        names: of weights.
        digests: of each.

    Raises:
        InputError: naming both.
    """
    first: dict[str, str] = {}
    for name, digest in zip(names, digests, strict=True):
        if digest in first:
            raise InputError(
                f"--weights: {first[digest]} and {name} hold the same (sha256 {digest[:12]}…); replicates are models "
                "that were trained apart. Name each once."
            )
        first[digest] = name

"""The published Enformer of Hugging Face: its names beside ours, and its aliases.

The published file stores the trunk twice: `stem.0.weight` is also `_trunk.1.0.weight`. Files that refuse such aliases
keep either half; both are read. Source: lucidrains/enformer-pytorch and `EleutherAI/enformer-official-rough`.
"""

import re
from typing import TYPE_CHECKING, Any

from enformer_core.errors import InputError
from enformer_core.models.weights.loaded import (
    ALIAS,
    BATCH_COUNTER,
    COUNTER,
    DERIVED,
    LoadedWeights,
)
from enformer_core.models.weights.names import NameTable
from enformer_core.models.weights.tensor_files import NamedTensors

if TYPE_CHECKING:
    from torch import Tensor
else:
    Tensor = Any  # whoever only plans or reads runs needs no torch

ENFORMER_NAMES = NameTable(
    # Their numbers count modules: 0 and 2 of a block are its norm and its convolution, between them stands the GELU.
    rows=(
        ("stem.0.", "stem.conv."),
        ("stem.1.fn.0.", "stem.pointwise.norm."),
        ("stem.1.fn.2.", "stem.pointwise.conv."),
        ("stem.2.", "stem.pool."),
        ("conv_tower.{}.0.0.", "tower.{}.conv_block.norm."),
        ("conv_tower.{}.0.2.", "tower.{}.conv_block.conv."),
        ("conv_tower.{}.1.fn.0.", "tower.{}.pointwise.norm."),
        ("conv_tower.{}.1.fn.2.", "tower.{}.pointwise.conv."),
        ("conv_tower.{}.2.", "tower.{}.pool."),
        ("transformer.{}.0.fn.0.", "transformer.{}.attention_norm."),
        ("transformer.{}.0.fn.1.", "transformer.{}.attention."),
        ("transformer.{}.1.fn.0.", "transformer.{}.mlp_norm."),
        ("transformer.{}.1.fn.1.", "transformer.{}.mlp.up."),
        ("transformer.{}.1.fn.4.", "transformer.{}.mlp.down."),
        ("final_pointwise.1.0.", "final.norm."),
        ("final_pointwise.1.2.", "final.conv."),
        ("_heads.{}.0.", "heads.{}."),
    ),
    aliases=(
        ("_trunk.1.", "stem."),
        ("_trunk.2.", "conv_tower."),
        ("_trunk.4.", "transformer."),
        ("_trunk.6.", "final_pointwise."),
    ),
    # Only names that Enformer alone has; the last are ours, of a state that was saved without being published.
    mark=re.compile(r"conv_tower\.|_trunk\.[24]\.|tower\.\d+\.conv_block\."),
)


def load_named(tensors: NamedTensors, table: NameTable) -> LoadedWeights:
    """Tensors of files under our names: aliases proved equal to what they repeat; what is no parameter left out.

    Raises:
        InputError: an alias differs from the tensor of which it is one.
    """
    stored = tensors.tensors
    # False sorts before True, and the order is kept otherwise: a message calls the alias an alias, not the original.
    aliases_last = sorted(stored, key=lambda key: table.canonical(key) != key)
    first_key: dict[str, str] = {}
    left_out = {key: COUNTER for key in stored if key.endswith(BATCH_COUNTER)}
    if table.derived is not None:
        left_out |= {key: DERIVED for key in stored if table.derived.fullmatch(key)}
    for key in aliases_last:
        original = first_key.setdefault(table.ours(key), key)
        if not _same(stored[original], stored[key]):
            raise InputError(
                f"{tensors.source}: {key} differs from {original}, of which it is an alias. Fetch the file again."
            )
        if key != original:
            left_out[key] = ALIAS
    names = {key: table.ours(key) for key in stored if key not in left_out}
    state = {ours: _narrowed(stored[key], ours, table) for key, ours in names.items()}
    return LoadedWeights(state, names, left_out)


def _narrowed(tensor: Tensor, ours: str, table: NameTable) -> Tensor:
    """The tensor without the last axis, where the file adds one of length 1 to a matrix."""
    is_widened = table.widened is not None and table.widened.fullmatch(ours)
    if is_widened and tensor.ndim == 3 and tensor.shape[-1] == 1:
        return tensor.squeeze(-1)
    return tensor


def _same(one: Tensor, other: Tensor) -> bool:
    import torch  # noqa: PLC0415

    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return one.is_set_to(other) or torch.equal(one, other)

"""Steps that serve several alts at once, and what each alt's differences are multiplied by in them."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from enformer_core.scoring.delta.fused_rules import fused_layer_norm_scale
from enformer_core.scoring.delta.scaling import Scale, is_scaled

ALTS_TOGETHER = 32
"""Alts that one step on a GPU serves: the fused kernel's products by distance take 41 MB for each in 16 bits."""
_OF_TOKENS = 1_536
"""Tokens of the windows that it is said of."""

Tokens = Float[Tensor, "tokens channels"]
Differences = Float[Tensor, "alts tokens channels"]


def alts_together(d: Differences) -> list[slice]:
    """Which alts a step serves: one on CPUs, whose caches hold no more; several on GPUs, which small steps keep."""
    alts, tokens, _ = d.shape
    together = 1
    if d.device.type != "cpu":
        # what a step holds grows with the square of a window: 4 alts of 4,096 tokens
        together = max(1, min(ALTS_TOGETHER, ALTS_TOGETHER * _OF_TOKENS**2 // tokens**2))
    return [slice(first, min(first + together, alts)) for first in range(0, alts, together)]


def fused_scale(norm: nn.LayerNorm, x: Tokens, d: Differences, delta: torch.dtype) -> Scale | None:
    """What each alt's differences are multiplied by from the LayerNorm on, where they need it."""
    return fused_layer_norm_scale(norm, x, d) if is_scaled(delta) else None


def add_moved(d: Differences, moved: Differences, scale: Scale | None) -> None:
    """Add a block's change of its output to d, the factor of each alt taken away."""
    if scale is None:
        d += moved
    else:
        d.addcmul_(moved, scale.inverse[:, None, None])

"""Whether the kernels run here: tried once in a process, small, before anything depends on it.

Triton builds a kernel when it is first used. For that it needs a C compiler on the machine, and the device needs enough
memory on the chip; where either is missing the same is computed without kernels, slower, and receipts say why.

Does not know layers or models.
"""

from functools import cache

import torch

from enformer_core.scoring.delta.fused_attention import (
    fused_attention_available,
    fused_attention_difference,
)
from enformer_core.scoring.delta.fused_reference import FORMATS, fused_reference
from enformer_core.scoring.delta.fused_rules import (
    fused_gelu_difference,
    fused_layer_norm_difference,
    fused_layer_norm_scale,
    fused_relu_difference,
    fused_softplus_difference,
)
from enformer_core.scoring.delta.trial import why_not

LEAST_CAPABILITY = (8, 0)
"""Of devices for which Triton builds products on tensor cores; older ones spill what it builds instead."""
TOKENS, KEYS, VALUES = 64, 64, 192
"""Of the trial: a block of tokens, and channels as Enformer has them, which decide how much memory is needed."""


def kernels_serve(delta: torch.dtype, device: torch.device) -> bool:
    """Whether the fused kernels serve: not in float64, the yardstick's format, and where they cannot run."""
    if delta not in FORMATS or not fused_attention_available(device):
        return False
    return why_without_kernels(delta, device) is None


def why_without_kernels(delta: torch.dtype, device: torch.device) -> str | None:
    """What keeps the fused kernels from a GPU; None where nothing does, and where nobody would expect them."""
    if delta not in FORMATS or device.type != "cuda":
        return None
    if not fused_attention_available(device):
        return "Triton is not installed"
    capability = torch.cuda.get_device_capability(device)
    if capability < LEAST_CAPABILITY:
        return f"they need compute capability 8.0, this device has {capability[0]}.{capability[1]}"
    return _tried(delta, device)


@cache
def _tried(delta: torch.dtype, device: torch.device) -> str | None:
    return why_not(lambda: try_kernels(delta, device))


def try_kernels(delta: torch.dtype, device: torch.device) -> None:
    """Run every kernel of the transformer once."""
    norm = torch.nn.LayerNorm(KEYS, device=device)
    x = torch.ones(TOKENS, KEYS, device=device)
    d = torch.ones(1, TOKENS, KEYS, device=device)
    with torch.inference_mode():
        scale = fused_layer_norm_scale(norm, x, d)
        low = fused_layer_norm_difference(norm, x, d, delta, scale)
        fused_relu_difference(x, low.clone(), scale)
        fused_gelu_difference(x, low[0], delta, factors=(scale.inverse, scale.factor))
        fused_softplus_difference(x, low[0], scale.inverse)
        values = torch.ones(1, TOKENS, VALUES, device=device)
        reference = fused_reference(
            content=x[None],
            k=x[None],
            v=values,
            relative=torch.ones(1, 2 * TOKENS - 1, KEYS, device=device),
            logits=torch.zeros(1, TOKENS, TOKENS, device=device),
            attended=values,
            queries=range(TOKENS),
            delta=delta,
        )
        fused_attention_difference(reference, low[None], low[None], values[None].to(delta))
    if device.type == "cuda":
        torch.cuda.synchronize(device)

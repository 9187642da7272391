"""Rules of `layer_rules` in one pass over memory each, for CUDA devices, over several alts.

Step by step, a rule moves an alt's numbers through the device's memory a dozen times.

LayerNorm's rule here subtracts nothing that is nearly equal, so that its error is relative to the difference, however
small. With x and d less their means over channels, and their mean products over channels as cov and var:

    t = (2 cov(x, d) + var d) / (var x + eps)      by so much the variance grows
    s = 1 / √(1 + t) − 1 = −t / (√(1 + t) (1 + √(1 + t)))
    norm(x + d) − norm(x) = weight / √(var x + eps) · (d (1 + s) + x s)

GELU and softplus too multiply by expm1 of a small change, and subtract where it is large. Differences in float16 come
times a power of two for each alt, see `scaling`; a rule takes it away, and puts it on what it finds.

Two channels, x = (−1, 1) and d = (−1, 1): var x = 1, t = (2 + 1) / 1 = 3 without eps, √4 = 2, s = −3 / (2 · 3) = −1/2,
and d / 2 − x / 2 = 0: twice as far apart, the two are normalised to the same.

Does not know layers or models, and imports Triton only when a kernel is called: CPU installations lack it.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from enformer_core.scoring.delta.scaling import Scale

BLOCK = 4096
"""Numbers of a step of the ReLU's kernel."""
ROW_BLOCK = 1024
"""Numbers of a step of those that go along a bin's channels or tracks."""


def fused_layer_norm_difference(
    norm: nn.LayerNorm,
    x: Float[Tensor, "tokens channels"],
    d: Float[Tensor, "alts tokens channels"],
    delta: torch.dtype,
    scale: Scale | None = None,
) -> Float[Tensor, "alts tokens channels"]:
    """norm(x + d) − norm(x), in the number format of differences.

    Args:
        norm: with its parameters in float32.
        x: the reference's activations, in float32.
        d: the alts' differences from them, in float32; any strides.
        delta: number format of the result.
        scale: what each alt's result is multiplied by.
    """
    out = d.new_empty(d.shape, dtype=delta)
    factors = None if scale is None else scale.factor
    _launch_layer_norm(norm, x, d, out, factors, largest=False)
    return out


def fused_layer_norm_scale(
    norm: nn.LayerNorm,
    x: Float[Tensor, "tokens channels"],
    d: Float[Tensor, "alts tokens channels"],
) -> Scale:
    """What `fused_layer_norm_difference` should multiply by, of the same; it is computed once more for that."""
    # to compute costs less than to write it in float32 and read it again
    largest = d.new_empty(d.shape[:2])
    _launch_layer_norm(norm, x, d, largest, None, largest=True)
    return Scale.of(largest.amax(dim=1))


def _launch_layer_norm(
    norm: nn.LayerNorm,
    x: Float[Tensor, "tokens channels"],
    d: Float[Tensor, "alts tokens channels"],
    out: Float[Tensor, "alts tokens *channels"],
    factors: Float[Tensor, " alts"] | None,
    *,
    largest: bool,
) -> None:
    # Triton exists on GPU installations only
    from enformer_core.scoring.delta.fused_rules_kernel import layer_norm_difference_kernel  # noqa: PLC0415

    alts, tokens, channels = d.shape
    if not out.numel():
        return
    with torch.cuda.device_of(out):  # Triton launches on the current device
        layer_norm_difference_kernel[tokens, alts](
            x.contiguous(),
            d,
            norm.weight,
            out,
            x if factors is None else factors,
            *d.stride(),
            norm.eps,
            tokens,
            channels,
            WIDTH=1 << (channels - 1).bit_length(),
            SCALED=factors is not None,
            LARGEST=largest,
        )


def fused_relu_difference(
    x: Float[Tensor, "tokens channels"],
    d: Float[Tensor, "alts tokens channels"],
    scale: Scale | None = None,
) -> Float[Tensor, "alts tokens channels"]:
    """relu(x + d) − relu(x) by the formula of `layer_rules.relu_difference`; it is written over d.

    Args:
        x: the reference's activations, in float32.
        d: the alts' differences from them, in any number format, without gaps in memory.
        scale: what each alt's differences are multiplied by, and so the result.
    """
    from enformer_core.scoring.delta.fused_rules_kernel import relu_difference_kernel  # noqa: PLC0415

    assert d.is_contiguous()
    numbers = x.numel()
    if d.numel():
        with torch.cuda.device_of(d):
            relu_difference_kernel[-(-numbers // BLOCK), len(d)](
                x.contiguous(),
                d,
                x if scale is None else scale.factor,
                x if scale is None else scale.inverse,
                numbers,
                BLOCK=BLOCK,
                SCALED=scale is not None,
            )
    return d


def fused_gelu_difference(
    x: Float[Tensor, "bins channels"],
    d: Float[Tensor, "bins channels"],
    delta: torch.dtype,
    *,
    scale: Float[Tensor, " channels"] | None = None,
    factors: tuple[Tensor, Tensor] | None = None,
) -> Float[Tensor, "bins channels"]:
    """gelu(x + scale · d) − gelu(x), in the number format of differences.

    Args:
        x: the reference's activations, in float32.
        d: their differences before a BatchNorm, in any number format.
        delta: number format of the result.
        scale: what the BatchNorm multiplies each channel by; None where there is none.
        factors: what d is multiplied by first, and the result last, one number each.
    """
    from enformer_core.scoring.delta.fused_rules_kernel import gelu_difference_kernel  # noqa: PLC0415

    bins, channels = d.shape
    out = d.new_empty(d.shape, dtype=delta)
    if out.numel():
        with torch.cuda.device_of(out):
            gelu_difference_kernel[bins, -(-channels // ROW_BLOCK)](
                x,
                d,
                x if scale is None else scale,
                out,
                *((x, x) if factors is None else factors),
                *x.stride(),
                *d.stride(),
                channels,
                SCALED=scale is not None,
                FACTORED=factors is not None,
                BLOCK=ROW_BLOCK,
            )
    return out


def fused_softplus_difference(
    x: Float[Tensor, "bins tracks"],
    d: Float[Tensor, "bins tracks"],
    factor: Tensor | None = None,
) -> Float[Tensor, "bins tracks"]:
    """softplus(x + d) − softplus(x) by the formula of `layer_rules.softplus_difference`, in the format of x.

    Args:
        x: the reference's logits, in float32.
        d: their differences, in any number format; any strides.
        factor: what d is multiplied by first, one number.
    """
    from enformer_core.scoring.delta.fused_rules_kernel import softplus_difference_kernel  # noqa: PLC0415

    bins, tracks = d.shape
    out = x.new_empty(d.shape)
    if out.numel():
        with torch.cuda.device_of(out):
            softplus_difference_kernel[bins, -(-tracks // ROW_BLOCK)](
                x,
                d,
                out,
                x if factor is None else factor,
                *x.stride(),
                *d.stride(),
                tracks,
                FACTORED=factor is not None,
                BLOCK=ROW_BLOCK,
            )
    return out

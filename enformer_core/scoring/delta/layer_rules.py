"""How a difference passes each kind of layer, without the cancellation of subtracting two results.

`x` is the reference's activation, `d` the difference alt − ref before the layer; what is returned is the difference
after it. Linear maps act on `d` alone and need no rule. All of it runs in the precision of its arguments, float32 at
least. Does not know models.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from enformer_core.models.layers import gelu

Activations = Float[Tensor, "*shape"]
Wide = Float[Tensor, "batch channels length"]

_SMALL = 1.0
"""Below this change, formulas that cannot cancel are exact; above it, plain subtraction is."""

_LEFT = 2.0**-10
"""Part of a prediction below which what is left of it has lost digits that matter, in a float32 difference."""


def gelu_difference(x: Activations, d: Activations) -> Activations:
    """gelu(x + d) − gelu(x), by plain subtraction in the precision of the arguments."""
    return gelu(x + d) - gelu(x)


def relu_difference(
    negative: Float[Tensor, "*shape"],
    less_positive: Float[Tensor, "*shape"],
    d: Float[Tensor, "*alts_and_shape"],
) -> Float[Tensor, "*alts_and_shape"]:
    """relu(x + d) − relu(x) for x in two parts, min(x, 0) and −max(x, 0): max(d + min(x, 0), −max(x, 0)).

    It is d itself where both are positive, without rounding, in 16 bits too.
    """
    # x = 3,  d = −1: max(−1 + 0, −3) = −1        x = 3,  d = −5: max(−5 + 0, −3) = −3
    # x = −3, d = 1:  max(1 − 3, 0) = 0           x = −3, d = 5:  max(5 − 3, 0) = 2
    return torch.maximum(d + negative, less_positive)


def softplus_difference(x: Activations, d: Activations) -> Activations:
    """softplus(x + d) − softplus(x).

    log1p(sigmoid(x) · expm1(d)) where |d| ≤ 1. Beyond that the formula can give ±inf (x = 20, d = −17 in float32), and
    plain subtraction has nothing left to cancel.
    """
    slope = torch.sigmoid(x)
    difference = torch.expm1(d).mul_(slope).log1p_()
    large = d.abs() > _SMALL
    if d.device.type != "cpu":
        # all are computed both ways: to ask which are large, the GPU would be waited for
        plainly = functional.softplus(x + d) - functional.softplus(x)
        return torch.where(large, plainly, difference)
    if large.any():
        before = functional.softplus(x[large])
        after = functional.softplus(x[large] + d[large])
        difference[large] = after - before
    return difference


def exact_where_it_vanishes(
    prediction: Activations,
    x: Activations,
    d: Activations,
    difference: Activations,
) -> Activations:
    """A difference that a float32 prediction can be added to wherever nearly nothing of the prediction is left.

    The prediction 100 of a peak that falls to 1e-7 has the float32 difference −100, which leaves 0. In float64 the
    difference leaves 1e-7 with the digits that it has by itself.

    Args:
        prediction: softplus(x).
        x: before the softplus.
        d: its difference.
        difference: softplus(x + d) − softplus(x).

    Returns:
        `difference`, in float64 if some prediction vanishes. On GPUs as it is: to ask, the GPU would be waited for.
    """
    if d.device.type != "cpu" or difference.dtype == torch.float64:
        return difference
    vanishing = difference < (_LEFT - 1) * prediction
    if not vanishing.any():
        return difference
    left = functional.softplus(x[vanishing] + d[vanishing])
    exact = difference.double()
    exact[vanishing] = left.double() - prediction[vanishing].double()
    return exact


def layer_norm_difference(
    norm: nn.LayerNorm,
    x: Float[Tensor, "tokens channels"],
    normed: Float[Tensor, "tokens channels"],
    d: Float[Tensor, "*alts tokens channels"],
) -> Float[Tensor, "*alts tokens channels"]:
    """norm(x + d) − normed, where normed = norm(x)."""
    return norm(x + d).sub_(normed)


def batch_norm_difference(norm: nn.BatchNorm1d, d: Wide) -> Wide:
    """A BatchNorm in inference scales; its shift is common to both."""
    return d * norm_scale(norm)[:, None]


def norm_scale(norm: nn.BatchNorm1d) -> Float[Tensor, " channels"]:
    """What a BatchNorm in inference multiplies each channel by."""
    assert norm.running_var is not None
    return norm.weight * torch.rsqrt(norm.running_var + norm.eps)


def max_pool_difference(x: Wide, d: Wide) -> Float[Tensor, "batch channels half"]:
    """max(x + d) − max(x) over pairs, of d and the lead of one over the other alone, so that equal winners are exact.

    With m = max(x) and x_i − m ≤ 0 for both: max(x + d) − m = max over i of ((x_i − m) + d_i).
    """
    # x = (5, 4), d = (−2, 1): m = 5, behind by (0, −1), so max(0 − 2, −1 + 1) = 0, as is max(3, 5) − max(5, 4)
    pairs = x.unflatten(-1, (-1, 2))
    d_pairs = d.unflatten(-1, (-1, 2))
    behind = pairs - pairs.amax(dim=-1, keepdim=True)
    return (behind + d_pairs).amax(dim=-1)

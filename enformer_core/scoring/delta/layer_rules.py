"""How a difference passes each kind of layer, without the cancellation of subtracting two results.

`x` is the reference's activation, `d` the difference alt − ref before the layer; what is returned is the difference
after it, with an error relative to it however small it is. Linear maps act on `d` alone and need no rule. All of it
runs in the precision of `x`, float32 at least. Does not know models.
"""

from dataclasses import dataclass
from math import pi

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from enformer_core.models.layers import GELU_SLOPE

Activations = Float[Tensor, "*shape"]
Wide = Float[Tensor, "batch channels length"]

_SMALL = 1.0
"""Below this change, formulas that cannot cancel are exact; above it, plain subtraction is."""
_TANH_SLOPE = (2 / pi) ** 0.5
"""At 0, of what the GELU with a tanh takes the tanh of."""
_TANH_CUBIC = 0.044715
"""Its cube's factor, before the slope multiplies all."""
_LEFT = 2.0**-10
"""Part of a prediction below which what is left of it has lost digits that matter, in a float32 difference."""
_LEAST_GROWTH = -0.5
"""Of a variance, in units of itself, below which plain subtraction is exact."""
_NORM_TOKENS = 128
"""Tokens of a step of LayerNorm's rule: 0.8 MB in Enformer, which a core's cache holds."""


def sigmoid_difference(before: Activations, after: Activations, d: Activations) -> Activations:
    """sigmoid(x + d) − sigmoid(x), from both sigmoids, which are nearly equal, and the change between them.

    sigmoid(y) − sigmoid(x) = tanh((y − x) / 2) · (sigmoid(x) + sigmoid(y) − 2 sigmoid(x) sigmoid(y)).
    """
    # x = 0, d = ln 3: sigmoids 1/2 and 3/4, tanh(d / 2) = 1/2, and 1/2 · (1/2 + 3/4 − 2 · 3/8) = 1/4
    both = torch.addcmul(before + after, before, after, value=-2)
    return (d / 2).tanh_().mul_(both)


def silu_difference(x: Activations, d: Activations) -> Activations:
    """silu(x + d) − silu(x), of silu(x) = x · sigmoid(x): d · sigmoid(x + d) + x · (sigmoid(x + d) − sigmoid(x))."""
    before = torch.sigmoid(x)
    after = (x + d).sigmoid_()
    moved = sigmoid_difference(before, after, d).mul_(x)
    return moved.addcmul_(d, after)


def gelu_difference(x: Activations, d: Activations) -> Activations:
    """gelu(x + d) − gelu(x), in the number format of x: gelu(x) = silu(1.702 x) / 1.702."""
    # a small change, in whatever format it comes, is not rounded to it once more by the factor
    steep = GELU_SLOPE * d.to(x.dtype)
    return silu_difference(GELU_SLOPE * x, steep).div_(GELU_SLOPE)


def tanh_gelu_difference(x: Activations, d: Activations) -> Activations:
    """g(x + d) − g(x) of g = `layers.tanh_gelu`, in the number format of x.

    g(x) = x · s(x), where s is the sigmoid of v(x) = 2 √(2/π) (x + 0.044715 x³). With y = x + d:

        v(y) − v(x) = 2 √(2/π) · d · (1 + 0.044715 (x² + x y + y²))
        s(y) − s(x) = tanh((v(y) − v(x)) / 2) · (s(x) s(−y) + s(y) s(−x))
        g(y) − g(x) = d · min(s(x), s(y)) + max(x, y) · (s(y) − s(x))

    Of 1 − s, which rounding would take from sigmoids near 1, s(−x) keeps all digits; and with the larger of x and y no
    large number cancels against a large d.
    """
    # x = 0, y = 1: s are 1/2 and 0.8412; 1 · 1/2 + 1 · 0.3412 = 0.8412 = g(1)
    d = d.to(x.dtype)
    y = x + d
    of_x = _sigmoid_slope(x)
    of_y = _sigmoid_slope(y)
    before = torch.sigmoid(of_x)
    after = torch.sigmoid(of_y)
    both = of_y.neg_().sigmoid_().mul_(before).addcmul_(of_x.neg_().sigmoid_(), after)
    # x² + x y + y² = x² + y (x + y)
    squares = torch.addcmul(x * x, y, x + y)
    half = squares.mul_(_TANH_CUBIC).add_(1).mul_(d).mul_(_TANH_SLOPE)
    moved = half.tanh_().mul_(both).mul_(torch.maximum(x, y))
    return moved.addcmul_(d, torch.minimum(before, after))


def _sigmoid_slope(x: Activations) -> Activations:
    """What `layers.tanh_gelu` multiplies x by the sigmoid of."""
    cubic = (x * x).mul_(_TANH_CUBIC).add_(1)
    return cubic.mul_(x).mul_(2 * _TANH_SLOPE)


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


@dataclass(frozen=True)
class NormInput:
    """What a LayerNorm reads of the reference, and what differences need of it; the same for all of them.

    Attributes:
        x: the reference's activations.
        standardised: x less its mean over channels and times `scale`.
        scale: 1 / √(variance + eps) of each token.
    """

    x: Float[Tensor, "tokens channels"]
    standardised: Float[Tensor, "tokens channels"]
    scale: Float[Tensor, "tokens 1"]

    @classmethod
    def of(cls, norm: nn.LayerNorm, x: Float[Tensor, "tokens channels"]) -> "NormInput":
        """Of the reference's activations."""
        # without weight and bias, which it has for all tokens alike
        shape = norm.normalized_shape
        standardised, _, scale = torch.native_layer_norm(x, shape, None, None, norm.eps)
        return cls(x, standardised, scale)

    def rows(self, some: slice) -> "NormInput":
        """Of some tokens."""
        return NormInput(self.x[some], self.standardised[some], self.scale[some])

    def normed(self, norm: nn.LayerNorm) -> Float[Tensor, "tokens channels"]:
        """norm(x)."""
        return torch.addcmul(norm.bias, self.standardised, norm.weight)


def layer_norm_difference(
    norm: nn.LayerNorm,
    reference: NormInput,
    d: Float[Tensor, "*alts tokens channels"],
    delta: torch.dtype,
) -> Float[Tensor, "*alts tokens channels"]:
    """norm(x + d) − norm(x), in the number format of differences.

    With x standardised, δ = d less its mean over channels and times x's scale, and t = mean of δ (2 x + δ) over
    channels, by which the variance grows:

        s = 1 / √(1 + t) − 1 = −t / (√(1 + t) (1 + √(1 + t)))
        norm(x + d) − norm(x) = weight · (δ (1 + s) + x s)

    Two channels, x = (−1, 1) and d = (−1, 1), scale 1 without eps: t = mean of −1 · −3 and 1 · 3 = 3, √4 = 2,
    s = −3 / (2 · 3) = −1/2, and δ / 2 − x / 2 = 0: twice as far apart, the two are normalised to the same.

    Where most of the variance goes, t < −1/2, 1 + t has lost digits, and plain subtraction loses none.

    Args:
        norm: with its parameters in the reference's number format.
        reference: what the norm reads of it.
        d: differences, in the reference's number format.
        delta: number format of the result.
    """
    difference = d.new_empty(d.shape, dtype=delta)
    tokens = len(reference.x)
    # so few at a time that no step but the first has to wait for memory
    for first in range(0, tokens, _NORM_TOKENS):
        some = slice(first, min(first + _NORM_TOKENS, tokens))
        moved = _standardised_difference(norm, reference.rows(some), d[..., some, :])
        difference[..., some, :] = moved.mul_(norm.weight)
    return difference


def _standardised_difference(
    norm: nn.LayerNorm,
    reference: NormInput,
    d: Float[Tensor, "*alts tokens channels"],
) -> Float[Tensor, "*alts tokens channels"]:
    """`layer_norm_difference` without the weight."""
    x = reference.standardised
    moved = d - d.mean(dim=-1, keepdim=True)
    moved *= reference.scale
    growth = torch.add(moved, x, alpha=2).mul_(moved).mean(dim=-1, keepdim=True)
    root = torch.sqrt(1 + growth)
    s = -growth / (root * (1 + root))
    moved.div_(root).addcmul_(x, s)
    vanishing = growth < _LEAST_GROWTH
    if vanishing.any():
        after = functional.layer_norm(reference.x + d, norm.normalized_shape, eps=norm.eps)
        return torch.where(vanishing, after - x, moved)
    return moved


def batch_norm_difference(norm: nn.BatchNorm1d, d: Wide) -> Wide:
    """A BatchNorm in inference scales; its shift is common to both."""
    return d * norm_scale(norm)[:, None]


def norm_scale(norm: nn.BatchNorm1d) -> Float[Tensor, " channels"]:
    """What a BatchNorm in inference multiplies each channel by."""
    assert norm.running_var is not None
    return norm.weight * torch.rsqrt(norm.running_var + norm.eps)


def norm_shift(
    norm: nn.BatchNorm1d, scale: Float[Tensor, " channels"]
) -> Float[Tensor, " channels"]:
    """What a BatchNorm in inference adds to each channel that was multiplied by its `norm_scale`."""
    assert norm.running_mean is not None
    shift: Tensor = norm.bias - norm.running_mean * scale
    return shift


def max_pool_difference(x: Wide, d: Wide, pool: int = 2) -> Float[Tensor, "batch channels pooled"]:
    """max(x + d) − max(x) over each few positions, of d and how far each lies behind alone: equal winners are exact.

    With m = max(x) and x_i − m ≤ 0 for all: max(x + d) − m = max over i of ((x_i − m) + d_i).
    """
    # x = (5, 4), d = (−2, 1): m = 5, behind by (0, −1), so max(0 − 2, −1 + 1) = 0, as is max(3, 5) − max(5, 4)
    together = x.unflatten(-1, (-1, pool))
    d_together = d.unflatten(-1, (-1, pool))
    behind = together - together.amax(dim=-1, keepdim=True)
    return (behind + d_together).amax(dim=-1)

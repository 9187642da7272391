"""Relative positional features of the attention, and the shift that aligns them.

Source: google-deepmind/deepmind-research, enformer/attention_module.py:283-460. A distance is key minus query, in
tokens.
"""

from collections.abc import Callable
from functools import lru_cache
from math import log, log2

import torch
from jaxtyping import Float
from torch import Tensor

Distances = Float[Tensor, " distances"]

Features = Float[Tensor, "distances count"]

FeaturesOf = Callable[[int, int, torch.dtype, torch.device], Features]
"""From tokens, a count, a number format and a device to that many features of each relative distance."""

# exponentials, central masks, gamma densities
_FAMILIES = 3
# of |distance| alone, and times the distance's sign
_SYMMETRIES = 2


def exponential_basis(distance: Distances, count: int, tokens: int) -> Features:
    """Exponential decays with half-lives from 2³ tokens to the whole sequence, evenly spaced in their logarithm."""
    exponents = torch.linspace(3.0, log2(tokens), count, dtype=distance.dtype)
    half_life = 2.0**exponents
    return torch.exp(-log(2.0) / half_life * distance[:, None])


def central_mask_basis(distance: Distances, count: int) -> Features:
    """1 where the distance is below 2^i − 1 tokens, i = 1 … count."""
    exponent = torch.arange(1, count + 1, dtype=distance.dtype)
    width = 2.0**exponent - 1
    is_inside = width > distance[:, None]
    return is_inside.to(distance.dtype)


def gamma_basis(distance: Distances, count: int, tokens: int) -> Features:
    """Gamma densities with means spread over the sequence, each divided by its own maximum over the distances.

    The maximum is taken over *positions*, not over basis functions (attention_module.py:456-457).
    """
    deviation = tokens / (2 * count)
    mean = torch.linspace(tokens / count, tokens, count, dtype=distance.dtype)
    # A gamma distribution with this mean and deviation.
    shape = (mean / deviation) ** 2
    rate = mean / deviation**2
    # In logarithms: the powers and factorials of a density with shape 4,096 overflow.
    log_unnormalised = torch.xlogy(shape - 1, distance[:, None]) - rate * distance[:, None]
    log_normaliser = torch.lgamma(shape) - shape * torch.log(rate)
    density = torch.exp(log_unnormalised - log_normaliser) + 1e-8
    return density / density.amax(dim=0)


@lru_cache(maxsize=8)
def relative_features(
    tokens: int,
    count: int,
    dtype: torch.dtype,
    device: torch.device,
) -> Features:
    """The `count` features of each relative distance −(tokens − 1) … tokens − 1, one row each.

    Three families of count / 6 functions of |distance|, then the same times the distance's sign. Computed in float64:
    the gamma densities are differences of terms near 2e4, and float32 loses up to 2.5e-3 of them.
    """
    if count % (_FAMILIES * _SYMMETRIES):
        raise ValueError(
            f"{count} positional features cannot be split in 3 families of 2 symmetries"
        )
    distance = torch.arange(-(tokens - 1), tokens, dtype=torch.float64)
    length = distance.abs()
    per_family = count // (_FAMILIES * _SYMMETRIES)
    symmetric = torch.cat(
        [
            exponential_basis(length, per_family, tokens),
            central_mask_basis(length, per_family),
            gamma_basis(length, per_family, tokens),
        ],
        dim=-1,
    )
    antisymmetric = distance.sign()[:, None] * symmetric
    return torch.cat([symmetric, antisymmetric], dim=-1).to(dtype).to(device)


def central_masks(
    tokens: int,
    count: int,
    dtype: torch.dtype,
    device: torch.device,
    *,
    widest: int | None = None,
) -> Features:
    """Central masks alone, as many as `relative_features`: half of them, then the same times the distance's sign.

    Feature i of the n = count / 2 is 1 where the distance is below (s + 1)^(i / n) - 1, i = 1 ... n.
    Source: calico/baskerville, layers.py:206-256.

    Args:
        tokens: of the window.
        count: of features, even.
        dtype: of what is returned.
        device: where it is returned.
        widest: the number of tokens s that the widths are made for; None for those of the window.

    Raises:
        ValueError: for an odd count.
    """
    if count % _SYMMETRIES:
        raise ValueError(f"{count} positional features cannot be split in 2 symmetries")
    masks = count // _SYMMETRIES
    # Powers in float32, as the weights were trained: a width may be whole, where the last digit decides.
    base = torch.tensor((widest or tokens) + 1, dtype=torch.float32)
    width = base ** (torch.arange(1, masks + 1, dtype=torch.float32) / masks) - 1
    distance = torch.arange(-(tokens - 1), tokens, dtype=torch.float32)
    symmetric = (width > distance.abs()[:, None]).to(torch.float32)
    antisymmetric = distance.sign()[:, None] * symmetric
    return torch.cat([symmetric, antisymmetric], dim=-1).to(dtype).to(device)


def relative_shift(
    by_distance: Float[Tensor, "batch heads queries distances"],
) -> Float[Tensor, "batch heads queries keys"]:
    """Turn logits by relative distance into logits by key: row i read from column (tokens − 1 − i), without a copy.

    Three tokens, whose five columns are the distances −2 … 2:

        a b c d e              c d e      query 0 to keys 0 1 2: distances 0 1 2
        f g h i j    becomes   g h i      query 1: distances −1 0 1
        k l m n o              k l m      query 2: distances −2 −1 0
    """
    contiguous = by_distance.contiguous()
    batch, heads, tokens, _ = contiguous.shape
    outer, middle, row, _ = contiguous.stride()
    # From c, one row down and one column back is row − 1 elements further: g, then k.
    return contiguous.as_strided(
        (batch, heads, tokens, tokens),
        (outer, middle, row - 1, 1),
        contiguous.storage_offset() + tokens - 1,
    )

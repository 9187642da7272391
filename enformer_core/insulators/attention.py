"""How attention changes at a place: across it, and to it, against what distance alone would give.

An attention map holds a row for each token that looks and a column for each that is looked at, averaged over heads and
layers. Nearby tokens see each other more, wherever they are; so pairs are compared with others that lie as far apart.
Does not know where maps come from.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from enformer_core.errors import InputError

AttentionMap = Float64[np.ndarray, "looking seen"]
"""Of the tokens around a place, as many on either side of it."""

_Pairs = Bool[np.ndarray, "looking seen"]

ACROSS = "across"
AT = "at"


def observed_over_expected(attention: AttentionMap) -> AttentionMap:
    """Each value divided by the mean over its diagonal, as maps of contacts are shown.

    A diagonal has the pairs that lie as far apart in the same direction.

    Raises:
        ValueError: for a map that is not square, or has an odd number of tokens.
    """
    tokens = attention.shape[0]
    if attention.shape != (tokens, tokens) or tokens % 2:
        raise ValueError(f"a map of {attention.shape} is not square with a middle between tokens")
    # of 3 tokens, diagonals by how far the token that is seen lies behind: 0 1 2 / -1 0 1 / -2 -1 0, counted from -2
    place = np.arange(tokens)
    behind = place[np.newaxis, :] - place[:, np.newaxis]
    diagonal = behind + tokens - 1
    of_each_pair = diagonal.ravel()
    sums = np.bincount(of_each_pair, weights=attention.ravel())
    sizes = np.bincount(of_each_pair)
    means = sums / sizes
    return attention / means[diagonal]


def picture(attention: AttentionMap, pixels: int) -> Float64[np.ndarray, "pixels pixels"]:
    """A map in fewer pixels: means over squares of so many tokens.

    Args:
        attention: any map.
        pixels: along either side; must divide its tokens.
    """
    # of 4 tokens and 2 pixels the rows 0 1 | 2 3 and columns likewise: an array of 2 by 2 by 2 by 2
    tokens = attention.shape[0] // pixels
    squares = attention.reshape(pixels, tokens, pixels, tokens)
    mean: Float64[np.ndarray, "pixels pixels"] = squares.mean(axis=(1, 3))
    return mean


def insulation(attention: AttentionMap, *, width: int = 2) -> dict[str, float]:
    """What a place does to attention, as log2 of ratios: 0 where it does nothing.

    Args:
        attention: around the place.
        width: how many tokens, half of them on either side, are the place itself.

    Returns:
        `across`: attention of tokens on one side to those on the other, against that within sides; below 0 where the
        place insulates. `at`: attention to the place of the tokens around it, against that within sides; above 0
        where they look at it. Both over pairs that lie equally far apart; the place itself looks at nothing here.

    Raises:
        ValueError: for a map in which no pair across lies as near as some pair within a side.
    """
    token = np.arange(attention.shape[0])
    middle = token.size // 2
    # of 6 tokens the middle lies between 2 and 3, whose own middles are half a token from it
    from_middle = np.abs(token + 0.5 - middle)
    is_place = from_middle < width / 2
    is_left = token < middle
    looks = ~is_place[:, np.newaxis]
    is_seen = ~is_place
    crosses = is_left[:, np.newaxis] != is_left
    distance = np.abs(token[:, np.newaxis] - token)
    both_outside = looks & is_seen
    within = both_outside & ~crosses
    across = both_outside & crosses
    at = looks & ~is_seen
    return {
        ACROSS: _log2_ratio(attention, across, within, distance),
        AT: _log2_ratio(attention, at, within, distance),
    }


def _log2_ratio(
    attention: AttentionMap,
    pairs: _Pairs,
    others: _Pairs,
    distance: Int64[np.ndarray, "looking seen"],
) -> float:
    """Of the means of some pairs and of others, distance by distance, weighted by how many of the former there are."""
    sums, sizes = _by_distance(attention, pairs, distance)
    other_sums, other_sizes = _by_distance(attention, others, distance)
    is_in_both = (sizes > 0) & (other_sizes > 0)
    if not is_in_both.any():
        raise ValueError(f"a map of {attention.shape[0]} tokens is too small for its place")
    found = sums[is_in_both].sum()
    # what the pairs would sum to if distance alone decided
    other_means = other_sums[is_in_both] / other_sizes[is_in_both]
    expected = (other_means * sizes[is_in_both]).sum()
    return float(np.log2(found / expected))


def _by_distance(
    attention: AttentionMap,
    pairs: _Pairs,
    distance: Int64[np.ndarray, "looking seen"],
) -> tuple[Float64[np.ndarray, " distances"], Int64[np.ndarray, " distances"]]:
    """The sum of attention over pairs of each distance, and how many they are."""
    far = distance[pairs]
    distances = distance.shape[0]
    sums = np.bincount(far, weights=attention[pairs], minlength=distances)
    sizes = np.bincount(far, minlength=distances)
    return sums, sizes


@dataclass
class MeanMap:
    """The mean of maps that are met one after another: one map is held at a time.

    Attributes:
        sums: of all maps so far.
        maps: how many they are.
    """

    sums: AttentionMap | None = None
    maps: int = 0

    def add(self, one: AttentionMap) -> None:
        """Add one more map, which the caller may change afterwards."""
        self.sums = one.copy() if self.sums is None else self.sums + one
        self.maps += 1

    def mean(self) -> AttentionMap:
        """The mean of all maps so far.

        Raises:
            ValueError: where there were none.
        """
        if self.sums is None:
            raise ValueError("the mean of no maps")
        return self.sums / self.maps


@dataclass(frozen=True)
class Contrast:
    """A statistic of boundaries against that of their controls.

    Attributes:
        pairs: how many boundaries have a control.
        boundaries: mean over boundaries.
        controls: mean over controls.
        difference: of the two.
        low: lower end of its 95 % interval, over draws of pairs.
        high: upper end.
    """

    pairs: int
    boundaries: float
    controls: float
    difference: float
    low: float
    high: float


def contrast(
    pairs: Float64[np.ndarray, "pairs 2"],
    *,
    draws: int = 1_000,
    seed: int = 0,
) -> Contrast:
    """What a statistic came to.

    Args:
        pairs: of each boundary its value, and that of its controls.
        draws: how often pairs are drawn anew for the interval.
        seed: which draws they are.

    Raises:
        InputError: where there is no pair.
    """
    if not len(pairs):
        raise InputError("no boundary has a control, so there is nothing to compare")
    rng = np.random.default_rng(seed)
    size = (draws, len(pairs))
    drawn: Int64[np.ndarray, "draws pairs"] = rng.integers(len(pairs), size=size)
    # a boundary is drawn with its control: what both share, as their chromosome, is no part of the difference
    of_pairs = pairs[:, 0] - pairs[:, 1]
    differences = of_pairs[drawn].mean(axis=1)
    low, high = np.quantile(differences, [0.025, 0.975])
    of_boundaries, of_controls = pairs.mean(axis=0)
    return Contrast(
        pairs=len(pairs),
        boundaries=float(of_boundaries),
        controls=float(of_controls),
        difference=float(of_boundaries - of_controls),
        low=float(low),
        high=float(high),
    )

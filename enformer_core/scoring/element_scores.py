"""What an element of the genome does to a prediction, as numbers: of gradients, attention, and of the element changed.

Knows windows and what models gave for them. Does not know genes, nor how models are asked.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from jaxtyping import Float, Float64

from enformer_core.genome.alphabet import Codes, decode
from enformer_core.genome.shuffle import dinucleotide_shuffle
from enformer_core.models.geometry import Geometry
from enformer_core.scoring.allele_effect import AlleleEffect
from enformer_core.scoring.windows import Allele

WIDE_BP = 2_000
"""Bases around the middle of an element that are summed beside the element itself, as in the Enformer article."""

OfGroups = Float64[np.ndarray, " groups"]

Contributions = Float[np.ndarray, "groups length"]

AttentionOfLayers = Float[np.ndarray, "layers tokens"]


@dataclass(frozen=True)
class Element:
    """Bases [start, end) of a contig."""

    contig: str
    start: int
    end: int

    def within(self, window_start: int) -> slice:
        """Its bases in a window that it lies in whole."""
        return slice(self.start - window_start, self.end - window_start)

    def wide(self, window_start: int, window_bp: int) -> slice:
        """`WIDE_BP` around its middle, cut where the window ends; the middle of 10 … 13 lies before base 11."""
        middle = (self.start + self.end) // 2
        first = middle - WIDE_BP // 2 - window_start
        end = first + WIDE_BP
        return slice(max(first, 0), min(end, window_bp))

    def tokens(self, window_start: int, geometry: Geometry) -> slice:
        """The tokens of a window that it overlaps."""
        # bases 100 … 300 lie in tokens 0, 1 and 2 of 128 bp
        bases = self.within(window_start)
        first = bases.start // geometry.token_bp
        end = -(-bases.stop // geometry.token_bp)
        return slice(first, end)


def summed_magnitudes(contributions: Contributions, bases: slice) -> OfGroups:
    """Σ|gradient × input| over some bases of a window."""
    magnitudes = np.abs(contributions[:, bases])
    return magnitudes.sum(axis=1, dtype=np.float64)


def summed_attention(attention: AttentionOfLayers, tokens: slice) -> float:
    """Attention to some tokens, of the mean over layers."""
    of_layers = attention[:, tokens].sum(axis=1, dtype=np.float64)
    return float(of_layers.mean())


def without(element: Element, codes: Codes) -> Allele:
    """The element with every base unknown, which the models read as zeros."""
    nothing = "N" * codes.size
    return Allele(element.contig, element.start, decode(codes), nothing)


def shuffled(
    element: Element,
    codes: Codes,
    count: int,
    seed: int,
) -> Iterator[Allele]:
    """The element in other orders of its bases; which they are depends on its place and the seed alone."""
    name = zlib.crc32(element.contig.encode())
    own = decode(codes)
    for number in range(count):
        # whatever shard the element is in, and whoever else is
        key = [seed, name, element.start, element.end, number]
        rng = np.random.default_rng(key)
        other = dinucleotide_shuffle(codes, rng)
        yield Allele(element.contig, element.start, own, decode(other))


def changes_nothing(allele: Allele) -> bool:
    """Whether an allele is what stands there already: an element of N alone, or one that has one order only."""
    return allele.ref == allele.alt


def log2_ratios(
    effect: AlleleEffect,
    bins: range,
    groups: Sequence[Sequence[int]],
) -> OfGroups:
    """log2((1 + Σ alt) / (1 + Σ ref)) of the mean of each group's tracks, summed over some bins.

    Below 0 where the element as it is raises the prediction.

    Args:
        effect: of the changed element.
        bins: that are summed.
        groups: places of each group's tracks among those that were predicted.
    """
    rows = slice(bins.start, bins.stop)
    # of alt and ref themselves the difference would be rounded: it is known better than either
    reference = _sums(effect.reference[rows], groups)
    difference = _sums(effect.difference[rows], groups)
    # by how much the ratio is more than 1, which is all that log1p wants
    share = difference / (1 + reference)
    return np.log1p(share) / log(2.0)


def _sums(profile: Float[np.ndarray, "bins tracks"], groups: Sequence[Sequence[int]]) -> OfGroups:
    """Of each group the mean over its tracks, summed over the bins."""
    values = profile.astype(np.float64)
    of_groups = []
    for tracks in groups:
        columns = values[:, list(tracks)]
        mean = columns.mean(axis=1)
        of_groups.append(mean.sum())
    return np.array(of_groups)

"""Statistics of the difference between two predictions, each a number per track.

Everything is taken from the reference prediction r and the difference d = alt − ref, so that an engine which knows d
more exactly than the difference of two rounded predictions loses nothing. Sums run in float64. Sources: calico/basenji,
bin/basenji_sad.py:455-566 (sad to js); google-deepmind/alphagenome, variant_scorers.py (log_ratio).

To add a statistic, write its formula here, under `@statistic` and its name: settings, help texts, conventions and the
columns of results follow from that alone.
"""

# Settings and help texts ask for the names, and loading torch takes seconds: formulas use the methods of tensors, and
# what else they need of torch is imported when it is used.
# ruff: noqa: PLC0415

from collections.abc import Callable, Mapping, Sequence
from math import log
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    from torch import Tensor
else:
    Tensor = Any  # the shape checker of the tests looks at shapes and number formats all the same

Statistic = str
"""The name of a statistic; `Conventions` refuse one that is not in `STATISTICS`."""

Profile = Float[Tensor, "bins tracks"]
PerTrack = Float[Tensor, " tracks"]

Formula = Callable[[Profile, Profile], PerTrack]
"""From the reference's prediction and alt − ref, over the bins that are scored, to a number in float64 per track."""

AlleleScores = Mapping[Statistic, Float[np.ndarray, " tracks"]]
"""Each statistic of one allele, in float64."""

_FORMULAS: dict[Statistic, Formula] = {}

STATISTICS: Mapping[Statistic, Formula] = MappingProxyType(_FORMULAS)
"""All statistics that there are, by name."""


_SIZES: set[Statistic] = set()


def is_signed(name: Statistic) -> bool:
    """Whether a statistic says a direction; one of sizes alone, as `d1`, is never below 0."""
    return name not in _SIZES


def statistic(name: Statistic, *, of_sizes: bool = False) -> Callable[[Formula], Formula]:
    """Make a formula known by a name, which is a column of the results from then on.

    Args:
        name: of the column.
        of_sizes: whether its values are never below 0, whichever direction a change has.

    Raises:
        ValueError: when the name is taken, or could not be a column.
    """
    if name in _FORMULAS:
        raise ValueError(f"there is a statistic {name!r} already")
    if not name.isidentifier():
        raise ValueError(f"a statistic cannot be called {name!r}: it names columns")

    def register(formula: Formula) -> Formula:
        _FORMULAS[name] = formula
        if of_sizes:
            _SIZES.add(name)
        return formula

    return register


def _sum(values: Profile) -> PerTrack:
    """The sum over bins, in float64."""
    import torch

    return values.sum(dim=0, dtype=torch.float64)


def _norm(values: Profile) -> PerTrack:
    """Root of the sum of squares over bins, in float64."""
    import torch

    return torch.linalg.vector_norm(values, dim=0, dtype=torch.float64)


def _log_difference(r: Profile, d: Profile) -> Profile:
    """log2(1 + r + d) − log2(1 + r), without cancellation."""
    # log(1 + r + d) − log(1 + r) = log(1 + d / (1 + r)): for r = 3 and d = 4, log2(8) − log2(4) = log2(1 + 4/4) = 1
    return (d / (1 + r)).log1p() / log(2.0)


@statistic("sad")
def sad(r: Profile, d: Profile) -> PerTrack:
    """Sum over bins of alt − ref."""
    del r
    return _sum(d)


@statistic("log_sad")
def log_sad(r: Profile, d: Profile) -> PerTrack:
    """Sum over bins of log2(1 + alt) − log2(1 + ref)."""
    return _sum(_log_difference(r, d))


@statistic("d1", of_sizes=True)
def d1(r: Profile, d: Profile) -> PerTrack:
    """Sum over bins of |alt − ref|."""
    del r
    return _sum(d.abs())


@statistic("log_d1", of_sizes=True)
def log_d1(r: Profile, d: Profile) -> PerTrack:
    """Sum over bins of |log2(1 + alt) − log2(1 + ref)|."""
    return _sum(_log_difference(r, d).abs())


@statistic("d2", of_sizes=True)
def d2(r: Profile, d: Profile) -> PerTrack:
    """Root of the sum over bins of (alt − ref)²."""
    del r
    return _norm(d)


@statistic("log_d2", of_sizes=True)
def log_d2(r: Profile, d: Profile) -> PerTrack:
    """Root of the sum over bins of (log2(1 + alt) − log2(1 + ref))²."""
    return _norm(_log_difference(r, d))


@statistic("sax")
def sax(r: Profile, d: Profile) -> PerTrack:
    """alt − ref, signed, in the bin where it is largest in size; the first such bin on a tie."""
    del r
    # argmax gives the first of several largest
    strongest = d.abs().argmax(dim=0, keepdim=True)
    return d.gather(0, strongest).squeeze(0).double()


@statistic("js", of_sizes=True)
def js(r: Profile, d: Profile) -> PerTrack:
    """Half the sum of both Kullback-Leibler divergences, in nats, of the profiles over bins.

    The 25th percentile of ref over bins is added to both before they are made to sum to 1. (basenji calls it JS; it is
    not the Jensen-Shannon divergence.)
    """
    r = r.double()
    d = d.double()
    pseudocount = r.quantile(0.25, dim=0)
    ref = r + pseudocount
    alt = ref + d
    ref = ref / ref.sum(dim=0)
    alt = alt / alt.sum(dim=0)
    # KL(ref, alt) + KL(alt, ref) = Σ (alt − ref) (log alt − log ref), every term of which is non-negative
    log_ratios = (alt / ref).log()
    terms = (alt - ref) * log_ratios
    return 0.5 * terms.sum(dim=0)


@statistic("log_ratio")
def log_ratio(r: Profile, d: Profile) -> PerTrack:
    """log2(1 + Σ alt) − log2(1 + Σ ref)."""
    # as in _log_difference, of the sums
    relative = _sum(d) / (1 + _sum(r))
    return relative.log1p() / log(2.0)


def compute(
    reference: Profile,
    difference: Profile,
    statistics: Sequence[Statistic],
) -> dict[Statistic, Float[Tensor, " tracks"]]:
    """Statistics by name, in float64, over the bins given; single bins are treated in the precision given.

    Args:
        reference: prediction of the reference allele, non-negative.
        difference: prediction of the alternate allele minus `reference`.
        statistics: names, which are in `STATISTICS`.
    """
    return {name: STATISTICS[name](reference, difference) for name in statistics}


def why_unsound(scores: AlleleScores, tracks: Sequence[int]) -> str | None:
    """What is wrong with an allele's scores, of which some are not finite; None where all are.

    Args:
        scores: of one allele.
        tracks: head column of each value, which names the first that is wrong.
    """
    for name, values in scores.items():
        broken = np.flatnonzero(~np.isfinite(values))
        if broken.size:
            first = tracks[broken[0]]
            return f"{name} of {broken.size} tracks is not finite, the first {first}"
    return None

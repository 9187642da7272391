"""Statistics of the difference between two predictions, each a number per track.

Everything is taken from the reference prediction r and the difference d = alt − ref, so that an engine which knows d
more exactly than the difference of two rounded predictions loses nothing. Sums run in float64. Sources: calico/basenji,
bin/basenji_sad.py:455-566 (sad to js); google-deepmind/alphagenome, variant_scorers.py (log_ratio).

To add a statistic, write its formula here, under `@statistic` and its name: settings, help texts, conventions and the
columns of results follow from that alone. One that wants what others want too, as a logarithm of all bins, takes the
`Pair` that keeps it: `@_statistic_of_pair`.
"""

# Settings and help texts ask for the names, and loading torch takes seconds: formulas use the methods of tensors, and
# what else they need of torch is imported when it is used.
# ruff: noqa: PLC0415

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
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

_TRACKS_TOGETHER = 128
"""On CPUs, tracks of a step of a long formula: 896 bins of so many take 0.9 MB in float64, which caches hold."""

NUMBERS_TOGETHER = 2**23
"""Bins times tracks of which all statistics are made at once, in copies of 67 MB in float64; more are made by tracks.
Those of Enformer, 896 × 5,313, are 4.8 million."""


@dataclass(frozen=True)
class Reference:
    """A reference's prediction in the bins that are scored, and what formulas make of it, once for all alts beside it.

    Attributes:
        profile: the prediction, non-negative.
        part_of: the reference that some tracks are taken from, and which; None where it stands for itself.
    """

    profile: Profile
    part_of: "tuple[Reference, slice] | None" = None

    @cached_property
    def total(self) -> PerTrack:
        """Σ ref, in float64."""
        return _sum(self.profile)

    @cached_property
    def first_quartile(self) -> PerTrack:
        """The 25th percentile of ref over bins, in float64."""
        # it takes longest, and is kept for all alts of the whole
        if self.part_of is not None:
            whole, some = self.part_of
            return whole.first_quartile[some]
        import torch

        return torch.cat([_first_quartile(self.profile[:, some]) for some in self.steps()])

    @cached_property
    def raised(self) -> Profile:
        """ref plus its track's 25th percentile over bins, in float64."""
        return self.profile.double() + self.first_quartile

    @cached_property
    def raised_total(self) -> PerTrack:
        """The sum of `raised` over bins."""
        return self.raised.sum(dim=0)

    def steps(self) -> list[slice]:
        """The tracks of which statistics are made together, in order: all, unless that is too much."""
        bins, tracks = self.profile.shape
        together = max(1, NUMBERS_TOGETHER // max(1, bins))
        return [slice(first, first + together) for first in range(0, max(1, tracks), together)]

    def of_tracks(self, some: slice) -> "Reference":
        """The same of some tracks."""
        return Reference(self.profile[:, some], (self, some))


class LastReference:
    """Remembers the reference that was asked for last: a window's alts come one after another."""

    def __init__(self) -> None:
        self._whole: Profile | None = None
        self._bins: slice | None = None
        self._reference: Reference | None = None

    def of(self, whole: Profile, bins: slice) -> Reference:
        """The reference in some bins of a profile.

        Args:
            whole: the profile, which nobody changes meanwhile: the same one is the same object.
            bins: its rows that are scored.
        """
        if self._reference is None or self._whole is not whole or self._bins != bins:
            self._whole = whole
            self._bins = bins
            self._reference = Reference(whole[bins])
        return self._reference


@dataclass(frozen=True)
class Pair:
    """A reference and an alt, and what several formulas make of both.

    Attributes:
        reference: the reference's prediction.
        difference: alt − ref in the same bins.
    """

    reference: Reference
    difference: Profile

    @cached_property
    def total(self) -> PerTrack:
        """Σ alt − ref, in float64."""
        return _sum(self.difference)

    @cached_property
    def log_difference(self) -> Profile:
        """log2(1 + alt) − log2(1 + ref), without cancellation."""
        # log(1 + r + d) − log(1 + r) = log(1 + d / (1 + r)): for r = 3 and d = 4, log2(8) − log2(4) = log2(1 + 4/4) = 1
        relative = self.difference / (1 + self.reference.profile)
        return relative.log1p_().div_(log(2.0))


PairFormula = Callable[[Pair], PerTrack]
"""As `Formula`, of what several formulas share."""

_FORMULAS: dict[Statistic, PairFormula] = {}

STATISTICS: Mapping[Statistic, PairFormula] = MappingProxyType(_FORMULAS)
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
    register_of_pair = _statistic_of_pair(name, of_sizes=of_sizes)

    def register(formula: Formula) -> Formula:
        register_of_pair(lambda pair: formula(pair.reference.profile, pair.difference))
        return formula

    return register


def _statistic_of_pair(
    name: Statistic, *, of_sizes: bool = False
) -> Callable[[PairFormula], PairFormula]:
    """`statistic`, for a formula of what others have made already."""
    if name in _FORMULAS:
        raise ValueError(f"there is a statistic {name!r} already")
    if not name.isidentifier():
        raise ValueError(f"a statistic cannot be called {name!r}: it names columns")

    def register(formula: PairFormula) -> PairFormula:
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


def _first_quartile(r: Profile) -> PerTrack:
    """The 25th percentile over bins, in float64."""
    # Of four bins place 3/4 is asked for: between the two least, 3/4 of the way. To find those is a quarter of the time
    # that sorting all bins takes.
    place = 0.25 * (len(r) - 1)
    below = int(place)
    above = min(below + 1, len(r) - 1)
    least = r.T.contiguous().topk(above + 1, largest=False).values.double()
    return least[:, below].lerp(least[:, above], place - below)


@_statistic_of_pair("sad")
def sad(pair: Pair) -> PerTrack:
    """Sum over bins of alt − ref."""
    return pair.total


@_statistic_of_pair("log_sad")
def log_sad(pair: Pair) -> PerTrack:
    """Sum over bins of log2(1 + alt) − log2(1 + ref)."""
    return _sum(pair.log_difference)


@statistic("d1", of_sizes=True)
def d1(r: Profile, d: Profile) -> PerTrack:
    """Sum over bins of |alt − ref|."""
    del r
    return _sum(d.abs())


@_statistic_of_pair("log_d1", of_sizes=True)
def log_d1(pair: Pair) -> PerTrack:
    """Sum over bins of |log2(1 + alt) − log2(1 + ref)|."""
    return _sum(pair.log_difference.abs())


@statistic("d2", of_sizes=True)
def d2(r: Profile, d: Profile) -> PerTrack:
    """Root of the sum over bins of (alt − ref)²."""
    del r
    return _norm(d)


@_statistic_of_pair("log_d2", of_sizes=True)
def log_d2(pair: Pair) -> PerTrack:
    """Root of the sum over bins of (log2(1 + alt) − log2(1 + ref))²."""
    return _norm(pair.log_difference)


@statistic("sax")
def sax(r: Profile, d: Profile) -> PerTrack:
    """alt − ref, signed, in the bin where it is largest in size; the first such bin on a tie."""
    del r
    # argmax gives the first of several largest
    strongest = d.abs().argmax(dim=0, keepdim=True)
    return d.gather(0, strongest).squeeze(0).double()


@_statistic_of_pair("js", of_sizes=True)
def js(pair: Pair) -> PerTrack:
    """Half the sum of both Kullback-Leibler divergences, in nats, of the profiles over bins.

    The 25th percentile of ref over bins is added to both before they are made to sum to 1. (basenji calls it JS; it is
    not the Jensen-Shannon divergence.)
    """
    import torch

    reference = pair.reference
    # a GPU does all at once
    together = _TRACKS_TOGETHER if reference.profile.device.type == "cpu" else len(pair.total)
    steps = zip(
        reference.raised.split(together, dim=1),
        reference.raised_total.split(together),
        pair.difference.split(together, dim=1),
        strict=True,
    )
    return torch.cat([_js_of_raised(*step) for step in steps])


def _js_of_raised(raised: Profile, total: PerTrack, d: Profile) -> PerTrack:
    """js of some tracks, from ref with the percentile added, its sums, and alt − ref."""
    # With R the raised reference, t = d / R, and T = Σ d / Σ R, what is alt's share of a bin over ref's is
    # (1 + t) / (1 + T), so KL(ref, alt) + KL(alt, ref) = Σ (alt − ref) (log alt − log ref) of the shares is
    # Σ R (t − T) (log1p t − log1p T) / (Σ R + Σ d), every term of which is non-negative. Where t is small nothing
    # cancels. Where a peak vanishes, 1 + t has those digits that alt has in r + d, which must be exact enough for it.
    # R = (1, 3), d = (1, −1): t = (1, −1/3), T = 0, Σ = (1 log 2 − log(2/3)) / 4 = log(3) / 4
    d = d.double()
    change = d.sum(dim=0)
    of_all = change / total
    relative = d / raised
    log_ratios = relative.log1p().sub_(of_all.log1p())
    terms = relative.sub_(of_all).mul_(log_ratios).mul_(raised)
    return 0.5 * terms.sum(dim=0) / (total + change)


@_statistic_of_pair("log_ratio")
def log_ratio(pair: Pair) -> PerTrack:
    """log2(1 + Σ alt) − log2(1 + Σ ref)."""
    # as in log_difference, of the sums
    relative = pair.total / (1 + pair.reference.total)
    return relative.log1p() / log(2.0)


def compute(
    reference: Profile | Reference,
    difference: Profile,
    statistics: Sequence[Statistic],
) -> dict[Statistic, Float[Tensor, " tracks"]]:
    """Statistics by name, in float64, over the bins given; single bins are treated in the precision given.

    What is too much for float64 copies of all of it is treated some tracks at a time, each of which stands for itself.

    Args:
        reference: prediction of the reference allele, non-negative; a `Reference` where several alts share it.
        difference: prediction of the alternate allele minus `reference`.
        statistics: names, which are in `STATISTICS`.
    """
    if not isinstance(reference, Reference):
        reference = Reference(reference)
    steps = reference.steps()
    if len(steps) == 1:
        return _of_pair(Pair(reference, difference), statistics)
    import torch

    made = [
        _of_pair(Pair(reference.of_tracks(some), difference[:, some]), statistics) for some in steps
    ]
    return {name: torch.cat([of_step[name] for of_step in made]) for name in statistics}


def _of_pair(pair: Pair, statistics: Sequence[Statistic]) -> dict[Statistic, PerTrack]:
    return {name: STATISTICS[name](pair) for name in statistics}


def on_host(
    scores: Sequence[Mapping[Statistic, Float[Tensor, " tracks"]]],
) -> list[AlleleScores]:
    """The scores of some alleles where NumPy reads them, in one copy."""
    import torch

    # with no statistic asked for, there is nothing to stack
    tensors = [values for of_allele in scores for values in of_allele.values()]
    copied = iter(torch.stack(tensors).cpu().numpy() if tensors else [])
    return [{name: next(copied) for name in of_allele} for of_allele in scores]


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

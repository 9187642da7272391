"""Does an engine's answer hold? A few alleles are scored again, plainly, and the two compared.

Knows scores and their scale. Does not know engines, shards or files.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from enformer_core.dataset.receipts import AuditedAllele, StatisticError
from enformer_core.scoring import statistics
from enformer_core.scoring.direct import DirectScorer
from enformer_core.scoring.over_pairings import mean_scores
from enformer_core.scoring.rounding import WHOLE_BITS, stored_values
from enformer_core.scoring.statistics import AlleleScores, Profile, Statistic
from enformer_core.scoring.windows import Allele
from enformer_core.variants.audit_sample import Drawn

PerTrack = Float[np.ndarray, " tracks"]

ROUNDING = 2.0**-20
"""Part of the reference's prediction that two passes in float32 cannot tell from a difference."""

LEAST = ROUNDING**2
"""What no statistic can tell from nothing. `js`, which shapes alone decide, moves by as much where a shape is rounded;
of a profile that is one peak neither movement below changes the shape."""

UNDRAWN = Drawn()
"""Of an allele that nobody drew: it is held against plain passes in float32."""


@dataclass(frozen=True)
class DirectAuditor:
    """Compares scores, as they are stored, with those of two plain passes.

    Attributes:
        direct: the yardstick, whose passes take any number format.
        tolerance: error allowed, as a part of what is measured.
        mantissa_bits: of the values, as stored.
        replicates: further yardsticks, where scores are the mean over several models.
    """

    direct: DirectScorer
    tolerance: float
    mantissa_bits: int = WHOLE_BITS
    replicates: Sequence[DirectScorer] = ()

    def compare(
        self,
        allele: Allele,
        start: int,
        scores: AlleleScores,
        drawn: Drawn = UNDRAWN,
    ) -> AuditedAllele:
        """The error of each statistic, for a receipt.

        An allele is beyond its bound by its norm over tracks, by half of its tracks, or by signs. The first
        may be tolerance · ‖statistic‖ plus what rounding alone can do: by how much the statistic moves
        when the difference moves by 2⁻²⁰ of the reference's prediction (for SAD, 2⁻²⁰ · ‖Σ ref‖). Tracks of
        more than that are looked at one by one: half of them may be off by as much of their own value, and a
        `tolerance` of them, and one more, have the other sign. Of several replicates both are the mean over them:
        what rounding does to each may add up.
        """
        began_s = time.monotonic()
        dtype = torch.float64 if drawn.in_float64 else torch.float32
        names = tuple(scores)
        directs = (self.direct, *self.replicates)
        exact = [_Exact.of(each.in_dtype(dtype), allele, start, names) for each in directs]
        errors: dict[str, StatisticError] = {}
        for name in names:
            stored = stored_values(scores[name], self.mantissa_bits)
            truth = np.mean([each.values[name] for each in exact], axis=0)
            floor = np.mean([each.floors[name] for each in exact], axis=0)
            errors[name] = self._error(stored, truth, floor)
        pos = allele.start + 1  # as VCF has it
        return AuditedAllele(
            variant=f"{allele.contig}:{pos}:{allele.ref}:{allele.alt}",
            statistics=errors,
            kinds=drawn.kinds,
            yardstick="float64" if drawn.in_float64 else "float32",
            seconds=round(time.monotonic() - began_s, 3),
        )

    def _error(
        self,
        answer: PerTrack,
        truth: PerTrack,
        floor: PerTrack,
    ) -> StatisticError:
        # who chose to keep few bits is not told of these
        allowed = self.tolerance + 2.0 ** -(self.mantissa_bits + 1)
        norm = float(np.linalg.norm(truth))
        error = float(np.linalg.norm(answer - truth))
        bound = allowed * norm + float(np.linalg.norm(floor))
        is_above = np.abs(truth) > floor
        of_tracks = _TrackErrors.of(answer[is_above], truth[is_above], floor[is_above], allowed)
        beyond = {
            "norm": not error <= bound,  # NaN exceeds any bound
            "tracks": of_tracks.beyond > of_tracks.count / 2,
            "signs": of_tracks.wrong_signs > self.tolerance * of_tracks.count + 1,
        }
        return StatisticError(
            # JSON has no NaN and no infinity
            error=error if isfinite(error) else None,
            norm=norm,
            bound=bound,
            exceeded=any(beyond.values()),
            tracks=of_tracks.count,
            median_track_error=of_tracks.median,
            wrong_signs=of_tracks.wrong_signs,
            beyond=tuple(name for name, is_beyond in beyond.items() if is_beyond),
            tolerance=self.tolerance,
        )


@dataclass(frozen=True)
class _Exact:
    """What plain passes of one model say of an allele.

    Attributes:
        values: each statistic.
        floors: what of each statistic rounding alone can do.
    """

    values: Mapping[Statistic, PerTrack]
    floors: Mapping[Statistic, PerTrack]

    @classmethod
    def of(
        cls, direct: DirectScorer, allele: Allele, start: int, names: Sequence[Statistic]
    ) -> "_Exact":
        of_pairings = [
            _exact_and_moved(r, d, names) for r, d in direct.paired_profiles(allele, start)
        ]
        # pairings of an allele share most of their bases: what rounding does to one it may do to all
        exact, *moved = (mean_scores(each) for each in zip(*of_pairings, strict=True))
        floors = {}
        for name in names:
            movements = [(each[name] - exact[name]).abs() for each in moved]
            floors[name] = torch.stack(movements).amax(dim=0).clamp(min=LEAST).cpu().numpy()
        return cls({name: exact[name].cpu().numpy() for name in names}, floors)


def _exact_and_moved(
    r: Profile, d: Profile, names: Sequence[Statistic]
) -> list[dict[Statistic, Tensor]]:
    """Statistics of two passes, and the same moved by as much as rounding may do."""
    reference = statistics.Reference(r)
    parts = _rounding(r)
    return [
        statistics.compute(reference, each, names) for each in (d, *(d + part for part in parts))
    ]


def _rounding(r: Profile) -> tuple[Profile, Profile]:
    """What rounding may add to a difference: in all bins alike, which moves sums, and in turns, which moves shapes."""
    alike = ROUNDING * r
    in_turns = alike.clone()
    in_turns[1::2].neg_()
    return alike, in_turns


@dataclass(frozen=True)
class _TrackErrors:
    """Errors of single tracks whose value is more than rounding.

    Attributes:
        count: such tracks.
        median: of error / value; None without such tracks, and where it is not finite.
        beyond: tracks whose error is above the part allowed and what rounding can do.
        wrong_signs: tracks whose value has another sign, or is 0.
    """

    count: int
    median: float | None
    beyond: int
    wrong_signs: int

    @classmethod
    def of(
        cls, answer: PerTrack, truth: PerTrack, floor: PerTrack, allowed: float
    ) -> "_TrackErrors":
        sizes = np.abs(truth)
        errors = np.abs(answer - truth)
        middle = float(np.median(errors / sizes)) if sizes.size else None
        is_sound: Bool[np.ndarray, " tracks"] = errors <= allowed * sizes + floor
        return cls(
            count=sizes.size,
            median=middle if middle is not None and isfinite(middle) else None,
            beyond=int(np.count_nonzero(~is_sound)),
            wrong_signs=int(np.count_nonzero(np.sign(answer) != np.sign(truth))),
        )

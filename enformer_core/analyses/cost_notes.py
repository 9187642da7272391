"""What a plan's cost is made of that a setting would change: windows that neighbours could share, and the audit.

Knows plans and operations. Does not know hours, and changes nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from enformer_core.analyses.cost import Work, count_work, total_operations
from enformer_core.analyses.score_spec import ScoreSpec
from enformer_core.analyses.speed import Speed
from enformer_core.errors import InputError
from enformer_core.models.spec import PassOperations
from enformer_core.scoring.windows import window_start
from enformer_core.words import counted

SHARED_OFFSET_BP = 8192
"""An offset at which the predicted bins still reach far beyond the variant on either side, and many neighbours meet."""

NEAR_OFFSET_BP = 64
"""The least offset: nearly centred, and yet windows that overlap have their tokens in common."""

_WORTH_SAYING = 1.3
"""Times less from which sharing is proposed, and from which a greater offset is, beside a smaller one."""

_WORTH_SAYING_OF_AUDIT = 0.01


@dataclass(frozen=True)
class Sharing:
    """What it would save to let neighbours share windows.

    Attributes:
        max_offset_bp: the setting.
        factor: times less time, or less work where no seconds are known.
        windows: how many there would be.
        towers: of how many the tower would compute the tokens.
    """

    max_offset_bp: int
    factor: float
    windows: int
    towers: float


@dataclass(frozen=True)
class CostNotes:
    """What of a plan's cost is worth knowing.

    Attributes:
        work: what is computed.
        audit_share: part of the operations that the audit takes, 0 to 1.
        sharing: what sharing windows would save, by how far off the centre; what is little is left out.
    """

    work: Work
    audit_share: float
    sharing: tuple[Sharing, ...]

    def lines(self, about: str = "") -> Sequence[str]:
        """The same for people; what is little is not said.

        Args:
            about: stands before the number of audited alleles where it is not known yet, as `at most `.
        """
        lines = self.sharing_lines()
        if self.audit_share >= _WORTH_SAYING_OF_AUDIT:
            lines.append(
                f"the audit scores {about}{self.work.audited:,} of {counted(self.work.alts, 'alleles')} again "
                f"by direct passes, {self.audit_share:.1%} of the work (--audit-fraction)"
                f"{'; copied ones are not audited' if about else ''}"
            )
        return lines

    def sharing_lines(self) -> list[str]:
        """Those of windows that neighbours could share."""
        return [self._of_sharing(each) for each in self.sharing]

    def _of_sharing(self, sharing: Sharing) -> str:
        offset_bp = sharing.max_offset_bp
        windows = counted(sharing.windows, "windows")
        advice = ", advised for dense sets" if offset_bp == NEAR_OFFSET_BP else ""
        return (
            f"sharing windows (--max-offset-bp {offset_bp}{advice}) would take {sharing.factor:.1f}× less: {windows} "
            f"instead of {self.work.windows:,}, tokens of {sharing.towers:,.1f} instead of {self.work.towers:,.1f}, "
            f"and variants up to {offset_bp:,} bp off their window's centre"
        )


def cost_notes(
    parts: Iterable[Path | bytes],
    spec: ScoreSpec,
    operations: PassOperations,
    *,
    speed: Speed | None = None,
) -> CostNotes:
    """Count what a plan's alleles take, as they are planned and with windows shared.

    Args:
        parts: of the plan, as stored.
        spec: how they are scored.
        operations: of one pass.
        speed: by which times are compared; operations by default.
    """
    parts = list(parts)

    def timed(work: Work) -> float:
        assert speed is not None, "nothing is timed"
        return speed.hours(work, spec.engine, views=spec.conventions.views)

    def cost(work: Work) -> float:
        if speed is None or speed.allele_s is not None:
            views = spec.conventions.views
            return total_operations(work, spec.engine, views=views, operations=operations)
        return timed(work)

    conventions = spec.conventions
    window_bp = conventions.geometry.window_bp
    work = count_work(parts, window_bp=window_bp, overlapping=conventions.max_offset_bp > 0)
    sharing: list[Sharing] = []
    worth_saying = _WORTH_SAYING
    for offset_bp in (NEAR_OFFSET_BP, SHARED_OFFSET_BP):
        shared = _sharing(offset_bp, parts, work, spec, cost)
        # farther off the centre for little more is no advice
        if shared is not None and shared.factor >= worth_saying:
            sharing.append(shared)
            worth_saying *= shared.factor
    return CostNotes(
        work=work,
        audit_share=_audit_share(
            work, spec, cost if speed is None or speed.audited_s is None else timed
        ),
        sharing=tuple(sharing),
    )


def _audit_share(work: Work, spec: ScoreSpec, cost: Callable[[Work], float]) -> float:
    total = cost(work)
    if spec.engine != "delta" or not total:
        return 0.0
    return 1 - cost(replace(work, audited=0)) / total


def _sharing(
    offset_bp: int,
    parts: Sequence[Path | bytes],
    work: Work,
    spec: ScoreSpec,
    cost: Callable[[Work], float],
) -> Sharing | None:
    # direct passes have no reference to share
    if spec.engine != "delta" or spec.conventions.max_offset_bp >= offset_bp:
        return None
    try:
        shared_conventions = replace(spec.conventions, max_offset_bp=offset_bp)
    except InputError:
        return None  # other settings, or a small model, leave no room
    geometry = shared_conventions.geometry
    shared = count_work(
        parts,
        window_bp=geometry.window_bp,
        overlapping=True,
        window_starts=lambda starts: window_start(starts, shared_conventions),
    )
    least = cost(shared)
    # of a plan without an allele to score nothing can be saved
    factor = cost(work) / least if least else 1.0
    rounded = float(np.round(factor, 2))
    return Sharing(offset_bp, rounded, shared.windows, round(shared.towers, 2))

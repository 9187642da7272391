"""What a plan's cost is made of that a setting would change: windows that neighbours could share, and the audit.

Knows plans and operations. Does not know hours, and changes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from enformer_core.analyses.cost import Work, count_work, total_operations
from enformer_core.analyses.score_spec import ScoreSpec
from enformer_core.errors import InputError
from enformer_core.models.spec import PassOperations
from enformer_core.scoring.windows import window_start
from enformer_core.words import counted

SHARED_OFFSET_BP = 8192
"""An offset at which the predicted bins still reach far beyond the variant on either side, and many neighbours meet."""

_WORTH_SAYING = 1.3
"""Times less work from which sharing is proposed."""

_WORTH_SAYING_OF_AUDIT = 0.01


@dataclass(frozen=True)
class Sharing:
    """What it would save to let neighbours share windows.

    Attributes:
        max_offset_bp: the setting.
        factor: times less work.
        windows: how many there would be.
    """

    max_offset_bp: int
    factor: float
    windows: int


@dataclass(frozen=True)
class CostNotes:
    """What of a plan's cost is worth knowing.

    Attributes:
        work: what is computed.
        audit_share: part of the operations that the audit takes, 0 to 1.
        sharing: what sharing windows would save; None where that is little, or cannot be.
    """

    work: Work
    audit_share: float
    sharing: Sharing | None

    def lines(self, about: str = "") -> Sequence[str]:
        """The same for people; what is little is not said.

        Args:
            about: stands before the number of audited alleles where it is not known yet, as `at most `.
        """
        lines = []
        if self.sharing is not None:
            lines.append(
                f"--max-offset-bp {self.sharing.max_offset_bp} would save {self.sharing.factor:.1f}×: "
                f"{counted(self.sharing.windows, 'windows')} instead of {self.work.windows:,}, with variants up to "
                f"{self.sharing.max_offset_bp:,} bp off their window's centre"
            )
        if self.audit_share >= _WORTH_SAYING_OF_AUDIT:
            lines.append(
                f"the audit scores {about}{self.work.audited:,} of {counted(self.work.alts, 'alleles')} again "
                f"by direct passes, {self.audit_share:.0%} of the work (--audit-fraction)"
                f"{'; copied ones are not audited' if about else ''}"
            )
        return lines


def cost_notes(
    parts: Iterable[Path | bytes], spec: ScoreSpec, operations: PassOperations, *, bin_bp: int
) -> CostNotes:
    """Count what a plan's alleles take, as they are planned and with windows shared.

    Args:
        parts: of the plan, as stored.
        spec: how they are scored.
        operations: of one pass.
        bin_bp: bases of a bin of the model.
    """
    parts = list(parts)
    work = count_work(parts)
    total = _total(work, spec, operations)
    # an audited allele is scored by two direct passes, of its reference and of itself, in each view
    passes = 2 * work.audited * spec.conventions.views
    audit = passes * operations.total
    has_audit = spec.engine == "delta" and total > 0
    return CostNotes(
        work=work,
        audit_share=audit / total if has_audit else 0.0,
        sharing=_sharing(parts, work, spec, operations, bin_bp),
    )


def _sharing(
    parts: Sequence[Path | bytes],
    work: Work,
    spec: ScoreSpec,
    operations: PassOperations,
    bin_bp: int,
) -> Sharing | None:
    # direct passes have no reference to share
    if spec.engine != "delta" or spec.conventions.max_offset_bp >= SHARED_OFFSET_BP:
        return None
    try:
        shared_conventions = replace(spec.conventions, max_offset_bp=SHARED_OFFSET_BP)
    except InputError:
        return None  # other settings, or a small model, leave no room
    shared = count_work(
        parts, window_starts=lambda starts: window_start(starts, shared_conventions, bin_bp)
    )
    now = _total(work, spec, operations)
    least = _total(shared, spec, operations)
    # of a plan without an allele to score nothing can be saved
    factor = now / least if least else 1.0
    if factor < _WORTH_SAYING:
        return None
    rounded = float(np.round(factor, 2))
    return Sharing(SHARED_OFFSET_BP, rounded, shared.windows)


def _total(work: Work, spec: ScoreSpec, operations: PassOperations) -> int:
    return total_operations(work, spec.engine, views=spec.conventions.views, operations=operations)

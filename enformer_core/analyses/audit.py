"""Does an engine's answer hold? A few alleles are scored again, plainly, and the two compared.

Knows scores and their scale. Does not know engines, shards or files.
"""

from dataclasses import dataclass
from math import isfinite

import numpy as np
from jaxtyping import Float

from enformer_core.dataset.receipts import AuditedAllele, StatisticError
from enformer_core.scoring import statistics
from enformer_core.scoring.direct import DirectScorer
from enformer_core.scoring.statistics import AlleleScores
from enformer_core.scoring.windows import Allele

PerTrack = Float[np.ndarray, " tracks"]

ROUNDING = 1e-6
"""Part of the reference's prediction that two passes in float32 cannot tell from a difference."""


@dataclass(frozen=True)
class DirectAuditor:
    """Compares scores with those of two plain float32 passes.

    Attributes:
        direct: the yardstick.
        tolerance: error allowed, as a part of the statistic's norm over tracks.
    """

    direct: DirectScorer
    tolerance: float

    def compare(
        self,
        allele: Allele,
        start: int,
        scores: AlleleScores,
    ) -> AuditedAllele:
        """The error of each statistic, for a receipt.

        The bound is tolerance · ‖statistic‖ plus what rounding alone can do: by how much the statistic
        moves when the difference moves by a millionth of the reference's prediction (for SAD,
        1e-6 · ‖Σ ref‖).
        """
        r, d = self.direct.profiles(allele, start)
        names = tuple(scores)
        reference = statistics.Reference(r)
        exact = statistics.compute(reference, d, names)
        # what rounding alone may do to each statistic, of which some are not linear
        moved = statistics.compute(reference, d + ROUNDING * r, names)
        errors: dict[str, StatisticError] = {}
        for name in names:
            floor = float((moved[name] - exact[name]).norm())
            errors[name] = self._error(scores[name], exact[name].cpu().numpy(), floor)
        pos = allele.start + 1  # as VCF has it
        variant = f"{allele.contig}:{pos}:{allele.ref}:{allele.alt}"
        return AuditedAllele(variant, errors)

    def _error(
        self,
        answer: PerTrack,
        truth: PerTrack,
        floor: float,
    ) -> StatisticError:
        norm = float(np.linalg.norm(truth))
        error = float(np.linalg.norm(answer - truth))
        bound = self.tolerance * norm + floor
        # JSON has no NaN and no infinity
        return StatisticError(
            error=error if isfinite(error) else None,
            norm=norm,
            bound=bound,
            exceeded=not error <= bound,  # NaN exceeds any bound
        )

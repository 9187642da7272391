"""Does an engine's answer hold? A few alleles are scored again, plainly, and the two compared.

Knows scores and their scale. Does not know engines, shards or files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

import numpy as np
from jaxtyping import Float

from enformer_core.dataset.receipts import AuditedAllele, StatisticError
from enformer_core.scoring import statistics
from enformer_core.scoring.conventions import Statistic
from enformer_core.scoring.direct import DirectScorer
from enformer_core.scoring.windows import Allele

ROUNDING = 1e-6
"""Part of the reference's prediction that two passes in float32 cannot tell from a difference."""

Scores = Mapping[Statistic, Float[np.ndarray, " tracks"]]


@dataclass(frozen=True)
class DirectAuditor:
    """Compares scores with those of two plain float32 passes.

    Attributes:
        direct: the yardstick.
        tolerance: error allowed, as a part of the statistic's norm over tracks.
    """

    direct: DirectScorer
    tolerance: float

    def compare(self, allele: Allele, start: int, scores: Scores) -> AuditedAllele:
        """The error of each statistic, for a receipt.

        The bound is tolerance · ‖statistic‖ plus what rounding alone can do: by how much the statistic
        moves when the difference moves by a millionth of the reference's prediction (for SAD,
        1e-6 · ‖Σ ref‖).
        """
        r, d = self.direct.profiles(allele, start)
        names = tuple(scores)
        plain = statistics.compute(r, d, names)
        moved = statistics.compute(r, d + ROUNDING * r, names)
        compared: dict[str, StatisticError] = {}
        for name in names:
            truth = plain[name].cpu().numpy()
            norm = float(np.linalg.norm(truth))
            floor = float((moved[name] - plain[name]).norm())
            error = float(np.linalg.norm(scores[name] - truth))
            bound = self.tolerance * norm + floor
            compared[name] = StatisticError(
                error=error if isfinite(error) else None,
                norm=norm,
                bound=bound,
                exceeded=not error <= bound,  # NaN exceeds any bound
            )
        variant = f"{allele.contig}:{allele.start + 1}:{allele.ref}:{allele.alt}"
        return AuditedAllele(variant, compared)

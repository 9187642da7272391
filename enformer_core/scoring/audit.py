"""Does an engine's answer hold? A few alleles are scored again by two plain passes, and the two compared.

Knows scores and their scale. Does not know engines, shards or files.
"""

from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from jaxtyping import Float

from enformer_core.scoring import statistics
from enformer_core.scoring.direct import DirectScorer
from enformer_core.scoring.statistics import Scores, Statistic
from enformer_core.scoring.windows import Allele

PerTrack = Float[np.ndarray, " tracks"]

ROUNDING = 1e-6
"""Part of the reference's prediction that two passes in float32 cannot tell from a difference."""


class StatisticAudit(TypedDict):
    """One statistic of an audited allele, as a receipt has it; all but the last are norms over tracks.

    Attributes:
        error: of the engine's answer minus the yardstick's.
        norm: of the yardstick's.
        bound: the largest error that is allowed.
        exceeded: whether the error is larger, or not a number.
    """

    error: float
    norm: float
    bound: float
    exceeded: bool


@dataclass(frozen=True)
class Auditor:
    """Compares scores with those of two plain float32 passes.

    Attributes:
        direct: the yardstick.
        tolerance: error allowed, as a part of the statistic's norm over tracks.
    """

    direct: DirectScorer
    tolerance: float

    def compare(self, allele: Allele, start: int, scores: Scores) -> dict[str, object]:
        """The error of each statistic, for a receipt: `variant` as chrom:pos:ref:alt, `statistics` by name.

        The bound is tolerance · ‖statistic‖ plus what rounding alone can do: by how much the statistic moves when the
        difference moves by a millionth of the reference's prediction (for SAD, 1e-6 · ‖Σ ref‖).
        """
        r, d = self.direct.profiles(allele, start)
        names = tuple(scores)
        exact = statistics.compute(r, d, names)
        moved = statistics.compute(r, d + ROUNDING * r, names)
        audits: dict[Statistic, StatisticAudit] = {}
        for name in names:
            floor = float((moved[name] - exact[name]).norm())
            audits[name] = self._audit(scores[name], exact[name].cpu().numpy(), floor)
        pos = allele.start + 1  # as VCF has it
        return {
            "variant": f"{allele.contig}:{pos}:{allele.ref}:{allele.alt}",
            "statistics": audits,
        }

    def _audit(self, answer: PerTrack, truth: PerTrack, floor: float) -> StatisticAudit:
        norm = float(np.linalg.norm(truth))
        error = float(np.linalg.norm(answer - truth))
        bound = self.tolerance * norm + floor
        return StatisticAudit(
            error=error,
            norm=norm,
            bound=bound,
            exceeded=not error <= bound,  # so that NaN is too large
        )

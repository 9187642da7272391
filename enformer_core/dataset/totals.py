"""What the receipts of a run come to together, one after another, without keeping them.

Does not know where receipts lie.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from enformer_core.dataset.audits import AuditSummary, summarise_audits

_AUDITS_KEPT = 100_000


@dataclass
class Totals:
    """Sums over receipts.

    Attributes:
        shards: how many.
        rows: of the plan that they answer.
        by_status: those by status.
        arithmetic: number formats in use.
        gpu_s: seconds of GPUs.
        cpu_s: seconds of CPU threads, where no GPU computed.
        first_start: when the first computation began.
        last_commit: when the last receipt was written.
    """

    shards: int = 0
    rows: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    arithmetic: set[str] = field(default_factory=set)
    gpu_s: float = 0.0
    cpu_s: float = 0.0
    first_start: datetime | None = None
    last_commit: datetime | None = None
    _audits: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, receipt: Mapping[str, Any]) -> None:
        """Add one."""
        self.shards += 1
        self.rows += receipt["rows"]
        self.by_status.update(receipt["by_status"])
        if "arithmetic" in receipt:
            self.arithmetic.add(receipt["arithmetic"])
        if len(self._audits) < _AUDITS_KEPT:
            self._audits.extend(receipt.get("audits", ()))
        seconds = float(receipt.get("seconds", 0))
        if receipt.get("device_type") == "cuda":
            self.gpu_s += seconds
        else:
            self.cpu_s += seconds * int(receipt.get("threads", 1))
        if "started_at" in receipt:
            started = datetime.fromisoformat(receipt["started_at"])
            self.first_start = min(self.first_start or started, started)
        committed = datetime.fromisoformat(receipt["committed_at"])
        self.last_commit = max(self.last_commit or committed, committed)

    @property
    def audit(self) -> dict[str, AuditSummary]:
        """What scoring some alleles twice has shown, by statistic."""
        return summarise_audits(self._audits)

    @property
    def elapsed_s(self) -> float:
        """From the first start to the last commit, at least a second; a pause between two sessions of work counts."""
        if self.first_start is None or self.last_commit is None:
            return 1.0
        return max((self.last_commit - self.first_start).total_seconds(), 1.0)

    def figures(self) -> dict[str, Any]:
        """As the manifest has them."""
        return {
            "rows": self.rows,
            "by_status": dict(sorted(self.by_status.items())),
            "arithmetic": sorted(self.arithmetic),
            "audit": {name: asdict(summary) for name, summary in self.audit.items()},
        }

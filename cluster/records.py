"""How workers fare: which of them fails at everything while others succeed.

Knows workers by name, and what they failed at. Does not know why.
"""

from dataclasses import dataclass, field

from cluster.errands import Errand

SUSPICIOUS_TASKS = 3
"""A worker that fails at so many different tasks in a row, while others succeed, is at fault itself."""

_DOUBT_S = 300.0  # before a worker that is in doubt is tried again in any case


@dataclass
class _Failures:
    """Of one worker since its last success.

    Attributes:
        since_s: when the first was.
        last_s: when the last was.
        by_task: the errands that they were counted against.
    """

    since_s: float
    last_s: float
    by_task: dict[str, list[Errand]] = field(default_factory=dict)


class Records:
    """Counted failures of each worker since its last success."""

    def __init__(self) -> None:
        self._failures: dict[str, _Failures] = {}
        self._success_s: dict[str, float] = {}
        self._faulty: list[str] = []

    def succeeded(self, worker: str, now_s: float) -> None:
        """It has done something; those that were in doubt meanwhile are at fault themselves."""
        self._failures.pop(worker, None)
        self._success_s[worker] = now_s
        for other in [name for name, failures in self._failures.items() if self._is_faulty(name, failures)]:
            self._condemn(other)

    def failed(self, worker: str, errand: Errand, now_s: float) -> bool:
        """A failure was counted against an errand; whether that stays so."""
        failures = self._failures.setdefault(worker, _Failures(now_s, now_s))
        failures.last_s = now_s
        failures.by_task.setdefault(errand.key, []).append(errand)
        if self._is_faulty(worker, failures):
            self._condemn(worker)
            return False
        return True

    def doubts(self, worker: str, now_s: float) -> bool:
        """Whether it has failed at so much that it should be given nothing while others can be."""
        failures = self._failures.get(worker)
        if failures is None or len(failures.by_task) < SUSPICIOUS_TASKS:
            return False
        return now_s - failures.last_s < _DOUBT_S

    def take_faulty(self) -> list[str]:
        """Those found at fault since this was asked last; their failures count no more."""
        faulty, self._faulty = self._faulty, []
        return faulty

    def _is_faulty(self, worker: str, failures: _Failures) -> bool:
        elsewhere_s = max((at_s for name, at_s in self._success_s.items() if name != worker), default=float("-inf"))
        return len(failures.by_task) >= SUSPICIOUS_TASKS and elsewhere_s > failures.since_s

    def _condemn(self, worker: str) -> None:
        for errand in (errand for errands in self._failures.pop(worker).by_task.values() for errand in errands):
            errand.counted = max(0, errand.counted - 1)
        self._faulty.append(worker)

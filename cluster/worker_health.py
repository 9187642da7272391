"""How each worker fares: whether what fails at it fails because of it.

Knows workers by name, attempts and seconds. Does not know what follows.
"""

from dataclasses import dataclass, field

from cluster.task_queue import TaskAttempt

SUSPICIOUS_TASKS = 3
"""A worker that fails at so many different tasks in a row, while others succeed, is at fault itself."""

_SUSPECT_S = 300.0  # before a worker that is suspect is tried again in any case


@dataclass
class _Streak:
    """Counted failures of one worker since its last success: from when to when, and by task the attempts."""

    first_s: float
    last_s: float
    attempts: dict[str, list[TaskAttempt]] = field(default_factory=dict)


class WorkerHealth:
    """How each worker fares: its counted failures since its last success."""

    def __init__(self) -> None:
        self._streaks: dict[str, _Streak] = {}
        self._success_s: dict[str, float] = {}

    def record_success(self, worker: str, now_s: float) -> None:
        """It has computed something, so its failures before that count no more against it."""
        self._streaks.pop(worker, None)
        self._success_s[worker] = now_s

    def record_failure(self, worker: str, attempt: TaskAttempt, now_s: float) -> None:
        """A failure at this worker was counted against an attempt."""
        streak = self._streaks.setdefault(worker, _Streak(now_s, now_s))
        streak.last_s = now_s
        streak.attempts.setdefault(attempt.key, []).append(attempt)

    def is_suspect(self, worker: str, now_s: float) -> bool:
        """Whether it has failed at so much that it should be given nothing while others can be."""
        streak = self._streaks.get(worker)
        if streak is None or len(streak.attempts) < SUSPICIOUS_TASKS:
            return False
        return now_s - streak.last_s < _SUSPECT_S

    def faulty_workers(self) -> list[str]:
        """Those that fail at one task after another while others succeed: at fault themselves."""
        return [worker for worker in self._streaks if self._is_faulty(worker)]

    def evict(self, worker: str) -> list[TaskAttempt]:
        """Forget a worker's failures, for it is replaced: gives each attempt as often as one was counted against it."""
        streak = self._streaks.pop(worker)
        return [attempt for attempts in streak.attempts.values() for attempt in attempts]

    def _is_faulty(self, worker: str) -> bool:
        streak = self._streaks[worker]
        if len(streak.attempts) < SUSPICIOUS_TASKS:
            return False
        # A success elsewhere since the streak began: so it was not the tasks, nor something that all workers share.
        return any(
            success_s > streak.first_s
            for other, success_s in self._success_s.items()
            if other != worker
        )

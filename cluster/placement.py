"""Which worker may be given which attempt: after a failure elsewhere, and a second copy when it takes long.

Knows attempts and the workers that are ready. Gives nothing to anybody: the scheduler does.
"""

from collections.abc import Collection, Iterable, Sequence
from statistics import median

from cluster.task_queue import InFlight, TaskAttempt
from cluster.worker_handle import WorkerHandle

_STRAGGLES = 1.5  # times the median of finished tasks

_SHORTEST_COPY_S = 5.0  # shorter tasks are not worth a second copy


def may_run_on(
    attempt: TaskAttempt, handle: WorkerHandle, others: Sequence[WorkerHandle], now_s: float
) -> bool:
    """Whether a worker may be given an attempt: what has failed goes to another node, or at least to another worker.

    Args:
        attempt: what waits.
        handle: the worker, which is ready.
        others: workers beside it that are ready and of use, so that the attempt may wait for one of them.
        now_s: the time.
    """
    # After a failure nothing else is at its worker, so that another death is charged to the right task.
    if attempt.exclusive_on_worker and handle.in_flight:
        return False
    # It has not failed yet, or so long ago that it does not wait for another place any longer.
    failure = attempt.last_failure
    if failure is None or now_s >= attempt.avoid_until_s:
        return True
    # On another node: what may have been wrong there, such as a broken GPU, is not wrong here.
    if handle.node != failure.node:
        return True
    # At the very worker where it failed: only when there is no other at all.
    if handle.name == failure.worker:
        return not others
    # At another worker of that node: only when no worker is elsewhere.
    return all(other.node == handle.node for other in others)


def stragglers(
    in_flight: Iterable[InFlight], durations_s: Collection[float], now_s: float
) -> list[InFlight]:
    """Whole tasks that take much longer than others did, those given first before the others.

    Args:
        in_flight: what workers have, without what has ended elsewhere.
        durations_s: how long the last tasks took; without any, nothing is slow.
        now_s: the time.
    """
    if not durations_s:
        return []
    slow_s = max(_SHORTEST_COPY_S, _STRAGGLES * median(durations_s))
    slow = [
        flight
        for flight in in_flight
        if flight.attempt.probed is None
        # A task keeps `has_copy` after one of its two copies failed: with a third, some copy would always be running,
        # and no failure would ever be charged.
        and not flight.attempt.has_copy
        and flight.seconds(now_s) > slow_s
    ]
    return sorted(slow, key=lambda flight: flight.given_s)

"""Which worker may take which attempt, rule by rule."""

from cluster.placement import may_run_on, stragglers
from cluster.pool import Node, Task
from cluster.task_queue import FailureRecord, InFlight, TaskAttempt
from cluster.worker_handle import Ready, WorkerHandle

A = Node("a", "host-a")
B = Node("b", "host-b")
NOW_S = 100.0


def ready(name: str, node: Node, *given: TaskAttempt) -> WorkerHandle:
    in_flight = {key: InFlight(each, name, node, 0.0) for key, each in enumerate(given)}
    return WorkerHandle(name, None, Ready(node, in_flight))


def new() -> TaskAttempt:
    return TaskAttempt(Task("t", None), None)


def failed(worker: str, node: Node, *, avoid_until_s: float = NOW_S + 1) -> TaskAttempt:
    record = FailureRecord(worker, node, "odd", raised=True)
    return TaskAttempt(
        Task("t", None), None, counted=1, last_failure=record, avoid_until_s=avoid_until_s
    )


def test_what_has_not_failed_runs_anywhere_also_behind_another():
    assert may_run_on(new(), ready("w0", A, new()), [], NOW_S)


def test_what_has_failed_or_was_beside_a_death_is_alone_on_its_worker():
    beside_death = new()
    beside_death.beside_death = True
    for attempt in (failed("w9", B), beside_death):
        assert may_run_on(attempt, ready("w0", A), [], NOW_S)
        assert not may_run_on(attempt, ready("w0", A, new()), [], NOW_S)


def test_it_goes_to_another_node_whoever_else_is_there():
    attempt = failed("w0", A)
    assert may_run_on(attempt, ready("w1", B), [ready("w0", A)], NOW_S)


def test_it_goes_to_another_worker_of_the_node_when_none_is_elsewhere():
    attempt = failed("w0", A)
    assert may_run_on(attempt, ready("w1", A), [ready("w0", A)], NOW_S)
    assert not may_run_on(attempt, ready("w1", A), [ready("w0", A), ready("w2", B)], NOW_S)


def test_it_goes_to_the_worker_where_it_failed_when_there_is_no_other_or_after_long():
    handle = ready("w0", A)
    assert may_run_on(failed("w0", A), handle, [], NOW_S)
    assert not may_run_on(failed("w0", A), handle, [ready("w1", A)], NOW_S)
    assert may_run_on(failed("w0", A, avoid_until_s=NOW_S), handle, [ready("w1", A)], NOW_S)


def in_flight(given_s: float, *, probed: range | None = None, has_copy: bool = False) -> InFlight:
    attempt = TaskAttempt(Task("t", None), None, probed=probed, has_copy=has_copy)
    return InFlight(attempt, "w0", A, given_s)


def test_stragglers_take_half_as_long_again_as_the_median_and_the_oldest_comes_first():
    oldest, older, young = in_flight(60.0), in_flight(84.0), in_flight(86.0)
    assert stragglers([young, older, oldest], [8.0, 10.0, 1000.0], NOW_S) == [oldest, older]


def test_short_tasks_probes_and_second_copies_have_no_further_copy():
    assert stragglers([in_flight(95.5)], [0.1], NOW_S) == []
    assert stragglers([in_flight(0.0, probed=range(2))], [0.1], NOW_S) == []
    assert stragglers([in_flight(0.0, has_copy=True)], [0.1], NOW_S) == []
    assert stragglers([in_flight(0.0)], [], NOW_S) == []

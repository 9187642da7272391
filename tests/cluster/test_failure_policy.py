"""Whose fault a failure is, judged without a scheduler: workers that fail at everything, and machines that are gone."""

import pytest

from cluster.backend import WorkerGone
from cluster.failure_policy import FailurePolicy
from cluster.pool import Event, Node, Task, TaskRetried
from cluster.task_queue import ExponentialBackoff, InFlight, TaskAttempt, TaskQueue
from cluster.worker_handle import WorkerHealth
from cluster.worker_process import Failure

NODE = Node("node-1", "gpu-1")


def attempt(key: str) -> TaskAttempt:
    return TaskAttempt(Task(key, key), key)


class Judged:
    """A policy, and what it has said of attempts that end one a second at workers of one node."""

    def __init__(self, *, lost_nodes: frozenset[Node] = frozenset()) -> None:
        self.queue = TaskQueue([])
        self.policy = FailurePolicy(
            self.queue,
            classify=lambda error: "task",
            backoff=ExponentialBackoff(seed=1),
            is_node_lost=lost_nodes.__contains__,
        )
        self.events: list[Event] = []
        self.now_s = 0.0

    def fail(self, worker: str, *attempts: TaskAttempt) -> None:
        for each in attempts:
            failure = Failure(None, "", ValueError("odd"))
            self.events += self.policy.raised(self._flight(worker, each), failure, self.now_s)
            self.now_s += 1.0

    def succeed(self, worker: str) -> None:
        flight = self._flight(worker, attempt("sound"))
        self.events += self.policy.succeeded(flight, None, self.now_s)

    def die(self, worker: str, each: TaskAttempt, gone: WorkerGone) -> None:
        self.policy.died(self._flight(worker, each), gone, self.now_s)
        self.now_s += 100.0
        self.events += self.policy.resume_paused(self.now_s)

    def _flight(self, worker: str, each: TaskAttempt) -> InFlight:
        return InFlight(each, worker, NODE, self.now_s)


def test_failures_at_three_tasks_do_not_count_when_another_worker_has_success_meanwhile():
    judged = Judged()
    attempts = [attempt(key) for key in "abc"]
    judged.fail("odd", *attempts)
    assert [each.counted for each in attempts] == [1, 1, 1]
    assert judged.policy.health.is_suspect("odd", judged.now_s)
    assert judged.policy.take_evicted() == []
    judged.succeed("sound")
    assert judged.policy.take_evicted() == ["odd"]
    assert judged.policy.take_evicted() == []
    assert [each.counted for each in attempts] == [0, 0, 0]
    assert not judged.policy.health.is_suspect("odd", judged.now_s)


def test_the_third_failure_does_not_count_when_another_worker_had_success_since_the_first():
    judged = Judged()
    attempts = [attempt(key) for key in "abc"]
    judged.fail("odd", *attempts[:2])
    judged.succeed("sound")
    judged.fail("odd", attempts[2])
    assert judged.policy.take_evicted() == ["odd"]
    assert [each.counted for each in attempts] == [0, 0, 0]
    assert [event.counted for event in judged.events] == [True, True, False]


@pytest.mark.parametrize(
    ("keys", "success"),
    [("abb", "sound"), ("abc", "odd"), ("abc", None)],
    ids=["two tasks", "its own success", "nobody has success"],
)
def test_failures_count_otherwise(keys: str, success: str | None):
    judged = Judged()
    attempts = [attempt(key) for key in keys]
    judged.fail("odd", *attempts)
    if success is not None:
        judged.succeed(success)
    assert judged.policy.take_evicted() == []
    assert [each.counted for each in attempts] == [1, 1, 1]


def test_a_success_before_the_first_failure_says_nothing_of_the_worker():
    health = WorkerHealth()
    health.record_success("sound", 1.0)
    for at_s, key in enumerate("abcd", start=1):
        health.record_failure("odd", attempt(key), float(at_s))
    assert health.faulty_workers() == []
    health.record_success("sound", 1.5)
    assert health.faulty_workers() == ["odd"]


def test_what_is_evicted_comes_back_as_often_as_it_was_counted():
    health = WorkerHealth()
    first, second = attempt("a"), attempt("b")
    for each in (first, second, first):
        health.record_failure("odd", each, 1.0)
    assert health.evict("odd") == [first, first, second]
    assert health.faulty_workers() == []


@pytest.mark.parametrize(
    ("gone", "lost", "counted"),
    [
        (WorkerGone("killed"), False, True),
        (WorkerGone("killed"), True, False),
        (WorkerGone("preempted", with_node=True), False, False),
    ],
    ids=["the node is there", "the node is gone", "the node was announced to go"],
)
def test_a_death_counts_unless_the_node_is_gone(gone: WorkerGone, lost: bool, counted: bool):
    judged = Judged(lost_nodes=frozenset({NODE} if lost else ()))
    deadly = attempt("deadly")
    judged.die("worker-1", deadly, gone)
    assert judged.events == [TaskRetried("deadly", "worker-1", gone.reason, counted=counted)]
    assert (deadly.counted, deadly.uncounted) == (int(counted), int(not counted))
    assert judged.queue.take(lambda each: True) is deadly

"""Who waits for a worker, in which order, and how much of the tasks is read."""

import itertools

import pytest

from cluster.pool import MAX_ATTEMPTS, Task
from cluster.task_queue import MAX_UNCOUNTED, ExponentialBackoff, TaskAttempt, TaskQueue


def tasks(count: int) -> list[Task]:
    return [Task(f"task {number}", number) for number in range(count)]


def attempt(key: str, **fields) -> TaskAttempt:
    return TaskAttempt(Task(key, key), key, **fields)


def drained(queue: TaskQueue) -> list[str]:
    found = []
    while (each := queue.take(lambda each: True)) is not None:
        found.append(each.key)
    return found


def test_tasks_come_in_their_order_each_once():
    assert drained(TaskQueue(tasks(5))) == [f"task {number}" for number in range(5)]


def test_no_more_is_read_than_asked_for():
    numbers = itertools.count()
    queue = TaskQueue(Task(str(number), number) for number in numbers)
    assert queue.look_ahead(3) == 3
    assert queue.look_ahead(2) == 2
    assert not queue.is_empty
    assert next(numbers) == 3
    assert queue.waiting == 3


def test_what_was_given_back_comes_first_then_what_was_paused_then_new_tasks():
    queue = TaskQueue(tasks(2))
    queue.put(attempt("paused"))
    queue.put(attempt("paused later"))
    queue.put_first(attempt("given back"))
    assert drained(queue) == ["given back", "paused", "paused later", "task 0", "task 1"]


def test_pauses_end_in_the_order_of_their_ends():
    queue = TaskQueue([])
    for until_s in (30.0, 10.0, 20.0):
        queue.pause(attempt(str(until_s)), until_s)
    assert not queue.is_empty
    assert queue.look_ahead(1) == 0
    assert queue.next_pause_ends_s() == 10
    assert [each.key for each in queue.take_resumable(20)] == ["10.0", "20.0"]
    assert queue.take_resumable(29.9) == []
    assert [each.key for each in queue.take_resumable(30)] == ["30.0"]
    assert queue.next_pause_ends_s() is None
    assert queue.is_empty


def test_an_exclusive_attempt_waits_until_nothing_else_does():
    queue = TaskQueue(tasks(1))
    queue.put(attempt("exclusive", uncounted=MAX_UNCOUNTED))
    queue.pause(attempt("pausing"), 5)
    assert queue.take_exclusive() is None
    assert drained(queue) == ["task 0"]
    assert queue.take_exclusive() is None
    queue.take_resumable(5)
    assert not queue.is_empty
    assert queue.take_exclusive().key == "exclusive"
    assert queue.is_empty


def test_a_forgotten_task_is_nowhere():
    queue = TaskQueue(tasks(1))
    for key in ("bad", "good"):
        queue.put(attempt(key, probed=range(2)))
        queue.put(attempt(key, uncounted=MAX_UNCOUNTED))
        queue.pause(attempt(key), 1)
    queue.forget("bad")
    assert queue.waiting == 3
    assert [each.key for each in queue.take_resumable(1)] == ["good"]
    assert drained(queue) == ["good", "task 0"]
    assert queue.take_exclusive().key == "good"


@pytest.mark.parametrize(
    ("probe", "allowed"),
    [(None, MAX_ATTEMPTS), (range(4, 9), 1), (range(4, 5), 2)],
    ids=["whole", "part", "item"],
)
def test_so_often_an_attempt_may_fail(probe, allowed):
    for counted in range(allowed + 1):
        assert attempt("it", probed=probe, counted=counted, uncounted=5, storage=2).is_spent is (
            counted >= allowed
        )


def test_after_any_failure_it_is_alone_on_its_worker():
    assert not attempt("new").exclusive_on_worker
    for kind in ("counted", "uncounted", "storage"):
        assert attempt("failed", **{kind: 1}).exclusive_on_worker


def test_pauses_double_up_to_a_minute_and_vary_by_half():
    backoff = ExponentialBackoff(seed=1)
    for failures, longest_s in ((0, 1.0), (1, 2.0), (5, 32.0), (6, 60.0), (10_000, 60.0)):
        pauses_s = [backoff.seconds(failures) for _ in range(100)]
        assert longest_s / 2 <= min(pauses_s) < max(pauses_s) <= longest_s

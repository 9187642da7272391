"""Who waits for a worker, in which order, and how much of the tasks is read."""

import itertools

import pytest

from cluster.failure_policy import Records
from cluster.pool import MAX_ATTEMPTS, Task
from cluster.task_queue import MAX_UNCOUNTED, Backlog, Errand


def tasks(count: int) -> list[Task]:
    return [Task(f"task {number}", number) for number in range(count)]


def errand(key: str, **fields) -> Errand:
    return Errand(Task(key, key), key, **fields)


def drained(backlog: Backlog) -> list[str]:
    found = []
    while (each := backlog.take(lambda each: True)) is not None:
        found.append(each.key)
    return found


def test_tasks_come_in_their_order_each_once():
    assert drained(Backlog(tasks(5))) == [f"task {number}" for number in range(5)]


def test_no_more_is_read_than_asked_for():
    numbers = itertools.count()
    backlog = Backlog(Task(str(number), number) for number in numbers)
    assert backlog.look_ahead(3) == 3
    assert backlog.look_ahead(2) == 2
    assert not backlog.is_empty
    assert next(numbers) == 3
    assert backlog.waiting == 3


def test_what_was_given_back_comes_first_then_what_has_rested_then_the_rest():
    backlog = Backlog(tasks(2))
    backlog.put(errand("rested"))
    backlog.put(errand("rested later"))
    backlog.put_first(errand("given back"))
    assert drained(backlog) == ["given back", "rested", "rested later", "task 0", "task 1"]


def test_pauses_end_in_the_order_of_their_ends():
    backlog = Backlog([])
    for until_s in (30.0, 10.0, 20.0):
        backlog.pause(errand(str(until_s)), until_s)
    assert not backlog.is_empty
    assert backlog.look_ahead(1) == 0
    assert backlog.next_rest_ends_s() == 10
    assert [each.key for each in backlog.rested(20)] == ["10.0", "20.0"]
    assert backlog.rested(29.9) == []
    assert [each.key for each in backlog.rested(30)] == ["30.0"]
    assert backlog.next_rest_ends_s() is None
    assert backlog.is_empty


def test_a_solitary_errand_waits_until_nothing_else_does():
    backlog = Backlog(tasks(1))
    backlog.put(errand("solitary", uncounted=MAX_UNCOUNTED))
    backlog.pause(errand("pausing"), 5)
    assert backlog.take_solitary() is None
    assert drained(backlog) == ["task 0"]
    assert backlog.take_solitary() is None
    backlog.rested(5)
    assert not backlog.is_empty
    assert backlog.take_solitary().key == "solitary"
    assert backlog.is_empty


def test_a_forgotten_task_is_nowhere():
    backlog = Backlog(tasks(1))
    for key in ("bad", "good"):
        backlog.put(errand(key, probe=range(2)))
        backlog.put(errand(key, uncounted=MAX_UNCOUNTED))
        backlog.pause(errand(key), 1)
    backlog.forget("bad")
    assert backlog.waiting == 3
    assert [each.key for each in backlog.rested(1)] == ["good"]
    assert drained(backlog) == ["good", "task 0"]
    assert backlog.take_solitary().key == "good"


@pytest.mark.parametrize(
    ("probe", "allowed"),
    [(None, MAX_ATTEMPTS), (range(4, 9), 1), (range(4, 5), 2)],
    ids=["whole", "part", "item"],
)
def test_so_often_an_errand_may_fail(probe, allowed):
    for counted in range(allowed + 1):
        assert errand("it", probe=probe, counted=counted, uncounted=5, storage=2).is_spent is (
            counted >= allowed
        )


def test_after_any_failure_it_is_alone_on_its_worker():
    assert not errand("new").alone_on_worker
    for kind in ("counted", "uncounted", "storage"):
        assert errand("failed", **{kind: 1}).alone_on_worker


def failed_at(records: Records, *keys: str) -> list[Errand]:
    """A worker fails at one task after another, each counted, one a second."""
    errands = [errand(key, counted=1) for key in keys]
    for at_s, each in enumerate(errands):
        records.failed("odd", each, float(at_s))
    return errands


def test_failures_at_three_tasks_do_not_count_when_another_worker_has_success_meanwhile():
    records = Records()
    errands = failed_at(records, "a", "b", "c")
    assert records.take_faulty() == []
    records.succeeded("sound", 2.5)
    assert records.take_faulty() == ["odd"]
    assert records.take_faulty() == []
    assert [each.counted for each in errands] == [0, 0, 0]


@pytest.mark.parametrize(
    ("keys", "success"),
    [(("a", "b", "b"), ("sound", 2.5)), (("a", "b", "c"), ("odd", 2.5)), (("a", "b", "c"), None)],
    ids=["two tasks", "its own success", "nobody has success"],
)
def test_failures_count_otherwise(keys, success):
    records = Records()
    errands = failed_at(records, *keys)
    if success:
        records.succeeded(*success)
    assert records.take_faulty() == []
    assert [each.counted for each in errands] == [1, 1, 1]

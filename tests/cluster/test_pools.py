"""What every pool promises, held against each of them: one suite, two pools."""

import itertools
import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cluster.local_backend import local_pool
from cluster.pool import (
    Event,
    Pool,
    PoolError,
    Task,
    TaskDone,
    TaskFailed,
    TaskStarted,
    WorkerReady,
)
from cluster.ray_backend import ray_pool
from tests.support import toys

WORKERS = 2
MakePool = Callable[[Any], Pool]


@pytest.fixture(params=["in process", "ray"])
def make_pool(request: pytest.FixtureRequest) -> MakePool:
    if request.param == "in process":
        return local_pool
    request.getfixturevalue("ray_on_this_machine")
    return partial(ray_pool, workers=WORKERS, address="local", cpus_per_worker=1)


def numbered(payloads: Iterable[Any]) -> list[Task]:
    return [Task(f"task {index}", payload) for index, payload in enumerate(payloads)]


def outcomes(events: Iterable[Event]) -> list[TaskDone | TaskFailed]:
    return [event for event in events if isinstance(event, TaskDone | TaskFailed)]


def test_each_task_ends_once_with_its_own_result_whatever_the_order(make_pool):
    tasks = numbered(range(30))
    with make_pool(toys.performer) as pool:
        forwards = outcomes(pool.run(tasks))
        backwards = outcomes(pool.run(reversed(tasks)))
    expected = {f"task {number}": number * number for number in range(30)}
    for done in (forwards, backwards):
        assert len(done) == 30
        assert {event.key: event.result for event in done} == expected


def test_events_come_in_the_order_ready_started_done(make_pool):
    with make_pool(toys.performer) as pool:
        events = list(pool.run(numbered([("sleep", 0.05)] * 4)))
    ready = set()
    started = {}
    for event in events:
        match event:
            case WorkerReady(worker=worker, node=node):
                assert node.id
                assert node.hostname
                ready.add(worker)
            case TaskStarted(key=key, worker=worker):
                assert worker in ready
                started[key] = worker
            case TaskDone(key=key, worker=worker, seconds=seconds):
                assert started.pop(key) == worker
                assert 0.05 <= seconds < 5
            case _:
                pytest.fail(f"unexpected {event}")
    assert not started


def test_tasks_are_taken_only_as_workers_get_free(make_pool):
    taken = itertools.count()
    endless = (Task(f"task {number}", number) for number in taken)
    done = 0
    with make_pool(toys.performer) as pool:
        for event in pool.run(endless):
            done += isinstance(event, TaskDone)
            peek = int(
                repr(taken)[len("count(") : -1]
            )  # how many the pool has taken, without taking one
            assert peek - done <= 4 * WORKERS + 1
            if done == 50:
                break
    assert done == 50


def test_a_failing_task_is_reported_with_its_own_exception_and_stops_nothing(make_pool):
    error = toys.PickleableError("bad allele", {"line": 12})
    with make_pool(toys.performer) as pool:
        ends = {
            event.key: event for event in outcomes(pool.run(numbered([1, ("raise", error), 3])))
        }
    failed = ends["task 1"]
    assert isinstance(failed, TaskFailed)
    assert type(failed.error) is toys.PickleableError
    assert failed.error.args == error.args
    assert failed.error.detail == {"line": 12}
    assert failed.attempts == 3
    assert [ends["task 0"].result, ends["task 2"].result] == [1, 9]


def test_a_factory_that_raises_stops_the_run_with_its_own_exception(make_pool):
    with (
        make_pool(toys.broken) as pool,
        pytest.raises(toys.PickleableError, match="no model here") as caught,
    ):
        list(pool.run(numbered([1])))
    assert caught.value.detail == {"code": 7}


def test_workers_are_made_when_needed_and_kept(make_pool, tmp_path: Path):
    with make_pool(toys.CountedFactory(tmp_path)) as pool:
        assert list(pool.run([])) == []
        assert not list(tmp_path.iterdir())
        assert [event.result for event in outcomes(pool.run(numbered([5])))] == [25]
        assert len(list(tmp_path.iterdir())) == 1  # one task needs one worker
        list(pool.run(numbered(range(20))))
        list(pool.run(numbered(range(20))))
        assert len(list(tmp_path.iterdir())) <= WORKERS


def test_a_run_left_early_leaves_nothing_to_the_next(make_pool):
    with make_pool(toys.performer) as pool:
        for event in pool.run(numbered([2] * 20)):
            if isinstance(event, TaskDone):
                break
        del event
        again = outcomes(pool.run([Task("only", 7)]))
    assert [(end.key, end.result) for end in again] == [("only", 49)]


def test_a_closed_pool_says_so(make_pool):
    pool = make_pool(toys.performer)
    pool.close()
    pool.close()
    with pytest.raises(PoolError, match="make a new one"):
        list(pool.run(numbered([1])))


def test_the_pool_in_process_stays_in_process():
    with local_pool(toys.performer) as pool:
        assert [end.result for end in outcomes(pool.run([Task("pid", ("sleep", 0))]))] == [
            os.getpid()
        ]


def test_interrupting_the_pool_in_process_interrupts():
    with local_pool(toys.performer) as pool, pytest.raises(KeyboardInterrupt):
        list(pool.run([Task("stop", ("raise", KeyboardInterrupt()))]))

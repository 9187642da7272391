"""One worker through its states: what it owes, what it has, and when it is of use."""

import pytest

from cluster.pool import Node, Task
from cluster.task_queue import TaskAttempt
from cluster.worker_handle import BackingOff, Building, Ready, Starting, WorkerHandle
from tests.support.toy_backend import ToyBackend, ToyWorker

NODE = Node("m", "m")


def attempt(key: str, **fields) -> TaskAttempt:
    return TaskAttempt(Task(key, None), None, **fields)


@pytest.fixture
def worker() -> ToyWorker:
    return ToyBackend(machines={"m": 1}).start_worker("worker-0")


@pytest.fixture
def ready(worker: ToyWorker) -> WorkerHandle:
    return WorkerHandle("worker-0", worker, Ready(NODE))


def test_it_goes_through_its_states_and_owes_one_call_in_each(worker: ToyWorker):
    handle = WorkerHandle("worker-0", worker, Starting(worker.ping(), 0.0))
    assert (handle.node, handle.where, len(handle.open_calls())) == (None, "", 1)
    handle.build(NODE, 1.0)
    assert isinstance(handle.state, Building)
    assert (handle.node, handle.where, len(handle.open_calls())) == (NODE, " on m", 1)
    assert handle.is_busy
    handle.state = Ready(NODE)
    assert (handle.is_idle, handle.open_calls()) == (True, [])
    handle.back_off(5.0)
    assert handle.state == BackingOff(5.0)
    assert (handle.node, handle.where, handle.open_calls()) == (None, " on m", [])


def test_what_it_was_given_is_kept_by_call_in_the_order_in_which_it_came(ready: WorkerHandle):
    first, second = attempt("a"), attempt("b")
    ready.give(first, 1.0)
    ready.give(second, 2.0)
    assert ready.attempts() == [first, second]
    assert [flight.given_s for flight in ready.in_flight.values()] == [1.0, 2.0]
    ready.in_flight.pop(ready.open_calls()[0])
    assert ready.attempts() == [second]


def test_nothing_is_given_to_a_worker_that_is_not_ready(worker: ToyWorker):
    handle = WorkerHandle("worker-0", worker, BackingOff(0.0))
    assert not handle.has_room(3)
    with pytest.raises(AssertionError, match="only ready workers"):
        handle.give(attempt("a"), 1.0)


def test_it_has_room_up_to_the_limit_and_none_beside_what_must_be_alone(ready: WorkerHandle):
    ready.give(attempt("a"), 1.0)
    assert not ready.has_room(1)
    assert ready.has_room(2)
    ready.give(attempt("failed", counted=1), 1.0)
    assert not ready.has_room(3)


def test_it_is_of_use_while_one_of_its_tasks_is_not_done_elsewhere(ready: WorkerHandle):
    first, second = attempt("a"), attempt("b")
    for each in (first, second):
        ready.give(each, 1.0)
    first.state.done = True
    assert ready.is_of_use
    assert not ready.has_room(3)
    second.state.done = True
    assert not ready.is_of_use


def test_only_a_worker_that_was_there_owes_a_sign_of_life(worker: ToyWorker):
    handle = WorkerHandle("worker-0", worker, Starting(worker.ping(), 10.0))
    assert handle.unanswered_s(500.0) == 0
    handle.build(NODE, 500.0)
    assert handle.unanswered_s(600.0) == 0
    handle.ask_heartbeat(600.0)
    assert handle.unanswered_s(650.0) == 50
    handle.back_off(660.0)
    assert handle.unanswered_s(660.0) == 0
    handle.ping(670.0)
    assert handle.unanswered_s(700.0) == 30

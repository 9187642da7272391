"""Every rule of the scheduler, on a backend that exists on paper, in virtual time."""

import gc
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.pool import (
    Event,
    PoolError,
    PoolNotice,
    Task,
    TaskDone,
    TaskFailed,
    TaskIsolated,
    TaskRetried,
    TaskStarted,
    WorkerLost,
    WorkerReady,
)
from cluster.scheduler import Scheduler
from cluster.task_queue import TaskAttempt
from tests.support.toy_backend import NEVER, Behaviour, Part, ToyBackend, numbered


class StorageDownError(Exception):
    pass


class BadInputError(Exception):
    pass


def classify(error: BaseException) -> str:
    return {StorageDownError: "storage", BadInputError: "stop"}.get(type(error), "task")


def pool_on(backend: ToyBackend, *, workers: int | None = None, **options: Any) -> Scheduler:
    return Scheduler(backend, workers=workers, classify=classify, seed=1, **options)


def events_of(backend: ToyBackend, tasks: Iterable[Task], **options) -> list[Event]:
    return [event for _, event in timed_events(backend, tasks, **options)]


def timed_events(
    backend: ToyBackend, tasks: Iterable[Task], **options
) -> Iterator[tuple[float, Event]]:
    """Events with the time at which they came."""
    with pool_on(backend, **options) as pool:
        for event in pool.run(tasks):
            yield backend.now_s, event


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def ends(events) -> Counter:
    return Counter(event.key for event in of(TaskDone | TaskFailed, events))


def attempts(backend: ToyBackend, payload) -> list[tuple[float, str]]:
    return [(at_s, worker) for at_s, worker, what in backend.applied if what is payload]


def on_sick_machine(payload: Part, worker) -> Behaviour:
    """Whatever is computed on the machine `sick` fails; elsewhere the payload decides."""
    if worker.machine == "sick":
        return Behaviour(0.1, ValueError("broken GPU"))
    return payload.behaviour()


# Which worker does what, when nothing fails.


def test_sixty_four_workers_are_busy_nearly_all_the_time():
    backend = ToyBackend(machines={f"m{number}": 8 for number in range(8)})
    events = [*timed_events(backend, numbered(*[Behaviour(1.0)] * 64 * 50))]
    ready_s = min(at_s for at_s, event in events if isinstance(event, WorkerReady))
    assert ends(event for _, event in events) == Counter(f"t{number}" for number in range(64 * 50))
    assert 50 / (backend.now_s - ready_s) >= 0.95


def test_a_worker_has_three_tasks_at_most_and_one_when_few_are_left():
    backend = ToyBackend(machines={"m": 2})
    events = events_of(backend, numbered(*[Behaviour(1.0)] * 40))
    # All that they may have, as soon as they are ready.
    assert sorted(backend.loads[:6]) == [1, 1, 2, 2, 3, 3]
    assert max(backend.loads) == 3
    assert min(backend.loads[6:38]) == 3
    assert backend.loads[38:] == [1, 1]  # the last two wait behind no other
    assert {worker for _, worker, _ in backend.applied[-2:]} == {"worker-0", "worker-1"}
    assert len(of(TaskDone, events)) == 40


def test_the_last_tasks_are_spread_over_all_workers():
    backend = ToyBackend(machines={"m": 4})
    events_of(backend, numbered(*[Behaviour(10.0)] * 4))
    assert sorted(worker for _, worker, _ in backend.applied) == [
        f"worker-{number}" for number in range(4)
    ]
    assert backend.now_s == pytest.approx(15)


def test_tasks_are_read_as_workers_get_free_and_forgotten_when_done():
    backend = ToyBackend(machines={"m": 4})
    read = iter(Task(f"t{number}", Behaviour(0.01)) for number in range(20_000))
    others = [
        thing for thing in gc.get_objects() if type(thing) is TaskAttempt
    ]  # that earlier tests have left
    done = 0
    with pool_on(backend) as pool:
        for event in pool.run(read):
            done += isinstance(event, TaskDone)
            if done == 10_000:
                gc.collect()
                # `isinstance` would ask all that other tests have imported for its class, to which lazy things object.
                assert (
                    sum(type(thing) is TaskAttempt for thing in gc.get_objects()) - len(others)
                    <= 4 * 3 + 10
                )
                break
    assert 20_000 - 10_000 - sum(1 for _ in read) <= 4 * 3 + 10


def test_a_task_is_said_to_have_started_before_it_is_done():
    backend = ToyBackend(machines={"m": 2})
    started = set()
    for event in events_of(
        backend,
        numbered(*[Behaviour(1.0, storing_s=2.5 if number % 3 else 0.1) for number in range(20)]),
    ):
        if isinstance(event, TaskStarted):
            started.add(event.key)
        if isinstance(event, TaskDone):
            assert event.key in started


def test_the_run_that_the_page_of_the_scheduler_describes():
    """The comment above `Scheduler._tick` says what happens when; so it is."""
    backend = ToyBackend(machines={"a": 1, "b": 1})
    backend.at(7.0, lambda: backend.kill(backend.workers[1]))
    events = timed_events(backend, numbered(*[Behaviour(4.0)] * 3), workers=2)
    told = [
        (round(at_s, 1), type(event).__name__, getattr(event, "key", "-"), event.worker)
        for at_s, event in events
    ]
    assert told == [
        (5.0, "WorkerReady", "-", "worker-0"),
        (5.0, "TaskStarted", "t0", "worker-0"),
        (5.0, "WorkerReady", "-", "worker-1"),
        (5.0, "TaskStarted", "t1", "worker-1"),
        (7.0, "WorkerLost", "-", "worker-1"),
        (7.6, "TaskRetried", "t1", "worker-1"),
        (9.0, "TaskDone", "t0", "worker-0"),
        (9.0, "TaskStarted", "t1", "worker-0"),
        (13.0, "TaskDone", "t1", "worker-0"),
        (13.0, "TaskStarted", "t2", "worker-0"),
        (15.0, "WorkerReady", "-", "worker-1"),
        (17.0, "TaskDone", "t2", "worker-0"),
    ]


# Workers that die.


def test_the_oldest_task_of_a_dead_worker_is_to_blame_and_is_alone_on_its_worker_afterwards():
    deadly, others = Behaviour(dies=True), [Behaviour(1.0) for _ in range(20)]
    backend = ToyBackend(machines={"m": 1})
    events = events_of(backend, numbered(*others[:3], deadly, *others[3:]))
    (failed,) = of(TaskFailed, events)
    assert failed.key == "t3"
    assert failed.attempts == 3
    assert "3 workers died at it" in str(failed.error)
    assert {event.key for event in of(TaskRetried, events)} == {"t3"}
    assert [event.counted for event in of(TaskRetried, events)] == [True, True]
    assert len(of(TaskDone, events)) == 20
    for at_s, _ in attempts(backend, deadly)[1:]:
        given_with_it = [what for when_s, _, what in backend.applied if when_s == at_s]
        assert given_with_it == [deadly]


def test_a_worker_that_died_rests_until_it_answers():
    backend = ToyBackend(machines={"m": 1})
    backend.restart_s = 40.0
    events = [
        *timed_events(backend, numbered(Behaviour(1.0, dies=True), Behaviour(1.0), Behaviour(1.0)))
    ]
    lost_s = next(at_s for at_s, event in events if isinstance(event, WorkerLost))
    again_s = next(
        at_s for at_s, event in events if isinstance(event, WorkerReady) and at_s > lost_s
    )
    assert again_s - lost_s >= 45  # back, and set up
    assert not [at_s for at_s, _, _ in backend.applied if lost_s < at_s < again_s]


def test_pauses_between_attempts_grow_and_differ():
    task = Behaviour(0.0, ValueError("odd"))
    backend = ToyBackend(machines={"m": 1})
    events_of(backend, numbered(Behaviour(), task))
    first, second, third = (at_s for at_s, _ in attempts(backend, task))
    assert 0.5 <= second - first <= 1.3
    assert 1.0 <= third - second <= 2.3


def test_a_task_that_fails_goes_to_another_worker_where_there_is_one():
    task = Behaviour(0.1, ValueError("odd"))
    backend = ToyBackend(machines={"m": 2})
    events_of(backend, numbered(task, *[Behaviour(1.0)] * 30))
    workers = [worker for _, worker in attempts(backend, task)]
    assert len(workers) == 3
    assert workers[0] != workers[1] != workers[2]


@pytest.mark.parametrize("announced", [True, False])
def test_a_death_with_its_machine_does_not_count_though_the_news_comes_late(announced: bool):
    backend = ToyBackend(machines={"a": 1, "b": 1})
    backend.news_late_s = 0.4
    backend.at(7.0, lambda: backend.lose("a", announced=announced))
    events = events_of(backend, numbered(*[Behaviour(4.0)] * 6))
    assert len(of(TaskDone, events)) == 6
    assert [event.counted for event in of(TaskRetried, events)] == [False]


def test_after_ten_uncounted_losses_a_task_runs_when_nothing_else_does_and_losses_count():
    doomed = Behaviour(1000.0)
    backend = ToyBackend(machines={"m0": 1, "calm": 1})
    names = iter(range(1, 100))

    def behaviour_of(payload, worker):
        if payload is doomed:
            machine = worker.machine
            if machine == "calm":
                backend.machines["calm"] = backend.machines.pop("calm")

            def lose():
                backend.lose(machine)
                backend.join(f"m{next(names)}", 1)

            backend.at(0.5, worker.still(lose))
        return payload

    backend.behaviour_of = behaviour_of
    events = [
        *timed_events(
            backend,
            [Task("doomed", doomed), *numbered(*[Behaviour(5.0) for _ in range(60)])],
            speculative=False,
        )
    ]
    retried = [
        event.counted
        for _, event in events
        if isinstance(event, TaskRetried) and event.key == "doomed"
    ]
    assert retried == [False] * 10 + [True] * 2
    (failed,) = of(TaskFailed, (event for _, event in events))
    assert failed.key == "doomed"
    last_others_s = max(at_s for at_s, event in events if isinstance(event, TaskDone))
    lonely = [at_s for at_s, _ in attempts(backend, doomed)[10:]]
    assert len(lonely) == 3
    assert min(lonely) >= last_others_s


# Tasks that are taken apart.


@pytest.mark.parametrize("deadly", [False, True])
def test_poison_items_are_isolated_with_their_reasons_and_the_rest_is_done(deadly: bool):
    backend = ToyBackend(lambda payload, worker: payload.behaviour(), machines={"m": 3})
    part = Part(12, frozenset({4, 9}), deadly=deadly)
    events = events_of(backend, numbered(*[Part(12)] * 5, part, *[Part(12)] * 5))
    (isolated,) = of(TaskIsolated, events)
    assert isolated.key == "t5"
    reasons = {4: "killed by its task", 9: "killed by its task"}
    assert isolated.failures == (
        reasons if deadly else {4: "ValueError: items [4]", 9: "ValueError: items [9]"}
    )
    assert not of(TaskFailed, events)
    done = {event.key: event.result[1] for event in of(TaskDone, events)}
    assert len(done) == 11
    assert done["t5"].left_out == isolated.failures
    assert (
        sum(what.end == 5 and what.first == 4 for _, _, what in backend.applied) == 2
    )  # a single item fails twice


@pytest.mark.parametrize("deadly", [False, True])
def test_a_task_of_one_item_that_fails_is_isolated_when_others_succeed(deadly: bool):
    backend = ToyBackend(lambda payload, worker: payload.behaviour(), machines={"m": 1})
    events = events_of(backend, numbered(Part(1), Part(1, frozenset({0}), deadly=deadly)))
    reason = "killed by its task" if deadly else "ValueError: items [0]"
    assert [event.failures for event in of(TaskIsolated, events)] == [{0: reason}]
    assert len(of(TaskDone, events)) == 2


SOUND = Part(4).probe(1, 2)


@pytest.mark.parametrize("deadly", [False, True])
def test_the_only_item_that_is_left_of_a_run_is_isolated_when_workers_compute_a_sound_one(
    deadly: bool,
):
    """Nothing has succeeded in this run of the command, for nothing else was left to do."""
    backend = ToyBackend(lambda payload, worker: payload.behaviour(), machines={"m": 2})
    last = Part(1, frozenset({0}), deadly=deadly)
    events = events_of(backend, numbered(last), control=lambda: SOUND)
    reason = "killed by its task" if deadly else "ValueError: items [0]"
    assert [event.failures for event in of(TaskIsolated, events)] == [{0: reason}]
    assert [event.key for event in of(TaskDone, events)] == ["t0"]
    assert not of(TaskFailed, events)
    assert len(attempts(backend, SOUND)) == 1


@pytest.mark.parametrize("computed", [0, None])
def test_it_is_not_isolated_when_workers_cannot_compute_a_sound_one_either(computed: int | None):
    """None of the machine's workers can compute anything, or the sound one turns out to be nothing to compute."""

    def behaviour_of(payload, worker):
        if payload is SOUND and computed == 0:
            return Behaviour(0.1, result=Counted(0))
        return Behaviour(0.1, ValueError("broken GPU"))

    backend = ToyBackend(behaviour_of, machines={"m": 2})
    events = events_of(backend, numbered(Part(1, frozenset({0}))), control=lambda: SOUND)
    assert not of(TaskIsolated, events)
    (failed,) = of(TaskFailed, events)
    assert "the workers' fault" in str(failed.error)


@pytest.mark.parametrize("deadly", [False, True])
@pytest.mark.parametrize("others", [0, 3])
def test_a_task_of_which_every_item_fails_is_isolated_when_workers_compute_a_sound_one(
    others: int, deadly: bool
):
    """As pairs of one window, which cannot be read; whether or not something else was done before."""
    backend = ToyBackend(lambda payload, worker: payload.behaviour(), machines={"m": 2})
    bad = Part(3, frozenset({0, 1, 2}), deadly=deadly)
    events = events_of(backend, numbered(bad, *[Part(3)] * others), control=lambda: SOUND)
    (isolated,) = of(TaskIsolated, events)
    assert (isolated.key, [*isolated.failures]) == ("t0", [0, 1, 2])
    assert not of(TaskFailed, events)
    assert len(of(TaskDone, events)) == 1 + others
    assert len(attempts(backend, SOUND)) == 1


def test_workers_that_break_in_mid_run_cannot_compute_a_sound_item_either():
    backend = ToyBackend(machines={"m": 2})
    backend.behaviour_of = lambda payload, worker: (
        payload.behaviour() if backend.now_s < 30 else Behaviour(0.1, OSError("GPU fell off"))
    )
    seen = []
    with pool_on(backend, control=lambda: SOUND) as pool, pytest.raises(PoolError):
        seen.extend(iter(pool.run(numbered(*[Part(4) for _ in range(400)]))))
    assert of(TaskDone, seen)
    assert attempts(backend, SOUND)
    assert not of(TaskIsolated, seen)


def test_what_is_known_to_be_sound_is_not_computed_where_something_else_was():
    backend = ToyBackend(lambda payload, worker: payload.behaviour(), machines={"m": 1})
    events_of(backend, numbered(Part(1), Part(1, frozenset({0}))), control=lambda: SOUND)
    assert not attempts(backend, SOUND)


def test_a_task_whose_parts_are_sound_is_tried_again_twice_then_given_up():
    whole = Part(4)

    def only_whole(payload, worker):
        return (
            Behaviour(0.1, ValueError("too much at once"))
            if payload.end is None and payload.items == 4
            else Behaviour(0.1)
        )

    backend = ToyBackend(only_whole, machines={"m": 1})
    events = events_of(backend, numbered(Part(3), whole))
    (failed,) = of(TaskFailed, events)
    assert "too much at once" in str(failed.error)
    assert not of(TaskIsolated, events)
    assert len(attempts(backend, whole)) == 9  # three times three, with two searches between
    assert sum(what.end is not None for _, _, what in backend.applied) == 4


def test_parts_lost_with_machines_again_and_again_are_run_alone_and_end():
    """A probe that must run alone does not wait for its own search to end."""
    backend = ToyBackend(lambda payload, worker: payload.behaviour(), machines={"m0": 1})
    names, left = iter(range(1, 100)), [25]

    def behaviour_of(payload, worker):
        if payload.end is not None and payload.first == 0 and left[0]:
            left[0] -= 1
            machine = worker.machine

            def lose():
                backend.lose(machine)
                backend.join(f"m{next(names)}", 1)

            backend.at(0.01, worker.still(lose))
            return Behaviour(50.0)
        return payload.behaviour()

    backend.behaviour_of = behaviour_of
    events = events_of(backend, numbered(Part(4), Part(4, frozenset({3}))))
    assert ends(events) == Counter(["t0", "t1"])


# Workers that are at fault themselves.


def test_a_worker_that_fails_at_everything_is_replaced_and_its_failures_do_not_count():
    backend = ToyBackend(machines={"m": 2})
    backend.behaviour_of = lambda payload, worker: (
        Behaviour(0.1, ValueError("broken GPU")) if worker is backend.workers_ever[1] else payload
    )
    events = events_of(backend, numbered(*[Behaviour(2.0) for _ in range(40)]))
    assert len(of(TaskDone, events)) == 40
    assert not of(TaskFailed, events)
    (notice,) = of(PoolNotice, events)
    assert (
        "worker-1 on m failed at one task after another while others succeeded, and is replaced"
        in notice.text
    )
    broken = [what for _, worker, what in backend.applied if worker == "worker-1"]
    assert len(broken) > 10  # its successor does its share


def test_a_machine_on_which_everything_fails_has_no_item_isolated():
    """Two workers on it and one elsewhere: what failed at one of the two is not sent to the other."""
    backend = ToyBackend(on_sick_machine, machines={"sick": 2, "sound": 1})
    events = events_of(
        backend, numbered(*[Part(8) for _ in range(20)], Part(8, frozenset({3})), Part(8))
    )
    assert [(event.key, event.failures) for event in of(TaskIsolated, events)] == [
        ("t20", {3: "ValueError: items [3]"})
    ]
    assert len(of(TaskDone, events)) == 22


@pytest.mark.parametrize("joins_s", [0.1 * tenth for tenth in range(30, 60)])
def test_what_failed_on_one_machine_only_is_not_blamed_unless_that_machine_can_compute(
    joins_s: float,
):
    """A sick machine is alone for a while: some items have failed there, others pass on the one that joins."""
    backend = ToyBackend(on_sick_machine, machines={"sick": 1})
    backend.at(joins_s, lambda: backend.join("sound", 1))
    events = events_of(backend, numbered(Part(4), Part(4)), workers=2)
    assert not of(TaskIsolated, events)
    assert ends(events) == Counter(["t0", "t1"])


@dataclass(frozen=True)
class Counted:
    computed: int


def test_what_computes_nothing_proves_nothing():
    """A lone worker on a sick machine passes duplicates and tasks without an allele; no item is blamed for that."""

    def behaviour_of(payload, worker):
        tried = {*range(payload.first, payload.items if payload.end is None else payload.end)}
        computed = 0 if payload.items == 1 else len(tried - {2})
        return Behaviour(
            0.1, ValueError("broken GPU") if computed else None, result=Counted(computed)
        )

    backend, seen = ToyBackend(behaviour_of, machines={"sick": 1}), []
    with pool_on(backend) as pool, pytest.raises(PoolError, match=r"nothing succeeds.*broken GPU"):
        seen.extend(pool.run(numbered(Part(1), *[Part(3)] * 5, Part(1))))
    assert not of(TaskIsolated, seen)
    assert {event.key for event in of(TaskDone, seen)} <= {"t0", "t6"}


def test_a_machine_that_breaks_in_mid_run_is_not_cleared_by_what_computes_nothing():
    def behaviour_of(payload, worker):
        computed = len(
            {*range(payload.first, payload.items if payload.end is None else payload.end)} - {2}
        )
        broken = backend.now_s > 30 and computed
        return Behaviour(0.1, OSError("GPU fell off") if broken else None, result=Counted(computed))

    backend, seen = ToyBackend(behaviour_of, machines={"m": 2}), []
    with (
        pool_on(backend) as pool,
        pytest.raises(PoolError, match=r"nothing succeeds.*GPU fell off"),
    ):
        seen.extend(pool.run(numbered(*[Part(3) for _ in range(1000)])))
    assert of(TaskDone, seen)
    assert not of(TaskIsolated, seen)


@pytest.mark.parametrize("bad", range(8))
def test_the_reason_is_what_a_sound_machine_says(bad: int):
    """The two failures of a single item are on two machines, of which one fails at everything."""
    backend = ToyBackend(on_sick_machine, machines={"sick": 1, "sound": 1})
    events = events_of(backend, numbered(Part(8), Part(8, frozenset({bad})), Part(8)))
    assert [event.failures for event in of(TaskIsolated, events)] == [
        {bad: f"ValueError: items [{bad}]"}
    ]


def test_a_poison_item_is_isolated_though_its_duplicate_computes_nothing():
    def behaviour_of(payload, worker):
        left = {*range(payload.first, payload.items if payload.end is None else payload.end)} - {1}
        return replace(payload.behaviour(), result=Counted(len(left)))

    backend = ToyBackend(behaviour_of, machines={"m": 1})
    events = events_of(
        backend, numbered(Part(2), Part(2, frozenset({0})), Part(4, frozenset({0, 3})))
    )
    assert [(event.key, [*event.failures]) for event in of(TaskIsolated, events)] == [
        ("t1", [0]),
        ("t2", [0, 3]),
    ]
    assert len(of(TaskDone, events)) == 3


def test_a_task_waits_for_nobody_when_workers_have_changed_machines():
    died = []

    def behaviour_of(payload, worker):
        if payload == "deadly once" and not died:
            died.append(worker)
            backend.at(0.2, change)
            return Behaviour(0.1, dies=True)
        return Behaviour(1.0)

    def change():
        """Both processes are begun anew, each where the other was."""
        one, other = backend.workers
        one.machine, other.machine = other.machine, one.machine
        backend.kill(next(worker for worker in backend.workers if worker not in died))

    backend = ToyBackend(behaviour_of, machines={"a": 1, "b": 1})
    with Scheduler(backend, workers=2, seed=1, speculative=False) as pool:
        events = list(pool.run(numbered("deadly once", "x", "y")))
    assert sum(isinstance(event, TaskDone) for event in events) == 3
    assert backend.now_s < 30, backend.now_s


def test_a_broken_worker_does_not_eat_its_way_through_the_tasks_before_others_have_finished_one():
    backend = ToyBackend(machines={"m": 2})
    backend.behaviour_of = lambda payload, worker: (
        Behaviour(0.01, ValueError("broken GPU")) if worker is backend.workers_ever[1] else payload
    )
    events = events_of(backend, numbered(*[Behaviour(500.0) for _ in range(8)]))
    assert len(of(TaskDone, events)) == 8
    assert len([event for event in of(TaskRetried, events) if event.worker == "worker-1"]) <= 6


def test_when_nothing_ever_succeeds_the_run_stops_and_says_why():
    backend = ToyBackend(machines={"m": 2})
    with pytest.raises(
        PoolError, match=r"nothing succeeds.*CUDA error: no kernel image.*Look at the workers"
    ) as caught:
        events_of(
            backend,
            numbered(
                *[Behaviour(0.1, RuntimeError("CUDA error: no kernel image")) for _ in range(50)]
            ),
        )
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert backend.now_s < 15
    assert not backend.workers  # all dismissed


@pytest.mark.parametrize("deadly", [False, True])
def test_when_nothing_ever_succeeds_no_item_is_isolated(deadly: bool):
    backend = ToyBackend(lambda payload, worker: payload.behaviour(), machines={"m": 2})
    seen = []
    with pool_on(backend) as pool, pytest.raises(PoolError, match="nothing succeeds"):
        seen.extend(
            pool.run(
                numbered(*[Part(1000, frozenset(range(1000)), deadly=deadly) for _ in range(20)])
            )
        )
    assert len(backend.applied) < 120


def test_tasks_of_which_each_has_a_bad_item_are_not_taken_for_broken_workers():
    """As when a run is continued of which only such tasks are left."""
    backend = ToyBackend(lambda payload, worker: payload.behaviour(), machines={"m": 2})
    events = events_of(backend, numbered(*[Part(100, frozenset({number})) for number in range(10)]))
    assert {event.key: [*event.failures] for event in of(TaskIsolated, events)} == {
        f"t{n}": [n] for n in range(10)
    }
    assert len(of(TaskDone, events)) == 10


def test_workers_that_break_in_mid_run_stop_it_and_no_item_is_isolated():
    backend = ToyBackend(machines={"m": 2})
    backend.behaviour_of = lambda payload, worker: (
        payload.behaviour() if backend.now_s < 30 else Behaviour(0.1, OSError("GPU fell off"))
    )
    seen = []
    with (
        pool_on(backend) as pool,
        pytest.raises(PoolError, match=r"nothing succeeds.*GPU fell off"),
    ):
        seen.extend(iter(pool.run(numbered(*[Part(4) for _ in range(400)]))))
    assert of(TaskDone, seen)
    assert not of(TaskIsolated, seen)


# Storage.


def test_storage_that_fails_is_tried_again_alone_and_then_the_run_goes_on():
    bad = Behaviour(0.1, StorageDownError("503"))
    backend = ToyBackend(machines={"m": 2})
    events = events_of(backend, numbered(*[Behaviour(1.0)] * 5, bad, *[Behaviour(1.0)] * 30))
    (failed,) = of(TaskFailed, events)
    assert isinstance(failed.error, StorageDownError)
    assert failed.attempts == 3
    assert [event.counted for event in of(TaskRetried, events)] == [False, False]
    assert len(of(TaskDone, events)) == 35


def test_storage_that_fails_for_everything_stops_the_run_with_its_error():
    backend = ToyBackend(machines={"m": 2})
    with pytest.raises(StorageDownError):
        events_of(
            backend,
            numbered(Behaviour(), *[Behaviour(0.1, StorageDownError("403")) for _ in range(30)]),
        )
    assert sum(isinstance(what.error, StorageDownError) for _, _, what in backend.applied) <= 5 + 5


def test_storage_never_isolates():
    def behaviour_of(payload, worker):
        return Behaviour(0.1, StorageDownError("denied")) if payload.poison else Behaviour(0.3)

    backend = ToyBackend(behaviour_of, machines={"m": 2})
    events = events_of(backend, numbered(*[Part(4)] * 20, Part(4, frozenset({1})), *[Part(4)] * 40))
    assert [event.key for event in of(TaskFailed, events)] == ["t20"]
    assert not of(TaskIsolated, events)
    assert not any(what.end for _, _, what in backend.applied)


def test_an_error_that_stops_the_run_stops_it_at_once():
    backend = ToyBackend(machines={"m": 2})
    with pytest.raises(BadInputError):
        events_of(
            backend,
            numbered(
                *[Behaviour(1.0)] * 3, Behaviour(1.0, BadInputError("REF")), *[Behaviour(1.0)] * 100
            ),
        )
    assert backend.now_s < 10
    assert not backend.workers


# The tail.


def test_a_straggler_is_run_twice_and_the_first_to_end_wins():
    slow = Behaviour(5000.0)
    backend = ToyBackend(machines={"m": 2})
    first = []
    backend.behaviour_of = lambda payload, worker: (
        Behaviour(10.0) if payload is slow and (first or first.append(worker)) else payload
    )
    events = events_of(backend, numbered(*[Behaviour(10.0) for _ in range(9)], slow))
    assert len(attempts(backend, slow)) == 2
    assert ends(events) == Counter(f"t{number}" for number in range(10))
    assert backend.now_s < 120


def test_without_a_finished_task_to_compare_with_nothing_is_run_twice():
    slow = Behaviour(5000.0)
    backend = ToyBackend(machines={"m": 2})
    events_of(backend, numbered(slow))
    assert len(attempts(backend, slow)) == 1


@pytest.mark.parametrize("dies", [False, True])
def test_a_second_copy_that_fails_does_not_count(dies: bool):
    slow = Behaviour(200.0)
    backend = ToyBackend(machines={"m": 2})
    first = []

    def behaviour_of(payload, worker):
        if payload is not slow or not first:
            if payload is slow:
                first.append(worker)
            return payload
        return Behaviour(1.0, None if dies else ValueError("copy"), dies=dies)

    backend.behaviour_of = behaviour_of
    events = events_of(backend, numbered(*[Behaviour(10.0) for _ in range(5)], slow))
    assert len(of(TaskDone, events)) == 6
    assert not of(TaskRetried, events)
    assert len(attempts(backend, slow)) > 1


def test_when_both_copies_fail_one_failure_counts_and_nothing_is_lost():
    slow = Behaviour(100.0)
    backend = ToyBackend(machines={"m": 2})
    tries = []

    def behaviour_of(payload, worker):
        if payload is not slow:
            return payload
        tries.append(worker)
        return Behaviour(100.0, ValueError("odd")) if len(tries) <= 2 else Behaviour(5.0)

    backend.behaviour_of = behaviour_of
    events = events_of(backend, numbered(*[Behaviour(10.0) for _ in range(5)], slow))
    assert [event.counted for event in of(TaskRetried, events)] == [True]
    assert ends(events) == Counter(f"t{number}" for number in range(6))


def test_tasks_behind_a_worker_that_hangs_are_done_by_others():
    backend = ToyBackend(machines={"m": 2})
    hung = []

    def behaviour_of(payload, worker):
        if backend.now_s > 20 and (not hung or worker in hung):
            hung.append(worker)
            return Behaviour(NEVER)
        return payload

    backend.behaviour_of = behaviour_of
    events = events_of(backend, numbered(*[Behaviour(10.0) for _ in range(20)]))
    assert ends(events) == Counter(f"t{number}" for number in range(20))
    assert backend.now_s < 500


def test_speculative_copies_can_be_forbidden():
    slow = Behaviour(300.0)
    backend = ToyBackend(machines={"m": 2})
    events_of(backend, numbered(*[Behaviour(10.0) for _ in range(5)], slow), speculative=False)
    assert len(attempts(backend, slow)) == 1


# Machines that come and go.


def test_workers_are_started_on_machines_that_join():
    backend = ToyBackend(machines={"a": 1})
    backend.at(30.0, lambda: backend.join("b", 3))
    events = events_of(backend, numbered(*[Behaviour(5.0)] * 60))
    assert {event.node.hostname for event in of(WorkerReady, events)} == {"a", "b"}
    assert len({event.worker for event in of(WorkerReady, events)}) == 4
    assert backend.now_s < 150


def test_a_number_of_workers_is_kept_to_and_those_without_a_place_wait_for_one():
    backend = ToyBackend(machines={"a": 1})
    backend.at(30.0, lambda: backend.join("b", 3))
    events = events_of(backend, numbered(*[Behaviour(5.0)] * 60), workers=3)
    assert len({event.worker for event in of(WorkerReady, events)}) == 3
    assert not of(PoolNotice, events)


def test_machines_that_leave_are_not_missed():
    backend = ToyBackend(machines={"a": 2, "b": 2})
    backend.at(20.0, lambda: backend.lose("b"))
    events = events_of(backend, numbered(*[Behaviour(5.0)] * 40))
    assert len(of(TaskDone, events)) == 40
    assert all(not event.counted for event in of(TaskRetried, events))


def test_a_pool_without_a_place_says_so_every_minute_and_begins_when_there_is_one():
    backend = ToyBackend(machines={})
    backend.at(200.0, lambda: backend.join("late", 1))
    events = [*timed_events(backend, numbered(Behaviour(1.0)))]
    notices = [(at_s, event) for at_s, event in events if isinstance(event, PoolNotice)]
    assert [round(at_s, -1) for at_s, _ in notices] == [60, 120, 180]
    assert "no worker for 60 s: each asks for a place; the machines have 0" in notices[0][1].text
    assert len(of(TaskDone, (event for _, event in events))) == 1


def test_a_frozen_worker_is_asked_then_replaced_and_what_it_says_later_is_not_heard():
    backend = ToyBackend(machines={"m": 2})

    def freeze():
        backend.workers[0].frozen = True

    backend.at(12.0, freeze)
    events = events_of(backend, numbered(*[Behaviour(10.0) for _ in range(200)]))
    assert ends(events) == Counter(f"t{number}" for number in range(200))
    (lost,) = of(WorkerLost, events)
    assert "does not answer" in lost.reason
    assert len(of(WorkerReady, events)) == 3


def test_a_worker_that_freezes_and_wakes_in_time_is_kept():
    backend = ToyBackend(machines={"m": 1})

    def freeze():
        worker = backend.workers[0]
        worker.frozen = True
        backend.at(100.0, lambda: backend.wake(worker))

    backend.at(12.0, freeze)
    events = events_of(backend, numbered(*[Behaviour(10.0) for _ in range(20)]))
    assert len(of(TaskDone, events)) == 20
    assert not of(WorkerLost, events)


# Set-up.


def test_an_error_in_the_set_up_of_the_first_worker_ends_the_run_as_it_is():
    backend = ToyBackend(machines={"m": 2})
    backend.setup_error = lambda worker: BadInputError("no such weights")
    with pytest.raises(BadInputError):
        events_of(backend, numbered(Behaviour()))


def test_storage_that_fails_in_a_set_up_is_tried_again():
    backend = ToyBackend(machines={"m": 1})
    failures = [StorageDownError("503"), StorageDownError("503")]
    backend.setup_error = lambda worker: failures.pop() if failures else None
    assert len(of(TaskDone, events_of(backend, numbered(Behaviour())))) == 1
    backend = ToyBackend(machines={"m": 1})
    backend.setup_error = lambda worker: StorageDownError("503")
    with pytest.raises(StorageDownError):
        events_of(backend, numbered(Behaviour()))


def test_workers_that_die_in_their_set_up_end_the_run_when_no_other_is_there():
    backend = ToyBackend(machines={"m": 1})
    backend.setup_error = lambda worker: "dies"
    with pytest.raises(
        PoolError, match=r"worker-0 died 3 times while it was set up.*out of memory"
    ):
        events_of(backend, numbered(Behaviour()))


@pytest.mark.parametrize(("deaths", "enough"), [(9, False), (10, True)])
def test_a_lone_worker_that_was_there_before_may_die_nine_times_while_it_is_set_up_again(
    deaths: int, enough: bool
):
    backend = ToyBackend(machines={"m": 1})
    backend.at(8.0, lambda: backend.kill(backend.workers[0]))
    left = [deaths]

    def error(worker):
        if backend.now_s < 8 or not left[0]:
            return None
        left[0] -= 1
        return "dies"

    backend.setup_error = error
    if enough:
        with pytest.raises(PoolError, match=r"worker-0 died 10 times while it was set up"):
            events_of(backend, numbered(*[Behaviour(5.0)] * 3))
    else:
        assert len(of(TaskDone, events_of(backend, numbered(*[Behaviour(5.0)] * 3)))) == 3


@pytest.mark.parametrize("error", ["dies", OSError("CUDA driver too old")])
def test_one_machine_on_which_no_worker_can_be_set_up_does_not_stop_the_others(error):
    backend = ToyBackend(machines={"good": 1, "bad": 1})
    backend.setup_error = lambda worker: error if worker.machine == "bad" else None
    events = events_of(backend, numbered(*[Behaviour(5.0)] * 30))
    assert len(of(TaskDone, events)) == 30
    assert any("cannot be set up on bad" in event.text for event in of(PoolNotice, events))


# Interruption and the end.


def test_an_interrupted_run_reports_what_is_being_stored_and_begins_nothing():
    backend = ToyBackend(machines={"m": 1})
    backend.drain_s = 4.0
    done, asked = [], 0
    with pool_on(backend) as pool:
        for event in pool.run(numbered(*[Behaviour(2.0, storing_s=3.0) for _ in range(30)])):
            if isinstance(event, TaskDone):
                done.append(event.key)
                if len(done) == 3:
                    pool.interrupt()
                    asked, interrupted_s = len(backend.applied), backend.now_s
        assert done == ["t0", "t1", "t2", "t3"]
        assert len(backend.applied) == asked
        assert backend.now_s - interrupted_s <= 6
        assert not backend.workers


def test_an_interrupted_run_waits_half_a_minute_at_most():
    backend = ToyBackend(machines={"m": 1})
    backend.drain_s = 1000.0
    with pool_on(backend) as pool:
        for event in pool.run(numbered(*[Behaviour(2.0) for _ in range(30)])):
            if isinstance(event, TaskDone):
                pool.interrupt()
                interrupted_s = backend.now_s
    assert backend.now_s - interrupted_s <= 32


def test_a_run_left_early_leaves_no_worker_and_the_next_knows_nothing_of_it():
    backend = ToyBackend(lambda payload, worker: payload.behaviour(), machines={"m": 2})
    with pool_on(backend) as pool:
        for event in pool.run(numbered(*[Part(8)] * 3, Part(8, frozenset({1, 5})), *[Part(8)] * 3)):
            if isinstance(event, TaskRetried):
                break
        pool.run([]).close()
        assert [event.key for event in of(TaskDone, pool.run([Task("again", Part(1))]))] == [
            "again"
        ]


class Notes:
    """Everything that an observer is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Event, int]] = []

    def observe(self, event: Event, *, queued: int) -> None:
        self.told.append((event, queued))


def test_observers_see_every_event_before_the_loop_does_and_how_much_waits():
    notes, begin_with = Notes(), PoolNotice("fewer workers than wanted")
    backend = ToyBackend(lambda payload, worker: payload.behaviour(), machines={"m": 1})
    pool = Scheduler(backend, workers=1, seed=1, observers=[notes], notices=[begin_with])
    events = []
    with pool:
        for event in pool.run(numbered(*[Part(4)] * 5)):
            events.append(event)
            assert [seen for seen, _ in notes.told] == events
        assert events[0] is begin_with
        assert begin_with not in list(pool.run(numbered(Part(1))))  # it is said once
    assert {event.items for event in of(TaskDone, events)} == {4}
    waiting = [queued for event, queued in notes.told if isinstance(event, TaskDone)]
    assert waiting == [
        1,
        1,
        1,
        1,
        0,
        0,
    ]  # one is read ahead of what the worker has, and the last run has one task


FAULTS = st.lists(
    st.tuples(
        st.floats(1.0, 120.0),
        st.sampled_from(["kill", "lose", "join", "freeze", "freeze and wake"]),
        st.integers(0, 5),
    ),
    max_size=15,
)
BEHAVIOURS = st.lists(
    st.one_of(
        st.floats(0.1, 20.0).map(Behaviour),
        st.just(Behaviour(1.0, ValueError("odd"))),
        st.just(Behaviour(1.0, dies=True)),
        st.builds(lambda items, bad, deadly: Part(items, bad, deadly=deadly), st.integers(2, 9),
                  st.frozensets(st.integers(0, 8), max_size=2), st.booleans()),
    ),
    min_size=1,
    max_size=40,
)  # fmt: skip


def inject(backend: ToyBackend, kind: str, number: int) -> None:
    """Let something befall one of the workers or machines there are."""
    up = [worker for worker in backend.workers if worker.up]
    worker = up[number % len(up)] if up else None
    if kind == "join":
        backend.join(f"joined at {backend.now_s}, {number}", 1)
    elif kind == "lose" and len(backend.machines) > 1:
        backend.lose([*backend.machines][number % len(backend.machines)])
    elif worker is not None and kind == "kill":
        backend.kill(worker)
    elif worker is not None and kind.startswith("freeze"):
        worker.frozen = True
        if kind == "freeze and wake":
            backend.at(30.0, worker.still_alive(lambda: backend.wake(worker)))


def behaviour_of(payload, worker) -> Behaviour:
    return payload.behaviour() if isinstance(payload, Part) else payload


def is_due(error: PoolError, backend: ToyBackend, events: list[Event], behaviours: list) -> bool:
    """Whether a run may end with this: set-ups died again and again, or all that was tried failed."""
    if died := re.match(r"(worker-\d+) died (\d+) times while it was set up", str(error)):
        enough = 10 if of(WorkerReady, events) else 3
        return enough <= int(died[2]) <= backend.setup_deaths[died[1]]
    hopeless = [
        behaviour
        for behaviour in behaviours
        if isinstance(behaviour, Part) and behaviour.poison >= {*range(behaviour.items)}
    ]
    return "nothing succeeds" in str(error) and (not of(TaskDone, events) or len(hopeless) >= 3)


@settings(derandomize=True)
@given(BEHAVIOURS, FAULTS, st.sampled_from([None, 1, 3]))
def test_whatever_happens_each_task_ends_once(behaviours, faults, workers):
    """Sound tasks are done, each item that is at fault is left out, and nothing is left at work."""
    backend = ToyBackend(behaviour_of, machines={"m": 3})
    for at_s, kind, number in faults:
        backend.at(at_s, partial(inject, backend, kind, number))
    sound = [Task("first", Behaviour(0.5))]  # so that something has succeeded
    events = []
    try:
        events.extend(
            event
            for _, event in timed_events(backend, [*sound, *numbered(*behaviours)], workers=workers)
        )
    except PoolError as error:
        if not is_due(error, backend, events, behaviours):
            raise
        assert max(ends(events).values(), default=1) == 1
        assert not backend.workers
        return
    assert ends(events) == Counter(["first", *(f"t{number}" for number in range(len(behaviours)))])
    done = {event.key: event.result[1] for event in of(TaskDone, events)}
    killed = sum(kind in ("kill", "freeze") for _, kind, _ in faults)
    for number, behaviour in enumerate(behaviours):
        key = f"t{number}"
        if isinstance(behaviour, Behaviour):
            bad = behaviour.dies or behaviour.error is not None
            assert not bad or key not in done
            assert bad or key in done or killed >= 3
        elif key in done:
            assert set(done[key].left_out) >= behaviour.poison & set(range(behaviour.items))
    assert not backend.workers

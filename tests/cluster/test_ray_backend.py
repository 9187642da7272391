"""What only workers in processes of their own can do: die, come back, be too many, be left behind."""

import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from cluster.pool import (
    Pool,
    PoolError,
    PoolNotice,
    Task,
    TaskDone,
    TaskFailed,
    WorkerLost,
    WorkerReady,
)
from cluster.ray_backend import ray_pool
from tests.support import toys

DRIVER = Path(__file__).parents[1] / "support" / "ray_driver.py"

on_two = partial(ray_pool, workers=2, address="local", cpus_per_worker=1)


@pytest.fixture(autouse=True)
def _ray(ray_on_this_machine: Pool) -> None:
    pass


def by_kind(events, kind):
    return [event for event in events if isinstance(event, kind)]


def test_a_task_whose_worker_is_killed_is_done_by_another(tmp_path: Path):
    tasks = [Task(f"task {number}", number) for number in range(10)]
    tasks.insert(3, Task("deadly once", ("die once", str(tmp_path / "died"))))
    with on_two(toys.performer) as pool:
        events = list(pool.run(tasks))
    results = {event.key: event.result for event in by_kind(events, TaskDone)}
    assert results == {"deadly once": "survived"} | {
        f"task {number}": number * number for number in range(10)
    }
    assert len(by_kind(events, TaskDone)) == 11
    assert len(by_kind(events, WorkerLost)) == 1


def test_a_task_that_kills_every_worker_is_given_up_and_the_others_are_done():
    """One worker, so that some innocent task waits behind the deadly one each time: it must not be counted with it."""
    tasks = [
        Task("deadly", ("die", None)),
        *(Task(f"task {number}", number) for number in range(6)),
    ]
    with ray_pool(toys.performer, workers=1, address="local", cpus_per_worker=1) as pool:
        events = list(pool.run(tasks))
    (failed,) = by_kind(events, TaskFailed)
    assert failed.key == "deadly"
    assert failed.attempts == 3
    assert isinstance(failed.error, PoolError)
    assert "deadly: 3 workers died at it" in str(failed.error)
    assert {event.key for event in by_kind(events, TaskDone)} == {
        f"task {number}" for number in range(6)
    }
    assert len(by_kind(events, WorkerLost)) == 3


@pytest.mark.parametrize("pause_s", [0, 2])
def test_a_worker_that_dies_between_two_runs_costs_nothing(pause_s: float):
    """At once, its end is not known yet; after a pause, Ray has begun its process anew, without the function."""
    with ray_pool(toys.performer, workers=1, address="local", cpus_per_worker=1) as pool:
        (first,) = by_kind(pool.run([Task("pid", ("sleep", 0))]), TaskDone)
        os.kill(first.result, signal.SIGKILL)
        time.sleep(pause_s)
        events = list(pool.run([Task("again", 6), Task("and again", 7)]))
    assert sorted(event.result for event in by_kind(events, TaskDone)) == [36, 49]
    assert len(by_kind(events, WorkerLost)) == 1


def test_what_cannot_be_sent_is_told_and_what_leaves_is_replaced():
    tasks = [
        Task("awkward", ("raise awkward", None)),
        Task("lock", ("return a lock", None)),
        Task("exit", ("exit", 3)),
        Task("leave", ("leave", 0)),
        Task("fine", 4),
    ]
    with on_two(toys.performer) as pool:
        events = list(pool.run(tasks))
    errors = {event.key: event.error for event in by_kind(events, TaskFailed)}
    assert isinstance(errors["awkward"], PoolError)
    assert "AwkwardError: two arguments" in str(errors["awkward"])
    assert isinstance(errors["lock"], PoolError)
    assert "pickle" in str(errors["lock"])
    assert isinstance(errors["exit"], SystemExit)
    assert isinstance(errors["leave"], PoolError)
    assert [event.result for event in by_kind(events, TaskDone)] == [16]


def test_the_note_of_an_exception_tells_where_it_was_raised():
    with on_two(toys.performer) as pool:
        (failed,) = by_kind(pool.run([Task("shard 7", ("raise", ValueError("odd")))]), TaskFailed)
    (note,) = failed.error.__notes__
    assert "shard 7" in note
    assert "in perform" in note


def test_workers_that_die_while_they_are_made_end_the_run():
    with (
        ray_pool(toys.dying_factory, workers=1, address="local", cpus_per_worker=1) as pool,
        pytest.raises(PoolError, match="died 3 times while it was set up"),
    ):
        list(pool.run([Task("never", 1)]))


def test_a_gpu_that_is_not_there_is_refused_at_once():
    began = time.monotonic()
    with pytest.raises(PoolError, match=r"asks for 1 CPU, 99 GPU.*on this machine\. Ask for less"):
        ray_pool(toys.performer, workers=1, address="local", cpus_per_worker=1, gpus_per_worker=99)
    with pytest.raises(PoolError, match=r"1048576\.0 GiB"):
        ray_pool(
            toys.performer,
            workers=1,
            address="local",
            cpus_per_worker=1,
            memory_bytes_per_worker=2**50,
        )
    assert time.monotonic() - began < 5


def test_no_more_workers_are_made_than_fit_and_that_is_said():
    cpus = len(os.sched_getaffinity(0))
    with ray_pool(toys.performer, workers=cpus + 3, address="local", cpus_per_worker=1) as pool:
        events = list(
            pool.run([Task(f"task {number}", ("sleep", 0.3)) for number in range(3 * cpus)])
        )
    (notice,) = by_kind(events, PoolNotice)
    assert f"{cpus + 3} workers are asked for and {cpus} fit" in notice.text
    assert len(by_kind(events, WorkerReady)) <= cpus
    assert len(by_kind(events, TaskDone)) == 3 * cpus


def test_waiting_for_a_worker_is_said_and_ends_when_there_is_room(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cluster.worker_set._PATIENCE_S", 0.5)
    cpus = len(os.sched_getaffinity(0))
    whole = partial(ray_pool, toys.performer, workers=1, address="local", cpus_per_worker=cpus)
    with whole() as first, whole() as second:
        list(first.run([Task("occupies", 1)]))
        events = []
        for event in second.run([Task("waits", 3)]):
            events.append(event)
            if isinstance(event, PoolNotice):
                first.close()
    assert f"each asks for {cpus} CPU" in by_kind(events, PoolNotice)[0].text
    assert [event.result for event in by_kind(events, TaskDone)] == [9]


def test_a_worker_has_as_many_threads_as_cpus():
    cpus = len(os.sched_getaffinity(0))
    with ray_pool(toys.environment, workers=1, address="local", cpus_per_worker=cpus) as pool:
        (done,) = by_kind(pool.run([Task("threads", "OMP_NUM_THREADS")]), TaskDone)
    assert done.result == str(cpus)


def test_both_workers_work():
    with on_two(toys.performer) as pool:
        events = list(pool.run([Task(f"task {number}", ("sleep", 0.5)) for number in range(8)]))
    assert len({event.result for event in by_kind(events, TaskDone)}) == 2


def test_closing_leaves_no_worker(tmp_path: Path):
    pool = on_two(toys.performer)
    pids = {
        event.result
        for event in by_kind(pool.run([Task(str(n), ("sleep", 0.2)) for n in range(6)]), TaskDone)
    }
    assert all(psutil.pid_exists(pid) for pid in pids)
    pool.close()
    assert gone(pids)


def test_an_address_without_a_cluster_is_refused_by_name(ray_environment: None):
    code = (
        "from tests.support import toys; from cluster.ray_backend import ray_pool; "
        "ray_pool(toys.performer, workers=1, address='127.0.0.1:1', cpus_per_worker=1)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60
    )
    assert "PoolError: Ray at '127.0.0.1:1' cannot be reached" in ended.stderr
    assert "check the address" in ended.stderr


def test_the_cluster_that_a_file_or_variable_names_and_that_is_gone_is_refused_soon(
    ray_environment: None,
):
    """`auto`; Ray itself would try for minutes."""
    code = (
        "from tests.support import toys; from cluster.ray_backend import ray_pool; "
        "ray_pool(toys.performer, workers=1, address='auto', cpus_per_worker=1)"
    )
    began_s = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"RAY_ADDRESS": "127.0.0.1:1"},
    )
    assert "PoolError: Ray at 'auto' cannot be reached" in ended.stderr
    # Ray puts the machine's own address in the place of 127.0.0.1
    assert re.search(r"nothing answers at [0-9.]+:1 ", ended.stderr)
    assert time.monotonic() - began_s < 60


@pytest.mark.full
@pytest.mark.parametrize("essential", ["raylet", "gcs_server"])
def test_ray_of_this_machine_that_is_killed_ends_the_run(essential: str):
    with subprocess.Popen(
        [sys.executable, str(DRIVER)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "both are at work\n"
        family = psutil.Process(driver.pid).children(recursive=True)
        (victim,) = [each for each in family if each.name() == essential]
        began_s = time.monotonic()
        victim.kill()
        _, complaint = driver.communicate(timeout=120)
    assert time.monotonic() - began_s < 60
    assert "PoolError: Ray on this machine has ended" in complaint
    assert essential in complaint
    assert gone({process.pid for process in family})


def test_interrupting_the_driver_ends_ray_with_all_its_processes():
    """As with Ctrl-C; meanwhile, nothing of it can be reached from another machine."""
    command = [sys.executable, str(DRIVER)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "both are at work\n"
        family = psutil.Process(driver.pid).children(recursive=True)
        listening = [
            end.laddr.ip
            for process in [psutil.Process(driver.pid), *family]
            for end in listeners(process)
        ]
        driver.send_signal(signal.SIGINT)
        _, complaint = driver.communicate(timeout=30)
    assert driver.returncode == 1
    assert "interrupted" in complaint
    assert len(family) >= 4  # the control store, the raylet, its agent, two workers
    assert len(listening) >= 4
    assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}
    assert gone({process.pid for process in family})


def listeners(process: psutil.Process):
    return [end for end in process.net_connections("inet") if end.status == psutil.CONN_LISTEN]


def gone(pids: set[int], within_s: float = 15) -> bool:
    deadline = time.monotonic() + within_s
    while any(
        psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        for pid in pids
    ):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True

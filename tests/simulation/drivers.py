"""A whole world: store, cluster, users who give the same command again and again, and what befalls them.

The command is the real one from its arguments to its exit code, with real driver, scheduler, worker stages, commit,
retries and S3 store; only the model, the machines, the network and time are made up.
"""

import contextlib
import importlib
import io
import pickle
import random
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from functools import cache, partial
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pyarrow as pa

import cluster.worker_process
import enformer_core.analyses.base
import enformer_core.dataset.commit
import enformer_core.dataset.keys
import enformer_core.dataset.ledger
import enformer_core.dataset.plan_storage
import enformer_core.dataset.run
import jobs.cli
import jobs.interruption
import jobs.job
import jobs.log
import jobs.progress
import jobs.sharing
import jobs.watch
from cluster.backend import WorkerGone
from cluster.scheduler import Scheduler
from cluster.worker_process import Done
from enformer_core.analyses.base import WorkerResources
from enformer_core.dataset.keys import MANIFEST_KEY, RUN_KEY
from enformer_core.dataset.shard_task import ShardTask
from enformer_core.storage.retry import RetryingStore
from jobs.commands import COMMANDS
from jobs.job import Job
from jobs.resources import Workers
from tests.simulation import memory
from tests.simulation.faults import Kind, Weather
from tests.simulation.fleet import Cluster, Machine, VirtualBackend
from tests.simulation.store import Service
from tests.simulation.subject import (
    INPUT,
    TRACKS,
    WEIGHTS,
    Place,
    PoisonError,
    Subject,
    SubjectAnalysis,
    WatchedFactory,
)
from tests.simulation.toy import GENES
from tests.simulation.world import (
    START_WALL_S,
    Hub,
    Process,
    Thread,
    VirtualCondition,
    VirtualFuture,
    VirtualThreads,
)

LIMIT_S = 20_000.0
"""Virtual seconds in which everything must be done, whatever happened: nothing hangs."""
MOST_STARTS = 25


@dataclass(frozen=True)
class VirtualClock:
    """The clock of the process that unpickles it."""

    process: Process

    def now(self) -> float:
        return self.process.now()

    def sleep(self, seconds: float) -> None:
        self.process.sleep(seconds)

    def __reduce__(self) -> tuple[Any, ...]:
        return _clock_here, ()


def _clock_here() -> VirtualClock:
    return VirtualClock(World.here().hub.process)


@dataclass(eq=False)
class Attempt:
    """A task handed to a worker.

    Attributes:
        driver: who handed it.
        work: what.
        assigned_s: when.
        process: who began to compute it, if anybody did.
        lost: it was in flight when that process died, or when nobody waited for it any more.
        outcome: what the driver was told, if anything.
        outcome_s: when.
    """

    driver: Process
    work: ShardTask
    assigned_s: float
    process: Process | None = None
    lost: bool = False
    outcome: Any = None
    outcome_s: float = float("inf")

    def answered(self, outcome: Any, now_s: float) -> None:
        self.outcome, self.outcome_s = outcome, now_s

    @property
    def begun(self) -> bool:
        return self.process is not None

    @property
    def whole(self) -> bool:
        """Not a trial."""
        return self.work.trial is None

    @property
    def done(self) -> bool:
        return isinstance(self.outcome, Done)

    @property
    def gone(self) -> bool:
        return isinstance(self.outcome, WorkerGone)


class Log(io.StringIO):
    """All that the drivers say, and who said what."""

    def __init__(self) -> None:
        super().__init__()
        self._by: dict[Process, list[str]] = {}

    def write(self, text: str) -> int:
        if Hub.current is not None and Hub.current.running:
            self._by.setdefault(Hub.current.process, []).append(text)
        return super().write(text)

    def of(self, process: Process) -> str:
        return "".join(self._by.get(process, ()))


@dataclass(eq=False)
class User:
    """Somebody who gives the command until it says that all is done.

    Attributes:
        codes: exit codes so far; None for a driver that was killed.
        began_s: when each driver was started.
        finished: with exit code 0 or 3.
    """

    name: str
    codes: list[int | None] = field(default_factory=list)
    drivers: list[Process] = field(default_factory=list)
    began_s: dict[Process, float] = field(default_factory=dict)
    threads: dict[Process, Thread] = field(default_factory=dict)
    finished: bool = False


@dataclass
class World:
    """One seed's world.

    Attributes:
        seed: decides everything.
        subject: what kind of run it is.
        place_s: how long it takes to compute at one place.
        poison: places that cannot be computed, and whether they `raise` or `kill`.
        weights: what the workers find.
        input: what the drivers find.
        attempts: all tasks handed to workers.
        losses: for each death of a process, or moment since which nobody waited for it, the whole shards that it was
            at; those at none are left out.
        befallen: signals that each driver was sent, and faults that it or its workers came upon.
        problems: what the watchers saw and should not have.
        log: all that the drivers said.
        handlers: of signals.
        calm: no fault comes any more.
    """

    seed: int | str
    machines: int = 2
    hardware_kinds: int = 1
    place_s: float = 3.0
    subject: Subject = GENES
    poison: dict[Place, str] = field(default_factory=dict)
    weights: bytes = WEIGHTS
    input: bytes = INPUT
    attempts: list[Attempt] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    users: list[User] = field(default_factory=list)
    log: Log = field(default_factory=Log)
    losses: list[list[int]] = field(default_factory=list)
    befallen: dict[Process, list[Any]] = field(default_factory=dict)
    calm: bool = False
    _at_work: dict[Process, list[Attempt]] = field(default_factory=dict)
    handlers: dict[tuple[Process, int], Callable[[int, Any], None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.hub = Hub(self.seed)
        self.hub.world, self.hub.on_loss = self, self._lose
        self.weather = Weather(self.hub)
        self.service = Service(self.hub, self.weather)
        self.cluster = Cluster(self.hub, machines=self.machines, hardware_kinds=self.hardware_kinds)

    @staticmethod
    def here() -> "World":
        assert Hub.current is not None, "no world is running"
        return Hub.current.world

    # What workers tell.

    def computing_at(self, process: Process, place: Place) -> None:
        machine: Machine = process.machine
        self.hub.sleep(self.place_s * machine.slowness * self.hub.random.uniform(0.8, 1.2))
        poison = self.poison.get(place)
        if machine.slowness > 1:
            self.weather.took_effect(Kind.STRAGGLER)
        if machine.starved:
            self.weather.took_effect(Kind.OUT_OF_MEMORY)
        if poison is not None:
            self.weather.took_effect(Kind.POISON)
        if machine.starved or poison == "kill":
            process.kill()
            process.check()
        if machine.broken:
            self.weather.took_effect(Kind.ALWAYS_FAILING)
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        if poison == "raise":
            raise PoisonError("{}:{} cannot be computed".format(*place))

    def computing_begins(self, process: Process, work: ShardTask) -> None:
        attempt: Attempt = work.attempt  # type: ignore[attr-defined]
        attempt.process = process
        self._at_work.setdefault(process, []).append(attempt)

    def _lose(self, process: Process) -> None:
        in_flight = [
            attempt
            for attempt in self._at_work.pop(process, ())
            if attempt.outcome is None or attempt.gone
        ]
        for attempt in in_flight:
            attempt.lost = True
        if shards := [attempt.work.shard.number for attempt in in_flight if attempt.whole]:
            self.losses.append(shards)

    def befell(self, driver: Process, what: Any) -> None:
        """A signal was sent to a driver, or it or one of its workers came upon a fault."""
        self.befallen.setdefault(driver, []).append(what)

    def assigned(self, driver: Process, work: ShardTask) -> Attempt:
        attempt = Attempt(driver, work, self.hub.now_s)
        self.attempts.append(attempt)
        return attempt

    # Users and their drivers.

    def add_user(self, delay_s: float = 0.0) -> User:
        user = User(f"user-{len(self.users)}")
        self.users.append(user)
        self.hub.at(delay_s, lambda: self.start_driver(user))
        return user

    def start_driver(self, user: User) -> None:
        """Give the command, in the whole cluster or in what is left of it."""
        if len(user.codes) >= MOST_STARTS:
            self.problems.append(
                f"{user.name} has given the command {MOST_STARTS} times: {user.codes}"
            )
            user.finished = True
            return
        self.cluster.renew()
        driver = Process(self.hub, f"driver-{len(user.drivers)} of {user.name}")
        self.hub.note(f"{driver.name} begins")
        user.drivers.append(driver)
        user.began_s[driver] = self.hub.now_s
        self.cluster.processes.append(driver)
        driver.on_death.append(lambda: self._ended(user, driver, None))
        user.threads[driver] = driver.spawn(lambda: self._drive(user, driver))

    def _drive(self, user: User, driver: Process) -> None:
        try:
            code = jobs.cli.main(self.subject.command)
        except Exception as error:  # noqa: BLE001 - the interpreter would show it and end with 1
            code = 1
            self.problems.append(f"{driver.name}: a traceback: {error!r}")
        driver.on_death.clear()
        driver.kill()  # a process that has ended does nothing more
        self._ended(user, driver, code)

    def _ended(self, user: User, driver: Process, code: int | None) -> None:
        self.hub.note(f"{driver.name} ends with {code}")
        user.codes.append(code)
        if code in (0, 3):
            user.finished = True
            return
        if code == 2:
            self.weights, self.input = WEIGHTS, INPUT  # the user mends what the message names
            for machine in self.cluster.machines:
                machine.other_genome = False
        self.hub.at(self.hub.random.uniform(1.0, 40.0), lambda: self.start_driver(user))

    def running_drivers(self) -> list[tuple[User, Process]]:
        return [(user, driver) for user in self.users for driver in user.drivers if driver.alive]

    # Running it.

    def run(self) -> None:
        """Until every user is done.

        Raises:
            HangError: when that takes too long.
        """
        self.hub.run(lambda: all(user.finished for user in self.users), LIMIT_S)

    def settle(self, seconds: float) -> None:
        """Let nothing more befall it, and wait: some workers do not know yet that nobody waits for them."""
        self.calm = True
        self.weather.spells.clear()
        self.service.hooks[:] = [
            hook for hook in self.service.hooks if not getattr(hook, "is_fault", False)
        ]
        ends_s = self.hub.now_s + seconds
        self.hub.at(seconds, lambda: None)
        self.hub.run(lambda: self.hub.now_s >= ends_s, ends_s + 1)

    def end(self) -> None:
        self.hub.end(self.cluster.processes)


@contextlib.contextmanager
def inhabited(world: World) -> Iterator[World]:
    """The real code lives in this world: its threads, clocks, signals, pool and store are virtual."""
    ledger, commit = enformer_core.dataset.ledger, enformer_core.dataset.commit
    virtual = SimpleNamespace(Condition=VirtualCondition)
    stopwatch = SimpleNamespace(perf_counter=_seconds, monotonic=_seconds)
    chance = SimpleNamespace(Random=random.Random, randint=world.hub.random.randint)
    handled = SimpleNamespace(
        **{name: getattr(signal, name) for name in ("SIGHUP", "SIG_IGN", "Signals")},
        getsignal=_handler,
        signal=_set_handler,
    )
    with contextlib.ExitStack() as stack:
        for module in (
            ledger,
            enformer_core.dataset.plan_storage,
            cluster.worker_process,
            jobs.watch,
        ):
            stack.enter_context(mock.patch.object(module, "ThreadPoolExecutor", VirtualThreads))
        for owner, name, value in (
            (cluster.worker_process, "threading", virtual),
            (cluster.worker_process, "Future", VirtualFuture),
            (ledger, "datetime", _Calendar),
            (enformer_core.dataset.run, "datetime", _Calendar),
            (jobs.progress, "datetime", _Calendar),
            (jobs.log, "datetime", _Calendar),
            (jobs.log, "time", stopwatch),
            (jobs.watch, "time", stopwatch),
            (enformer_core.analyses.base, "datetime", _Calendar),
            (enformer_core.analyses.base, "time", stopwatch),
            (cluster.worker_process, "time", stopwatch),
            (ledger, "BLOCK_SHARDS", 2),
            (enformer_core.dataset.keys, "BLOCK_SHARDS", 2),
            (jobs.watch, "BLOCK_SHARDS", 2),
            (jobs.interruption, "signal", handled),
            (jobs.interruption, "time", stopwatch),
            (jobs.job, "OpenShards", partial(jobs.sharing.OpenShards, clock=_seconds)),
            (jobs.sharing, "random", chance),
            (jobs.job, "make_pool", _virtual_pool),
            (jobs.job, "kept_alive", lambda display: contextlib.nullcontext()),
            (*_function_of(world.subject.command), _run),
            (commit, "to_parquet", memory.to_parquet),
            (commit, "from_parquet", memory.from_parquet),
            (commit, "content_digest", memory.content_digest),
            (enformer_core.dataset.plan_storage, "pq", memory.parquet),
            (jobs.cli, "parse", _parse),
            (sys, "argv", ["enformer-ray", *world.subject.command]),
            (sys, "stderr", world.log),
            (sys, "stdout", world.log),
            (Hub, "current", world.hub),
            (Service, "current", world.service),
        ):
            stack.enter_context(mock.patch.object(owner, name, value))
        try:
            yield world
        finally:
            world.end()


def _seconds() -> float:
    """What the monotonic clock of the asking process says."""
    hub = World.here().hub
    return hub.process.now() if hub.running else hub.now_s


def _function_of(command: Sequence[str]) -> tuple[Any, str]:
    """The module and the name of what a command calls."""
    module, _, name = COMMANDS[command[0]].function.partition(":")
    return importlib.import_module(module), name


_settings = cache(jobs.cli.parse)


def _parse(arguments: Sequence[str]) -> tuple[jobs.cli.Command, Any]:
    """The same command is given ten thousand times, and read once."""
    return _settings(tuple(arguments))


class _Calendar(datetime):
    """The date as the asking process's machine has it."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        hub = World.here().hub
        shift_s = hub.process.wall_shift_s if hub.running else 0.0
        return datetime.fromtimestamp(START_WALL_S + hub.now_s + shift_s, tz)


def _handler(number: int) -> Any:
    world = World.here()
    return world.handlers.get((world.hub.process, number))


def _set_handler(number: int, handler: Any) -> Any:
    world = World.here()
    place = (world.hub.process, number)
    before = world.handlers.get(place)
    if handler is None:
        world.handlers.pop(place, None)
    else:
        world.handlers[place] = handler
    return before


def _virtual_pool(settings: Any, workers: Any, factory: Any, unit: str, control: Any) -> Scheduler:
    world = World.here()
    sent = pickle.dumps(WatchedFactory(factory))
    backend = VirtualBackend(world.cluster, world.hub.process, sent, world.assigned)
    return Scheduler(
        backend,
        workers=world.hub.random.choice((None, 1, 3)),
        classify=jobs.job.classify,
        seed=world.hub.random.randrange(1 << 30),
        control=control,
    )


def open_store(world: World, process: Process) -> RetryingStore:
    return RetryingStore(
        world.service.store_of(process),
        VirtualClock(process),
        seed=world.hub.random.randrange(1 << 30),
    )


@dataclass(frozen=True)
class _ToyTracks:
    def to_arrow(self) -> pa.Table:
        return pa.table({"index": list(TRACKS)})


def _run(settings: Any) -> int:
    """What the command does, with a toy for a model."""
    world = World.here()
    store = open_store(world, world.hub.process)
    store.check_usable(RUN_KEY, MANIFEST_KEY)
    resources = WorkerResources(device="cpu", cpus=1, gpus=0, memory_bytes=1)
    job = Job(
        settings=settings,
        analysis=SubjectAnalysis(world.subject),
        tracks=_ToyTracks(),  # type: ignore[arg-type]
        store=store,
        choose_workers=lambda: Workers(None, resources),
        notice="a toy",
    )
    return jobs.job.exit_code(job.run())

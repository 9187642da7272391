"""Virtual machines and the workers on them: what Ray is in earnest, behind the same interface.

As on Ray, a worker that died comes back by itself without its function, somewhere; the machine of a worker that cannot
be reached is given up after a while, though the worker may go on for longer; a driver's workers outlive it for a
moment. The worker itself is the real `WorkerProcess`.
"""

import itertools
import pickle
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cluster.backend import Call, Outcome, WorkerGone
from cluster.pool import Node, PoolError
from cluster.worker_process import Done, WorkerProcess
from tests.simulation.world import Hub, Process, Signal

SLOTS = 2
"""Workers of a machine."""

TASKS_PER_WORKER = 3
"""One is stored, one computes, one is fetched, as on Ray."""


@dataclass(eq=False)
class Machine:
    """A node.

    Attributes:
        hardware: machines of other hardware compute other last digits.
        up: it runs.
        known_lost: the head has noticed that it does not, or that it cannot be reached.
        announced: it has said that it will be taken away.
        cut_off: nothing passes between it and the head; the store is reached all the same.
        slowness: times that computing takes longer.
        starved: whatever computes here runs out of memory.
        broken: whatever computes here fails.
        other_genome: its FASTA is another one than the driver's, of the same name.
        calendar_s, leap_s: how far its clocks are off.
    """

    name: str
    hardware: int
    up: bool = True
    known_lost: bool = False
    announced: bool = False
    cut_off: bool = False
    slowness: float = 1.0
    starved: bool = False
    broken: bool = False
    other_genome: bool = False
    calendar_s: float = 0.0
    leap_s: float = 0.0
    actors: "list[Actor]" = field(default_factory=list)

    @property
    def usable(self) -> bool:
        return self.up and not self.known_lost

    @property
    def has_room(self) -> bool:
        return len(self.actors) < SLOTS and not self.announced and not self.cut_off


class Cluster:
    """The machines, and the head that places workers on them.

    Attributes:
        head_up: whether there is a head.
        processes: all that ever ran here.
    """

    def __init__(self, hub: Hub, *, machines: int, hardware_kinds: int) -> None:
        self.hub = hub
        self.machines: list[Machine] = []
        self.head_up = True
        self.processes: list[Process] = []
        self._kinds = hardware_kinds
        self._wanting: deque[Actor] = deque()
        self._numbers = itertools.count()
        self._names = itertools.count()
        self._backends: list[VirtualBackend] = []
        for _ in range(machines):
            self.add_machine()

    def add_machine(self) -> Machine:
        number = next(self._numbers)
        machine = Machine(f"node-{number}", number % self._kinds)
        self.machines.append(machine)
        self.hub.note(f"{machine.name} joins")
        self.place()
        return machine

    def process(self, name: str, machine: Machine | None = None) -> Process:
        process = Process(self.hub, f"{name}/{next(self._names)}")
        if machine is not None:
            process.machine = machine
            process.leap_s, process.wall_shift_s = machine.leap_s, machine.calendar_s
        self.processes.append(process)
        return process

    def usable(self) -> list[Machine]:
        return [machine for machine in self.machines if machine.usable] if self.head_up else []

    def actors(self) -> "list[Actor]":
        """Those that run."""
        return [
            actor
            for machine in self.machines
            for actor in machine.actors
            if actor.process is not None
        ]

    def want(self, actor: "Actor") -> None:
        self._wanting.append(actor)
        self.hub.at(self.hub.random.uniform(0.5, 3.0), self.place)

    def place(self) -> None:
        """Begin workers that wait for a machine."""
        while self._wanting and (
            free := [machine for machine in self.usable() if machine.has_room]
        ):
            actor = self._wanting.popleft()
            if not actor.stopped:
                actor.begin(self.hub.random.choice(free))

    def lose_machine(self, machine: Machine, *, silently: bool = False) -> None:
        """Its power fails. The head notices after a while."""
        machine.up = False
        for actor in list(machine.actors):
            actor.vanish(machine)
        self.hub.at(self.hub.random.uniform(0.2, 8.0), lambda: self.give_up(machine))

    def give_up(self, machine: Machine) -> None:
        """The head takes a machine for lost, rightly or not: its workers are begun anew elsewhere."""
        if machine.known_lost:
            return
        machine.known_lost = True
        self.hub.note(f"{machine.name} is given up")
        for actor in list(machine.actors):
            actor.abandon(machine)

    def lose_head(self) -> None:
        """Everything of the cluster goes; some workers go on for a while, because nobody tells them."""
        self.head_up = False
        self._wanting.clear()
        for backend in self._backends:
            backend.signal.give()
        for actor in self.actors():
            process = actor.process
            assert process is not None
            process.abandon()
            self.hub.at(self.hub.random.choice((0.0, 0.0, 5.0, 40.0)), process.kill)
            actor.stopped, actor.process = True, None
        for machine in self.machines:
            machine.actors.clear()

    def renew(self) -> None:
        """Start the cluster again, where its head was lost, with new machines in the place of those that are gone."""
        if not self.head_up:
            self.hub.note("a new cluster")
        self.head_up = True
        self.machines = [
            machine for machine in self.machines if machine.usable and not machine.announced
        ]
        while len(self.machines) < 2:
            self.add_machine()

    def join(self, backend: "VirtualBackend") -> None:
        self._backends.append(backend)


@dataclass(eq=False)
class Actor:
    """A worker, through all its processes.

    Attributes:
        stopped: it is not begun anew any more.
    """

    backend: "VirtualBackend"
    name: str
    machine: Machine | None = None
    process: Process | None = None
    worker_process: WorkerProcess | None = None
    stopped: bool = False
    open_calls: "dict[int, Callable[[WorkerProcess], Any]]" = field(default_factory=dict)
    waiting: list[int] = field(default_factory=list)

    def ping(self) -> Call:
        return self._ask(lambda _: Done(self._node(), 0.0))

    def _node(self) -> Node:
        name = self.machine.name if self.machine else ""
        return Node(name, name)

    def build(self) -> Call:
        factory = self.backend.factory
        return self._ask(lambda worker_process: worker_process.build(factory))

    def apply(self, payload: Any) -> Call:
        sent = pickle.dumps(payload)
        call = self._ask(lambda worker_process: self._work(worker_process, attempt, sent))
        attempt = self.backend.assigned(self.backend.process, payload)
        self.backend.attempts[call] = attempt
        return call

    def _work(self, worker_process: WorkerProcess, attempt: Any, sent: bytes) -> Any:
        payload = pickle.loads(sent)
        payload.__dict__["attempt"] = (
            attempt  # for the account; it travels with the payload, unseen
        )
        return worker_process.apply(payload)

    def drain(self) -> Call:
        return self._ask(lambda worker_process: worker_process.drain())

    def stop(self) -> None:
        if not self.backend.process.alive:
            return
        self.end()

    def end(self) -> None:
        """Its driver, or whoever minds a dead driver's workers, ends it."""
        self.stopped = True
        if self.process is not None:
            self.process.abandon()
        for call in self.open_calls:
            self.backend.give_up(call)
        self.open_calls.clear()
        machine, process = self.machine, self.process
        self.machine = self.process = self.worker_process = None
        if machine is not None and self in machine.actors:
            machine.actors.remove(self)
        if process is None:
            pass
        elif machine is not None and machine.cut_off:  # the word does not reach it
            self.backend.hub.at(30.0, process.kill)
        else:
            process.kill()
        self.backend.cluster.place()

    def begin(self, machine: Machine) -> None:
        hub = self.backend.hub
        self.machine = machine
        machine.actors.append(self)
        process = self.process = self.backend.cluster.process(self.name, machine)
        process.driver = self.backend.process
        hub.note(f"{process.name} begins on {machine.name}")
        process.on_death.append(lambda: self._died(process))
        process.spawn(lambda: self._live(process))

    def _live(self, process: Process) -> None:
        self.worker_process = WorkerProcess()
        waiting, self.waiting = self.waiting, []
        for call in waiting:
            self._deliver(call)

    def vanish(self, machine: Machine) -> None:
        """Its machine fails: no answer comes, and nobody knows yet."""
        process = self.process
        self.process = self.worker_process = None
        if process is not None:
            process.on_death.clear()
            process.kill()

    def abandon(self, machine: Machine) -> None:
        """The head takes its machine for lost. A process that is still there goes on until it hears of it."""
        hub, process = self.backend.hub, self.process
        machine.actors.remove(self)
        self.machine = self.process = self.worker_process = None
        if process is not None:
            process.on_death.clear()
            process.abandon()
            hub.at(hub.random.choice((5.0, 30.0, 90.0)), lambda: self._end_when_it_hears(process))
        self._fail_calls("its node is gone", with_machine=machine.announced)
        self._come_back()

    def _end_when_it_hears(self, process: Process) -> None:
        if process.frozen:
            self.backend.hub.at(20.0, lambda: self._end_when_it_hears(process))
        else:
            process.kill()

    def _died(self, process: Process) -> None:
        """Its process died on a machine that is well."""
        if self.process is not process:
            return
        hub, machine = self.backend.hub, self.machine
        self.process = self.worker_process = None
        if machine is not None:
            machine.actors.remove(self)
        self.machine = None
        calls = list(self.open_calls)
        hub.at(
            hub.random.uniform(0.05, 1.0), lambda: self._fail_calls("its process died", only=calls)
        )
        self._come_back()

    def _come_back(self) -> None:
        if not self.stopped:
            self.backend.cluster.want(self)

    def _fail_calls(
        self, reason: str, *, only: list[int] | None = None, with_machine: bool = False
    ) -> None:
        for call in list(self.open_calls) if only is None else only:
            if call in self.open_calls:
                del self.open_calls[call]
                self.backend.answer(
                    call, WorkerGone(reason, with_node=with_machine, coming_back=not self.stopped)
                )
        self.waiting = [call for call in self.waiting if call in self.open_calls]

    def _ask(self, question: Callable[[WorkerProcess], Any]) -> Call:
        self.backend.check()
        call = self.backend.new_call()
        self.open_calls[call] = question
        self.backend.hub.at(
            self.backend.hub.random.uniform(0.001, 0.02), lambda: self._deliver(call)
        )
        return call

    def _deliver(self, call: int) -> None:
        if call not in self.open_calls:
            return
        process, worker_process, machine = self.process, self.worker_process, self.machine
        if machine is not None and machine.cut_off:
            self.backend.hub.at(1.0, lambda: self._deliver(call))
        elif process is None or worker_process is None:
            self.waiting.append(call)
        else:
            question = self.open_calls[call]
            process.spawn(lambda: self._answer(call, question, worker_process, machine))

    def _answer(
        self,
        call: int,
        question: Callable[[WorkerProcess], Any],
        worker_process: WorkerProcess,
        machine: Machine | None,
    ) -> None:
        hub = self.backend.hub
        outcome = question(worker_process)
        while machine is not None and machine.cut_off:
            hub.sleep(1.0)
        hub.at(hub.random.uniform(0.001, 0.02), lambda: self._arrive(call, outcome))

    def _arrive(self, call: int, outcome: Outcome) -> None:
        if call in self.open_calls:
            del self.open_calls[call]
            self.backend.answer(call, outcome)


class VirtualBackend:
    """A driver's view of the cluster (see `cluster.backend.Backend`).

    Args:
        cluster: the machines.
        process: the driver.
        factory: the pickled worker factory.
        assigned: told of every task that is handed to a worker; gives what keeps the account of that attempt.
    """

    def __init__(
        self,
        cluster: Cluster,
        process: Process,
        factory: bytes,
        assigned: Callable[[Process, Any], Any],
    ) -> None:
        self.cluster, self.process, self.factory, self.assigned = (
            cluster,
            process,
            factory,
            assigned,
        )
        self.hub = cluster.hub
        self.signal = Signal(self.hub)
        self.actors: list[Actor] = []
        self.attempts: dict[Call, Any] = {}
        self._answers: dict[Call, Outcome] = {}
        self._numbers = itertools.count()
        cluster.join(self)
        process.on_death.append(self._orphan)

    def new_call(self) -> int:
        return next(self._numbers)

    def check(self) -> None:
        self.process.check()
        if not self.cluster.head_up:
            raise PoolError(
                "the cluster is gone. What is committed stays: run the same command again when it is back."
            )

    def now(self) -> float:
        return self.process.now()

    def start_worker(self, name: str) -> Actor:
        self.check()
        actor = Actor(self, f"{self.process.name} {name}")
        self.actors.append(actor)
        self.cluster.want(actor)
        return actor

    def wait(self, calls: Sequence[Call], timeout_s: float) -> list[tuple[Call, Outcome]]:
        self.check()
        assert timeout_s >= 0
        ends_s = self.hub.now_s + timeout_s
        while (
            not (answered := [call for call in calls if call in self._answers])
            and self.hub.now_s < ends_s
        ):
            self.signal.wait(ends_s - self.hub.now_s)
            self.check()
        return [(call, self._answers.pop(call)) for call in answered]

    def is_node_lost(self, node: Node) -> bool:
        self.check()
        found = [known for known in self.cluster.machines if known.name == node.id]
        return not found or found[0].known_lost or found[0].announced

    def tasks_per_worker(self) -> int:
        return TASKS_PER_WORKER

    def capacity(self) -> int:
        return SLOTS * len([machine for machine in self.cluster.usable() if not machine.announced])

    def describe_capacity(self) -> str:
        return f"each asks for 1 slot; there are {len(self.cluster.usable())} machines"

    def interrupt(self) -> None:
        pass

    def close(self) -> None:
        if self.process.alive:
            for actor in self.actors:
                actor.end()

    def answer(self, call: Call, outcome: Outcome) -> None:
        if call in self.attempts:
            self.attempts[call].answered(outcome, self.hub.now_s)
        self._answers[call] = outcome
        self.signal.give()

    def give_up(self, call: Call) -> None:
        """Nobody waits for the answer any more."""
        if call in self.attempts:
            self.attempts[call].answered(WorkerGone("stopped"), self.hub.now_s)

    def _orphan(self) -> None:
        """The driver died: the cluster notices after a while, and ends its workers."""
        delay_s = self.hub.random.choice((0.2, 2.0, 10.0))
        for actor in self.actors:
            if actor.process is not None:
                actor.process.abandon()
            self.hub.at(delay_s, actor.end)

"""Virtual machines and the workers on them: what Ray is in earnest, behind the same interface.

As on Ray, a worker that died comes back by itself without its function, somewhere; the machine of a worker that cannot
be reached is given up after a while, though the worker may go on for longer; a driver's workers outlive it for a
moment. The worker itself is the real `Replica`.
"""

import itertools
import pickle
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cluster.backend import Call, Gone, Outcome
from cluster.pool import PoolError
from cluster.worker_process import Done, Replica
from tests.simulation.world import Hub, Process, Signal

SLOTS = 2
"""Workers of a machine."""


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
        self._fleets: list[VirtualFleet] = []
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
            if not actor.dismissed:
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
        for fleet in self._fleets:
            fleet.signal.give()
        for actor in self.actors():
            process = actor.process
            assert process is not None
            process.abandon()
            self.hub.at(self.hub.random.choice((0.0, 0.0, 5.0, 40.0)), process.kill)
            actor.dismissed, actor.process = True, None
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

    def join(self, fleet: "VirtualFleet") -> None:
        self._fleets.append(fleet)


@dataclass(eq=False)
class Actor:
    """A worker, through all its processes.

    Attributes:
        dismissed: it is not begun anew any more.
    """

    fleet: "VirtualFleet"
    name: str
    machine: Machine | None = None
    process: Process | None = None
    replica: Replica | None = None
    dismissed: bool = False
    open_calls: "dict[int, Callable[[Replica], Any]]" = field(default_factory=dict)
    waiting: list[int] = field(default_factory=list)

    def ping(self) -> Call:
        return self._ask(lambda _: Done(self.machine.name if self.machine else "", 0.0))

    def build(self) -> Call:
        factory = self.fleet.factory
        return self._ask(lambda replica: replica.build(factory))

    def apply(self, payload: Any) -> Call:
        sent = pickle.dumps(payload)
        call = self._ask(lambda replica: self._work(replica, attempt, sent))
        attempt = self.fleet.assigned(self.fleet.process, payload)
        self.fleet.attempts[call] = attempt
        return call

    def _work(self, replica: Replica, attempt: Any, sent: bytes) -> Any:
        payload = pickle.loads(sent)
        payload.__dict__["attempt"] = (
            attempt  # for the account; it travels with the payload, unseen
        )
        return replica.apply(payload)

    def drain(self) -> Call:
        return self._ask(lambda replica: replica.drain())

    def dismiss(self) -> None:
        if not self.fleet.process.alive:
            return
        self.end()

    def end(self) -> None:
        """Its driver, or whoever minds a dead driver's workers, ends it."""
        self.dismissed = True
        if self.process is not None:
            self.process.abandon()
        for call in self.open_calls:
            self.fleet.give_up(call)
        self.open_calls.clear()
        machine, process = self.machine, self.process
        self.machine = self.process = self.replica = None
        if machine is not None and self in machine.actors:
            machine.actors.remove(self)
        if process is None:
            pass
        elif machine is not None and machine.cut_off:  # the word does not reach it
            self.fleet.hub.at(30.0, process.kill)
        else:
            process.kill()
        self.fleet.cluster.place()

    def begin(self, machine: Machine) -> None:
        hub = self.fleet.hub
        self.machine = machine
        machine.actors.append(self)
        process = self.process = self.fleet.cluster.process(self.name, machine)
        process.driver = self.fleet.process
        hub.note(f"{process.name} begins on {machine.name}")
        process.on_death.append(lambda: self._died(process))
        process.spawn(lambda: self._live(process))

    def _live(self, process: Process) -> None:
        self.replica = Replica()
        waiting, self.waiting = self.waiting, []
        for call in waiting:
            self._deliver(call)

    def vanish(self, machine: Machine) -> None:
        """Its machine fails: no answer comes, and nobody knows yet."""
        process = self.process
        self.process = self.replica = None
        if process is not None:
            process.on_death.clear()
            process.kill()

    def abandon(self, machine: Machine) -> None:
        """The head takes its machine for lost. A process that is still there goes on until it hears of it."""
        hub, process = self.fleet.hub, self.process
        machine.actors.remove(self)
        self.machine = self.process = self.replica = None
        if process is not None:
            process.on_death.clear()
            process.abandon()
            hub.at(hub.random.choice((5.0, 30.0, 90.0)), lambda: self._end_when_it_hears(process))
        self._fail_calls("its node is gone", with_machine=machine.announced)
        self._come_back()

    def _end_when_it_hears(self, process: Process) -> None:
        if process.frozen:
            self.fleet.hub.at(20.0, lambda: self._end_when_it_hears(process))
        else:
            process.kill()

    def _died(self, process: Process) -> None:
        """Its process died on a machine that is well."""
        if self.process is not process:
            return
        hub, machine = self.fleet.hub, self.machine
        self.process = self.replica = None
        if machine is not None:
            machine.actors.remove(self)
        self.machine = None
        calls = list(self.open_calls)
        hub.at(
            hub.random.uniform(0.05, 1.0), lambda: self._fail_calls("its process died", only=calls)
        )
        self._come_back()

    def _come_back(self) -> None:
        if not self.dismissed:
            self.fleet.cluster.want(self)

    def _fail_calls(
        self, reason: str, *, only: list[int] | None = None, with_machine: bool = False
    ) -> None:
        for call in list(self.open_calls) if only is None else only:
            if call in self.open_calls:
                del self.open_calls[call]
                self.fleet.answer(
                    call, Gone(reason, with_machine=with_machine, coming_back=not self.dismissed)
                )
        self.waiting = [call for call in self.waiting if call in self.open_calls]

    def _ask(self, question: Callable[[Replica], Any]) -> Call:
        self.fleet.check()
        call = self.fleet.new_call()
        self.open_calls[call] = question
        self.fleet.hub.at(self.fleet.hub.random.uniform(0.001, 0.02), lambda: self._deliver(call))
        return call

    def _deliver(self, call: int) -> None:
        if call not in self.open_calls:
            return
        process, replica, machine = self.process, self.replica, self.machine
        if machine is not None and machine.cut_off:
            self.fleet.hub.at(1.0, lambda: self._deliver(call))
        elif process is None or replica is None:
            self.waiting.append(call)
        else:
            question = self.open_calls[call]
            process.spawn(lambda: self._answer(call, question, replica, machine))

    def _answer(
        self,
        call: int,
        question: Callable[[Replica], Any],
        replica: Replica,
        machine: Machine | None,
    ) -> None:
        hub = self.fleet.hub
        outcome = question(replica)
        while machine is not None and machine.cut_off:
            hub.sleep(1.0)
        hub.at(hub.random.uniform(0.001, 0.02), lambda: self._arrive(call, outcome))

    def _arrive(self, call: int, outcome: Outcome) -> None:
        if call in self.open_calls:
            del self.open_calls[call]
            self.fleet.answer(call, outcome)


class VirtualFleet:
    """A driver's view of the cluster (see `cluster.backend.Fleet`).

    Args:
        cluster: the machines.
        process: the driver.
        factory: the pickled worker factory.
        assigned: told of every task that is handed to a worker; gives what keeps the account of that attempt.
    """

    tasks_at_once = 3

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

    def hire(self, name: str) -> Actor:
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

    def is_machine_lost(self, machine: str) -> bool:
        self.check()
        found = [known for known in self.cluster.machines if known.name == machine]
        return not found or found[0].known_lost or found[0].announced

    def capacity(self) -> int:
        return SLOTS * len([machine for machine in self.cluster.usable() if not machine.announced])

    def shortage(self) -> str:
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
            self.attempts[call].answered(Gone("dismissed"), self.hub.now_s)

    def _orphan(self) -> None:
        """The driver died: the cluster notices after a while, and ends its workers."""
        delay_s = self.hub.random.choice((0.2, 2.0, 10.0))
        for actor in self.actors:
            if actor.process is not None:
                actor.process.abandon()
            self.hub.at(delay_s, actor.end)

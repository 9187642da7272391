"""A backend whose workers exist on paper: what each task does, and how long it takes, is written down; time is virtual.

A worker computes one task after another in the order in which they came; fetching takes no time. Everything is decided
by the behaviour of payloads and the order of calls: the same test takes the same course each time.
"""

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cluster.backend import Call, Outcome, WorkerGone
from cluster.pool import Node, Task
from cluster.worker_process import Cancelled, Done, Failure, WorkerRestarted

SETUP_S = 5.0

LIMIT_S = 50_000.0


@dataclass(frozen=True)
class Behaviour:
    """What computing a task comes to.

    Attributes:
        seconds: how long it takes.
        error: what it raises.
        dies: whether it takes its worker's process down.
        storing_s: how long it takes to store, after computing.
        result: what it returns; None for a tuple with the payload.
    """

    seconds: float = 1.0
    error: BaseException | None = None
    dies: bool = False
    storing_s: float = 0.0
    result: Any = None


NEVER = float("inf")

BehaviourOf = Callable[[Any, "ToyWorker"], Behaviour]


@dataclass(frozen=True)
class Part:
    """A payload made of items; those in `poison` fail, by an error or, when `deadly`, by taking the worker down."""

    items: int
    poison: frozenset[int] = frozenset()
    first: int = 0
    end: int | None = None
    left_out: Mapping[int, str] = field(default_factory=dict, hash=False)
    deadly: bool = False

    def probe(self, first: int, end: int) -> "Part":
        return Part(self.items, self.poison, first, end, deadly=self.deadly)

    def without(self, failures: Mapping[int, str]) -> "Part":
        return Part(self.items, self.poison, left_out=dict(failures), deadly=self.deadly)

    def behaviour(self) -> Behaviour:
        end = self.items if self.end is None else self.end
        computed = set(range(self.first, end)) - set(self.left_out)
        bad = sorted(computed & self.poison)
        if not bad:
            return Behaviour()
        if self.deadly:
            return Behaviour(0.1, dies=True)
        return Behaviour(0.1, ValueError(f"items {bad}"))


class ToyWorker:
    """A process on a machine; `generation` counts how often it was begun anew."""

    def __init__(self, backend: "ToyBackend", name: str):
        self.backend = backend
        self.name = name
        self.machine = ""
        self.generation = 0
        self.up = self.built = self.building = self.frozen = False
        self.draining = False
        self.stopped = False
        self.free_s = 0.0  # when it has computed all it was asked
        self.open: list[int] = []
        self.tasks: set[int] = set()  # those of its calls that are tasks
        self.waiting_pings: list[int] = []
        self.put_off: list[Callable[[], None]] = []  # while it is frozen

    @property
    def node(self) -> Node:
        return Node(self.machine, self.machine)

    def ping(self) -> Call:
        number = self.backend.new_call(self)
        if self.up and not self.frozen:
            self.backend.answer(number, Done(self.node, 0.0))
        else:
            self.waiting_pings.append(number)
        return number

    def build(self) -> Call:
        number = self.backend.new_call(self)
        self.building = True
        error = self.backend.setup_error(self)
        if error == "dies":
            self.backend.at(SETUP_S, self.still(lambda: self.backend.kill(self, "out of memory")))
            return number

        def build() -> None:
            self.built, self.building = error is None, False
            if self.built:
                del self.backend.setup_deaths[self.name]
            self.backend.answer(
                number, Done(None, SETUP_S) if error is None else Failure(None, "", error)
            )

        self.backend.at(SETUP_S, self.still(build))
        return number

    def apply(self, payload: Any) -> Call:
        number = self.backend.new_call(self)
        self.tasks.add(number)
        self.backend.applied.append((self.backend.now_s, self.name, payload))
        self.backend.loads.append(len(self.tasks.intersection(self.open)))
        if not self.built:
            self.backend.answer(number, WorkerRestarted())
            return number
        behaviour = self.backend.behaviour_of(payload, self)
        began_s = max(self.backend.now_s, self.free_s)
        self.free_s = began_s + behaviour.seconds
        if behaviour.seconds == NEVER:
            return number
        self.backend.at(
            self.free_s - self.backend.now_s,
            self.still(lambda: self._computed(number, payload, behaviour)),
        )
        return number

    def drain(self) -> Call:
        number = self.backend.new_call(self)
        self.draining = True
        self.backend.at(
            self.backend.drain_s, self.still(lambda: self.backend.answer(number, Done(None, 0.0)))
        )
        return number

    def stop(self) -> None:
        self.stopped = True
        self.generation += 1
        self.backend.setup_deaths[self.name] += self.building and self.frozen
        self.backend.leave(self)
        for number in self.open:
            self.backend.forget(number)
        self.open.clear()

    def still_alive(self, action: Callable[[], None]) -> Callable[[], None]:
        """The action, if the process is then the one that it is now."""
        generation = self.generation
        return lambda: action() if self.generation == generation else None

    def still(self, action: Callable[[], None]) -> Callable[[], None]:
        """The same; where the process is frozen, the action is done when it wakes."""
        return self.still_alive(lambda: self.put_off.append(action) if self.frozen else action())

    def _computed(self, number: int, payload: Any, behaviour: Behaviour) -> None:
        if behaviour.dies:
            self.backend.kill(self, "killed by its task")
        elif self.draining:
            self.backend.answer(number, Cancelled())
        elif behaviour.error is not None:
            self.backend.answer(number, Failure(None, "", behaviour.error))
        else:
            done = Done(behaviour.result or ("did", payload), behaviour.seconds)
            self.backend.at(
                behaviour.storing_s, self.still(lambda: self.backend.answer(number, done))
            )


class ToyBackend:
    """See `cluster.backend.Backend`.

    Args:
        behaviour_of: what each payload does at a worker.
        machines: how many workers each machine holds; more may join, some may be lost.
        tasks_per_worker: of a worker.
    """

    def __init__(
        self,
        behaviour_of: BehaviourOf | None = None,
        *,
        machines: Mapping[str, int],
        tasks_per_worker: int = 3,
    ):
        self.behaviour_of = behaviour_of or (
            lambda payload, worker: payload if isinstance(payload, Behaviour) else Behaviour()
        )
        self.machines = dict(machines)
        self._tasks_per_worker = tasks_per_worker
        self.now_s = 0.0
        self.drain_s = 0.0
        self.restart_s = 3.0
        self.lost: set[str] = set()
        self.news_late_s = 0.0  # how long it takes until a lost machine is known to be lost
        self.workers: list[ToyWorker] = []
        self.workers_ever: list[ToyWorker] = []
        self.applied: list[tuple[float, str, Any]] = []
        self.loads: list[int] = []  # with each task that was given: how many its worker then had
        self.setup_error: Callable[[ToyWorker], Any] = lambda worker: None
        self.setup_deaths: Counter[str] = Counter()  # of each worker, in a row
        self.closed = 0
        self._numbers = itertools.count()
        self._owner: dict[int, ToyWorker] = {}
        self._answers: dict[int, Outcome] = {}
        self._plans: list[tuple[float, int, Callable[[], None]]] = []

    def now(self) -> float:
        return self.now_s

    def start_worker(self, name: str) -> ToyWorker:
        worker = ToyWorker(self, name)
        self.workers.append(worker)
        self.workers_ever.append(worker)
        self.place()
        return worker

    def wait(self, calls: Sequence[Call], timeout_s: float) -> list[tuple[Call, Outcome]]:
        assert self.now_s < LIMIT_S, "the run hangs"
        ends_s = self.now_s + timeout_s
        while not (found := [call for call in calls if call in self._answers]):
            if not self._plans or self._plans[0][0] > ends_s:
                self.now_s = ends_s
                return []
            self.now_s, _, action = heapq.heappop(self._plans)
            action()
        return [(call, self._answers.pop(call)) for call in found]

    def is_node_lost(self, node: Node) -> bool:
        return node.id in self.lost

    def tasks_per_worker(self) -> int:
        return self._tasks_per_worker

    def capacity(self) -> int:
        return sum(self.machines.values())

    def describe_capacity(self) -> str:
        return f"each asks for a place; the machines have {self.capacity()}"

    def interrupt(self) -> None:
        pass

    def close(self) -> None:
        self.closed += 1

    # What happens to it.

    def at(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do something later."""
        heapq.heappush(self._plans, (self.now_s + delay_s, next(self._numbers), action))

    def kill(self, worker: ToyWorker, reason: str = "killed") -> None:
        """Its process ends and is begun anew on the same machine."""
        self.setup_deaths[worker.name] += worker.building
        self._end(worker, WorkerGone(reason, coming_back=True))
        self.at(self.restart_s, worker.still(lambda: self._up(worker)))

    def wake(self, worker: ToyWorker) -> None:
        """A frozen worker goes on as if nothing had been."""
        worker.frozen, put_off, worker.put_off = False, worker.put_off, []
        self._up(worker)
        for action in put_off:
            action()

    def lose(self, machine: str, *, announced: bool = False) -> None:
        """A machine is gone with all its workers; they come back elsewhere when there is room."""
        del self.machines[machine]
        self.at(self.news_late_s, lambda: self.lost.add(machine))
        for worker in self.workers:
            if worker.machine == machine and not worker.stopped:
                self.setup_deaths[worker.name] += (
                    worker.building
                )  # what is not known to be the machine's end counts
                self._end(
                    worker, WorkerGone("connection closed", with_node=announced, coming_back=True)
                )
                worker.machine = ""
        self.place()

    def join(self, machine: str, room: int) -> None:
        """A machine joins."""
        self.machines[machine] = room
        self.place()

    def place(self) -> None:
        """Give workers without a machine a place, in the order in which they were started."""
        for worker in self.workers:
            free = [
                name
                for name, room in self.machines.items()
                if room > sum(self._sits(w, name) for w in self.workers)
            ]
            if not worker.machine and not worker.stopped and free:
                worker.machine = free[0]
                self._up(worker)

    def leave(self, worker: ToyWorker) -> None:
        """It frees its place."""
        worker.machine = ""
        self.workers.remove(worker)
        self.place()

    def new_call(self, worker: ToyWorker) -> int:
        number = next(self._numbers)
        self._owner[number] = worker
        worker.open.append(number)
        return number

    def answer(self, number: int, outcome: Outcome) -> None:
        owner = self._owner.pop(number, None)
        if owner is not None:
            owner.open.remove(number)
            self._answers[number] = outcome

    def forget(self, number: int) -> None:
        self._owner.pop(number, None)

    def _up(self, worker: ToyWorker) -> None:
        worker.up = True
        for number in worker.waiting_pings:
            self.answer(number, Done(worker.node, 0.0))
        worker.waiting_pings.clear()

    @staticmethod
    def _sits(worker: ToyWorker, machine: str) -> bool:
        return worker.machine == machine and not worker.stopped

    def _end(self, worker: ToyWorker, gone: WorkerGone) -> None:
        worker.generation += 1
        worker.up = worker.built = worker.building = worker.draining = worker.frozen = False
        worker.free_s = 0.0
        for number in [*worker.open]:
            self.answer(number, gone)
        worker.waiting_pings.clear()
        worker.put_off.clear()


def numbered(*payloads: Any) -> list[Task]:
    """Tasks `t0`, `t1`, …"""
    return [Task(f"t{number}", payload) for number, payload in enumerate(payloads)]

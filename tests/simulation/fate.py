"""What befalls a world: each kind of fault as something that happens to its store, machines, workers and drivers."""

import signal
from typing import Any

from enformer_core.dataset.keys import RUN_KEY
from jobs.interruption import SIGNALS
from tests.simulation.drivers import World
from tests.simulation.faults import SPELLS, Fault, Kind, draw_faults
from tests.simulation.fleet import Machine
from tests.simulation.store import Request
from tests.simulation.subject import INPUT, WEIGHTS, Subject
from tests.simulation.toy import GENES
from tests.simulation.world import Hub, Process


class Fate:
    """Lets the drawn faults come at their time.

    Args:
        world: whom.
        faults: which, and when.
    """

    def __init__(self, world: World, faults: list[Fault]) -> None:
        self._world, self._chance = world, world.hub.random
        for fault in faults:
            world.hub.at(fault.at_s, lambda kind=fault.kind: self._come(kind))

    def _come(self, kind: Kind) -> None:
        world = self._world
        if world.calm:
            return
        if kind in SPELLS:
            world.weather.begin(kind)
            return
        handler = getattr(self, f"_{kind.name.lower()}")
        world.hub.note(f"fault: {kind.value}")
        if handler():
            world.weather.injected[kind] += 1

    def _machine(self) -> Machine | None:
        machines = self._world.cluster.usable()
        return self._chance.choice(machines) if machines else None

    def _worker(self) -> Any:
        actors = self._world.cluster.actors()
        return self._chance.choice(actors) if actors else None

    def _worker_killed(self) -> bool:
        actor = self._worker()
        if actor is None:
            return False
        actor.process.kill()
        self._world.weather.took_effect(Kind.WORKER_KILLED)
        return True

    def _worker_frozen(self) -> bool:
        """Its whole machine stops; if it stays so for long, it is given up, and wakes as nobody's worker."""
        actor = self._worker()
        if actor is None:
            return False
        world, machine = self._world, actor.machine
        frozen = [actor.process]
        seconds = self._chance.choice((5.0, 60.0, 240.0))
        if seconds > 30:
            frozen = [other.process for other in machine.actors if other.process is not None]
            world.hub.at(25.0, lambda: world.cluster.give_up(machine))
            self._replace(20.0)
        for process in frozen:
            process.freeze()
            world.hub.at(seconds, lambda process=process: self._wake(process))
        return True

    def _wake(self, process: Process) -> None:
        if process.alive and process.held:
            self._world.weather.took_effect(Kind.WORKER_FROZEN)
        process.thaw()

    def _node_lost(self) -> bool:
        machine = self._machine()
        if machine is None:
            return False
        self._world.weather.took_effect(Kind.NODE_LOST, bool(machine.actors))
        self._world.cluster.lose_machine(machine)
        self._replace(20.0)
        return True

    def _node_preempted(self) -> bool:
        machine = self._machine()
        if machine is None:
            return False
        machine.announced = True
        self._replace(20.0)

        def end() -> None:
            self._world.weather.took_effect(Kind.NODE_PREEMPTED, bool(machine.actors))
            if machine.usable:
                self._world.cluster.lose_machine(machine)

        self._world.hub.at(self._chance.choice((2.0, 30.0)), end)
        return True

    def _replace(self, seconds: float) -> None:
        """The provider gives another machine, after a while, or a long one."""
        delay_s = seconds * self._chance.choice((1, 1, 10))
        self._world.hub.at(delay_s, lambda: self._world.cluster.add_machine() and None)

    def _head_lost(self) -> bool:
        if not self._world.cluster.head_up:
            return False
        self._world.weather.took_effect(Kind.HEAD_LOST, bool(self._world.running_drivers()))
        self._world.cluster.lose_head()
        return True

    def _driver_killed(self) -> bool:
        killed = self._kill_a_driver()
        self._world.weather.took_effect(Kind.DRIVER_KILLED, killed)
        return killed

    def _kill_a_driver(self) -> bool:
        drivers = self._world.running_drivers()
        if drivers:
            self._chance.choice(drivers)[1].kill()
        return bool(drivers)

    def _killed_before_receipt(self) -> bool:
        """At the next put of data that is applied, its writer dies, and all drivers and workers with it."""
        service = self._world.service

        def strike(request: Request, moment: str) -> None:
            if (
                request.kind == "put"
                and moment == "applied"
                and request.key.partition("/")[0] in self._world.subject.tables
            ):
                service.hooks.remove(strike)
                self._world.weather.took_effect(Kind.KILLED_BEFORE_RECEIPT)
                kill_everybody(self._world)

        strike.is_fault = True  # type: ignore[attr-defined]
        service.hooks.append(strike)
        return True

    def _cut_off(self) -> bool:
        machine = self._machine()
        if machine is None:
            return False
        world, seconds = self._world, self._chance.choice((3.0, 20.0, 120.0))
        machine.cut_off = True
        if seconds > 15:
            world.hub.at(10.0, lambda: world.cluster.give_up(machine))
            self._replace(20.0)

        def heal() -> None:
            machine.cut_off = False
            world.cluster.place()

        world.hub.at(seconds, heal)
        world.weather.took_effect(Kind.CUT_OFF, bool(machine.actors))
        return True

    def _out_of_memory(self) -> bool:
        machine = self._machine()
        if machine is None:
            return False
        machine.starved = True
        self._world.hub.at(
            self._chance.choice((3.0, 8.0)), lambda: setattr(machine, "starved", False)
        )
        return True

    def _corrupt_weights(self) -> bool:
        """Of the copy that workers load; they do so when they begin, so half the time a driver begins anew."""
        world = self._world
        world.weights = _damaged(WEIGHTS, self._chance.randrange(len(WEIGHTS)))
        world.hub.at(60.0, lambda: setattr(world, "weights", WEIGHTS))
        if self._chance.random() < 0.5:
            self._kill_a_driver()
        return True

    def _other_genome(self) -> bool:
        """On one machine or on all: each begun from then on finds another FASTA under the name."""
        machines = self._world.cluster.usable()
        if not machines:
            return False
        struck = self._chance.choice((machines, [self._chance.choice(machines)]))
        for machine in struck:
            machine.other_genome = True  # until a user mends what a message names
        if self._chance.random() < 0.7:
            self._kill_a_driver()
        return True

    def _corrupt_input(self) -> bool:
        """Of a run that has been begun. Input is read when a driver begins, so one does."""
        world = self._world
        if RUN_KEY not in world.service.objects or not self._kill_a_driver():
            return False
        world.input = _damaged(INPUT, self._chance.randrange(len(INPUT)))
        world.hub.at(60.0, lambda: setattr(world, "input", INPUT))
        return True

    def _straggler(self) -> bool:
        machine = self._machine()
        if machine is None:
            return False
        machine.slowness = self._chance.choice((4.0, 20.0))
        return True

    def _clock_jump(self) -> bool:
        """Calendars may jump either way; monotonic clocks leap ahead, as when a machine was suspended."""
        world = self._world
        calendar_s = self._chance.choice((-86_400.0, -30.0, 30.0, 86_400.0))
        leap_s = self._chance.choice((0.0, 60.0, 3600.0))
        alive = [process for process in world.cluster.processes if process.alive]
        for process in self._chance.sample(alive, k=len(alive) // 2 + 1) if alive else ():
            process.wall_shift_s += calendar_s
            process.leap_s += leap_s
        world.weather.took_effect(Kind.CLOCK_JUMP, bool(alive))
        return bool(alive)

    def _node_joined(self) -> bool:
        if not self._world.cluster.head_up:
            return False
        self._world.cluster.add_machine()
        self._world.weather.took_effect(Kind.NODE_JOINED)
        return True

    def _interrupted(self) -> bool:
        world, drivers = self._world, self._world.running_drivers()
        if not drivers:
            return False
        user, driver = self._chance.choice(drivers)
        number = self._chance.choice(SIGNALS)
        handler = world.handlers.get((driver, number))
        world.weather.took_effect(Kind.INTERRUPTED)
        world.befell(driver, number)
        if handler is not None:
            try:
                handler(number, None)
            except KeyboardInterrupt as error:  # it was the second time
                world.hub.interrupt(user.threads[driver], error)
        elif number == signal.SIGINT:
            world.hub.interrupt(user.threads[driver], KeyboardInterrupt())
        else:
            driver.kill()
        return True


def _damaged(content: bytes, at: int) -> bytes:
    """With one bit of one byte turned."""
    return content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :]


def kill_everybody(world: World) -> None:
    """All drivers and all workers die at this moment."""
    for actor in world.cluster.actors():
        actor.process.kill()
    for _, driver in world.running_drivers():
        driver.kill()


def make_world(seed: int, subject: Subject = GENES) -> World:
    """The world of a seed, with its users, poison and fate."""
    chooser = Hub(f"world {seed}").random
    world = World(
        seed,
        machines=chooser.choice((1, 2, 2, 3)),
        hardware_kinds=chooser.choice((1, 1, 2)),
        place_s=chooser.choice((1.0, 3.0, 8.0)),
        subject=subject,
    )
    if chooser.random() < 0.2:
        for place in chooser.sample(subject.places, k=chooser.choice((1, 1, 2))):
            world.poison[place] = chooser.choice(("raise", "kill"))
        world.weather.injected[Kind.POISON] += len(world.poison)
    world.service.slowness = chooser.choice((1.0, 1.0, 20.0))
    world.add_user()
    if chooser.random() < 0.25:
        world.add_user(chooser.choice((0.0, 0.0, 10.0, 40.0)))
        world.weather.count(Kind.TWO_DRIVERS)
    alone_s = len(subject.places) * world.place_s
    Fate(world, draw_faults(chooser, horizon_s=15.0 + alone_s / world.machines))
    return world

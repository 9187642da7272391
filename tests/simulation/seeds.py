"""Many worlds, one after another or in several processes, and what came of them."""

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context

from cluster.worker_process import Done
from jobs import exit_codes
from tests.simulation.drivers import World, inhabited
from tests.simulation.fate import make_world
from tests.simulation.faults import Kind
from tests.simulation.invariants import Watcher, check_end, lost_work, verify_stored
from tests.simulation.toy import GENES
from tests.simulation.world import HangError

SETTLE_S = 300.0
"""So long after the last driver has ended the last forgotten worker is gone."""
_CHUNK = 25


@dataclass
class Findings:
    """What came of some seeds.

    Attributes:
        seeds: how many.
        problems: of each seed that has any, in words.
        injected: faults that came.
        effective: those that hit somebody.
        figures: what was done, in counts.
        kind: of runs.
    """

    seeds: int = 0
    problems: dict[int, list[str]] = field(default_factory=dict)
    injected: Counter[Kind] = field(default_factory=Counter)
    effective: Counter[Kind] = field(default_factory=Counter)
    figures: Counter[str] = field(default_factory=Counter)
    kind: str = GENES.name

    def add(self, other: "Findings") -> None:
        self.seeds += other.seeds
        self.kind = other.kind
        self.problems |= other.problems
        self.injected += other.injected
        self.effective += other.effective
        self.figures += other.figures

    def told(self) -> str:
        """For people: every failing seed, and how to see it again."""
        lines = [f"{len(self.problems)} of {self.seeds} seeds failed"]
        for seed, problems in [*self.problems.items()][:10]:
            lines += [
                f"seed {seed} (python -m tests.simulation --kind {self.kind} --seed {seed}):",
                *(f"  {text}" for text in problems),
            ]
        return "\n".join(lines)


def run_world(world: World) -> list[str]:
    """Let a world run to its end, and say what is wrong with it."""
    with inhabited(world):
        watcher = Watcher(world)
        try:
            world.run()
        except HangError as error:
            return [f"hang: {error}", *world.problems]
        world.settle(SETTLE_S)
        attempts = len(world.attempts)
        again = world.add_user()
        world.run()
        problems = check_end(world, watcher)
        if len(world.attempts) > attempts or len(again.codes) != 1:
            problems.append(
                f"a finished run was taken up again: {again.codes}, {len(world.attempts) - attempts} tasks"
            )
        return problems + verify_stored(world)


def run_seed(seed: int, make: Callable[[int], World] = make_world) -> Findings:
    """One world."""
    world = make(seed)
    problems = run_world(world)
    return Findings(
        1,
        {seed: problems} if problems else {},
        world.weather.injected,
        world.weather.effective,
        _figures(world),
        world.subject.name,
    )


def _figures(world: World) -> Counter[str]:
    whole = [attempt for attempt in world.attempts if attempt.whole and attempt.begun]
    ends = [
        (driver, code)
        for user in world.users
        for driver, code in zip(user.drivers, user.codes, strict=False)
    ]
    refused = [
        world.befallen.get(driver, ()) for driver, code in ends if code == exit_codes.BAD_INPUT
    ]
    return Counter(
        {
            "commands": sum(len(user.drivers) for user in world.users),
            "kills": sum(not process.alive for process in world.cluster.processes),
            "shards computed": len(whole),
            "shards computed in vain": lost_work(world),
            "kills of a worker at a shard": len(world.losses),
            "shards in flight at them": sum(map(len, world.losses)),
            "commands refused for corrupt weights": sum(
                Kind.CORRUPT_WEIGHTS in met for met in refused
            ),
            "commands refused for another genome": sum(Kind.OTHER_GENOME in met for met in refused),
            "commands refused for corrupt input": sum(Kind.CORRUPT_INPUT in met for met in refused),
            **{
                f"commands that ended with {code}": count
                for code, count in Counter(code for _, code in ends).items()
            },
            "speculative copies": sum(
                other.assigned_s < attempt.assigned_s < other.outcome_s
                for attempt in whole
                for other in whole
                if other.driver is attempt.driver
                and other.work.shard.number == attempt.work.shard.number
            ),
            "probes": sum(attempt.work.trial is not None for attempt in world.attempts),
            "answers": sum(isinstance(attempt.outcome, Done) for attempt in world.attempts),
            "requests": world.service.asked,
            "412": world.service.conditional_losses,
            "puts by workers for which nobody waited": world.service.abandoned_puts,
            "virtual seconds": int(world.hub.now_s),
        }
    )


def run_seeds(
    seeds: Iterable[int], *, processes: int = 1, make: Callable[[int], World] = make_world
) -> Findings:
    """Many worlds."""
    seeds, findings = list(seeds), Findings()
    if processes == 1:
        for seed in seeds:
            findings.add(run_seed(seed, make))
        return findings
    chunks = [seeds[at : at + _CHUNK] for at in range(0, len(seeds), _CHUNK)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for found in pool.map(partial(run_seeds, make=make), chunks):
            findings.add(found)
    return findings

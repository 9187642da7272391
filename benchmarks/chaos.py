"""Real runs on a real cluster and a real store while everything is killed: what is lost, doubled or left over?

    python -m benchmarks.chaos --rounds 30 --races 30 --seed 1 --json benchmarks/results/chaos.json

Each round scores the same small set of variants by `enformer-ray score`, its shards made to take more than a second so
that they can be hit, on a Ray cluster of several nodes, into an S3 bucket behind a proxy that breaks requests, while
workers, nodes, drivers and the store are killed and frozen; ended drivers are started again until the run is complete.
Then the bucket is held against an undisturbed run. In a race, two drivers with four workers each begin the same run at
once, and every put is counted. Everything listens on 127.0.0.1 and is ended by its pid.
"""

import argparse
import datetime as dt
import json
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.drivers import Drivers
from tests.chaos.findings import Findings, examine
from tests.chaos.machines import Machines
from tests.chaos.races import Races, race
from tests.chaos.reader import Reader
from tests.support.proxy import Fault, FaultProxy
from tests.support.seaweed import SeaweedFS

NODES = 3
WORKERS = 3
PACE_S = 1.5
ROUND_LIMIT_S = 240
FAULT_RATES = {
    Fault.INTERNAL_ERROR: 0.01,
    Fault.SLOW_DOWN: 0.03,
    Fault.CONFLICT: 0.01,
    Fault.RESET: 0.01,
    Fault.TRUNCATED: 0.005,
    Fault.DAMAGED: 0.005,
    Fault.SLOW: 0.03,
    Fault.APPLIED_THEN_RESET: 0.02,
    Fault.APPLIED_THEN_500: 0.02,
}
WORKER, FROZEN, NODE = "worker killed", "worker frozen, then woken", "node killed, another added"
DRIVER, TWO_DRIVERS, STORE = (
    "driver killed",
    "two drivers at once",
    "store killed and started again",
)
EXPECTED_CODES = {0, 5, -9}
"""Complete; incomplete, run again; killed."""
IN_FLIGHT = {WORKER: 2, FROZEN: 2, NODE: 2, DRIVER: 2 * WORKERS}
"""Shards whose work a blow may cost: one is computed and one is stored by each worker that is hit."""
REQUESTS_A_SHARD, REQUESTS_A_DRIVER = 12, 50
"""With those that are given again because of FAULT_RATES."""
RACERS_NODES, RACERS_CPUS, RACERS_WORKERS = 2, 4, 4
RACERS_PACE_S = 0.4
UNDISTURBED = {"model": ("jobs.cli",), "toy": ("tests.chaos.paced", "toy", "0")}
"""The command that no fault meets, by what computes."""


@dataclass(frozen=True)
class Storm:
    """How often of what happens in each round, and beside that in every second and third."""

    each: Mapping[str, int]
    every_second: Mapping[str, int]
    every_third: Mapping[str, int]

    def of_round(self, number: int, chance: random.Random) -> list[str]:
        """What happens in a round, in the order that chance gives it."""
        second = {} if number % 2 == 0 else self.every_second
        third = {} if number % 3 else self.every_third
        blows = sorted((Counter(self.each) + Counter(second) + Counter(third)).elements())
        chance.shuffle(blows)
        return blows


HEAVY = Storm({WORKER: 4, FROZEN: 1, NODE: 1, DRIVER: 2}, {TWO_DRIVERS: 1}, {STORE: 1})
GENTLE = Storm({WORKER: 2, FROZEN: 1, NODE: 1, DRIVER: 1}, {}, {STORE: 1})


class Round:
    """One run under fire.

    Args:
        number: names its prefix in the bucket.
        seed: decides what happens and when.
        machines: the cluster.
        weed: the store.
        drivers: starts the command.
        proxy: before the store.
        storm: what happens.

    Attributes:
        computed: shards that workers began to compute.
        drivers_started: how often the command was given.
        requests: to the store.
    """

    def __init__(
        self,
        number: int,
        seed: int,
        *,
        machines: Machines,
        weed: SeaweedFS,
        drivers: Drivers,
        proxy: FaultProxy,
        storm: Storm = HEAVY,
    ) -> None:
        self.prefix = f"round-{number:03d}"
        self.blows: Counter[str] = Counter()
        self.exit_codes: list[int] = []
        self.hung = False
        self.seconds = 0.0
        self.computed = self.drivers_started = self.requests = 0
        self._random = random.Random(seed)  # noqa: S311 - decides what is killed, keeps no secret
        self._machines, self._weed, self._drivers, self._proxy = machines, weed, drivers, proxy
        self._left = storm.of_round(number, self._random)
        self._store_comes_back: threading.Thread | None = None

    @property
    def strange_codes(self) -> set[int]:
        """Exit codes that a run under fire should not end with."""
        return set(self.exit_codes) - EXPECTED_CODES

    def run(self) -> None:
        """Score until the run is complete, hitting it in between."""
        began, before = time.monotonic(), self._counts()
        try:
            self._drivers.start(self.prefix)
            self._hit_until(began + ROUND_LIMIT_S)
        finally:
            self.seconds = time.monotonic() - began
            self._clear()
            self.computed, self.drivers_started, self.requests = (
                now - then for now, then in zip(self._counts(), before, strict=True)
            )

    def excesses(self, shards: int) -> list[str]:
        """More work or requests than the blows explain, in words.

        Args:
            shards: of the run. Each driver may have the slow ones at the end computed twice, and a second driver all.
        """
        lost = sum(IN_FLIGHT.get(blow, 0) * count for blow, count in self.blows.items())
        twice = WORKERS * self.drivers_started + shards * self.blows[TWO_DRIVERS]
        requests = REQUESTS_A_SHARD * self.computed + REQUESTS_A_DRIVER * self.drivers_started
        found = []
        if not shards <= self.computed <= shards + lost + twice:
            found.append(
                f"{self.computed} shards computed, where {shards} + {lost} + {twice} is the most"
            )
        if self.requests > requests:
            found.append(f"{self.requests} requests, where {requests} is the most")
        return found

    def _counts(self) -> tuple[int, int, int]:
        return self._drivers.computed, self._drivers.started, self._proxy.requests.total()

    def _hit_until(self, end_s: float) -> None:
        next_blow_s = time.monotonic() + self._random.uniform(3, 8)
        while 0 not in self.exit_codes and not self.strange_codes:
            if time.monotonic() > end_s:
                self.hung = True
                return
            if not self._drivers.running:
                self._drivers.start(self.prefix)  # as its user would
            self._machines.refill()
            if self._left and time.monotonic() > next_blow_s and self._strike(self._left[-1]):
                self.blows[self._left.pop()] += 1
                next_blow_s = time.monotonic() + self._random.uniform(0.5, 3)
            time.sleep(0.1)
            self.exit_codes += self._drivers.ended()

    def _strike(self, blow: str) -> bool:
        """Do it; False where there is nothing to hit yet."""
        match blow:
            case "worker killed":
                return self._machines.kill_worker(self._random)
            case "worker frozen, then woken":
                return self._machines.freeze_worker(self._random, self._random.uniform(2, 8))
            case "driver killed":
                return self._drivers.kill(self._random)
            case "node killed, another added":
                self._machines.replace_node(self._random)
            case "two drivers at once":
                self._drivers.start(self.prefix)
            case _:
                self._bounce_store(self._random.uniform(0.2, 2))
        return True

    def _bounce_store(self, seconds: float) -> None:
        """The rest goes on meanwhile."""
        self._weed.kill()

        def come_back() -> None:
            time.sleep(seconds)
            self._weed.start()

        self._store_comes_back = threading.Thread(target=come_back)
        self._store_comes_back.start()

    def _clear(self) -> None:
        """Leave everything as the next round, and whoever looks at this one, needs it."""
        self._drivers.kill_all()
        self._machines.thaw()
        self._machines.refill()
        if self._store_comes_back is not None:
            self._store_comes_back.join()


class Chaos:
    """Rounds and races over one store.

    Args:
        directory: for everything that is written.
        weed: the store.
        seed: decides everything that is decided by chance here; what it meets depends on the machine.
    """

    def __init__(self, directory: Path, weed: SeaweedFS, seed: int) -> None:
        self.faults: Counter[str] = Counter()
        self.found = Findings()
        self.raced = Races()
        self.per_round: list[dict[str, Any]] = []
        self._directory, self._weed, self._seed = directory, weed, seed

    def rounds(self, count: int, storm: Storm, computing: str) -> None:
        """So many rounds, one after another, on one cluster."""
        with FaultProxy(self._weed.endpoint, rates=FAULT_RATES, seed=self._seed) as proxy:
            drivers = Drivers(
                self._directory / "rounds",
                bucket=self._weed.bucket,
                endpoint=proxy.endpoint,
                workers=WORKERS,
                command=("tests.chaos.paced", computing, str(PACE_S)),
            )
            undisturbed = drivers.undisturbed(UNDISTURBED[computing])
            with Machines(
                self._directory, nodes=NODES, cpus=1, environment=drivers.environment
            ) as machines:
                drivers.address = machines.address
                for number in range(count):
                    seed = self._seed * 1_000_003 + number
                    play = Round(
                        number,
                        seed,
                        machines=machines,
                        weed=self._weed,
                        drivers=drivers,
                        proxy=proxy,
                        storm=storm,
                    )
                    with Reader(self._weed.endpoint, self._weed.bucket, play.prefix) as reader:
                        play.run()
                    self._note(play, drivers, reader=reader, undisturbed=undisturbed, proxy=proxy)
                self._resume(play.prefix, drivers, proxy)
            met = {
                f"store: {fault}": count
                for fault, count in proxy.faults.items()
                if fault != Fault.NONE
            }
            self.faults.update(met)

    def _resume(self, prefix: str, drivers: Drivers, proxy: FaultProxy) -> None:
        """The same command once more, on a run that is complete: nothing may be computed or stored."""
        before = proxy.created.total(), drivers.log_of(prefix)
        drivers.start(prefix)
        codes, log = drivers.wait(), drivers.log_of(prefix).removeprefix(before[1])
        drivers.kill_all()
        if codes != [0] or proxy.created.total() != before[0] or "already complete" not in log:
            self.found += Findings(wrong=1)
            _say(
                f"the same command again on {prefix}",
                [f"exit codes {codes}, and not nothing done"],
                log,
            )

    def races(self, count: int) -> None:
        """So many races, one after another, on one cluster with room for the workers of both drivers."""
        # a machine may be so busy that one driver would be done before the other begins
        with FaultProxy(self._weed.endpoint, meeting="/scores/") as proxy:
            drivers = Drivers(
                self._directory / "races",
                bucket=self._weed.bucket,
                endpoint=proxy.endpoint,
                workers=RACERS_WORKERS,
                command=("tests.chaos.paced", "toy", str(RACERS_PACE_S)),
            )
            undisturbed = drivers.undisturbed(UNDISTURBED["toy"])
            with Machines(
                self._directory,
                nodes=RACERS_NODES,
                cpus=RACERS_CPUS,
                environment=drivers.environment,
            ) as machines:
                drivers.address = machines.address
                for number in range(count):
                    began, prefix = time.monotonic(), f"race-{number:03d}"
                    counts, problems = race(
                        prefix, drivers, weed=self._weed, proxy=proxy, undisturbed=undisturbed
                    )
                    self.raced += counts
                    told = f"race {number}: {counts.conflicts} conflicts, {time.monotonic() - began:.1f} s"
                    _say(told, problems, drivers.log_of(prefix))

    def _note(
        self,
        play: Round,
        drivers: Drivers,
        *,
        reader: Reader,
        undisturbed: dict[str, Any],
        proxy: FaultProxy,
    ) -> None:
        """What a round came to."""
        log = drivers.log_of(play.prefix)
        if play.hung:
            found, problems = Findings(hangs=1), ["it did not end"]
        elif play.strange_codes:
            found, problems = Findings(wrong=1), [f"it ended with {sorted(play.strange_codes)}"]
        else:
            found, problems = examine(
                self._weed, play.prefix, undisturbed, reader=reader, created=proxy.created, log=log
            )
            excesses = play.excesses(len(undisturbed["objects"]))
            found, problems = found + Findings(wrong=len(excesses)), problems + excesses
        self.found += found
        self.faults.update(play.blows)
        told = {
            "seconds": round(play.seconds, 1),
            "exit_codes": play.exit_codes,
            "computed": play.computed,
            "requests": play.requests,
            **dict(sorted(play.blows.items())),
        }
        self.per_round.append(told)
        _say(f"round {len(self.per_round) - 1}: {told}, {reader.looks} looks", problems, log)


def _say(told: str, problems: Sequence[str], log: str) -> None:
    print("\n  ".join([told, *problems]), file=sys.stderr, flush=True)
    if problems:
        print(log[-20_000:], file=sys.stderr, flush=True)


def chaos(
    rounds: int, seed: int, *, races: int = 0, storm: Storm = HEAVY, computing: str = "model"
) -> dict[str, Any]:
    """Run rounds and races; the figures of all together.

    Args:
        rounds: how many.
        seed: decides everything that is decided by chance here; what it meets depends on the machine.
        races: how many.
        storm: what happens in the rounds.
        computing: what computes in the rounds: `model`, or `toy`, whose workers start in a fraction of the time.
    """
    began = time.monotonic()
    directory = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        with SeaweedFS(directory / "weed") as weed:
            play = Chaos(directory, weed, seed)
            if rounds:
                play.rounds(rounds, storm, computing)
            if races:
                play.races(races)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return {
        "rounds": rounds,
        "seed": seed,
        "faults": dict(sorted(play.faults.items())),
        "kills": sum(count for name, count in play.faults.items() if "killed" in name),
        **play.found.figures(),
        **play.raced.figures(),
        "per_round": play.per_round,
        "seconds": round(time.monotonic() - began, 1),
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    }


def is_sound(figures: Mapping[str, Any]) -> bool:
    """Whether nothing was lost, doubled, left over, hung or wrong."""
    faults = ("lost", "doubled", "leftovers", "hangs", "wrong", "race_rewrites", "race_differences")
    return not any(figures[name] for name in faults)


def main() -> None:
    """Run the rounds, print the figures, write them; exit code 1 when anything was lost, doubled, left over or hung."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--races", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    signal.signal(
        signal.SIGTERM, lambda number, _: sys.exit(128 + number)
    )  # with everything that was started
    figures = chaos(options.rounds, options.seed, races=options.races)
    text = json.dumps(figures, indent=2)
    print(text)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(text + "\n", encoding="utf-8")
    if not is_sound(figures):
        sys.exit(1)


if __name__ == "__main__":
    main()

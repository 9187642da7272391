"""Real runs on a real cluster and a real store while everything is killed: what is lost, doubled or left over?

    python -m benchmarks.chaos --rounds 30 --seed 1 --json benchmarks/results/chaos.json

Each round scores the same small set of variants by `enformer-ray score` on a Ray cluster of several nodes, into an S3
bucket behind a proxy that breaks requests, while workers, nodes, drivers and the store are killed and frozen; ended
drivers are started again until the run is complete. Then the bucket is held against an undisturbed run. Everything
listens on 127.0.0.1 and is ended by its pid.
"""

import argparse
import datetime as dt
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.chaos.drivers import Drivers
from tests.chaos.findings import Findings, examine
from tests.chaos.machines import Machines
from tests.chaos.reader import Reader
from tests.faults.proxy import Fault, FaultProxy
from tests.faults.seaweed import SeaweedFS

NODES = 3
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
BLOWS = {  # what happens while a round runs, and how often against the others
    "worker killed": 8,
    "worker frozen, then woken": 2,
    "node killed, another added": 2,
    "driver killed": 2,
    "two drivers at once": 1,
    "store killed and started again": 1,
}


class Round:
    """One run under fire.

    Args:
        number: names its prefix in the bucket.
        seed: decides what happens and when.
        machines: the cluster.
        weed: the store.
        drivers: starts the command.
        blows_wanted: how many things are killed or frozen before the rest of the run is left in peace.
    """

    def __init__(
        self, number: int, seed: int, *, machines: Machines, weed: SeaweedFS, drivers: Drivers, blows_wanted: int
    ) -> None:
        self.prefix = f"round-{number:03d}"
        self.blows: Counter[str] = Counter()
        self.exit_codes: list[int] = []
        self.hung = False
        self._random = random.Random(seed)  # noqa: S311 - decides what is killed, keeps no secret
        self._machines, self._weed, self._drivers = machines, weed, drivers
        self._blows_wanted = blows_wanted

    def run(self) -> None:
        """Score until the run is complete, hitting it in between."""
        self._drivers.start(self.prefix)
        began, next_blow = time.monotonic(), time.monotonic() + self._random.uniform(4, 8)
        while True:
            self.exit_codes += self._drivers.ended()
            if 0 in self.exit_codes:
                break
            if not self._drivers.running:
                self._drivers.start(self.prefix)  # as its user would
            if time.monotonic() - began > ROUND_LIMIT_S:
                self.hung = True
                break
            if sum(self.blows.values()) < self._blows_wanted and time.monotonic() > next_blow:
                self._strike()
                next_blow = time.monotonic() + self._random.uniform(0.5, 3)
            time.sleep(0.1)
        self._drivers.kill_all()
        self._machines.thaw()
        self._machines.refill(NODES)

    def _strike(self) -> None:
        blow = self._random.choices(list(BLOWS), weights=list(BLOWS.values()))[0]
        struck = {
            "worker killed": lambda: self._machines.kill_worker(self._random),
            "worker frozen, then woken": lambda: self._machines.freeze_worker(self._random, self._random.uniform(2, 8)),
            "node killed, another added": lambda: self._machines.replace_node(self._random),
            "driver killed": lambda: self._drivers.kill(self._random),
            "two drivers at once": lambda: self._drivers.start(self.prefix),
            "store killed and started again": self._bounce_store,
        }[blow]()
        if struck is not False:
            self.blows[blow] += 1

    def _bounce_store(self) -> None:
        self._weed.kill()
        time.sleep(self._random.uniform(0.2, 2))
        self._weed.start()


def chaos(rounds: int, seed: int, *, blows_per_round: int = 9) -> dict[str, Any]:
    """Run the rounds; the figures of all together.

    Args:
        rounds: how many.
        seed: decides everything that is decided by chance here; what it meets depends on the machine.
        blows_per_round: how often something is killed or frozen.
    """
    began = time.monotonic()
    faults: Counter[str] = Counter()
    found = Findings()
    directory = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        with SeaweedFS(directory / "weed") as weed, FaultProxy(weed.endpoint, rates=FAULT_RATES, seed=seed) as proxy:
            drivers = Drivers(directory, bucket=weed.bucket, endpoint=proxy.endpoint)
            undisturbed = drivers.undisturbed()
            with Machines(directory, nodes=NODES, environment=drivers.environment) as machines:
                drivers.address = machines.address
                for number in range(rounds):
                    play = Round(
                        number,
                        seed * 1_000_003 + number,
                        machines=machines,
                        weed=weed,
                        drivers=drivers,
                        blows_wanted=blows_per_round,
                    )
                    with Reader(weed.endpoint, weed.bucket, play.prefix) as reader:
                        play.run()
                    faults.update(play.blows)
                    log = drivers.log_of(play.prefix)
                    of_round, problems = examine(weed, play.prefix, undisturbed, reader=reader, hung=play.hung, log=log)
                    found = found + of_round
                    said = [f"round {number}: {dict(play.blows)}, exit codes {play.exit_codes}", *problems]
                    print("\n  ".join(said), file=sys.stderr, flush=True)
                    if problems:
                        print(log[-5000:], file=sys.stderr, flush=True)
            faults.update({f"store: {fault}": count for fault, count in proxy.faults.items() if fault != Fault.NONE})
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return {
        "rounds": rounds,
        "seed": seed,
        "faults": dict(sorted(faults.items())),
        "kills": sum(count for name, count in faults.items() if "killed" in name),
        **found.figures(),
        "seconds": round(time.monotonic() - began, 1),
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    }


def main() -> None:
    """Run the rounds, print the figures, write them; exit code 1 when anything was lost, doubled, left over or hung."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    figures = chaos(options.rounds, options.seed)
    text = json.dumps(figures, indent=2)
    print(text)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(text + "\n", encoding="utf-8")
    if figures["lost"] or figures["doubled"] or figures["leftovers"] or figures["hangs"] or figures["wrong"]:
        sys.exit(1)


if __name__ == "__main__":
    main()

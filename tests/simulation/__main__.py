"""`python -m tests.simulation --seed 7` shows one world again, event by event; `--seeds 10000` runs many."""

import argparse
import sys
from functools import partial

from tests.simulation.fate import make_world
from tests.simulation.other_kinds import KINDS
from tests.simulation.seeds import run_seeds, run_world
from tests.simulation.toy import GENES


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="show this world")
    parser.add_argument("--seeds", type=int, default=1000, help="how many worlds, from 0")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--kind", choices=KINDS, default=GENES.name, help="of runs")
    asked = parser.parse_args()
    make = partial(make_world, subject=KINDS[asked.kind])
    if asked.seed is not None:
        world = make(asked.seed)
        problems = run_world(world)
        print(
            *world.hub.trace,
            world.log.getvalue(),
            [user.codes for user in world.users],
            *problems,
            sep="\n",
        )
        return bool(problems)
    findings = run_seeds(range(asked.seeds), processes=asked.processes, make=make)
    for kind, count in findings.injected.most_common():
        print(f"{count:7,} × {kind.value}, {findings.effective[kind]:,} times felt")
    for name, count in findings.figures.items():
        print(f"{count:9,} {name}")
    print(findings.told())
    return bool(findings.problems)


if __name__ == "__main__":
    sys.exit(main())

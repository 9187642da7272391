"""`enformer-ray` whose workers are slow, or of which one fails at everything: what tests break into.

    python planted.py SLOW_S MARKER COMMAND…

Each shard takes SLOW_S seconds more. Where MARKER is the name of a file that is not there, the first worker of all
makes it and fails at every shard; `-` is nothing.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jobs.job
from jobs.cli import main

SAID = "planted: this machine's memory is bad"


@dataclass(frozen=True)
class PlantedFactory:
    """Makes what the real factory makes, and spoils it."""

    factory: Any
    slow_s: float
    marker: str

    def __call__(self) -> "PlantedFunction":
        return PlantedFunction(
            self.factory(), self.slow_s, self.marker != "-" and _is_first(self.marker)
        )


@dataclass(frozen=True)
class PlantedFunction:
    """The real function, slow or faulty."""

    function: Any
    slow_s: float
    faulty: bool

    def prepare(self, payload: Any) -> Any:
        return self.function.prepare(payload)

    def compute(self, prepared: Any) -> Any:
        if self.faulty:
            raise RuntimeError(SAID)
        time.sleep(self.slow_s)
        return self.function.compute(prepared)

    def finish(self, computed: Any) -> Any:
        return self.function.finish(computed)


def _is_first(marker: str) -> bool:
    try:
        Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


if __name__ == "__main__":
    slow_s, marker, *command = sys.argv[1:]
    make_pool = jobs.job.make_pool
    jobs.job.make_pool = lambda settings, workers, factory, unit, control: make_pool(
        settings, workers, PlantedFactory(factory, float(slow_s), marker), unit, control
    )
    sys.argv = ["enformer-ray", *command]
    sys.exit(main())

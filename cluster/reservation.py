"""What is reserved for each worker of a pool, against what nodes have. Knows numbers only, no engine."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from cluster.pool import PoolError, PoolNotice

Resources = Mapping[str, float]
"""Amounts by kind: `CPU`, `GPU`, and bytes of `memory`; other kinds count for nothing here."""


@dataclass(frozen=True)
class Reservation:
    """The share of a node that one worker takes.

    Attributes:
        cpus: CPUs; fractions are allowed.
        gpus: GPUs; fractions share one.
        memory_bytes: host memory.

    Raises:
        PoolError: when it takes no CPU and no GPU.
    """

    cpus: float
    gpus: float = 0.0
    memory_bytes: float = 0.0

    def __post_init__(self) -> None:
        if not self.cpus and not self.gpus:
            raise PoolError(
                "workers that ask for no CPU and no GPU: there would be no end of them. Ask for a share"
            )

    def __str__(self) -> str:
        return describe(self.resources)

    @property
    def resources(self) -> Resources:
        """The share by kind, as Ray counts what nodes have."""
        return {"CPU": self.cpus, "GPU": self.gpus, "memory": self.memory_bytes}

    def fits(self, resources: Resources) -> int:
        """How many workers such resources hold."""
        shares = [resources.get(kind, 0) / each for kind, each in self.resources.items() if each]
        # A hair more: a GPU in tenths holds ten workers, though a quotient may be a little less than 10.
        return min(math.floor(share + 1e-6) for share in shares)

    def fit_on_machine(
        self, workers: int | None, resources: Resources
    ) -> tuple[int, list[PoolNotice]]:
        """How many of the workers that are wanted a single machine holds, where waiting for more would not help.

        Args:
            workers: how many are wanted; None for as many as fit.
            resources: what the machine has.

        Returns:
            How many to start, and what is to be said when those are fewer than wanted.

        Raises:
            PoolError: when it cannot hold a single one.
        """
        holds = self.fits(resources)
        if holds < 1:
            raise PoolError(
                f"a worker asks for {self}, and Ray finds {describe(resources)} on this machine. "
                "Ask for less, or give the address of a cluster that has it."
            )
        if workers is None or workers <= holds:
            return workers or holds, []
        text = (
            f"{workers} workers are asked for and {holds} fit: each takes {self}, "
            f"and this machine has {describe(resources)}"
        )
        return holds, [PoolNotice(text)]


def describe(resources: Resources) -> str:
    """Resources for people: `4 CPU, 0 GPU, 7.5 GiB memory`."""
    cpus = resources.get("CPU", 0)
    gpus = resources.get("GPU", 0)
    memory_gib = resources.get("memory", 0) / 2**30
    return f"{cpus:g} CPU, {gpus:g} GPU, {memory_gib:.1f} GiB memory"

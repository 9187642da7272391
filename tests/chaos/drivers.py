"""Drivers: the command as its user starts it, killed and started again. Makes the small input that they score."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support.seaweed import credentials

CONTIG_BP = 3_000
RECORDS = 36
ALLELES = 44
SHARD_SIZE = 2
_ABORTED_WITHIN_S = 10
TALLY = "CHAOS_TALLY"
"""The variable that names a file to which workers add a byte for each shard that they begin to compute."""


class Drivers:
    """Starts `enformer-ray score` on one small input.

    Args:
        directory: for input and logs.
        bucket: where runs lie.
        endpoint: of the store, as drivers and workers see it.
        workers: of each driver.
        command: the module that is run, and arguments before those of `enformer-ray`.

    Attributes:
        started: drivers so far.
    """

    def __init__(
        self, directory: Path, *, bucket: str, endpoint: str, workers: int, command: Sequence[str]
    ) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._bucket = bucket
        self._workers = workers
        self._module = command
        self.address = "local"
        self._running: list[subprocess.Popen] = []
        self._input = _write_input(directory)
        root = Path(__file__).parents[2]
        self.environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("RAY_", "AWS_"))
            },
            **credentials(endpoint),
            "RAY_AUTH_MODE": "disabled",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # else Ray replaces 127.0.0.1 by the machine's own address
            # nodes of a busy machine answer late and are not dead; one that is dead refuses at once
            "RAY_health_check_timeout_ms": "60000",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(root),
            "PYTHONFAULTHANDLER": "1",  # whoever hangs says where, see `wait`
            TALLY: str(directory / "computed"),
        }
        self.started = 0

    @property
    def computed(self) -> int:
        """Shards that workers began to compute so far, over all runs."""
        tally = Path(self.environment[TALLY])
        return tally.stat().st_size if tally.exists() else 0

    @property
    def running(self) -> bool:
        return any(driver.poll() is None for driver in self._running)

    def undisturbed(self, command: Sequence[str] = ()) -> dict[str, Any]:
        """The manifest of the same run without faults, in one process; by another command where one is given."""
        out = self._directory / "undisturbed"
        subprocess.run(
            self._command(command or self._module, str(out), "off"),
            env=self.environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return json.loads((out / "manifest.json").read_text())

    def start(self, prefix: str) -> None:
        """Start one more."""
        with (self._directory / f"{prefix}.log").open("ab") as log:
            command = self._command(self._module, f"s3://{self._bucket}/{prefix}", self.address)
            self._running.append(
                subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
            )
        self.started += 1

    def ended(self) -> list[int]:
        """Exit codes of those that have ended since this was asked last."""
        over = [driver for driver in self._running if driver.poll() is not None]
        self._running = [driver for driver in self._running if driver not in over]
        return [driver.returncode for driver in over]

    def wait(self, timeout_s: float = 240) -> list[int | None]:
        """Wait for all, so long together; their exit codes, None for those that run on.

        Those are aborted, and write the stacks of their threads into the log.
        """
        codes: list[int | None] = []
        until = time.monotonic() + timeout_s
        for driver in self._running:
            try:
                codes.append(driver.wait(max(0, until - time.monotonic())))
            except subprocess.TimeoutExpired:
                driver.send_signal(signal.SIGABRT)
                with suppress(subprocess.TimeoutExpired):
                    driver.wait(_ABORTED_WITHIN_S)
                codes.append(None)
        return codes

    def kill(self, chance: random.Random) -> bool:
        """SIGKILL to one; False where none runs."""
        alive = [driver for driver in self._running if driver.poll() is None]
        if not alive:
            return False
        chance.choice(alive).kill()
        return True

    def kill_all(self) -> None:
        """SIGKILL to all."""
        for driver in self._running:
            driver.kill()
            driver.wait()
        self._running = []

    def log_of(self, prefix: str) -> str:
        """What the drivers of a run said."""
        return (self._directory / f"{prefix}.log").read_text(errors="replace")

    def _command(self, module: Sequence[str], out: str, ray: str) -> list[str]:
        variants, genome = self._input
        return [
            *(sys.executable, "-m", *module, "score", str(variants), "--genome", str(genome)),
            *("--model", "motif", "--out", out, "--ray", ray, "--workers", str(self._workers)),
            *("--shard-size", str(SHARD_SIZE), "--strands", "forward", "--audit-fraction", "0"),
        ]


def _write_input(directory: Path) -> tuple[Path, Path]:
    """SNVs on two contigs of random letters, much smaller than a window."""
    chance = random.Random(0)
    contigs = {name: "".join(chance.choices("ACGT", k=CONTIG_BP)) for name in ("chr1", "chr2")}
    genome, variants = directory / "small.fa", directory / "small.vcf"
    genome.write_text("".join(f">{name}\n{letters}\n" for name, letters in contigs.items()))
    lines = ["##fileformat=VCFv4.2", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"]
    for number in range(RECORDS):
        name = "chr1" if number < RECORDS * 2 // 3 else "chr2"
        at = 40 + 70 * number % CONTIG_BP
        ref = contigs[name][at]
        alts = [letter for letter in "ACGT" if letter != ref][: 2 if number % 5 == 0 else 1]
        lines.append(f"{name}\t{at + 1}\tv{number}\t{ref}\t{','.join(alts)}\t.\t.\t.")
    variants.write_text("\n".join(lines) + "\n")
    return variants, genome

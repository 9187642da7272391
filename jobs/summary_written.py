"""What commands have in common that make a table beside a run: settings, the making, and what is said of it."""

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from enformer_core.shell_words import command_line
from enformer_core.user_path import one_line
from enformer_core.words import counted
from jobs.log import note
from jobs.option_types import Directory
from jobs.spread import WORKER_BYTES, SpreadSettings, spread_of

if TYPE_CHECKING:  # settings load at once
    from enformer_core.dataset.ledger import Ledger
    from enformer_core.dataset.summary_tables import SummaryReceipt
    from enformer_core.summaries.write import Recipe

_TOLD_EVERY_S = 10.0


@dataclass(frozen=True)
class _OfRun:
    """The positional argument; a base of its own, since positional fields come before all others."""

    run: Directory
    """directory or s3://bucket/prefix of the run, which must be finished; nothing of it is changed"""


@dataclass(frozen=True)
class TableSettings(SpreadSettings, _OfRun):
    """What every command is asked for that makes a table beside a run."""


def _now_s() -> float:
    return time.monotonic()


class Told:
    """Says from time to time how far a command is; one that is done at once says nothing.

    Args:
        unit: what is counted.
    """

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._last_s = _now_s()

    def of(self, name: str, done: int, of: int) -> None:
        """Take note of how much of a table, or of a statistic, is done."""
        now_s = _now_s()
        # the end is said by what was made
        if now_s - self._last_s >= _TOLD_EVERY_S and done < of:
            self._last_s = now_s
            note(f"{name}: {done:,} of {counted(of, self._unit)}")


def write_beside(
    settings: TableSettings,
    name: str,
    ledger: "Ledger",
    recipe: "Recipe",
    memory_bytes: int = WORKER_BYTES,
) -> "SummaryReceipt | None":
    """Make a table beside a run, or what is missing of it; None where the run is not finished yet, which is said.

    Args:
        settings: of the command.
        name: of the table.
        ledger: of the run.
        recipe: what the table is made of.
        memory_bytes: that a worker takes.

    Raises:
        InputError: for a name that is taken, or a table of this name that is made of something else.
        DatasetError: for a run that is damaged.
    """
    from enformer_core.dataset.finished import IncompleteRunError

    try:
        return recipe.write(
            ledger,
            name,
            spread=spread_of(settings, memory_bytes),
            report=partial(Told("shards").of, name),
        )
    except IncompleteRunError as error:
        note(f"{error}")
        return None


def tell_written(run: str, receipt: "SummaryReceipt", question: str) -> None:
    """Print what the table holds and where, and a question to it.

    Args:
        run: as its user gave it.
        receipt: of the table.
        question: in SQL.
    """
    files = counted(len(receipt.files), "files")
    print(f"{receipt.name}: {counted(receipt.rows, 'rows')} in {files}")
    print(f"output: {one_line(run.rstrip('/'))}/{receipt.name}")
    print(f"ask it: {command_line(['enformer-ray', 'query', run, question])}")

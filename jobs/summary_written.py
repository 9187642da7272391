"""What commands say that make a table beside a run: how far they are, what was made, and how to ask it."""

import time

from enformer_core.dataset.summary_tables import SummaryReceipt
from enformer_core.errors import InputError
from enformer_core.user_path import one_line
from enformer_core.words import counted
from jobs.log import note
from jobs.shell_words import command_line

_TOLD_EVERY_S = 10.0


def check_processes(processes: int) -> None:
    """Refuse a number of processes that is none.

    Raises:
        InputError: naming the option.
    """
    if processes < 1:
        raise InputError(f"--processes {processes}: must be at least 1")


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


def tell_written(run: str, receipt: SummaryReceipt, question: str) -> None:
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

"""What commands say that make a table beside a run: how far they are, what was made, and how to ask it."""

from enformer_core.dataset.summary_tables import SummaryReceipt
from enformer_core.errors import InputError
from enformer_core.user_path import one_line
from enformer_core.words import counted
from jobs.log import note
from jobs.shell_words import command_line


def check_processes(processes: int) -> None:
    """Refuse a number of processes that is none.

    Raises:
        InputError: naming the option.
    """
    if processes < 1:
        raise InputError(f"--processes {processes}: must be at least 1")


class ShardProgress:
    """Says ten times how many shards are done.

    Args:
        name: of the table.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._said = 0

    def told(self, done: int, of: int) -> None:
        """Take note of a shard."""
        tenth = 10 * done // max(of, 1)
        # the end is said by what was made
        if self._said < tenth < 10:
            self._said = tenth
            note(f"{self._name}: {done:,} of {counted(of, 'shards')}")


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

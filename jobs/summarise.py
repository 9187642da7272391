"""`enformer-ray summarise`: a run's scores summed up over groups of tracks, in a table beside it."""

from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

from cyclopts import Parameter

from enformer_core.summaries.names import GROUPS
from jobs import exit_codes
from jobs.finished_run import open_ledger
from jobs.log import note
from jobs.option_types import Directory, Words
from jobs.summary_written import Told, check_processes, tell_written

_BY = "columns of the run's tracks, as assay,biosample: tracks that agree in all of them are one group"


@dataclass(frozen=True)
class SummariseSettings:
    """What `enformer-ray summarise` is asked for."""

    run: Directory
    """directory or s3://bucket/prefix of the run, which must be finished; nothing of it is changed"""

    by: Annotated[Words, Parameter(help=_BY, metavar="COLUMN,…")] = field(kw_only=True)

    statistics: Words = field(default=(), kw_only=True)
    """of the run; all by default"""

    name: Annotated[str, Parameter(metavar="NAME")] = field(default=GROUPS, kw_only=True)
    """of the table: give another one for other groups"""

    processes: int = field(default=1, kw_only=True)
    """how many shards are worked at once, each with memory of its own; the table is the same"""

    def __post_init__(self) -> None:
        check_processes(self.processes)


def summarise(settings: SummariseSettings) -> int:
    """Write the table, or what is missing of it, and say how to ask it.

    Returns:
        The exit code: done, or incomplete where the run is not finished yet.

    Raises:
        InputError: for columns that the run's tracks lack, or a table of this name that was made otherwise.
        DatasetError: for a run that is damaged.
    """
    from enformer_core.dataset.finished import IncompleteRunError
    from enformer_core.summaries.groups import write_groups

    ledger = open_ledger(settings.run)
    try:
        receipt = write_groups(
            ledger,
            settings.by,
            settings.statistics,
            name=settings.name,
            processes=settings.processes,
            report=partial(Told("shards").of, settings.name),
        )
    except IncompleteRunError as error:
        note(f"{error}")
        return exit_codes.INCOMPLETE
    by = ", ".join(receipt.begun.identity["by"])
    question = (
        f"SELECT variant_id, statistic, {by}, max_abs_value, l2 FROM {settings.name} "  # noqa: S608
        "ORDER BY max_abs DESC LIMIT 20"
    )
    tell_written(settings.run, receipt, question)
    return exit_codes.DONE

"""`enformer-ray percentiles`: where a run's scores stand among those of a background run, in a table beside it."""

from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

from cyclopts import Parameter

from enformer_core.summaries.names import PERCENTILES
from jobs import exit_codes
from jobs.finished_run import open_ledger
from jobs.option_types import Directory, File, Words
from jobs.summary_written import Told, check_processes, tell_written


@dataclass(frozen=True)
class PercentilesSettings:
    """What `enformer-ray percentiles` is asked for."""

    run: Directory
    """directory or s3://bucket/prefix of the run, which must be finished; nothing of it is changed"""

    null: File = field(kw_only=True)
    """the null distribution by which scores are ranked, made by `enformer-ray calibrate`; also s3://…"""

    statistics: Words = field(default=(), kw_only=True)
    """of the run; all by default, which the null must have"""

    name: Annotated[str, Parameter(metavar="NAME")] = field(default=PERCENTILES, kw_only=True)
    """of the table: give another one for another null"""

    processes: int = field(default=1, kw_only=True)
    """how many shards are worked at once, each with memory of its own; the table is the same"""

    def __post_init__(self) -> None:
        check_processes(self.processes)


def rank(settings: PercentilesSettings) -> int:
    """Write the table, or what is missing of it, and say how to ask it.

    Returns:
        The exit code: done, or incomplete where the run is not finished yet.

    Raises:
        InputError: for a null of other scores than the run's, or a table of this name made by another.
        DatasetError: for a run that is damaged.
    """
    from enformer_core.dataset.finished import IncompleteRunError
    from enformer_core.summaries.null_file import NullFile
    from enformer_core.summaries.percentiles import write_percentiles
    from jobs.log import note

    ledger = open_ledger(settings.run)
    null = NullFile.open(settings.null)
    if null.of.notice:
        note(null.of.notice)
    try:
        receipt = write_percentiles(
            ledger,
            null,
            settings.statistics,
            name=settings.name,
            processes=settings.processes,
            report=partial(Told("shards").of, settings.name),
        )
    except IncompleteRunError as error:
        note(f"{error}")
        return exit_codes.INCOMPLETE
    (statistic, *_) = receipt.begun.identity["statistics"]
    question = (
        f"SELECT variant_id, max_{statistic}_phred, description FROM {settings.name} "  # noqa: S608
        f"JOIN tracks ON index = max_{statistic}_phred_track ORDER BY 2 DESC LIMIT 20"
    )
    tell_written(settings.run, receipt, question)
    return exit_codes.DONE

"""`enformer-ray percentiles`: where a run's scores stand among those of a background run, in a table beside it."""

from dataclasses import dataclass, field
from typing import Annotated

from cyclopts import Parameter

from enformer_core.summaries.names import PERCENTILES
from jobs import exit_codes
from jobs.finished_run import open_ledger
from jobs.log import note
from jobs.option_types import File, Words
from jobs.spread import WORKER_BYTES
from jobs.summary_written import TableSettings, tell_written, write_beside

_NULL_BYTES = 300 * 2**20
"""That the null of a statistic takes, as it is asked."""


@dataclass(frozen=True)
class PercentilesSettings(TableSettings):
    """What `enformer-ray percentiles` is asked for."""

    null: File = field(kw_only=True)
    """the null distribution by which scores are ranked, made by `enformer-ray calibrate`; also s3://…"""

    statistics: Words = field(default=(), kw_only=True)
    """of the run; all by default, which the null must have"""

    name: Annotated[str, Parameter(metavar="NAME")] = field(default=PERCENTILES, kw_only=True)
    """of the table: give another one for another null"""


def rank(settings: PercentilesSettings) -> int:
    """Write the table, or what is missing of it, and say how to ask it.

    Returns:
        The exit code: done, or incomplete where the run is not finished yet.

    Raises:
        InputError: for a null of other scores than the run's, or a table of this name made by another.
        DatasetError: for a run that is damaged.
    """
    from enformer_core.summaries.null_file import NullFile
    from enformer_core.summaries.percentiles import percentiles_by
    from jobs.silent_note import silent_note

    ledger = open_ledger(settings.run)
    null = NullFile.open(settings.null)
    if null.of.notice:
        note(null.of.notice)
    recipe = percentiles_by(ledger, null, settings.statistics)
    statistics = recipe.identity["statistics"]
    further = len(statistics) - 1
    memory_bytes = WORKER_BYTES + further * _NULL_BYTES
    receipt = write_beside(settings, settings.name, ledger, recipe, memory_bytes)
    if receipt is None:
        return exit_codes.INCOMPLETE
    for name in statistics:
        silent = silent_note(ledger, name)
        if silent:
            note(silent)
    phred = f"max_{statistics[0]}_phred"
    question = (
        f"SELECT variant_id, {phred}, description FROM {settings.name} "  # noqa: S608
        f"JOIN tracks ON index = {phred}_track ORDER BY 2 DESC LIMIT 20"
    )
    tell_written(settings.run, receipt, question)
    return exit_codes.DONE

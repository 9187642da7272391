"""`enformer-ray summarise`: a run's scores summed up over groups of tracks, in a table beside it."""

from dataclasses import dataclass, field
from typing import Annotated

from cyclopts import Parameter

from enformer_core.summaries.names import GROUPS
from jobs import exit_codes
from jobs.finished_run import open_ledger
from jobs.option_types import Words
from jobs.summary_written import TableSettings, tell_written, write_beside

_BY = "columns of the run's tracks, as assay,biosample: tracks that agree in all of them are one group"


@dataclass(frozen=True)
class SummariseSettings(TableSettings):
    """What `enformer-ray summarise` is asked for."""

    by: Annotated[Words, Parameter(help=_BY, metavar="COLUMN,…")] = field(kw_only=True)

    statistics: Words = field(default=(), kw_only=True)
    """of the run; all by default"""

    name: Annotated[str, Parameter(metavar="NAME")] = field(default=GROUPS, kw_only=True)
    """of the table: give another one for other groups"""


def summarise(settings: SummariseSettings) -> int:
    """Write the table, or what is missing of it, and say how to ask it.

    Returns:
        The exit code: done, or incomplete where the run is not finished yet.

    Raises:
        InputError: for columns that the run's tracks lack, or a table of this name that was made otherwise.
        DatasetError: for a run that is damaged.
    """
    from enformer_core.summaries.groups import groups_by

    ledger = open_ledger(settings.run)
    recipe = groups_by(ledger, settings.by, settings.statistics)
    receipt = write_beside(settings, settings.name, ledger, recipe)
    if receipt is None:
        return exit_codes.INCOMPLETE
    by = ", ".join(recipe.identity["by"])
    question = (
        f"SELECT variant_id, statistic, {by}, max_abs_value, l2 FROM {settings.name} "  # noqa: S608
        "ORDER BY max_abs DESC LIMIT 20"
    )
    tell_written(settings.run, receipt, question)
    return exit_codes.DONE

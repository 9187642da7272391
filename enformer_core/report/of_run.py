"""The report of a run that lies somewhere, for callers that have no command line."""

from datetime import UTC, datetime
from functools import partial

import duckdb
import pyarrow as pa

from enformer_core.dataset.damaged_files import damaged
from enformer_core.dataset.ledger import Ledger
from enformer_core.report.asked import Asked
from enformer_core.report.make import make_report
from enformer_core.report.page import page
from enformer_core.sql.damage import damage_of_files, failure_of_storage
from enformer_core.sql.notes import notes_of_values
from enformer_core.sql.run_connection import RunObjects, run_connection

MEMORY = "2GB"
"""The most that DuckDB holds for a report; its own choice would be most of the machine's."""


def page_of_run(ledger: Ledger, location: str) -> str:
    """A report of a run as one page of HTML that needs no network.

    Args:
        ledger: of the run.
        location: of the run, as the commands on the page are to name it.

    Raises:
        DatasetError: for a run that is damaged.
    """
    objects = RunObjects.of(ledger)
    try:
        with run_connection(ledger, objects, memory=MEMORY, question="") as connection:
            notes = partial(notes_of_values, ledger, connection)
            asked = Asked(ledger, connection, location, notes=notes)
            return page(make_report(asked, datetime.now(UTC)))
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        files = objects.files
        said = str(error).partition("\n")[0]
        raise (
            failure_of_storage(files, location)
            or damage_of_files(ledger, files, location)
            or damaged(f"{location}: cannot be read: {said}", location)
        ) from error

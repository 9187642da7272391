"""What is said where a query has no answer: whether the SQL, the fence around the run or the run itself is at fault."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from enformer_core.analyses import run_types
from enformer_core.dataset.absent_tables import SUMMARY_MAKERS, why_absent
from enformer_core.dataset.keys import TRACKS_KEY
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.stored_tables import stored_objects
from enformer_core.dataset.summary_tables import summary_names
from enformer_core.errors import InputError
from enformer_core.sql.damage import damage_of_files, failure_of_storage
from enformer_core.storage.fenced_files import FencedFiles

SQL_EXAMPLE = "'FROM top LIMIT 20'"

_SLIPS = (
    duckdb.ParserException,
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.DataError,  # a value that cannot be converted, or is out of range
)
"""What DuckDB says of SQL alone, whatever the files hold."""

_OF_FILES = (
    duckdb.OperationalError,
    duckdb.InternalError,
    duckdb.FatalException,
    pa.ArrowException,
    OSError,
)
"""What it says where it cannot go on reading, whatever the SQL."""

_VIEWS = {
    "top": ("effects", "runs of `score`"),
    "long": ("scores", "runs of `score`"),
    "top_genes": ("gene_effects", "runs of `score --genes`"),
    "computed_by": ("scores", "runs of `score`"),
}
"""Of each view the table of values that it is made of beside `tracks`, and which runs have it."""

RUN_VIEWS = (*_VIEWS, "receipts")
"""Names of views that some run has."""

_ABSENT = re.compile(r"Table with name (?P<name>\S+) does not exist")
_NO_SUCH_TABLE = "Referenced table"
_LOCKED = "the configuration has been locked"

_FENCE = (
    "A query reads the tables of its run and nothing else (no files, no network, no extensions, no settings), and "
    "writes nothing. Read a file of your own beside them by `--attach NAME=FILE`, keep the answer by `--output FILE`; "
    "other engines read a run as `enformer-ray sql` says."
)


@contextmanager
def refusals(ledger: Ledger, files: FencedFiles, out: str) -> Iterator[None]:
    """Say what was wrong: the SQL, what it wanted beside the run, or a file of the run.

    Args:
        ledger: of the run.
        files: through which its objects are read.
        out: the run, as its user gave it.

    Raises:
        InputError: with the reason and the remedy.
        DatasetError: for a file of the run that is damaged.
        StorageError: where storage was at fault.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise _refusal(error, ledger, files, out) from error


def _refusal(error: Exception, ledger: Ledger, files: FencedFiles, out: str) -> Exception:
    of_storage = failure_of_storage(files, out)
    if of_storage is not None:
        return of_storage
    failure = files.failure
    if failure is not None or _is_fenced(error):
        said = str(failure or error).partition("\n")[0]
        return InputError(f"this SQL was refused: {said}. {_FENCE}")
    if isinstance(error, duckdb.CatalogException):
        return _unknown_table(error, ledger, out)
    # to look for damage is to read files, which nobody should wait for after a slip of the pen
    damage = None if isinstance(error, _SLIPS) else damage_of_files(ledger, files, out)
    if damage is not None:
        return damage
    refused = f"this SQL was refused: {error}"
    if isinstance(error, duckdb.BinderException) and _NO_SUCH_TABLE in str(error):
        refused += '\nA name with a dot in it stands in quotes: "P.VALUE".'
    if isinstance(error, _OF_FILES):
        refused += (
            f"\nIf the SQL is right, `enformer-ray verify {out}` reads every file of the run."
        )
    return InputError(refused)


def _is_fenced(error: Exception) -> bool:
    return isinstance(error, duckdb.PermissionException) or _LOCKED in str(error)


def _unknown_table(error: duckdb.CatalogException, ledger: Ledger, out: str) -> InputError:
    """A table that the run has not yet, or has no more; one that no run has; a file."""
    named = _ABSENT.search(str(error))
    name = "" if named is None else named["name"].strip("\"'").lower()
    refused = f"this SQL was refused: {error}"
    # a run is said to lack only what it lacks: SQL may have dropped it, or have asked for it elsewhere
    if _is_there(ledger, name):
        return InputError(refused)
    if name in _VIEWS:
        return InputError(_why_no_view(ledger, name, out))
    tables = {table for kind in run_types() for table in kind.tables}
    if (
        name in tables
        or name == "tracks"
        or name in SUMMARY_MAKERS
        or name in summary_names(ledger)
    ):
        return InputError(why_absent(ledger, name, out))
    if "/" in name or "." in name:
        return InputError(f"{refused}\n{_FENCE}")
    if named is None:
        return InputError(refused)
    # DuckDB would propose tables of its own that nobody asks for
    return InputError(
        f"this SQL was refused: there is no table {named['name']}. The run has {_what_there_is(ledger)}."
    )


def _what_there_is(ledger: Ledger) -> str:
    """The tables of a run of this kind and the views that are made of them: `scores, effects, tracks, top and long`."""
    tables = [*ledger.run_type.tables, *summary_names(ledger), "tracks"]
    views = [view for view, (table, _) in _VIEWS.items() if table in tables]
    *first, last = [*tables, *views]
    return f"{', '.join(first)} and {last}"


def _is_there(ledger: Ledger, name: str) -> bool:
    """Whether the run has a table or view of this name, whatever became of it in the query."""
    if name == "tracks":
        return ledger.store.get(TRACKS_KEY) is not None
    of_tables = stored_objects(ledger)
    if name in _VIEWS:
        table, _ = _VIEWS[name]
        return bool(of_tables.get(table)) and _is_there(ledger, "tracks")
    return bool(of_tables.get(name))


def _why_no_view(ledger: Ledger, view: str, out: str) -> str:
    """A view is made of other tables: that runs of this kind have none, or the first table that is not there."""
    table, made_by = _VIEWS[view]
    run_type = ledger.run_type
    if table not in run_type.tables:
        return (
            f"{out}: a run of {run_type.unit} has no view {view}, which is of {made_by}. It has "
            f"{_what_there_is(ledger)}: ask 'FROM {run_type.tables[0]} LIMIT 20'"
        )
    missing = "tracks" if ledger.committed() else table
    return why_absent(ledger, missing, out)

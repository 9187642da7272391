"""`enformer-ray publish`: put a finished run into a catalog of Iceberg tables."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from enformer_core.words import counted
from jobs import exit_codes
from jobs.finished_run import open_ledger
from jobs.log import note, tell
from jobs.option_types import Directory, OptionalDirectory

if TYPE_CHECKING:
    from enformer_core.publish.iceberg import Published

NAMESPACE = "enformer_ray"


@dataclass(frozen=True)
class PublishSettings:
    """What `enformer-ray publish` is asked for."""

    out: Directory
    """directory or s3://bucket/prefix of the run, which must be finished and stay there: its files are not copied"""

    catalog: Annotated[str, Parameter(metavar="ADDRESS|NAME")] = field(kw_only=True)
    """sqlite:////PATH/catalog.db, https://… of a REST catalog, or a name of pyiceberg's configuration"""

    warehouse: OptionalDirectory = field(default=None, kw_only=True)
    """directory or s3://bucket/prefix for the tables' metadata, where the catalog does not know one"""

    namespace: Annotated[str, Parameter(metavar="NAME")] = field(default=NAMESPACE, kw_only=True)
    """in which the tables are: scores, effects, tracks"""


def publish(settings: PublishSettings) -> int:
    """Publish each table, the run's main one last, and say what became of it.

    Returns:
        The exit code.

    Raises:
        InputError: for a run that is not finished, a catalog that cannot be opened, or a table that is another's.
        StorageError: where the catalog fails; the same command continues.
    """
    # here: Iceberg's libraries are an extra
    from enformer_core.publish.catalogs import as_storage_errors, check_installed, open_catalog
    from enformer_core.publish.iceberg import publish_run
    from enformer_core.publish.run_files import tables_of

    check_installed()
    ledger = open_ledger(settings.out)
    # before a catalog is made for it
    tables = tables_of(ledger)
    with as_storage_errors(settings.catalog):
        catalog = open_catalog(settings.catalog, settings.warehouse)
        published = publish_run(ledger, tables, catalog, settings.namespace)
        was_there = [_told(table) for table in published]
    if all(was_there):
        note("this run was published before; nothing was changed")
    return exit_codes.DONE


def _told(table: "Published") -> bool:
    """Say what became of a table; gives whether nothing did."""
    rows = f"{counted(table.rows, 'rows')} in {counted(table.files, 'files')}"
    if not table.files:
        rows = "the run has no rows of it"
    elif table.already:
        rows = f"already: {rows}"
    tell("publish", rows, prefix=table.table, already=table.already)
    return table.already

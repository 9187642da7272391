"""`enformer-ray publish`: put a finished run into a catalog of Iceberg tables."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from enformer_core.errors import InputError
from enformer_core.storage.open import parse_address
from enformer_core.words import counted
from jobs import exit_codes
from jobs.finished_run import open_ledger
from jobs.log import note, tell
from jobs.option_types import Directory, OptionalDirectory
from jobs.output_guard import check_output

if TYPE_CHECKING:
    from enformer_core.dataset.ledger import Ledger
    from enformer_core.publish.iceberg import Published

NAMESPACE = "enformer_ray"

_SQLITE = "sqlite:///"


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

    replace: bool = field(default=False, kw_only=True)
    """where the tables have this very run from another place, let them have it from here, as after `compact`"""

    withdraw: bool = field(default=False, kw_only=True)
    """take the run out of the tables; its files stay, and need not be there; DIR may be its `run` in the tables"""

    def __post_init__(self) -> None:
        if self.replace and self.withdraw:
            raise InputError("--replace and --withdraw: choose one")


def publish(settings: PublishSettings) -> int:
    """Publish each table, the run's main one last, or take the run out, and say what became of each.

    Returns:
        The exit code.

    Raises:
        InputError: for a catalog that cannot be opened, a table that is another's, or one that has the run from
            elsewhere.
        IncompleteRunError: for a run that is not finished.
        StorageError: where the catalog fails; the same command continues.
    """
    # here: Iceberg's libraries are an extra
    from enformer_core.publish.catalogs import check_installed

    check_installed()
    if settings.withdraw:
        _withdraw(settings)
    else:
        _publish(settings)
    return exit_codes.DONE


def _publish(settings: PublishSettings) -> None:
    from enformer_core.publish.catalogs import as_storage_errors, open_catalog
    from enformer_core.publish.iceberg import publish_run
    from enformer_core.publish.run_files import tables_of

    ledger = open_ledger(settings.out)
    # before a catalog is made for it
    tables = tables_of(ledger)
    _check_places(settings, ledger)
    with as_storage_errors(settings.catalog):
        catalog = open_catalog(settings.catalog, settings.warehouse)
        published = publish_run(
            ledger, tables, catalog, settings.namespace, replace=settings.replace
        )
        was_there = [_told(table) for table in published]
    if all(was_there):
        note("this run was published before; nothing was changed")


def _check_places(settings: PublishSettings, ledger: "Ledger") -> None:
    """Refuse a catalog or a warehouse on this machine's disk that would lie in a run."""
    is_file = settings.catalog.startswith(_SQLITE)
    catalog = settings.catalog.removeprefix(_SQLITE) if is_file else None
    for place in (catalog, settings.warehouse):
        if place and parse_address(place) is None:
            check_output(Path(place), ledger)


def _told(table: "Published") -> bool:
    """Say what became of a table; gives whether nothing did."""
    rows = f"{counted(table.rows, 'rows')} in {counted(table.files, 'files')}"
    if not table.files:
        rows = "the run has no rows of it"
    elif table.already:
        rows = f"already: {rows}"
    elif table.instead is not None:
        rows = f"{rows}, instead of those in {table.instead}"
    tell(
        "publish",
        rows,
        prefix=table.table,
        already=table.already,
        instead=table.instead,
    )
    return table.already


def _withdraw(settings: PublishSettings) -> None:
    from enformer_core.analyses import run_types
    from enformer_core.publish.catalogs import as_storage_errors, open_catalog
    from enformer_core.publish.withdraw import withdraw_run

    main_tables = {run_type.tables[0] for run_type in run_types()}
    with as_storage_errors(settings.catalog):
        catalog = open_catalog(settings.catalog, settings.warehouse)
        for table in withdraw_run(settings.out, catalog, settings.namespace, main_tables):
            rows = f"{counted(table.rows, 'rows')} in {counted(table.files, 'files')}"
            tell("withdraw", f"taken out: {rows}", prefix=table.table)

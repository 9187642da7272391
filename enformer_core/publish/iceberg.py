"""A finished run as Iceberg tables: metadata over its files, which stay where they are and are not read through.

A run's files have no column of their contig: their folder says it. pyiceberg's own `add_files` takes partitions from a
file's statistics, finds none, and publishes nulls. So each file's entry is made here with its contig, which is what
Iceberg's specification asks of tables that were laid out in folders; and a column that is never null is declared so,
which files do not say of themselves, so that `add_files` refuses to add to these tables.

Each table is one transaction: its schema, its partitions and its files are there together or not at all.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from enformer_core.dataset.ledger import Ledger
from enformer_core.errors import InputError, StorageError
from enformer_core.publish.run_files import (
    TRACKS,
    RunTable,
    address_of,
    address_of_run,
    footers,
)

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table, Transaction

RUN = "run"
"""The column that says of which run a row is, by the digest of its identity."""

CHROM = "chrom"

IDENTITY = "enformer-ray.identity"
"""In each snapshot's summary, the digest of the run that it published."""

_LOCATION = "enformer-ray.location"
_NOTICE = "enformer-ray.notice"

_NEVER_NULL = {
    "tracks": "index",
    "effects": "track",
    "predictions": "start",
    "contribution_bins": "target",
    "attention": "target",
    "gene_effects": "input_line",
}
_STATUS = "status"
"""Never null in all other tables."""

_ATTEMPTS = 20
_NO_RETRIES = {"commit.retry.num-retries": "0"}
_REMARK = "statistics missing for column"


@dataclass(frozen=True)
class Published:
    """What became of a table.

    Attributes:
        table: its name in the catalog.
        rows: the run's.
        files: those that hold them.
        already: whether the run was in it before.
    """

    table: str
    rows: int
    files: int
    already: bool


def publish_run(
    ledger: Ledger,
    tables: Iterable[RunTable],
    catalog: "Catalog",
    namespace: str,
) -> Iterator[Published]:
    """Put a finished run's tables into a catalog, one after another; what is there already stays as it is.

    Whoever is stopped between any two steps continues by giving the same again. Of two at the same time one publishes
    each table, and the other finds it there.

    Args:
        ledger: of the run.
        tables: of the run, as `run_files.tables_of` gives them.
        catalog: where to.
        namespace: in which the tables are, each under its own name; made where it is not there.

    Raises:
        InputError: for a table of the name that publishing did not make, or that has a column under another type.
        DatasetError: for a file that is missing, or of another length.
        StorageError: where other writers were always first.
    """
    _make_namespace(catalog, namespace)
    for table in tables:
        already = _publish(ledger, catalog, f"{namespace}.{table.name}", table)
        yield Published(f"{namespace}.{table.name}", table.rows, len(table.files), already)


def _make_namespace(catalog: "Catalog", namespace: str) -> None:
    try:
        catalog.create_namespace_if_not_exists(namespace)
    except Exception:
        # of two who make it at once SQL catalogs refuse one by their database's own error
        if not catalog.namespace_exists(namespace):
            raise


def _publish(
    ledger: Ledger,
    catalog: "Catalog",
    name: str,
    table: RunTable,
) -> bool:
    """Put one table; gives whether it was there before."""
    from pyiceberg.exceptions import (  # noqa: PLC0415 - an extra
        CommitFailedException,
        NoSuchTableError,
        TableAlreadyExistsError,
    )

    if not table.files:  # a run without scored rows has effects of none
        return True
    for _ in range(_ATTEMPTS):
        try:
            found: Table | None = catalog.load_table(name)
        except NoSuchTableError:
            found = None
        if found is not None and _holds(found, ledger):
            return True
        try:
            if found is None:
                _create(ledger, catalog, name, table)
            else:
                _append(ledger, found, table)
        except (CommitFailedException, TableAlreadyExistsError):
            # somebody else has changed the table meanwhile: perhaps by this very run
            continue
        return False
    raise StorageError(
        f"{name}: other writers changed it {_ATTEMPTS} times before this run was in it. Give the same command again."
    )


def _holds(found: "Table", ledger: Ledger) -> bool:
    """Whether the table as it is now has this run's files; summaries say it of all snapshots, also of undone ones."""
    from pyiceberg.expressions import EqualTo  # noqa: PLC0415 - an extra

    _check_made_here(found)
    return any(True for _ in found.scan(row_filter=EqualTo(RUN, ledger.run.digest)).plan_files())


def _check_made_here(found: "Table") -> None:
    fields = [field.name for field in found.spec().fields]
    if fields not in ([RUN], [RUN, CHROM]):
        name = ".".join(found.name())
        raise InputError(
            f"{name}: is a table that `publish` did not make: its partitions are by {', '.join(fields) or 'nothing'}. "
            "Give another --namespace."
        )


def _create(
    ledger: Ledger,
    catalog: "Catalog",
    name: str,
    table: RunTable,
) -> None:
    transaction = catalog.create_table_transaction(
        name,
        schema=_schema(ledger, table),
        properties={"format-version": "2"},
    )
    with transaction:
        with transaction.update_spec() as spec:
            for column in _partitions(table):
                spec.add_identity(column)
        mapping = transaction.table_metadata.schema().name_mapping
        # files have names and no numbers of columns
        transaction.set_properties({"schema.name-mapping.default": mapping.model_dump_json()})
        _add_files(ledger, transaction, table)


def _append(
    ledger: Ledger,
    found: "Table",
    table: RunTable,
) -> None:
    """Add a run to those that the table has; columns that it has not yet are added, null in all other runs."""
    from pyiceberg.exceptions import ValidationError  # noqa: PLC0415 - an extra

    properties = {**found.metadata.properties, **_NO_RETRIES}
    # in memory alone: pyiceberg would add the files once more on top of whoever was first, be it this very run
    found.metadata = found.metadata.model_copy(update={"properties": properties})
    with found.transaction() as transaction:
        with transaction.update_schema() as schema:
            try:
                schema.union_by_name(_schema(ledger, table))
            except ValidationError as error:
                raise InputError(
                    f"{'.'.join(found.name())}: has a column of this run's under another type: {error}. Give another "
                    "--namespace."
                ) from error
        _add_files(ledger, transaction, table)


def _partitions(table: RunTable) -> tuple[str, ...]:
    return (RUN,) if table.name == TRACKS else (RUN, CHROM)


def _schema(ledger: Ledger, table: RunTable) -> pa.Schema:
    """The columns of the files, and those that their folders say."""
    (first,) = footers(ledger, table.files[:1])
    never_null = _NEVER_NULL.get(table.name, _STATUS)
    columns = [
        field.with_nullable(field.name != never_null)
        for field in first.schema.to_arrow_schema().remove_metadata()
    ]
    # required, as these are too, pyiceberg itself could not read them
    added = [pa.field(name, pa.string()) for name in reversed(_partitions(table))]
    return pa.schema([*added[:-1], *columns, added[-1]])


def _add_files(
    ledger: Ledger,
    transaction: "Transaction",
    table: RunTable,
) -> None:
    summary = {IDENTITY: ledger.run.digest, _LOCATION: address_of_run(ledger)}
    if ledger.run.notice is not None:
        summary[_NOTICE] = ledger.run.notice
    # not merged with older manifests: that would read all of them
    with transaction.update_snapshot(snapshot_properties=summary).fast_append() as append:
        for entry in _entries(ledger, transaction, table):
            append.append_data_file(entry)


def _entries(
    ledger: Ledger,
    transaction: "Transaction",
    table: RunTable,
) -> "Iterator[DataFile]":
    """The table's own entry of each file: its partition, and the least and largest of its columns."""
    from pyiceberg.io.pyarrow import (  # noqa: PLC0415 - an extra
        compute_statistics_plan,
        data_file_statistics_from_parquet_metadata,
        parquet_path_to_id_mapping,
    )
    from pyiceberg.manifest import (  # noqa: PLC0415
        DataFile,
        DataFileContent,
        FileFormat,
    )
    from pyiceberg.typedef import Record  # noqa: PLC0415

    metadata = transaction.table_metadata
    schema = metadata.schema()
    plan = compute_statistics_plan(schema, metadata.properties)
    columns = parquet_path_to_id_mapping(schema)
    with _without_remarks():
        for file, footer in zip(table.files, footers(ledger, table.files), strict=True):
            statistics = data_file_statistics_from_parquet_metadata(footer, plan, columns)
            values = {RUN: ledger.run.digest, CHROM: file.partition}
            yield DataFile.from_args(
                content=DataFileContent.DATA,
                file_path=address_of(ledger, file),
                file_format=FileFormat.PARQUET,
                partition=Record(*(values[name] for name in _partitions(table))),
                file_size_in_bytes=file.bytes,
                sort_order_id=None,
                spec_id=metadata.default_spec_id,
                equality_ids=None,
                key_metadata=None,
                **statistics.to_serialized_dict(),
            )


@contextmanager
def _without_remarks() -> Iterator[None]:
    """While this lasts, pyiceberg does not say of each list of each file that it has no least and largest value."""
    logger = logging.getLogger("pyiceberg.io.pyarrow")
    logger.addFilter(_is_news)
    try:
        yield
    finally:
        logger.removeFilter(_is_news)


def _is_news(record: Any) -> bool:
    return _REMARK not in str(record.msg)

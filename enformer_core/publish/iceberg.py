"""A finished run as Iceberg tables: metadata over its files, which stay where they are and are not read through.

A run's files have no column of their contig: their folder says it. pyiceberg's own `add_files` takes partitions from a
file's statistics, finds none, and publishes nulls. So each file's entry is made here with its contig, which is what
Iceberg's specification asks of tables that were laid out in folders; and a column that is never null is declared so,
which files do not say of themselves, so that `add_files` refuses to add to these tables.

Each table is one transaction: its schema, its partitions and its files are there together or not at all.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from enformer_core.dataset.ledger import Ledger
from enformer_core.errors import InputError, StorageError
from enformer_core.publish.published_files import (
    ATTEMPTS,
    CHROM,
    RUN,
    are_gone,
    check_made_here,
    files_of_run,
    forbid_retries,
    place_of,
    shown_place,
)
from enformer_core.publish.run_files import (
    TRACKS,
    RunTable,
    address_of,
    address_of_run,
    footers,
)
from enformer_core.user_path import one_line

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table, Transaction

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

_REMARK = "statistics missing for column"


@dataclass(frozen=True)
class Published:
    """What became of a table.

    Attributes:
        table: its name in the catalog.
        rows: the run's.
        files: those that hold them.
        already: whether the run was in it before, from the same place.
        instead: the place whose files it had of the run before, which these replaced; None where it had none.
    """

    table: str
    rows: int
    files: int
    already: bool
    instead: str | None = None


def publish_run(
    ledger: Ledger,
    tables: Sequence[RunTable],
    catalog: "Catalog",
    namespace: str,
    *,
    replace: bool = False,
) -> Iterator[Published]:
    """Put a finished run's tables into a catalog, one after another; what is there already stays as it is.

    Whoever is stopped between any two steps continues by giving the same again. Of two at the same time one publishes
    each table, and the other finds it there.

    Args:
        ledger: of the run.
        tables: of the run, as `run_files.tables_of` gives them.
        catalog: where to.
        namespace: in which the tables are, each under its own name; made where it is not there.
        replace: whether files of the same run from another place make room for these, in each table at once.

    Raises:
        InputError: for a table of the name that publishing did not make, that has a column under another type, or
            that has this run from another place, unless this is to replace it; then nothing was changed.
        DatasetError: for a file that is missing, or of another length.
        StorageError: where other writers were always first.
    """
    _make_namespace(catalog, namespace)
    if not replace:
        # of none or of all: tables that have a run from two places are nobody's wish
        for table in tables:
            _state(ledger, _loaded(catalog, f"{namespace}.{table.name}"), table, replace=False)
    for table in tables:
        yield _publish(ledger, catalog, f"{namespace}.{table.name}", table, replace=replace)


def _make_namespace(catalog: "Catalog", namespace: str) -> None:
    from pyiceberg.catalog.rest import RestCatalog  # noqa: PLC0415 - an extra

    try:
        # other catalogs make such a namespace, and then no table in it
        if not isinstance(catalog, RestCatalog):
            catalog.identifier_to_database_and_table(f"{namespace}.{TRACKS}")
        catalog.create_namespace_if_not_exists(namespace)
    except ValueError as error:  # pyiceberg's word for a name that this catalog cannot have
        raise _no_namespace(namespace, error) from error
    except Exception:
        # of two who make it at once SQL catalogs refuse one by their database's own error
        if not _namespace_exists(catalog, namespace):
            raise


def _namespace_exists(catalog: "Catalog", namespace: str) -> bool:
    from pyiceberg.exceptions import NoSuchNamespaceError  # noqa: PLC0415 - an extra

    try:
        return catalog.namespace_exists(namespace)
    except NoSuchNamespaceError as error:  # of a name with an empty part
        raise _no_namespace(namespace, error) from error


def _no_namespace(namespace: str, error: Exception) -> InputError:
    return InputError(
        f"--namespace {one_line(namespace)}: {error}. Give a plain name, such as enformer_ray."
    )


def _publish(
    ledger: Ledger,
    catalog: "Catalog",
    name: str,
    table: RunTable,
    *,
    replace: bool,
) -> Published:
    """Put one table, unless it is there."""
    from pyiceberg.exceptions import (  # noqa: PLC0415 - an extra
        CommitFailedException,
        TableAlreadyExistsError,
    )

    for _ in range(ATTEMPTS):
        found = _loaded(catalog, name)
        state = _state(ledger, found, table, replace=replace)
        if state.already:
            return Published(name, table.rows, len(table.files), already=True)
        try:
            if found is None:
                _create(ledger, catalog, name, table)
            else:
                _put(ledger, found, table, state.old)
        except (CommitFailedException, TableAlreadyExistsError):
            # somebody else has changed the table meanwhile: perhaps by this very run
            continue
        return Published(name, table.rows, len(table.files), already=False, instead=state.place)
    raise StorageError(
        f"{name}: other writers changed it {ATTEMPTS} times before this run was in it. Give the same command again."
    )


def _loaded(catalog: "Catalog", name: str) -> "Table | None":
    from pyiceberg.exceptions import NoSuchTableError  # noqa: PLC0415 - an extra

    try:
        return catalog.load_table(name)
    except NoSuchTableError:
        return None


@dataclass(frozen=True)
class _State:
    """What a table has of the run.

    Attributes:
        already: whether it has these very files.
        old: other files of the run, which these replace.
        place: where those lie.
    """

    already: bool
    old: "Sequence[DataFile]" = ()
    place: str | None = None


def _state(
    ledger: Ledger,
    found: "Table | None",
    table: RunTable,
    *,
    replace: bool,
) -> _State:
    """What becomes of a table.

    Raises:
        InputError: where it has other files of the run, which are not to be replaced; for a table of another's.
    """
    if not table.files:  # a run without scored rows has effects of none
        return _State(already=True)
    if found is None:
        return _State(already=False)
    check_made_here(found)
    old = files_of_run(found, ledger.run.digest)
    if not old:
        return _State(already=False)
    there = {file.file_path: file.file_size_in_bytes for file in old}
    if there == {address_of(ledger, file): file.bytes for file in table.files}:
        return _State(already=True)
    place = shown_place(place_of(found, old[0]))
    if not replace:
        raise InputError(
            _elsewhere(".".join(found.name()), ledger, place, gone=are_gone(found, old))
        )
    return _State(already=False, old=old, place=place)


def _elsewhere(name: str, ledger: Ledger, old: str, *, gone: bool) -> str:
    """The message about a table that has other files of this run."""
    new = shown_place(address_of_run(ledger))
    if old == new:
        return (
            f"{name}: has this run from {old}, but other files than lie there now, as before a repair. Give "
            "--replace: the table then has those of now."
        )
    lost = ", which are gone" if gone else ""
    return (
        f"{name}: has this very run already, by files in {old}{lost}; nothing was changed, and {new} is not what the "
        "tables read. To have them read it instead, give --replace; then the old files may be removed."
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


def _put(
    ledger: Ledger,
    found: "Table",
    table: RunTable,
    old: "Sequence[DataFile]",
) -> None:
    """Add a run to those that the table has, in the place of its own other files.

    Columns that the table has not yet are added, null in all other runs.
    """
    from pyiceberg.exceptions import ValidationError  # noqa: PLC0415 - an extra

    forbid_retries(found)
    with found.transaction() as transaction:
        with transaction.update_schema() as schema:
            try:
                schema.union_by_name(_schema(ledger, table))
            except ValidationError as error:
                raise InputError(
                    f"{'.'.join(found.name())}: has a column of this run's under another type: {error}. Give another "
                    "--namespace."
                ) from error
        _add_files(ledger, transaction, table, old)


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
    old: "Sequence[DataFile]" = (),
) -> None:
    summary = {IDENTITY: ledger.run.digest, _LOCATION: address_of_run(ledger)}
    if ledger.run.notice is not None:
        summary[_NOTICE] = ledger.run.notice
    update = transaction.update_snapshot(snapshot_properties=summary)
    # not merged with older manifests: that would read all of them
    with update.overwrite() if old else update.fast_append() as snapshot:
        for file in old:
            snapshot.delete_data_file(file)
        for entry in _entries(ledger, transaction, table):
            snapshot.append_data_file(entry)


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

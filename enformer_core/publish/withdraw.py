"""Runs taken out of a catalog's tables by metadata alone: their files need not be there, and stay where they are.

SQL's DELETE asks each file for its rows, as no file has the column `run`, and fails where a run is lost.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from enformer_core.errors import InputError, StorageError, first_few
from enformer_core.publish.addresses import addresses_of_place
from enformer_core.publish.published_files import (
    ATTEMPTS,
    files_of_run,
    forbid_retries,
    is_made_here,
    runs_of,
    shown_place,
)
from enformer_core.publish.run_files import TRACKS

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

WITHDRAWN = "enformer-ray.withdrawn"
"""In the summary of a snapshot that takes a run out, the digest of that run."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Withdrawn:
    """What a table had of a run, and has no more.

    Attributes:
        table: its name in the catalog.
        rows: the run's.
        files: those that hold them; they stay where they are.
    """

    table: str
    rows: int
    files: int


def withdraw_run(
    run: str,
    catalog: "Catalog",
    namespace: str,
    main_tables: Collection[str],
) -> Iterator[Withdrawn]:
    """Take a run out of all tables of a namespace, one after another; whoever is stopped gives the same again.

    Main tables are the first: whoever finds a run in one of them finds it in all others.

    Args:
        run: its directory, as it was published, or the digest of its identity; nothing of it is read.
        catalog: where from.
        namespace: in which the tables are.
        main_tables: names of tables that are published last.

    Raises:
        InputError: where no table has the run, with those that are there.
        StorageError: where other writers were always first.
    """
    names = _tables(catalog, namespace, main_tables)
    digest = _digest_of(run, catalog, namespace, names)
    for name in names:
        taken = _withdraw(catalog, name, digest)
        if taken is not None:
            yield taken


def _tables(
    catalog: "Catalog",
    namespace: str,
    main_tables: Collection[str],
) -> list[str]:
    """Names of the tables that publishing made, in the order in which a run leaves them."""
    from pyiceberg.exceptions import NoSuchNamespaceError  # noqa: PLC0415 - an extra

    def turn(table: str) -> tuple[bool, bool]:
        return table not in main_tables, table == TRACKS

    try:
        listed = sorted((name[-1] for name in catalog.list_tables(namespace)), key=turn)
    except NoSuchNamespaceError:
        listed = []
    names = [f"{namespace}.{table}" for table in listed]
    return [name for name in names if is_made_here(catalog.load_table(name))]


def _digest_of(
    run: str,
    catalog: "Catalog",
    namespace: str,
    names: list[str],
) -> str:
    """The digest of a run by its place, wherever a table has files of it, or as it was given."""
    if not names:
        raise InputError(f"--namespace {namespace}: has no tables that `publish` made.")
    places: dict[str, str] = {}
    for name in names:
        places |= runs_of(catalog.load_table(name))
    if _DIGEST.fullmatch(run):
        if run in places.values():
            return run
        raise _not_there(run, namespace, places)
    for address in addresses_of_place(run):
        if address in places:
            return places[address]
    raise _not_there(run, namespace, places)


def _not_there(run: str, namespace: str, places: Mapping[str, str]) -> InputError:
    there = [f"{shown_place(place)} ({digest})" for place, digest in places.items()]
    those = f"runs from {first_few(there)}" if there else "no runs"
    return InputError(
        f"{run}: no table of {namespace} has files from there; they have {those}. Give a place or a digest as it "
        "stands there."
    )


def _withdraw(catalog: "Catalog", name: str, digest: str) -> Withdrawn | None:
    """Take a run out of one table; None where it has nothing of it."""
    from pyiceberg.exceptions import CommitFailedException  # noqa: PLC0415 - an extra

    for _ in range(ATTEMPTS):
        found = catalog.load_table(name)
        files = files_of_run(found, digest)
        if not files:
            return None
        try:
            _take_out(found, digest)
        except CommitFailedException:  # somebody else has changed the table meanwhile
            continue
        return Withdrawn(name, sum(file.record_count for file in files), len(files))
    raise StorageError(
        f"{name}: other writers changed it {ATTEMPTS} times before this run was out of it. Give the same command again."
    )


def _take_out(found: "Table", digest: str) -> None:
    forbid_retries(found)
    summary = {WITHDRAWN: digest}
    with (
        found.transaction() as transaction,
        transaction.update_snapshot(snapshot_properties=summary).overwrite() as snapshot,
    ):
        for file in files_of_run(found, digest):
            snapshot.delete_data_file(file)

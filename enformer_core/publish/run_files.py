"""What of a finished run is published: its tables in the order of their commits, and the files of each.

Knows runs. Does not know catalogs.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow.parquet as pq

from enformer_core.dataset.keys import TRACKS_KEY, UNPLACED
from enformer_core.dataset.ledger import Ledger
from enformer_core.errors import DatasetError, IncompleteRunError
from enformer_core.publish.addresses import address_of_place
from enformer_core.storage.fenced_files import fenced_files
from enformer_core.words import counted

TRACKS = "tracks"
"""The table of the whole run: it has no contig."""


@dataclass(frozen=True)
class RunFile:
    """A Parquet file of a run.

    Attributes:
        key: its name in the run's directory.
        chrom: its contig; None for rows without a place.
        bytes: its size.
        rows: how many it holds.
    """

    key: str
    chrom: str | None
    bytes: int
    rows: int

    @property
    def partition(self) -> str:
        """The contig as its folder says it."""
        return UNPLACED if self.chrom is None else self.chrom


@dataclass(frozen=True)
class RunTable:
    """A table of a run with those of its files that have rows."""

    name: str
    files: tuple[RunFile, ...]

    @property
    def rows(self) -> int:
        """How many rows all of its files have."""
        return sum(file.rows for file in self.files)


def tables_of(ledger: Ledger) -> list[RunTable]:
    """The tables of a finished run, in the order in which they are published: its main table is the last.

    Whoever finds the main table finds all others.

    Raises:
        IncompleteRunError: for a run that is not finished.
        InputError: for a path that no reader finds.
        DatasetError: where something of the run is lost.
    """
    _check_finished(ledger)
    # asked before anything is written
    address_of_run(ledger)
    objects = ledger.manifest_objects()
    main, *others = ledger.run_type.tables
    tables = [_tracks(ledger)]
    for name in (*reversed(others), main):
        entries = [(each.chrom, each.tables[name]) for each in objects if name in each.tables]
        files = [
            RunFile(entry.key, chrom, entry.bytes, entry.rows)
            for chrom, entry in entries
            if entry.rows
        ]
        tables.append(RunTable(name, tuple(files)))
    return tables


def _check_finished(ledger: Ledger) -> None:
    location = ledger.store.location
    if ledger.manifest() is None:
        done, shards = len(ledger.committed()), ledger.run.plan.shards
        raise IncompleteRunError(
            f"{location}: is not finished: {done:,} of {counted(shards, 'shards')} are committed, and only finished "
            "runs are published. Give the run's own command again: it continues."
        )
    lost = ledger.lost()
    if lost:
        raise DatasetError(lost[0].told(location))


def _tracks(ledger: Ledger) -> RunTable:
    content = ledger.store.get(TRACKS_KEY)
    assert content is not None, "it is among what may be lost"
    (metadata,) = footers(ledger, [RunFile(TRACKS_KEY, None, len(content), 0)])
    file = RunFile(TRACKS_KEY, None, len(content), metadata.num_rows)
    return RunTable(TRACKS, (file,))


def footers(ledger: Ledger, files: Sequence[RunFile]) -> Iterator[pq.FileMetaData]:
    """What each file's Parquet footer says, in their order.

    Raises:
        DatasetError: for a file that is missing, or of another length than its receipt says.
    """
    sizes = {file.key: file.bytes for file in files}
    objects = fenced_files(ledger.store.location, sizes)

    def footer(file: RunFile) -> pq.FileMetaData:
        with objects.open(file.key) as content:
            return pq.read_metadata(content)

    # a request takes milliseconds of waiting
    with ThreadPoolExecutor(ledger.readers) as pool:
        yield from pool.map(footer, files)


def address_of(ledger: Ledger, file: RunFile) -> str:
    """Where every machine that reads the table finds a file: `s3://…`, or `file://` and its whole path.

    Letters stay as the folder has them: in `chrom=HLA%2A01%3A01` the percent signs are its own.
    """
    return f"{address_of_run(ledger)}/{file.key}"


def address_of_run(ledger: Ledger) -> str:
    """Where all its files lie, likewise, without a slash at the end."""
    return address_of_place(ledger.store.location)

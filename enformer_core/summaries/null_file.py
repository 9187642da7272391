"""A null distribution as one file: of every statistic and track what a background run holds, as plain arrays.

    statistic  track  list_position  alleles  low              high            edges            counts
    sad        0      1              300000   [-4.5, -3.2, …]  […, 2.5, 8.0]   [-4.5, -3.2, …]  [1, 2, …]

`low` and `high` are the smallest and the largest values as they are, ascending; `edges` has of each bin the value
nearest to 0, `counts` how many values lie in it: those that agree in sign, exponent and the first 7 bits of mantissa.
What it is a null of stands in the file's metadata, under `enformer_ray_null`. Knows the file. Does not know how values
are collected, nor how ranks are reckoned.
"""

import hashlib
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from enformer_core.dataset.codec import JsonObject, canonical_json, decode
from enformer_core.dataset.differences import difference_lines
from enformer_core.dataset.run import Run
from enformer_core.errors import DatasetError, InputError
from enformer_core.storage.open import local_path
from enformer_core.summaries.ranks import NullTrack
from enformer_core.summaries.sketch import Bins, Sketch

VERSION = 1
"""Raised by every release whose nulls, or ranks in them, are others."""

DECIDING = ("model", "tracks", "conventions", "score_version")
"""Fields of a run's identity in which a null and a run must agree, or their scores are not of one kind."""

_KEY = b"enformer_ray_null"
_TRACKS_AT_ONCE = 512

_SCHEMA = pa.schema(
    [
        ("statistic", pa.string()),
        ("track", pa.int32()),
        ("list_position", pa.int32()),
        ("alleles", pa.int64()),
        ("low", pa.list_(pa.float32())),
        ("high", pa.list_(pa.float32())),
        ("edges", pa.list_(pa.float32())),
        ("counts", pa.list_(pa.int64())),
    ]
)


@dataclass(frozen=True)
class StatisticNull:
    """What a null says of one statistic.

    Attributes:
        alleles: that have a value, n: each counted once.
        not_finite: alleles that were left out for a value that is NaN or infinite.
    """

    alleles: int
    not_finite: int


@dataclass(frozen=True)
class NullOf:
    """What a null is of.

    Attributes:
        version: of the file and of how ranks are reckoned.
        run: digest of the identity of the background run.
        identity: that identity: model, conventions, genome, input with its sha256, filters.
        by_status: rows of that run by status.
        records: of its input, where rows are not records themselves.
        filtered: records that its filters took out.
        statistics: by name.
        notice: what a demonstration says.
        created_by: which release collected it.
    """

    version: int
    run: str
    identity: JsonObject
    by_status: Mapping[str, int]
    records: int | None
    filtered: Mapping[str, int]
    statistics: Mapping[str, StatisticNull]
    notice: str | None
    created_by: str


@dataclass(frozen=True)
class NullFile:
    """A null as it lies on this machine.

    Attributes:
        name: as its user calls it.
        path: where it lies.
        sha256: of the file.
        of: what it is a null of.
    """

    name: str
    path: str
    sha256: str
    of: NullOf

    @classmethod
    def open(cls, name: str) -> "NullFile":
        """A null by its name: a path, or an address `s3://bucket/key`.

        Raises:
            InputError: for a file that is not there, or is no null.
        """
        path = local_path(name)
        if Path(path).is_dir():
            raise InputError(f"{name}: is a directory, and a null is one file. {_MAKE}")
        if not Path(path).is_file():
            raise InputError(f"{name}: there is no such file. {_MAKE}")
        try:
            metadata = pq.read_metadata(path).metadata or {}
            said = metadata[_KEY]
        except OSError as error:
            raise InputError(f"{name}: cannot be read: {error}. {_MAKE}") from error
        except (pa.ArrowException, KeyError) as error:
            raise InputError(f"{name}: is no null distribution. {_MAKE}") from error
        version = decode(said, _Version, name).version
        if version != VERSION:
            raise InputError(
                f"{name}: a null of version {version}, this program reads {VERSION}. {_MAKE}"
            )
        absolute = str(Path(path).absolute())
        return cls(name, absolute, _sha256(path), decode(said, NullOf, name))

    @property
    def statistics(self) -> list[str]:
        """Names of its statistics, in the order in which its run was asked for them."""
        # what is written by name is sorted by name
        conventions = self.of.identity["conventions"]
        return sorted(self.of.statistics, key=list(conventions["statistics"]).index)

    def tracks(self, statistic: str) -> list[NullTrack]:
        """What it holds of a statistic, track after track in the order of lists.

        Raises:
            InputError: on another machine, where the file is not, or is another.
            DatasetError: for a file that is damaged.
        """
        path = self._here()
        try:
            rows = pq.read_table(
                path,
                filters=[("statistic", "=", statistic)],
                page_checksum_verification=True,
            )
        except (pa.ArrowException, OSError) as error:
            raise DatasetError(f"{self.name}: damaged: {error}. {_MAKE}") from error
        if _sha256(path) != self.sha256:
            raise InputError(f"{self.name}: another file has taken its place on {platform.node()}")
        columns = [_arrays(rows[name]) for name in ("low", "high", "edges", "counts")]
        return [
            NullTrack(low, high, Bins(edges, counts))
            for low, high, edges, counts in zip(*columns, strict=True)
        ]

    def track_indices(self, statistic: str) -> list[int]:
        """Columns of the head that the tracks of a statistic are, in the order of lists.

        Raises:
            DatasetError: for a file that is damaged.
        """
        try:
            rows = pq.read_table(
                self.path, columns=["track"], filters=[("statistic", "=", statistic)]
            )
        except (pa.ArrowException, OSError) as error:
            raise DatasetError(f"{self.name}: damaged: {error}. {_MAKE}") from error
        return [int(index) for index in rows["track"].to_pylist()]

    def _here(self) -> str:
        """Where this machine has it, which may be another than that on which it was opened."""
        path = self.path if Path(self.path).is_file() else local_path(self.name)
        if not Path(path).is_file():
            raise InputError(
                f"{self.name}: is not on {platform.node()}. Workers of a cluster read the null themselves: put it "
                "where each of them sees it, at s3://… or in a directory that all share."
            )
        return path

    def check_fits(self, run: Run, statistics: Sequence[str]) -> None:
        """Refuse a run whose scores are of another kind than those of the null.

        Args:
            run: whose scores are to be ranked.
            statistics: of it, those that are.

        Raises:
            InputError: naming the fields that differ with both values, or the statistics that the null has not.
        """
        there, now = (_deciding(identity) for identity in (self.of.identity, run.identity))
        if there != now:
            lines = "\n".join(difference_lines(there, now, {}, {}))
            raise InputError(
                f"{self.name}: is a null of other scores than this run's; these fields differ (there: of the null, "
                f"now: of the run):\n{lines}\nScore the background with this run's model and settings, and "
                "`enformer-ray calibrate` that."
            )
        absent = [name for name in statistics if name not in self.of.statistics]
        if absent:
            known = ", ".join(self.of.statistics)
            raise InputError(
                f"{self.name}: has no null of {', '.join(absent)}, but of {known}. Choose these by --statistics, or "
                "score the background with the others too."
            )


_MAKE = "A null is made by `enformer-ray calibrate RUN --out NULL`, of a run over common variants"


@dataclass(frozen=True)
class _Version:
    """The one field that nulls of every version have."""

    version: int


class NullWriter:
    """Writes a null, statistic after statistic.

    Args:
        stream: of the file.
        tracks: indices of the run's tracks, in the order of lists.
    """

    def __init__(self, stream: IO[bytes], tracks: Sequence[int]) -> None:
        self._tracks = tracks
        self._writer = pq.ParquetWriter(
            stream,
            _SCHEMA,
            compression="zstd",
            use_dictionary=False,
            column_encoding={f"{name}.list.element": "BYTE_STREAM_SPLIT" for name in _FLOATS},
            write_statistics=["statistic", "track"],
            write_page_checksum=True,
        )

    def add(self, statistic: str, sketch: Sketch) -> None:
        """Write what was seen of a statistic."""
        low = sketch.smallest()
        high = sketch.largest()
        for first in range(0, sketch.tracks, _TRACKS_AT_ONCE):
            numbers = range(first, min(first + _TRACKS_AT_ONCE, sketch.tracks))
            bins = [sketch.bins(number) for number in numbers]
            part = slice(numbers.start, numbers.stop)
            columns = [
                [statistic] * len(numbers),
                self._tracks[part],
                [number + 1 for number in numbers],
                [sketch.rows] * len(numbers),
                list(low[part]),
                list(high[part]),
                [each.edges for each in bins],
                [each.counts for each in bins],
            ]
            arrays = [
                pa.array(column, field.type) for column, field in zip(columns, _SCHEMA, strict=True)
            ]
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=_SCHEMA))

    def finish(self, of: NullOf) -> None:
        """Say what the null is of; a file that does not is none."""
        self._writer.add_key_value_metadata({_KEY: canonical_json(of)})

    def __enter__(self) -> "NullWriter":
        return self

    def __exit__(self, *error: object) -> None:
        self._writer.close()


_FLOATS = ("low", "high", "edges")


def _deciding(identity: JsonObject) -> JsonObject:
    """What of an identity a null and a run have in common."""
    deciding = {name: identity.get(name) for name in DECIDING}
    conventions = dict(identity.get("conventions") or {})
    # which statistics there are is told by name
    conventions.pop("statistics", None)
    return {**deciding, "conventions": conventions}


def _arrays(lists: pa.ChunkedArray) -> Iterator[np.ndarray]:
    """Each list as an array."""
    for chunk in lists.chunks:
        values = np.asarray(chunk.flatten())
        yield from np.split(values, np.cumsum(np.asarray(chunk.value_lengths()))[:-1])


def _sha256(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

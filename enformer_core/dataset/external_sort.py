"""The first half of an external sort: alleles go to buckets on scratch disk, each small enough to be sorted in memory.

Knows where an allele lies on the axis of positions, and files. Does not know what becomes of the alleles.
"""

import errno
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int64

from enformer_core.dataset.order import (
    NO_START,
    ContigLengths,
    RowPositions,
    axis_positions,
    run_firsts,
)
from enformer_core.errors import InputError

INTERVALS = 512
"""Into how many the genome is cut at first; a batch that comes in no order is written in so many pieces."""

LINES_PER_BUCKET = 1 << 18

Edges = Int64[np.ndarray, " edges"]

RowCodes = Int64[np.ndarray, " rows"]


class BucketKey(NamedTuple):
    """Names a bucket. Buckets follow one another in the plan as their keys do when sorted.

    Attributes:
        interval: number of the interval of the axis of positions, or of a group of rows without a start.
        file: of rows that only their file and line tell apart.
        line_block: lines // LINES_PER_BUCKET of such rows.
    """

    interval: int
    file: str = ""
    line_block: int = 0


class BucketKeys:
    """All keys, each with a code, and the rule by which a row has its key. May be used from several threads.

    Args:
        contigs: the genome's.
        edges: ascending positions on the axis at which intervals begin, but for the first.
    """

    def __init__(self, contigs: ContigLengths, edges: Edges) -> None:
        self._contigs = contigs
        self._edges = edges
        # Two edges make intervals 0, 1 and 2. Behind them come rows without a start, at last those without letters.
        self._without_start = edges.size + 1
        self._without_letters = edges.size + 2
        # Intervals are known before rows come, and have their number as code; blocks of lines are added as they come.
        self._keys = [BucketKey(interval) for interval in range(self._without_letters)]
        self._code_of_lines: dict[BucketKey, int] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, code: int) -> BucketKey:
        return self._keys[code]

    def has_starts(self, key: BucketKey) -> bool:
        """Whether rows of this key have starts, by which they can be divided further."""
        return key.interval < self._without_start

    def codes(self, alleles: pa.Table) -> RowCodes:
        """The code of each row's key."""
        positions = axis_positions(alleles, self._contigs)
        # edges 10 20 and positions 3 10 25 -> intervals 0 1 2
        codes = np.searchsorted(self._edges, positions, side="right")
        no_start = positions == NO_START
        if not no_start.any():
            return codes
        codes[no_start] = self._without_start
        no_ref = pc.is_null(alleles["ref"])
        no_alt = pc.is_null(alleles["alt"])
        no_letters = np.asarray(pc.and_(no_ref, no_alt))
        bare = np.flatnonzero(no_start & no_letters)
        lines = alleles.select(["input_file", "input_line"])
        bare_lines = lines.take(pa.array(bare))
        codes[bare] = self._line_codes(bare_lines)
        return codes

    def _line_codes(self, rows: pa.Table) -> RowCodes:
        """Codes of rows that have nothing but a file and a line to be sorted by.

        A file that is malformed from end to end gives millions of them, which one bucket could not hold.
        """
        files = rows["input_file"].combine_chunks().dictionary_encode()
        file_of_row = np.asarray(files.indices)
        line_blocks = np.asarray(rows["input_line"]) // LINES_PER_BUCKET
        # Rows of file 0 and block 0, the same, and file 1 and block 0: pairs (0 0) (1 0), of which the rows are 0 0 1.
        file_and_block = np.stack([file_of_row, line_blocks], axis=1)
        pairs, pair_of_row = np.unique(file_and_block, axis=0, return_inverse=True)
        names = files.dictionary.to_pylist()
        codes = [self._line_code(names[file], block) for file, block in pairs.tolist()]
        code_of_pair = np.array(codes, dtype=np.int64)
        # NumPy 2.0 gives this inverse a second axis, other versions do not
        return code_of_pair[pair_of_row.reshape(-1)]

    def _line_code(self, file: str, line_block: int) -> int:
        key = BucketKey(self._without_letters, file, line_block)
        with self._lock:
            if key not in self._code_of_lines:
                self._code_of_lines[key] = len(self._keys)
                self._keys.append(key)
            return self._code_of_lines[key]


@dataclass(frozen=True)
class Bucket:
    """Rows of one or more neighbouring keys, to be sorted together.

    Attributes:
        sorter: where they are.
        batches: numbers of the batches in its file.
        rows: how many.
        can_be_divided: whether its rows have starts, which can tell them apart.
    """

    sorter: "ExternalSorter"
    batches: tuple[int, ...]
    rows: int
    can_be_divided: bool

    def read(self) -> pa.Table:
        """All rows at once, in no order."""
        return pa.Table.from_batches(self.iterate())

    def iterate(self) -> Iterator[pa.RecordBatch]:
        """All rows, one batch of the file at a time."""
        return self.sorter.read(self.batches)


class ExternalSorter:
    """A scratch file of alleles in buckets. Rows may be added from several threads; then it is closed, and read.

    Args:
        path: the file to write.
        contigs: the genome's.
        edges: ascending positions on the axis at which intervals begin, but for the first; by default the genome is
            cut evenly.
    """

    def __init__(
        self,
        path: Path,
        contigs: ContigLengths,
        edges: Edges | None = None,
    ) -> None:
        self.path = path
        self._contigs = contigs
        if edges is None:
            edges = _even_edges(contigs)
        self._keys = BucketKeys(contigs, edges)
        self._batches_of: dict[BucketKey, list[int]] = defaultdict(list)
        self._rows_of: Counter[BucketKey] = Counter()
        self._batches_written = 0
        self._writer: pa.ipc.RecordBatchFileWriter | None = None
        self._lock = threading.Lock()

    def add(self, alleles: pa.Table) -> None:
        """Write alleles to their buckets; they come in any order, and with the same columns each time.

        Raises:
            InputError: when the scratch file cannot be written.
        """
        if not alleles.num_rows:
            return
        codes = self._keys.codes(alleles)
        if (np.diff(codes) < 0).any():
            # Codes fit 16 bits, which NumPy sorts by radix, in a fifth of the time that 64 bits take.
            narrow = np.min_scalar_type(len(self._keys))
            order = np.argsort(codes.astype(narrow), kind="stable")
            alleles = alleles.take(pa.array(order))
            codes = codes[order]
        firsts = run_firsts(codes)
        ends = [*firsts[1:], codes.size]
        (batch,) = alleles.combine_chunks().to_batches()
        with self._lock, scratch_errors(self.path):
            for first, end in zip(firsts, ends, strict=True):
                key = self._keys[int(codes[first])]
                rows = batch.slice(first, end - first)
                self._write(key, rows)

    def _write(self, key: BucketKey, rows: pa.RecordBatch) -> None:
        """Write rows of one key behind those before, and note which batch they are; under the lock."""
        # opened with the first rows: only they show which columns there are
        if self._writer is None:
            options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
            self._writer = pa.ipc.new_file(self.path, rows.schema, options=options)
        self._writer.write_batch(rows)
        self._batches_of[key].append(self._batches_written)
        self._batches_written += 1
        self._rows_of[key] += rows.num_rows

    def close(self) -> None:
        """Finish the file: no more rows will come, and from now on it can be read."""
        if self._writer is not None:
            with scratch_errors(self.path):
                self._writer.close()

    def read(self, batches: Sequence[int] | None = None) -> Iterator[pa.RecordBatch]:
        """Read batches of the file by their numbers, or all of them."""
        if self._writer is None:
            return
        if batches is None:
            batches = range(self._batches_written)
        options = pa.ipc.IpcReadOptions(use_threads=False)
        # Not mapped: pages that were read once would count as this process's memory.
        with pa.OSFile(str(self.path)) as file:
            reader = pa.ipc.open_file(file, options=options)
            for number in batches:
                yield reader.get_batch(number)

    def buckets(self, max_rows: int) -> list[Bucket]:
        """All rows in buckets that follow one another; small neighbours are joined up to so many rows."""
        joined: list[list[BucketKey]] = []
        rows = 0
        for key in sorted(self._batches_of):
            rows += self._rows_of[key]
            if not joined or rows > max_rows:
                joined.append([])
                rows = self._rows_of[key]
            joined[-1].append(key)
        return [self._bucket(keys) for keys in joined]

    def divide(self, bucket: Bucket, rows: int) -> "ExternalSorter":
        """Write a bucket that is too large to another file, in intervals of about so many rows.

        All rows of one position stay in one interval, however many they are.
        """
        positions = [self._positions(batch) for batch in bucket.iterate()]
        in_order = np.sort(np.concatenate(positions))
        # Every rows-th position begins an interval: of 1 4 4 6 8 by twos, 4 and 8. An edge at the first position would
        # leave nothing before it.
        edges = np.unique(in_order[rows::rows])
        edges = edges[edges > in_order[0]]
        path = self.path.with_suffix(f".{bucket.batches[0]}")
        finer = ExternalSorter(path, self._contigs, edges)
        for batch in bucket.iterate():
            finer.add(pa.Table.from_batches([batch]))
        finer.close()
        return finer

    def _bucket(self, keys: Sequence[BucketKey]) -> Bucket:
        batches = [number for key in keys for number in self._batches_of[key]]
        rows = [self._rows_of[key] for key in keys]
        return Bucket(
            sorter=self,
            batches=tuple(batches),
            rows=sum(rows),
            # Rows without a start come last: where the first key has starts, there is something to divide.
            can_be_divided=self._keys.has_starts(keys[0]),
        )

    def _positions(self, batch: pa.RecordBatch) -> RowPositions:
        rows = pa.Table.from_batches([batch])
        return axis_positions(rows, self._contigs)


@contextmanager
def scratch_errors(path: Path) -> Iterator[None]:
    """Say what to do when the scratch disk is full or cannot be written.

    Raises:
        InputError: in the place of any OSError of the block.
    """
    try:
        yield
    except OSError as error:
        # Arrow's errors carry the system's words, but not always its number.
        no_space = error.errno in {errno.ENOSPC, errno.EDQUOT}
        full = no_space or "No space left" in str(error)
        remedy = "Free some space there, or" if full else "Make it writable, or"
        raise InputError(
            f"{path.parent}: scratch files of the plan cannot be written: {error}. {remedy} "
            "name another place by TMPDIR."
        ) from error


def _even_edges(contigs: ContigLengths) -> Edges:
    """Edges that cut the axis of a genome into some INTERVALS of one length; the last is the genome's end."""
    # a contig has one more place than bases, see `axis_positions`
    end = sum(contigs.values()) + len(contigs)
    step = max(end // INTERVALS, 1)
    inner = np.arange(step, end, step)
    return np.append(inner, end)

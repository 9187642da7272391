"""Rows of a run put into the order of the input's lines, on scratch disk and not in memory.

Shards follow the genome, the input follows whatever its maker liked. Lines are cut into buckets of a bounded size, and
each is sorted when the input is read so far. Knows lines. Does not know what the rows say.
"""

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa

from enformer_core.errors import InputError

LINES_PER_BUCKET = 1 << 15

LINE = "input_line"
ALT_INDEX = "alt_index"


class LineBuckets:
    """A scratch file of rows with the columns `input_line` and `alt_index`; each `add` brings the same columns."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "rows.arrow"
        self._writer: pa.ipc.RecordBatchFileWriter | None = None
        self._batches_of: dict[int, list[int]] = defaultdict(list)
        self._batches = 0

    def add(self, rows: pa.Table) -> None:
        """Put rows into their buckets; they come in any order."""
        if not rows.num_rows:
            return
        rows = rows.sort_by(LINE).combine_chunks()
        buckets = np.asarray(rows[LINE]) // LINES_PER_BUCKET
        # buckets 0 0 2 2 2: firsts 0 2, ends 2 5
        firsts = np.flatnonzero(np.diff(buckets, prepend=-1))
        ends = np.append(firsts[1:], buckets.size)
        (batch,) = rows.to_batches()
        with _scratch_errors():
            for first, end in zip(firsts.tolist(), ends.tolist(), strict=True):
                self._write(int(buckets[first]), batch.slice(first, end - first))

    def _write(self, bucket: int, rows: pa.RecordBatch) -> None:
        # opened with the first rows: only they show which columns there are
        if self._writer is None:
            options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
            self._writer = pa.ipc.new_file(self._path, rows.schema, options=options)
        self._writer.write_batch(rows)
        self._batches_of[bucket].append(self._batches)
        self._batches += 1

    def by_line(self) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """Each line that has rows, in ascending order, and its rows by `alt_index`; nothing is added from now on."""
        if self._writer is None:
            return
        with _scratch_errors():
            self._writer.close()
        options = pa.ipc.IpcReadOptions(use_threads=False)
        with pa.OSFile(str(self._path)) as file:
            reader = pa.ipc.open_file(file, options=options)
            for bucket in sorted(self._batches_of):
                batches = [reader.get_batch(number) for number in self._batches_of[bucket]]
                rows = pa.Table.from_batches(batches).sort_by(
                    [(LINE, "ascending"), (ALT_INDEX, "ascending")]
                )
                yield from _grouped(rows.to_pylist())


def _grouped(rows: list[dict[str, Any]]) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    group: list[dict[str, Any]] = []
    for row in rows:
        if group and row[LINE] != group[0][LINE]:
            yield group[0][LINE], group
            group = []
        group.append(row)
    if group:
        yield group[0][LINE], group


@contextmanager
def line_buckets() -> Iterator[LineBuckets]:
    """Buckets on scratch disk while the block lasts.

    Raises:
        InputError: where there is no place for them.
    """
    with ExitStack() as scratch:
        with _scratch_errors():
            folder = scratch.enter_context(TemporaryDirectory(prefix="enformer-ray-export-"))
        yield LineBuckets(Path(folder))


@contextmanager
def _scratch_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{tempfile.gettempdir()}: scratch files of the export cannot be written: {error}. Free some space there, "
            "or name another place by TMPDIR."
        ) from error

"""A matrix of many rows on scratch disk, of which single columns are read as quickly as blocks of rows.

Rows come as they are stored, quartiles are asked of columns. Within a block of rows the values of one column stand
together, so that some columns of all rows are one piece of each block. Knows numbers. Does not know what they are.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import IO, Any

import numpy as np
from jaxtyping import Float

from enformer_core.errors import InputError
from enformer_core.words import bytes_in_words

BLOCK_ROWS = 2048
"""Rows of a block, however they come: sums over blocks are the same bytes for shards of any size."""

_STRIP_BYTES = 64 << 20
"""Of all rows so many columns are read at once as these bytes hold."""

Rows = Float[np.ndarray, "rows columns"]
Columns = Float[np.ndarray, "columns rows"]


class ScratchMatrix:
    """Rows that are added one after another, and then read by blocks or by columns; used as a context.

    Args:
        columns: how many a row has.
        dtype: of the values.

    Raises:
        InputError: from every method, where the scratch disk is full or cannot be written.
    """

    def __init__(self, columns: int, dtype: type[np.floating]) -> None:
        self.rows = 0
        self.columns = columns
        self._dtype = np.dtype(dtype)
        self._buffer = np.empty((BLOCK_ROWS, columns), dtype=self._dtype)
        with _scratch_errors():
            self._file: IO[bytes] = tempfile.TemporaryFile(prefix="enformer-ray-matrix-")  # noqa: SIM115

    def __enter__(self) -> "ScratchMatrix":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, rows: Rows) -> None:
        """Put rows behind those that are there; they are copied."""
        while len(rows):
            filled = self.rows % BLOCK_ROWS
            count = min(BLOCK_ROWS - filled, len(rows))
            self._buffer[filled : filled + count] = rows[:count]
            self.rows += count
            rows = rows[count:]
            if self.rows % BLOCK_ROWS == 0:
                self._write(self._buffer)

    def finish(self) -> None:
        """Write what is not on disk yet; nothing is added from now on."""
        filled = self.rows % BLOCK_ROWS
        self._write(self._buffer[:filled])
        self._buffer = self._buffer[:0]
        with _scratch_errors():
            self._file.flush()

    def _write(self, rows: Rows) -> None:
        by_column = np.ascontiguousarray(rows.T)
        with _scratch_errors():
            self._file.write(by_column.data)

    def blocks(self) -> Iterator[Columns]:
        """All rows in the order in which they came, `BLOCK_ROWS` at a time: column by column, as they lie on disk."""
        for first in range(0, self.rows, BLOCK_ROWS):
            yield self._read(first, 0, self.columns)

    def strips(self) -> Iterator[tuple[slice, Columns]]:
        """Some columns after others, each with the values of all rows; which they are stands before them."""
        column_bytes = max(self.rows, 1) * self._dtype.itemsize
        step = max(_STRIP_BYTES // column_bytes, 1)
        for first in range(0, self.columns, step):
            end = min(first + step, self.columns)
            strip = np.empty((end - first, self.rows), dtype=self._dtype)
            for row in range(0, self.rows, BLOCK_ROWS):
                piece = self._read(row, first, end)
                last = row + piece.shape[1]
                strip[:, row:last] = piece
            yield slice(first, end), strip

    def _read(self, first_row: int, first: int, end: int) -> Columns:
        """Columns [first, end) of the block that begins at a row.

        Of 5 rows of 2 columns in blocks of 3, the disk holds a0 a1 a2 b0 b1 b2, then a3 a4 b3 b4: column b of the
        second block begins behind 3 × 2 values of the first and 2 of its own.
        """
        rows = min(BLOCK_ROWS, self.rows - first_row)
        place = first_row * self.columns + first * rows
        values = np.empty((end - first, rows), dtype=self._dtype)
        with _scratch_errors():
            self._file.seek(place * self._dtype.itemsize)
            self._file.readinto(values.data)  # type: ignore[attr-defined]
        return values


def check_scratch(needed_bytes: int, remedy: str) -> None:
    """Refuse what the scratch disk cannot hold, before anything is read.

    Args:
        needed_bytes: that will be written.
        remedy: what to do where there is less.

    Raises:
        InputError: naming what is needed and what is free.
    """
    folder = tempfile.gettempdir()
    free_bytes = shutil.disk_usage(folder).free
    if needed_bytes > free_bytes:
        raise InputError(
            f"{folder}: {bytes_in_words(needed_bytes)} of scratch disk are needed, {bytes_in_words(free_bytes)} are "
            f"free. {remedy}, or name another place by TMPDIR."
        )


@contextmanager
def _scratch_errors() -> Iterator[Any]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{tempfile.gettempdir()}: the scratch file cannot be written: {error}. Free some space there, or name "
            "another place by TMPDIR."
        ) from error

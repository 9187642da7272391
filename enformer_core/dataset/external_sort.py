"""Alleles on local scratch disk, by stretch of the genome, until all have come and each can be sorted by itself.

Knows where an allele lies on the axis of positions, and files. Does not know what becomes of the alleles.
"""

import errno
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int64

from enformer_core.dataset.order import NO_START, axis_positions
from enformer_core.errors import InputError

STRETCHES = 512
"""Pieces of the genome at first; batches that come in any order are cut into so many at most."""

_LINES = 1 << 18

Key = tuple[int, str, int]
"""A stretch; stretches follow one another as their keys do. File and lines count for rows without a start only."""


@dataclass(frozen=True)
class Stretch:
    """Alleles of one or more neighbouring stretches: all that lie between its ends.

    Attributes:
        spill: where they are.
        batches: which of its batches.
        rows: how many.
        can_be_divided: whether its rows have starts that can tell them apart.
    """

    spill: "Spill"
    batches: tuple[int, ...]
    rows: int
    can_be_divided: bool

    def read(self) -> pa.Table:
        """The rows, in no order."""
        return pa.Table.from_batches(self.iterate())

    def iterate(self) -> Iterator[pa.RecordBatch]:
        """The rows, a batch at a time."""
        return self.spill.read(self.batches)


class Spill:
    """A scratch file of alleles. Rows may be added from several threads; when all are in, `close` and read.

    Args:
        path: the file to write.
        contigs: the genome's contigs, in order, with their lengths.
        edges: where on the axis of positions stretches begin, but for the first; by default the genome is cut evenly.
    """

    def __init__(
        self,
        path: Path,
        contigs: Mapping[str, int],
        edges: Int64[np.ndarray, " edges"] | None = None,
    ) -> None:
        self.path, self._contigs = path, contigs
        self._edges = _even_edges(contigs) if edges is None else edges
        self._keys: list[Key] = [(at, "", 0) for at in range(self._edges.size + 2)]
        self._codes = {key: code for code, key in enumerate(self._keys)}
        self._found: dict[Key, list[int]] = {}
        self._rows: dict[Key, int] = {}
        self._batches = 0
        self._writer: Any = None
        self._lock = threading.Lock()

    def add(self, alleles: pa.Table) -> None:
        """Take alleles in any order, of the same columns each time."""
        codes = self._stretch_codes(alleles)
        if (codes[1:] < codes[:-1]).any():
            order = np.argsort(codes.astype(np.min_scalar_type(len(self._keys))), kind="stable")
            alleles, codes = alleles.take(pa.array(order)), codes[order]
        firsts = np.flatnonzero(np.diff(codes, prepend=-1)).tolist()
        whole = alleles.combine_chunks().to_batches()
        with self._lock, scratch_errors(self.path):
            if self._writer is None:
                options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
                self._writer = pa.ipc.new_file(self.path, alleles.schema, options=options)
            for first, end in zip(firsts, [*firsts[1:], codes.size], strict=True):
                self._write(self._keys[codes[first]], whole[0].slice(first, end - first))

    def close(self) -> None:
        """Nothing more will come."""
        if self._writer is not None:
            with scratch_errors(self.path):
                self._writer.close()

    def read(self, batches: Sequence[int] | None = None) -> Iterator[pa.RecordBatch]:
        """These of the batches written, or all."""
        if self._writer is None:
            return
        with pa.OSFile(
            str(self.path)
        ) as file:  # not mapped: what was read would stay in this process's memory
            reader = pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(use_threads=False))
            for number in range(self._batches) if batches is None else batches:
                yield reader.get_batch(number)

    def stretches(self, rows: int) -> list[Stretch]:
        """All there is, in order; neighbours are joined as long as they come to no more than so many rows."""
        joined: list[list[Key]] = []
        total = 0
        for key in sorted(self._found):
            total += self._rows[key]
            if not joined or total > rows:
                joined.append([])
                total = self._rows[key]
            joined[-1].append(key)
        return [
            Stretch(
                spill=self,
                batches=tuple(number for key in keys for number in self._found[key]),
                rows=sum(self._rows[key] for key in keys),
                can_be_divided=keys[0][0] <= self._edges.size,
            )
            for keys in joined
        ]

    def divide(self, stretch: Stretch, rows: int) -> "Spill":
        """Write a stretch that is too large once more, in stretches of about so many rows; a single position is one."""
        positions = np.sort(np.concatenate([self._positions(batch) for batch in stretch.iterate()]))
        edges = np.unique(positions[rows::rows])
        finer = Spill(
            self.path.with_suffix(f".{stretch.batches[0]}"),
            self._contigs,
            edges[edges > positions[0]],
        )
        for batch in stretch.iterate():
            finer.add(pa.Table.from_batches([batch]))
        finer.close()
        return finer

    def _positions(self, batch: pa.RecordBatch) -> Int64[np.ndarray, " rows"]:
        return axis_positions(
            pa.Table.from_batches([batch]).select(["chrom", "start"]), self._contigs
        )

    def _write(self, key: Key, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)
        self._found.setdefault(key, []).append(self._batches)
        self._rows[key] = self._rows.get(key, 0) + batch.num_rows
        self._batches += 1

    def _stretch_codes(self, alleles: pa.Table) -> Int64[np.ndarray, " rows"]:
        """Index into `_keys` for each row."""
        positions = axis_positions(alleles, self._contigs)
        codes = np.searchsorted(self._edges, positions, side="right")
        nowhere = positions == NO_START
        if nowhere.any():
            codes[nowhere] = self._edges.size + 1
            bare = np.flatnonzero(nowhere & _null(alleles, "ref") & _null(alleles, "alt"))
            codes[bare] = self._line_codes(
                alleles.select(["input_file", "input_line"]).take(pa.array(bare))
            )
        return codes

    def _line_codes(self, rows: pa.Table) -> Int64[np.ndarray, " rows"]:
        """Stretches of lines, for rows that have nothing else to be sorted by."""
        files = rows["input_file"].combine_chunks().dictionary_encode()
        names, lines = files.dictionary.to_pylist(), np.asarray(rows["input_line"]) // _LINES
        pairs, of_row = np.unique(
            np.stack([np.asarray(files.indices), lines]), axis=1, return_inverse=True
        )
        with self._lock:
            codes = [
                self._code((self._edges.size + 2, names[file], int(line))) for file, line in pairs.T
            ]
        return np.array(codes, dtype=np.int64)[of_row.reshape(-1)]

    def _code(self, key: Key) -> int:
        if key not in self._codes:
            self._codes[key] = len(self._keys)
            self._keys.append(key)
        return self._codes[key]


@contextmanager
def scratch_errors(path: Path) -> Iterator[None]:
    """Say what to do when the scratch disk is full or cannot be written."""
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT} or "No space left" in str(error)
        remedy = "Free some space there, or" if full else "Make it writable, or"
        raise InputError(
            f"{path.parent}: scratch files of the plan cannot be written: {error}. {remedy} "
            "name another place by TMPDIR."
        ) from error


def _even_edges(contigs: Mapping[str, int]) -> Int64[np.ndarray, " edges"]:
    end = sum(contigs.values()) + len(contigs)
    step = max(end // STRETCHES, 1)
    return np.append(np.arange(step, end, step, dtype=np.int64), end)


def _null(alleles: pa.Table, name: str) -> np.ndarray:
    return np.asarray(pc.is_null(alleles[name]))

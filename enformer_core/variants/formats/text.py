"""Records of a text file as columns of strings with the true line numbers.

Blocks in which every line has the same number of columns go through pyarrow's CSV reader; any other block is cut up as
bytes in NumPy, so that each of its lines answers for itself. No record becomes a Python object in either. Knows
separators and line ends. Does not know what a position or an allele is.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from jaxtyping import Bool, Int64, UInt8

from enformer_core.variants.formats.compression import HEAD_BYTES, whole_lines
from enformer_core.variants.formats.detect import Layout, find_layout
from enformer_core.variants.formats.headers import REQUIRED

TEXT_COLUMNS = ("chrom", "pos", "id", "ref", "alt")

_TAB, _LF, _CR = 9, 10, 13

_MANY = 4096  # columns of a line; beyond, blocks hold few lines and the CSV reader's columns cost more than cells


def read_delimited(path: Path) -> Iterator[pa.Table]:
    """Blocks of records: see `DelimitedFile.blocks`."""
    return DelimitedFile.open(path).blocks()


@dataclass(frozen=True)
class DelimitedFile:
    """A text file of known layout."""

    path: Path
    layout: Layout

    @staticmethod
    def open(path: Path) -> "DelimitedFile":
        """Look at the file's beginning.

        Raises:
            InputError: when the file is not text, has no usable header, or is compressed and damaged.
        """
        return DelimitedFile(path, find_layout(whole_lines(path, block_bytes=HEAD_BYTES), path)[0])

    def blocks(self, roles: tuple[str, ...] = ()) -> Iterator[pa.Table]:
        """Blocks of records: line (int64, 1-based), fields, wanted (int64) and columns of strings as written.

        The strings are chrom, pos, id, ref, alt, and those of the further roles that the file has. A column is null
        where its line ends before it, or the file has none. `fields` counts the line's columns; `wanted` how many are
        needed to reach the last required one. Empty lines are no records.

        Raises:
            InputError: when the file is compressed and damaged.
        """
        blocks = whole_lines(self.path)
        layout, rest = find_layout(blocks, self.path)
        line = layout.body_line
        for block in chain([rest] if rest else [], blocks):
            yield self.split(block, roles, first_line=line)
            line += block.count(b"\n")

    def split(self, block: bytes, roles: tuple[str, ...] = (), *, first_line: int = 0) -> pa.Table:
        """The records of a block of whole lines, as `blocks` gives them."""
        index = self.layout.columns.index
        chosen = {role: index.get(role) for role in (*TEXT_COLUMNS, *roles)}
        present = {
            role: at for role, at in chosen.items() if at is not None or role in TEXT_COLUMNS
        }
        return _Splitter(self.layout, present)(block, first_line)


@dataclass(frozen=True)
class _Splitter:
    """Cuts blocks of whole lines into columns; `chosen` says which, None for those that the file does not have."""

    layout: Layout
    chosen: dict[str, int | None]

    def __call__(self, block: bytes, first_line: int) -> pa.Table:
        """The records of a block."""
        block = _with_tabs(block, self.layout.separator)
        even = self._split_even(block, first_line)
        return self._split_any(block, first_line) if even is None else even

    @property
    def wanted(self) -> int:
        required = [self.chosen[role] for role in REQUIRED]
        present = [at for at in required if at is not None] or [self.chosen["id"] or 0]
        return 1 + max(present)

    def _split_even(self, block: bytes, first_line: int) -> pa.Table | None:
        """The same by pyarrow's CSV reader; None where it would not count lines as they are or lines differ."""
        if b"\r" in block:
            return None
        fields = block.count(b"\t", 0, block.index(b"\n")) + 1
        if fields < self.wanted or not 1 < fields <= _MANY:
            return None
        present = {
            f"f{at}": pa.string() for at in self.chosen.values() if at is not None and at < fields
        }
        try:
            table = pa_csv.read_csv(
                pa.py_buffer(block),
                read_options=pa_csv.ReadOptions(
                    autogenerate_column_names=True, block_size=len(block) // 2 + 4096
                ),
                parse_options=pa_csv.ParseOptions(delimiter="\t", quote_char=False),
                convert_options=pa_csv.ConvertOptions(
                    column_types=present, include_columns=list(present), strings_can_be_null=False
                ),
            )
        except (pa.ArrowInvalid, pa.ArrowKeyError):
            return None
        if table.num_rows != block.count(b"\n"):
            return None
        size = table.num_rows
        columns = {
            role: table[f"f{at}"] if at is not None and at < fields else pa.nulls(size, pa.string())
            for role, at in self.chosen.items()
        }
        return self._table(np.arange(first_line, first_line + size), np.full(size, fields), columns)

    def _split_any(self, block: bytes, first_line: int) -> pa.Table:
        """Every line by itself."""
        text = np.frombuffer(block, dtype=np.uint8)
        ends = np.flatnonzero(text == _LF)
        starts = np.concatenate([[0], ends[:-1] + 1])
        lines = np.arange(first_line, first_line + ends.size)
        ends = ends - (
            (text[ends - 1] == _CR) & (ends > starts)
        )  # a CR before LF belongs to the line's end
        filled = ends > starts
        starts, ends, lines = starts[filled], ends[filled], lines[filled]
        tabs = np.append(
            np.flatnonzero(text == _TAB), 0
        )  # the last is never read as a tab; it keeps indices inside
        first_tab = np.searchsorted(tabs[:-1], starts)
        fields = np.searchsorted(tabs[:-1], ends) - first_tab + 1

        def column(index: int | None) -> pa.Array:
            if index is None:
                return pa.nulls(starts.size, pa.string())
            begins = (
                starts if index == 0 else tabs[np.minimum(first_tab + index - 1, tabs.size - 1)] + 1
            )
            stops = np.where(
                index < fields - 1, tabs[np.minimum(first_tab + index, tabs.size - 1)], ends
            )
            return _strings(text, begins, stops, index < fields)

        return self._table(lines, fields, {role: column(at) for role, at in self.chosen.items()})

    def _table(
        self,
        lines: Int64[np.ndarray, " rows"],
        fields: Int64[np.ndarray, " rows"],
        columns: dict[str, pa.Array | pa.ChunkedArray],
    ) -> pa.Table:
        wanted = np.full(lines.size, self.wanted)
        return pa.table({"line": lines, "fields": fields, "wanted": wanted, **columns})


def _with_tabs(block: bytes, separator: str) -> bytes:
    """The same lines with tabs between columns."""
    if separator == "tab":
        return block
    if separator == "space":
        inner = re.sub(rb"[ \t]+", b"\t", block)
        return re.sub(rb"(?m)^\t+|\t+(?=\r?$)", b"", inner)
    if b'"' in block:
        return b"\n".join(_unquoted(line) for line in block.split(b"\n"))
    return block.replace(b"\t", b" ").replace(b",", b"\t")


def _unquoted(line: bytes) -> bytes:
    """A line of CSV; one whose quotes do not close stays as it is, and will be too short."""
    body = (
        line.rstrip(b"\r").decode("utf-8", "surrogateescape").replace("\t", " ").replace("\r", " ")
    )
    try:
        fields = next(csv.reader([body], strict=True), [])
    except csv.Error:
        fields = [body]
    return "\t".join(fields).replace("\n", " ").encode("utf-8", "surrogateescape")


def _strings(
    text: UInt8[np.ndarray, " length"],
    begins: Int64[np.ndarray, " rows"],
    ends: Int64[np.ndarray, " rows"],
    present: Bool[np.ndarray, " rows"],
) -> pa.Array:
    """The pieces [begin, end) of the text as an Arrow column; null where not present."""
    sizes = np.where(present, ends - begins, 0)
    offsets = np.zeros(sizes.size + 1, dtype=np.int32)
    np.cumsum(sizes, out=offsets[1:])
    letters = text[np.arange(offsets[-1]) + np.repeat(begins - offsets[:-1], sizes)]
    validity = np.packbits(present, bitorder="little")
    buffers = [pa.py_buffer(array) for array in (validity, offsets, letters)]
    column = pa.Array.from_buffers(pa.binary(), sizes.size, buffers)
    try:
        return pc.cast(column, pa.string())
    except (
        pa.ArrowInvalid
    ):  # not UTF-8, most likely Latin-1 in an identifier: kept readable as \xe9
        return pa.array(
            [cell and cell.decode("utf-8", "backslashreplace") for cell in column.to_pylist()],
            pa.string(),
        )

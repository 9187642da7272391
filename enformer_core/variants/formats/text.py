"""Records of a text file as columns of strings with the true line numbers.

Blocks in which every line has the same number of columns go through pyarrow's CSV reader; any other block is cut up as
bytes in NumPy, so that each of its lines answers for itself. No record becomes a Python object in either. Knows
separators and line ends. Does not know what a position or an allele is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from jaxtyping import Int64, UInt8

from enformer_core.variants.arrow import Mask, Numbers
from enformer_core.variants.formats.body import VCF_FIXED, Body
from enformer_core.variants.formats.compression import (
    HEAD_BYTES,
    lines_at,
    whole_lines,
)
from enformer_core.variants.formats.given import NOTHING_GIVEN, GivenColumns
from enformer_core.variants.formats.layout import Layout, find_layout
from enformer_core.variants.formats.reader import (
    REQUIRED,
    TEXT_COLUMNS,
    VCF_COLUMNS,
    Header,
    Roles,
)

_TAB = ord("\t")
_LF = ord("\n")
_CR = ord("\r")

_ENDS = (b"\tEND=", b";END=")
"""What stands in a block if a record in it has an END in INFO."""

_BLANKS = (b" ", b"\xc2\xa0")  # the second is a blank that does not break, from web pages

_MANY_FIELDS = 4096
"""Columns of a line beyond which a block holds few lines and the CSV reader's columns cost more than cells."""


@dataclass(frozen=True)
class TextReader:
    """A text file of known layout: VCF, or any dialect of `headers`; plain, gzip or BGZF."""

    path: Path
    layout: Layout
    given: GivenColumns = NOTHING_GIVEN

    @staticmethod
    def sniff(path: Path, given: GivenColumns = NOTHING_GIVEN) -> "TextReader | None":
        """Open the file; it is taken for text, so that what it is instead can be said.

        Raises:
            InputError: when the file is not text, has no usable header, or is compressed and damaged.
        """
        beginning = whole_lines(path, block_bytes=HEAD_BYTES)
        layout, _ = find_layout(beginning, path, given)
        return TextReader(path, layout, given)

    @property
    def header(self) -> Header:
        """What the first lines say of all records."""
        return self.layout.header

    def blocks(self, roles: Roles = ()) -> Iterator[pa.Table]:
        """All lines that are not empty; see `RecordReader.blocks`.

        Raises:
            InputError: when the file is compressed and damaged.
        """
        # the file is read again from its beginning; the header is found again where it was
        splitter = self._splitter(roles)
        with_ends = self._with_ends(splitter)
        blocks = whole_lines(self.path)
        layout, first_records = find_layout(blocks, self.path, self.given)
        line = layout.body_line
        if first_records:
            blocks = chain([first_records], blocks)
        for block in blocks:
            has_ends = any(sign in block for sign in _ENDS)
            cutter = with_ends if has_ends else splitter
            yield cutter.split(block, first_line=line)
            line += block.count(b"\n")

    def sample(self, roles: Roles = (), *, probes: int) -> Iterator[pa.Table]:
        """One table of some lines from each place; nothing of gzip other than BGZF."""
        lines = lines_at(self.path, probes=probes)
        if lines:
            yield self._splitter(roles).split(lines, first_line=0)

    def keeping(self, places: Mapping[str, int]) -> "TextReader":
        """The same with further roles, and the index of each one's column."""
        header = self.layout.header
        index = {**header.columns.index, **places}
        columns = replace(header.columns, index=index)
        return replace(self, layout=replace(self.layout, header=replace(header, columns=columns)))

    def _with_ends(self, splitter: "_Splitter") -> "_Splitter":
        """The same that gives INFO for its END, too; most blocks have none, and INFO is long."""
        index = self.header.columns.index
        if "info" not in index:
            return splitter
        columns = {**splitter.columns, "info_end": index["info"]}
        return replace(splitter, columns=columns)

    def _splitter(self, roles: Roles) -> "_Splitter":
        index = self.header.columns.index
        columns = {role: index.get(role) for role in TEXT_COLUMNS}
        columns |= {role: index[role] for role in roles if role in index}
        return _Splitter(self.layout.body, columns, trims=self.header.is_table)


@dataclass(frozen=True)
class _Splitter:
    """Cuts blocks of whole lines into columns.

    Attributes:
        body: how lines are cut, and how many cells they have.
        columns: index of each column by role, None for those that the file does not have.
        trims: whether blanks around a cell mean nothing.
    """

    body: Body
    columns: dict[str, int | None]
    trims: bool

    def split(self, block: bytes, *, first_line: int) -> pa.Table:
        """The records of a block of whole lines; its first has this number."""
        # one separator from here on: whatever the file has is turned into tabs
        block = self.body.cut.with_tabs(block)
        records = self._split_even(block, first_line)
        if records is None:
            records = self._split_any(block, first_line)
        has_blanks = self.trims and any(blank in block for blank in _BLANKS)
        return _trimmed(records) if has_blanks else records

    @property
    def needed_fields(self) -> int:
        """Columns that a line needs to reach the last required one; in a list, the identifier."""
        required = [self.columns[role] for role in REQUIRED]
        present = [at for at in required if at is not None]
        last = max(present) if present else self.columns["id"] or 0
        return last + 1

    def _split_even(self, block: bytes, first_line: int) -> pa.Table | None:
        """By pyarrow's CSV reader; None where lines differ, or it would not count them as they are."""
        # to the CSV reader a CR is the end of a line by itself
        if b"\r" in block:
            return None
        first_end = block.index(b"\n")
        fields = block.count(b"\t", 0, first_end) + 1
        if not self._suits_csv(fields):
            return None
        present = {at for at in self.columns.values() if at is not None and at < fields}
        names = [f"f{at}" for at in sorted(present)]
        table = _read_csv(block, names)
        # the CSV reader leaves out empty lines; then every number behind one would be wrong
        if table is None or table.num_rows != block.count(b"\n"):
            return None
        rows = table.num_rows
        cells = {
            role: table[f"f{at}"] if at in present else pa.nulls(rows, pa.string())
            for role, at in self.columns.items()
        }
        lines = np.arange(first_line, first_line + rows)
        fields_of_each = np.full(rows, fields)
        return self._table(lines, fields_of_each, cells)

    def _suits_csv(self, fields: int) -> bool:
        """Whether lines of so many columns have all that is needed, and no more than the CSV reader is good at."""
        if fields < self.needed_fields:
            return False
        if not 1 < fields <= _MANY_FIELDS:
            return False
        # of lines that are too short or too long each says by itself what is wrong with it
        most = self.body.most or fields
        return self.body.least <= fields <= most

    def _split_any(self, block: bytes, first_line: int) -> pa.Table:
        """The same with every line cut by itself, however many columns it has."""
        lines = _Lines.of(block, first_line)
        cells = {role: lines.column(at) for role, at in self.columns.items()}
        records = self._table(lines.numbers, lines.fields, cells)
        return self._with_faults(records, lines)

    def _with_faults(self, records: pa.Table, lines: "_Lines") -> pa.Table:
        """The records; those that have another number of cells than the header names with a fault."""
        body = self.body
        is_unlike = lines.fields < body.least
        if body.most is not None:
            is_long = lines.are_filled_beyond(body.most)
            # further cells of a VCF are merely more, unless an empty one before them shows that others moved
            if body.has_fixed_order:
                behind_alt = VCF_COLUMNS["alt"] + 1
                is_long &= lines.have_empty_cells(behind_alt, VCF_FIXED)
            is_unlike |= is_long
        if not is_unlike.any():
            return records
        cells = pc.cast(records["fields"], pa.string())
        named = f" cells, where the header names {body.named}"
        said = pc.binary_join_element_wise(cells, named, "")
        no_fault = pa.scalar(None, pa.string())
        fault = pc.if_else(pa.array(is_unlike), said, no_fault)
        return records.append_column("fault", fault)

    def _table(
        self,
        lines: Numbers,
        fields: Numbers,
        cells: dict[str, pa.Array | pa.ChunkedArray],
    ) -> pa.Table:
        numbers = {
            "line": lines,
            "fields": fields,
            "needed_fields": np.full(lines.size, self.needed_fields),
        }
        return pa.table({**numbers, **cells})


def _read_csv(block: bytes, names: list[str]) -> pa.Table | None:
    """These of the columns f0, f1, … as text; None where lines have different numbers of columns."""
    try:
        return pa_csv.read_csv(
            pa.py_buffer(block),
            read_options=pa_csv.ReadOptions(
                autogenerate_column_names=True,
                block_size=len(block) // 2 + 4096,  # two blocks, so that two threads parse
            ),
            parse_options=pa_csv.ParseOptions(delimiter="\t", quote_char=False),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                include_columns=names,
                strings_can_be_null=False,
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError):
        return None


@dataclass(frozen=True)
class _Lines:
    r"""The lines of a block that are not empty, by where their tabs and ends are.

    Of b"1\t5\n\n2\n": numbers 1, 3; starts 0, 5; ends 3, 6; tabs 1, 0; first_tab 0, 1; fields 2, 1.

    Attributes:
        text: bytes of the block.
        numbers: of the lines, in the file.
        starts: index of each line's first byte.
        ends: index behind its last, without the line's end.
        tabs: indices of all tabs; the last entry is none, it only keeps indices inside.
        first_tab: for each line the number of tabs before it.
        fields: for each line its columns.
    """

    text: UInt8[np.ndarray, " bytes"]
    numbers: Int64[np.ndarray, " lines"]
    starts: Int64[np.ndarray, " lines"]
    ends: Int64[np.ndarray, " lines"]
    tabs: Int64[np.ndarray, " tabs"]
    first_tab: Int64[np.ndarray, " lines"]
    fields: Int64[np.ndarray, " lines"]

    @staticmethod
    def of(block: bytes, first_line: int) -> "_Lines":
        text = np.frombuffer(block, dtype=np.uint8)
        # the block ends at a line's end, so the next line begins behind each LF but the last
        ends = np.flatnonzero(text == _LF)
        starts = np.concatenate([[0], ends[:-1] + 1])
        numbers = np.arange(first_line, first_line + ends.size)
        # a CR before LF belongs to the line's end
        last_is_cr = text[ends - 1] == _CR
        has_cr = last_is_cr & (ends > starts)
        ends = ends - has_cr
        # an empty line is no record, but has a number
        filled = ends > starts
        starts = starts[filled]
        ends = ends[filled]
        tabs = np.flatnonzero(text == _TAB)
        first_tab = np.searchsorted(tabs, starts)
        end_tab = np.searchsorted(tabs, ends)
        tabs_of_each = end_tab - first_tab
        return _Lines(
            text=text,
            numbers=numbers[filled],
            starts=starts,
            ends=ends,
            tabs=np.append(tabs, 0),
            first_tab=first_tab,
            fields=tabs_of_each + 1,
        )

    def column(self, index: int | None) -> pa.Array:
        """The column's cells; null where the line ends before it, or the file has no such column."""
        if index is None:
            return pa.nulls(self.starts.size, pa.string())
        begins = self.starts if index == 0 else self._tab(index - 1) + 1
        # a cell ends at the next tab, or where its line ends
        has_tab_behind = index < self.fields - 1
        next_tab = self._tab(index)
        cell_ends = np.where(has_tab_behind, next_tab, self.ends)
        is_present = index < self.fields
        return _strings(self.text, begins, cell_ends, is_present)

    def are_filled_beyond(self, most: int) -> Mask:
        """Whether each line has a cell behind so many that is not empty; tabs alone at a line's end are none."""
        tabs_behind = self.fields - most
        # behind the last cell that counts stand as many letters as tabs, if there is nothing else
        letters_behind = self.ends - self._tab(most - 1)
        return (tabs_behind > 0) & (letters_behind > tabs_behind)

    def have_empty_cells(self, first: int, end: int) -> Mask:
        """Whether one of these cells of each line, all of which it must have, is empty; the first is not cell 0."""
        is_empty = np.zeros(self.fields.size, dtype=bool)
        for number in range(first, end):
            begin = self._tab(number - 1) + 1
            is_empty |= self._tab(number) == begin
        return is_empty

    def _tab(self, number: int) -> Int64[np.ndarray, " lines"]:
        """Where each line's tab of this number is; some tab of another line where it has fewer."""
        last = self.tabs.size - 1
        wanted = self.first_tab + number
        return self.tabs[np.minimum(wanted, last)]


def _trimmed(records: pa.Table) -> pa.Table:
    """The same without blanks around cells."""
    for at, column in enumerate(records.schema):
        if pa.types.is_string(column.type):
            cells = pc.utf8_trim_whitespace(records.column(at))
            records = records.set_column(at, column.name, cells)
    return records


def _strings(
    text: UInt8[np.ndarray, " length"],
    begins: Numbers,
    ends: Numbers,
    present: Mask,
) -> pa.Array:
    """The pieces [begin, end) of the text as an Arrow column; null where not present.

    Of "chr1.chr22" the pieces [0, 4) and [5, 10) have sizes 4, 5 and offsets 0, 4, 9; letter 4 of the column, the
    first of the second piece, is the text's letter 4 + (5 - 4).
    """
    # absent cells have no letters; their begins and ends are those of some other line
    sizes = np.where(present, ends - begins, 0)
    offsets = np.zeros(sizes.size + 1, dtype=np.int32)
    np.cumsum(sizes, out=offsets[1:])
    shift = begins - offsets[:-1]
    shift_of_each = np.repeat(shift, sizes)
    source = np.arange(offsets[-1]) + shift_of_each
    # Arrow's bitmap has row 0 in the lowest bit
    validity = np.packbits(present, bitorder="little")
    arrays = (validity, offsets, text[source])
    buffers = [pa.py_buffer(array) for array in arrays]
    column = pa.Array.from_buffers(pa.binary(), sizes.size, buffers)
    try:
        return pc.cast(column, pa.string())
    except pa.ArrowInvalid:
        return _readable(column)


def _readable(column: pa.Array) -> pa.Array:
    r"""Bytes that are no UTF-8, most likely Latin-1 in an identifier, kept readable as \xe9."""
    cells = column.to_pylist()
    readable = [cell and cell.decode("utf-8", "backslashreplace") for cell in cells]
    return pa.array(readable, pa.string())

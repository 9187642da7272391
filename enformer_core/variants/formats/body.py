"""The records of a text file held against its header: how their lines are cut, and how many cells they have.

The first few records show it. Where they and the header cannot both be right, it is said, never guessed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from enformer_core.errors import InputError
from enformer_core.variants.formats.cells import Cut
from enformer_core.variants.formats.reader import Columns, Header, Separator

_LOOKED_AT = 20
"""Records that show how the others are written."""

VCF_FIXED = 8
"""Columns from CHROM to INFO; what stands behind is never read."""

_POSITION = re.compile(r"[0-9]+(\.0+)?")

_ALLELES = re.compile(r"[ACGTN,.*-]+|<[^<>]+>|[ID0]", re.IGNORECASE)

_NAME = re.compile(r"rs[0-9]+|.*[0-9][:_-].+", re.IGNORECASE)

_LOOKS = {"pos": _POSITION, "ref": _ALLELES, "alt": _ALLELES, "id": _NAME, "locus": _NAME}


@dataclass(frozen=True)
class Body:
    """How records are cut.

    Attributes:
        cut: into cells.
        least: cells that a record has at least; 0 where any number will do.
        most: cells that it has at most, not counting empty ones behind; None where any number will do.
        row_names: cells before the first that the header names: 1 in what R writes with row names.
        named: how many cells the header names, for a message.
        has_fixed_order: whether cells beyond `most` are merely more, unless an empty one shows that others moved: VCF.
    """

    cut: Cut
    least: int = 0
    most: int | None = None
    row_names: int = 0
    named: int = 0
    has_fixed_order: bool = False

    def moved(self, columns: Columns) -> Columns:
        """The columns as records have them."""
        if not self.row_names:
            return columns
        index = {role: at + self.row_names for role, at in columns.index.items()}
        names = (*[""] * self.row_names, *columns.names)
        return replace(columns, index=index, names=names)


def fit_body(
    header: Header,
    cut: Cut,
    cells: int | None,
    records: bytes,
    where: str,
) -> Body:
    """How the records are cut.

    Args:
        header: what the beginning says of them.
        cut: of the header's own line.
        cells: how many the header names; None where records may have any number.
        records: the first of them, whole lines.
        where: the header's line, for a message.

    Raises:
        InputError: when each record has a cell more than the header, and it cannot be told which has no name.
    """
    if cells is None:
        return Body(cut)
    lines = _first_lines(records)
    if not header.is_table:
        return _vcf_body(header, cut, cells, lines)
    cut = _cut_of_body(cut, cells, lines)
    rows = [cut.cells(line) for line in lines]
    # one record with a cell too many is a bad line; all of them are a header with a name too few
    one_more = cells + 1
    have_one_more = [_filled(row, cells) == one_more for row in rows]
    if rows and all(have_one_more) and _has_row_names(header, rows, where):
        return Body(cut, one_more, one_more, row_names=1, named=cells)
    return Body(cut, cells, cells, named=cells)


def _first_lines(records: bytes) -> list[str]:
    # twice as many, as some may be empty or comments; what is left behind them is no single line
    most = _LOOKED_AT * 2
    split = records.split(b"\n", most)[:most]
    lines = [line.rstrip(b"\r") for line in split]
    filled = [line.decode("utf-8", "backslashreplace") for line in lines if line.strip()]
    of_records = [line for line in filled if not line.startswith("#")]
    return of_records[:_LOOKED_AT]


def _vcf_body(
    header: Header,
    cut: Cut,
    cells: int,
    lines: Sequence[str],
) -> Body:
    """The order of a VCF's columns is fixed: records may leave out QUAL to INFO if they all do, and samples."""
    first = len(cut.cells(lines[0])) if lines else cells
    least = min(cells, first)
    if header.format == "VCF":
        least = min(least, VCF_FIXED)
    return Body(cut, least, max(cells, VCF_FIXED), named=cells, has_fixed_order=True)


def _cut_of_body(cut: Cut, cells: int, lines: Sequence[str]) -> Cut:
    """The separator by which a record has as many cells as the header, or one more; else the header's own."""
    separators: tuple[Separator, ...] = ("tab", cut.separator, "comma", "space")
    # exactly as many first: by another separator a cell with a blank in it would count as one more
    for extra in (0, 1):
        for separator in separators:
            body = replace(cut, separator=separator)
            if any(_filled(body.cells(line), cells) == cells + extra for line in lines):
                return body
    return cut


def _filled(row: Sequence[str], named: int) -> int:
    """How many cells a row has, not counting empty ones behind those that the header names."""
    count = len(row)
    while count > named and not row[count - 1].strip():
        count -= 1
    return count


def _has_row_names(
    header: Header,
    rows: Sequence[Sequence[str]],
    where: str,
) -> bool:
    """Whether the first cell is the one without a name."""
    as_named = sum(_fits(header.columns, row) for row in rows)
    moved = sum(_fits(header.columns, row[1:]) for row in rows)
    if as_named and moved:
        raise InputError(
            f"{where}: names {len(header.columns.names)} columns, and each record has one cell more; whether the first "
            f"or the last has no name cannot be told: {' '.join(rows[0])!r}. Name every column."
        )
    return moved > 0


def _fits(columns: Columns, row: Sequence[str]) -> bool:
    """Whether the cells look like what the columns should hold."""
    index = columns.index
    # an identifier may be anything, and shows something only where nothing else does
    roles = [role for role in ("pos", "ref", "alt") if role in index]
    roles = roles or [role for role in ("locus", "id") if role in index]
    return all(_LOOKS[role].fullmatch(row[index[role]].strip()) for role in roles)

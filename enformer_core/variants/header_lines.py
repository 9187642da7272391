"""Lines among the records that are a header again, as files put together by cat have them.

One that says the same is a record that cannot be read. One that names the columns in another order would have all
records below it misread, and ends the reading. Works on columns of records.
"""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.errors import InputError
from enformer_core.variants.arrow import Column, sentence
from enformer_core.variants.formats.headers import NAMES, cleaned
from enformer_core.variants.formats.reader import Columns
from enformer_core.variants.records import with_fault

_COMPARED = (
    "chrom",
    "pos",
    "end",
    "id",
    "ref",
    "alt",
    "effect",
    "strand",
    "locus",
    "alleles",
)

_PLACES = ("pos", "locus", "id")
"""Where a header line has a word; the first that the file has is looked at."""

_KNOWN = frozenset(name for tiers in NAMES.values() for tier in tiers for name in tier)

_NO_TEXT = pa.scalar(None, pa.string())


def without_other_headers(records: pa.Table, columns: Columns, where: str) -> pa.Table:
    """The records; those that are the header again with a fault.

    Args:
        records: of text, as the reader gives them.
        columns: of the file, with the names of its header.
        where: the file, for the message.

    Raises:
        InputError: when a line names the columns in another order, or where the file has no header.
    """
    place = _looked_at(columns)
    cells = records[place]
    # of most files every position is digits, and no words are compared
    if place == "pos" and _are_all_digits(cells):
        return records
    # a list of one column has no order
    is_list = len(columns.index) == 1
    if is_list:
        return records
    own = _own_names(columns)
    is_header = _holds_a_name(cells, own)
    if not pc.any(is_header).as_py():
        return records
    for row in records.filter(is_header).to_pylist():
        _check(row, own, where)
    reason = sentence("the header again, among the records: '", cells, "'")
    fault = pc.if_else(is_header, reason, _NO_TEXT)
    return with_fault(records, fault)


def _looked_at(columns: Columns) -> str:
    """The role of the column in which a header line shows itself."""
    has = columns.index
    return next((role for role in _PLACES if role in has), "id")


def _are_all_digits(cells: Column) -> bool:
    is_digits = pc.utf8_is_digit(cells)
    # null where there are no cells: then there is no header line either
    return pc.all(is_digits).as_py() is not False


def _own_names(columns: Columns) -> dict[str, str]:
    """What the file's header calls each compared column; an empty name where it has no header."""
    names: dict[str, str] = {}
    for role in _COMPARED:
        at = columns.index.get(role)
        if at is None:
            continue
        has_name = at < len(columns.names)
        names[role] = cleaned(columns.names[at]) if has_name else ""
    return names


def _holds_a_name(cells: Column, own: Mapping[str, str]) -> Column:
    """Whether a cell is a column's name: one of the file's, or any that is known."""
    # a column that is called 3 would make every 3 a header
    words = {name for name in own.values() if name and not name.isdecimal()}
    known = pa.array(sorted(_KNOWN | words))
    bare = pc.utf8_trim(cells, ' "')
    lower = pc.ascii_lower(bare)
    without_sign = pc.replace_substring_regex(lower, "^#", "")
    is_known = pc.is_in(without_sign, known)
    return pc.fill_null(is_known, False)


def _check(
    row: Mapping[str, object],
    own: Mapping[str, str],
    where: str,
) -> None:
    """Refuse a header line that names other columns than the file's header.

    Where the file has none, the line may say what the order of a VCF is.
    """
    for role, name in own.items():
        if role not in row:
            continue
        cell = cleaned(str(row[role] or ""))
        is_same = cell == name if name else _is_named(cell, role)
        if is_same:
            continue
        expected = f"the header has {name!r}" if name else f"{role.upper()} is read"
        raise InputError(
            f"{where}, line {row['line']:,}: names columns again, and has {cell!r} where {expected}. Records "
            "below it would be misread. Give the parts as files of their own."
        )


def _is_named(cell: str, role: str) -> bool:
    tiers = NAMES.get(role, ())  # type: ignore[call-overload]
    return any(cell in tier for tier in tiers)

"""Lines among the records that are a header again, as files put together by cat have them.

One that says the same is a record that cannot be read. One that names the columns in another order would have all
records below it misread, and ends the reading. Works on columns of records.
"""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.errors import InputError
from enformer_core.variants.arrow import sentence
from enformer_core.variants.formats.headers import NAMES, cleaned
from enformer_core.variants.formats.reader import Columns
from enformer_core.variants.records import with_fault

_COMPARED = ("chrom", "pos", "end", "id", "ref", "alt", "effect", "strand", "locus", "alleles")

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
    place = next(role for role in _PLACES if role in columns.index or role == "id")
    # of most files every position is digits, and no words are compared
    if place == "pos" and pc.all(pc.utf8_is_digit(records["pos"])).as_py() is not False:
        return records
    if len(columns.index) == 1:  # a list has no order
        return records
    own = {role: _own_name(columns, role) for role in _COMPARED if role in columns.index}
    known = _KNOWN | {name for name in own.values() if name and not name.isdecimal()}
    words = pc.replace_substring_regex(pc.ascii_lower(pc.utf8_trim(records[place], ' "')), "^#", "")
    is_header = pc.fill_null(pc.is_in(words, pa.array(sorted(known))), False)
    if not pc.any(is_header).as_py():
        return records
    for row in records.filter(is_header).to_pylist():
        _check(row, own, where)
    said = sentence("the header again, among the records: '", records[place], "'")
    return with_fault(records, pc.if_else(is_header, said, _NO_TEXT))


def _own_name(columns: Columns, role: str) -> str:
    at = columns.index[role]
    return cleaned(columns.names[at]) if at < len(columns.names) else ""


def _check(row: Mapping[str, object], own: Mapping[str, str], where: str) -> None:
    cells = {role: cleaned(str(row[role] or "")) for role in own if role in row}
    different = [role for role, cell in cells.items() if cell != own[role]]
    # without a header of its own the order of a VCF is what the line may say
    different = [role for role in different if own[role] or not _is_named(cells[role], role)]
    if different:
        role = different[0]
        expected = f"the header has {own[role]!r}" if own[role] else f"{role.upper()} is read"
        raise InputError(
            f"{where}, line {row['line']:,}: names columns again, and has {cells[role]!r} where {expected}. Records "
            "below it would be misread. Give the parts as files of their own."
        )


def _is_named(cell: str, role: str) -> bool:
    tiers = NAMES.get(role, ())  # type: ignore[call-overload]
    return any(cell in tier for tier in tiers)

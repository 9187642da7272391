"""Records of a VCF with fields added to their INFO: every other byte stays, and so does their order.

Knows the columns of a VCF. Does not know what the fields say.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any

from enformer_core.export.vcf_fields import (
    PREFIX,
    RECORD,
    SOURCE,
    STATUS,
    InfoField,
    beginning,
)
from enformer_core.variants.formats.bcf import bcf_text, is_bcf
from enformer_core.variants.formats.compression import whole_lines
from enformer_core.variants.table import Status

_FIXED = [b"#CHROM", b"POS", b"ID", b"REF", b"ALT", b"QUAL", b"FILTER", b"INFO"]
_ALT = 4
_INFO = 7

_PREFIXES = re.compile(rb"ER[0-9]*_", re.IGNORECASE)
_PREFIXES_WITHIN = re.compile(rb"[\t;]ER[0-9]*_", re.IGNORECASE)

# before any text in quotes, which may hold anything
_ID = re.compile(rb'##INFO=<(?:[^"]*,)?ID=(?P<key>[^,>]+)')

_VERSION = b"##fileformat="
_OLDEST_VERSION = b"##fileformat=VCFv4.2"
"""Of a header that names none; htslib reads no VCF without."""

RECORD_FIELD = InfoField(
    RECORD,
    "String",
    "What became of a record of which no ALT can say it: no_alt, malformed, or not_chosen where the run's filters took "
    "it out",
    number="1",
)

_NOT_CHOSEN = "not_chosen"

Rows = Sequence[Mapping[str, Any]]
"""Of one line: its rows by `alt_index`, each with a text for every key, or None."""


@dataclass(frozen=True)
class VcfHead:
    """The header of a VCF.

    Attributes:
        meta: lines that begin with `##`, without their ends.
        columns: the line `#CHROM`.
        end: of each of its lines: a line feed, perhaps after a carriage return.
    """

    meta: tuple[bytes, ...]
    columns: bytes
    end: bytes

    def earlier_keys(self) -> frozenset[bytes]:
        """Keys of INFO that give way: those of an earlier export, whose lines say so; no key by its name alone."""
        earlier = {_id_of(line) for line in self.meta if _is_ours(line)}
        return frozenset(earlier - self.own_keys()) - {b""}

    def own_keys(self) -> frozenset[bytes]:
        """Keys of INFO that the header declares as somebody else's."""
        return frozenset(_id_of(line) for line in self.meta if not _is_ours(line)) - {b""}

    def lines(self, added: Sequence[str]) -> bytes:
        """The header with lines added before the last, in the place of those of an earlier export."""
        kept = [line for line in self.meta if not _is_ours(line)]
        if not kept or not kept[0].startswith(_VERSION):
            kept.insert(0, _OLDEST_VERSION)
        lines = [*kept, *(line.encode() for line in added), self.columns]
        return b"".join(line + self.end for line in lines)


def read_text(path: Path) -> Iterator[bytes]:
    """Lines of a VCF, plain or packed, or of a BCF as VCF has them; each ends in a line feed.

    Raises:
        InputError: when the file is damaged, or BCF and pysam is not installed.
    """
    if is_bcf(path):
        yield from bcf_text(path)
        return
    for block in whole_lines(path):
        yield from block.splitlines(keepends=True) if b"\r" not in block else _lines(block)


def split_head(lines: Iterator[bytes]) -> tuple[VcfHead | None, int]:
    """The header, and how many lines it has; None where the columns are not those of a VCF with INFO.

    Args:
        lines: of the file, of which the header's are taken.
    """
    meta: list[bytes] = []
    for line in lines:
        end = b"\r\n" if line.endswith(b"\r\n") else b"\n"
        text = line.removesuffix(end)
        if text.startswith(b"##"):
            meta.append(text)
        elif text:
            is_vcf = text.split(b"\t")[: len(_FIXED)] == _FIXED
            return (VcfHead(tuple(meta), text, end), len(meta) + 1) if is_vcf else (None, 0)
        else:
            meta.append(text)
    return None, 0


def free_prefix(path: Path, head: VcfHead) -> str:
    """What the added keys of INFO begin with, so that none of the input's own does: `ER_`, else `ER2_` and so on.

    A header need not declare what records have, so that both are looked at.

    Args:
        path: of the VCF or BCF.
        head: its header.
    """
    own = head.own_keys()
    # htslib reads no BCF with a key that its header does not declare
    if not is_bcf(path):
        own |= _keys_of_records(path)
    matches = map(_PREFIXES.match, own - head.earlier_keys())
    # who filters by hand does not tell er_status from ER_STATUS
    taken = {found[0].upper() for found in matches if found is not None}
    candidates = (f"ER{number}_" for number in count(2))
    return next(each for each in chain((PREFIX,), candidates) if each.encode() not in taken)


def _keys_of_records(path: Path) -> set[bytes]:
    """Keys of INFO in records that begin as added ones may."""
    found: set[bytes] = set()
    for block in whole_lines(path):
        # most files have none of them, and a search of bytes is quick
        if not _PREFIXES_WITHIN.search(block):
            continue
        for line in block.split(b"\n"):
            cells = line.split(b"\t", _INFO + 1)
            if len(cells) > _INFO and not line.startswith(b"#"):
                keys = (each.partition(b"=")[0] for each in cells[_INFO].split(b";"))
                found.update(key for key in keys if _PREFIXES.match(key))
    return found


def annotated(
    lines: Iterator[bytes],
    first_line: int,
    rows_by_line: Iterator[tuple[int, Rows]],
    keys: Sequence[str],
    *,
    replaced: frozenset[bytes],
    prefix: str = PREFIX,
) -> Iterator[bytes]:
    """Each record with what is known of it added to its INFO.

    Args:
        lines: the records, each with its end.
        first_line: number of the first of them in the file.
        rows_by_line: rows of lines in ascending order.
        keys: in the order in which they stand in INFO.
        replaced: keys that are taken out of INFO first.
        prefix: what the added keys begin with.
    """
    number, rows = next(rows_by_line, (0, ()))
    for line_number, line in enumerate(lines, first_line):
        cells = line.split(b"\t", _INFO + 1)
        if number == line_number:
            found = rows
            number, rows = next(rows_by_line, (0, ()))
        else:
            found = ()
        # an empty line and a further header are no records, and what lacks a column can have nothing added to it
        if len(cells) <= _INFO or is_no_record(line):
            yield line
            continue
        alt = cells[_ALT]
        alts = 0 if alt in (b".", b"") else alt.count(b",") + 1
        added = info_of(found, keys, alts, prefix).encode()
        cells[_INFO] = _with_info(cells[_INFO], added, replaced)
        yield b"\t".join(cells)


def is_no_record(line: bytes) -> bool:
    """Whether a line among the records is empty, or one of a header, as of files that were put one behind the other."""
    return line.startswith(b"#") or not line.strip()


def info_of(rows: Rows, keys: Sequence[str], alts: int, prefix: str = PREFIX) -> str:
    """What is added to the INFO of a record: a list over its ALTs under each key that says something.

    Args:
        rows: the record's; none where filters took it out.
        keys: in order.
        alts: how many ALTs it has.
        prefix: what keys begin with in the file.
    """
    if not rows or not alts:
        return f"{beginning(RECORD, prefix)}={rows[0][STATUS] if rows else _NOT_CHOSEN}"
    # a line that cannot be read has one row, whatever its number of ALTs
    only = rows[0] if len(rows) == 1 and rows[0][STATUS] == Status.MALFORMED else None
    of_alt = {row["alt_index"]: row for row in rows}
    added = []
    for key in keys:
        texts = [(of_alt.get(alt) or only or {}).get(key) for alt in range(1, alts + 1)]
        if any(text is not None for text in texts):
            values = ",".join("." if text is None else text for text in texts)
            added.append(f"{beginning(key, prefix)}={values}")
    return ";".join(added)


def _with_info(info: bytes, added: bytes, replaced: frozenset[bytes]) -> bytes:
    text = info.rstrip(b"\r\n")
    end = info[len(text) :]
    # most files have none of them, and their INFO stays as it is
    if any(key in text for key in replaced):
        fields = text.split(b";")
        kept = [each for each in fields if each.partition(b"=")[0] not in replaced]
        text = b";".join(kept)
    if text in (b".", b""):
        return added + end
    between = b"" if text.endswith(b";") else b";"
    return text + between + added + end


def _lines(block: bytes) -> Iterator[bytes]:
    # by line feeds alone, as lines are counted wherever the program reads
    start = 0
    while start < len(block):
        end = block.index(b"\n", start) + 1
        yield block[start:end]
        start = end


def _is_ours(line: bytes) -> bool:
    ours = f'Source="{SOURCE}"'.encode()
    is_field = line.startswith(b"##INFO=") and ours in line
    return is_field or line.startswith(f"##{SOURCE}=".encode())


def _id_of(line: bytes) -> bytes:
    """ID of a header line `##INFO=<ID=…,`; nothing where it has none."""
    found = _ID.match(line)
    return b"" if found is None else found["key"]

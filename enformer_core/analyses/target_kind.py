"""What a file of targets holds, told by its first lines: intervals, genes or variants. Loads nothing heavy."""

import codecs
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, get_args

from enformer_core.errors import InputError

TargetKind = Literal["intervals", "genes", "variants"]

TARGET_KINDS: tuple[TargetKind, ...] = get_args(TargetKind)

_HEAD_BYTES = 1 << 16
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW_BITS = 31  # zlib's number for a gzip header, with the largest window
_HEADERS = ("#", "track", "browser")
_ALLELE = re.compile(r"[ACGTN*-]+|<.+>", re.IGNORECASE)
_STRANDS = frozenset("+-.?")
_GFF_COLUMNS = 9
_BED_COLUMNS = 3
_BED_STRAND = 5
_VCF = ("##fileformat=VCF", "#CHROM\tPOS")


def target_kind(path: Path) -> TargetKind:
    """What a file holds.

    Nine columns with places and a strand are a gene's, in GTF or GFF3. A line of contig, start and end is an interval's
    (BED of genes looks the same), unless two alleles follow, as in ANNOVAR's tables. Everything else is for the readers
    of variants to make sense of.

    Raises:
        InputError: when the file cannot be read.
    """
    lines = _first_lines(path)
    if any(line.startswith(_VCF) for line in lines):
        return "variants"
    fields = _first_record(lines)
    if _is_gff(fields):
        return "genes"
    # a BED file of comments alone has no record that could tell
    if not fields and ".bed" in path.suffixes:
        return "intervals"
    return "intervals" if _is_interval(fields) else "variants"


def has_strands(path: Path) -> bool:
    """Whether one of a file's first intervals says on which strand it lies, as BED of genes does."""
    strands = [
        fields[_BED_STRAND] for fields in _records(_first_lines(path)) if fields[_BED_STRAND:]
    ]
    return any(strand.strip() in ("+", "-") for strand in strands)


def _first_record(lines: Iterable[str]) -> list[str]:
    return next(_records(lines), [])


def _records(lines: Iterable[str]) -> Iterator[list[str]]:
    for line in lines:
        if line.strip() and not line.startswith(_HEADERS):
            # at tabs, or at white space where there are none
            yield line.split("\t") if "\t" in line else line.split()


def _is_interval(fields: Sequence[str]) -> bool:
    if len(fields) < _BED_COLUMNS:
        return False
    start_and_end = fields[1:3]
    alleles = fields[3:5]
    has_place = all(map(_is_number, start_and_end))
    # ANNOVAR's tables begin like BED, with both alleles behind the place
    are_alleles = all(map(_ALLELE.fullmatch, alleles))
    has_alleles = len(alleles) == 2 and are_alleles
    return has_place and not has_alleles


def _is_gff(fields: Sequence[str]) -> bool:
    if len(fields) != _GFF_COLUMNS:
        return False
    start_and_end = fields[3:5]
    has_place = all(map(_is_number, start_and_end))
    return has_place and fields[6] in _STRANDS


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\s*-?[0-9]+\s*", text) is not None


def _first_lines(path: Path) -> list[str]:
    """The first whole lines, unpacked; of a binary file what its bytes look like as letters."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        if head.startswith(_GZIP_MAGIC):
            # no more than its beginning, of whatever size the file is unpacked
            unpacker = zlib.decompressobj(_GZIP_WINDOW_BITS)
            head = unpacker.decompress(head, _HEAD_BYTES)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except zlib.error:  # the reader of its kind will say so
        return []
    text = head.removeprefix(codecs.BOM_UTF8).decode("latin-1")
    return text.splitlines()

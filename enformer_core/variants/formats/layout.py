"""How the records of a text file are laid out, by its first lines: VCF, or one of the dialects of `headers`.

Knows headers and what records look like where there is none. Does not read the records.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from enformer_core.errors import InputError
from enformer_core.variants.formats import headers
from enformer_core.variants.formats.columns import find_columns, listed
from enformer_core.variants.formats.headers import (
    begins_like_vcf,
    cleaned,
    is_whole_number,
)
from enformer_core.variants.formats.reader import (
    REQUIRED,
    VCF_COLUMNS,
    Columns,
    Header,
    Separator,
)

_CONTIG_LINE = re.compile(
    rb"##contig=<(?=[^\n]*\bID=(?P<id>[^,>]+))(?=[^\n]*\blength=(?P<length>\d{1,18})\b)"
)

_FORMAT_AT = 8  # of VCF's columns; behind FORMAT are samples, which may have any name

_BY_SEPARATOR: dict[Separator, str] = {
    "tab": "tab-separated text",
    "comma": "CSV",
    "space": "space-separated text",
}


@dataclass(frozen=True)
class Layout:
    """How the records of a text file are laid out.

    Attributes:
        header: what the beginning says of all records, the separator among it.
        body_line: line on which records begin, counted from 1.
    """

    header: Header
    body_line: int


def find_layout(blocks: Iterator[bytes], path: Path) -> tuple[Layout, bytes]:
    """The layout, and what remains of its block: the first records.

    Args:
        blocks: whole lines, from the file's beginning.
        path: the file, for messages.

    Raises:
        InputError: when the beginning is that of no known format.
    """
    search = _Search(path)
    for block in blocks:
        position = 0
        while position < len(block):
            start = position
            position = block.index(b"\n", start) + 1
            layout = search.look(block[start:position].rstrip(b"\r\n"))
            if layout is not None:
                # the line that settled it is the first record itself where there is no header
                is_record = layout.body_line == search.number
                return layout, block[start if is_record else position :]
    if search.is_vcf:
        raise InputError(
            f"{path}: no header line that names the columns #CHROM, POS, REF and ALT, and no records"
        )
    raise InputError(f"{path}: no header line and no records")


class _Search:
    """Lines are shown to it one after another until it knows.

    Attributes:
        number: of the line that was shown last, from 1.
        is_vcf: whether a line ##fileformat=VCF was among them.
    """

    def __init__(self, path: Path) -> None:
        self.number = 0
        self.is_vcf = False
        self._path = path
        self._has_chrom_line = False
        self._contigs: dict[str, int] = {}

    def look(self, line: bytes) -> Layout | None:
        """The layout, if this line settles it.

        Args:
            line: without its end; it may be the header, or the first record: then it is the layout's `body_line`.

        Raises:
            InputError: when it should be a header and is none.
        """
        self.number += 1
        if not line.strip() or line.startswith((b"##", b"track ", b"browser ")):
            self._note_meta_line(line)
            return None
        text = line.decode("utf-8", "backslashreplace")
        # in a VCF commas and spaces mean nothing between columns
        separator = "tab" if self.is_vcf else _separator(text)
        fields = _split(text, separator)
        is_comment = line.startswith(b"#")
        if not self.is_vcf and not is_comment:
            # records before headers: an identifier may be a column's name by chance
            record = self._headless(fields, separator)
            if record is not None:
                return record
        if self.is_vcf or fields[_FORMAT_AT : _FORMAT_AT + 1] == ["FORMAT"]:
            fields = fields[:_FORMAT_AT]
        columns = find_columns(fields, f"{self._path}, line {self.number}")
        # a VCF's header must name the alleles; with a lesser one the first record is refused, which says so
        if columns is not None and (columns.has_alleles or not self.is_vcf):
            return self._headed(columns, separator)
        if is_comment:
            self._has_chrom_line |= line.upper().startswith(b"#CHROM")
            return None
        layout = self._vcf_without_names(fields) if self.is_vcf else None
        if layout is None:
            raise self._no_header(fields)
        return layout

    def _note_meta_line(self, line: bytes) -> None:
        self.is_vcf |= line.startswith(b"##fileformat=VCF")
        contig = _CONTIG_LINE.match(line)
        if contig:
            name = contig["id"].decode("utf-8", "backslashreplace")
            self._contigs[name] = int(contig["length"])

    def _headed(self, columns: Columns, separator: Separator) -> Layout:
        if self.is_vcf or begins_like_vcf(columns):
            places = {cleaned(name): at for at, name in enumerate(columns.names)}
            if "info" in places:
                columns = replace(
                    columns,
                    index={**columns.index, "info": places["info"]},
                )
        name = "VCF" if self.is_vcf else _dialect(columns, separator)
        header = Header(name, columns, self._contigs or None, separator)
        return Layout(header, body_line=self.number + 1)

    def _headless(self, fields: list[str], separator: Separator) -> Layout | None:
        for kind in headers.HEADLESS:
            columns = kind.columns(fields)
            if columns is not None:
                # a list's lines are whole identifiers, which may hold commas and spaces
                separator = "tab" if len(fields) == 1 else separator
                header = Header(
                    kind.format,
                    columns,
                    separator=separator,
                    named_alleles=kind.named_alleles,
                )
                return Layout(header, body_line=self.number)
        return None

    def _vcf_without_names(self, fields: list[str]) -> Layout | None:
        """The first record of a VCF without #CHROM; after ##fileformat=VCF the columns' order is known all the same."""
        has_alt = len(fields) > VCF_COLUMNS["alt"]
        if self._has_chrom_line or not has_alt or not is_whole_number(fields[VCF_COLUMNS["pos"]]):
            return None
        index = {role: at for role, at in VCF_COLUMNS.items() if at < len(fields)}
        header = Header("VCF", Columns(index), self._contigs or None)
        return Layout(header, body_line=self.number)

    def _no_header(self, fields: list[str]) -> InputError:
        if self.is_vcf:
            return InputError(
                f"{self._path}: line {self.number} comes before any #CHROM line with POS, REF and ALT. Add that line."
            )
        return InputError(
            f"{self._path}: not a variant file. Line {self.number} should name columns {', '.join(REQUIRED)} "
            f"(or be a record of a .bim or BED file, or an rsID); it has {listed(fields)}. "
            "Give VCF, a table with such a header, or Parquet."
        )


def _dialect(columns: Columns, separator: Separator) -> str:
    for dialect in headers.DIALECTS:
        if dialect.applies(columns):
            return dialect.format
    return _BY_SEPARATOR[separator]


def _separator(line: str) -> Separator:
    if "\t" in line:
        return "tab"
    if line.count(",") >= 2:  # a single one may stand in a text of words, or between two ALTs
        return "comma"
    return "space"


def _split(line: str, separator: Separator) -> list[str]:
    if separator == "space":
        return line.split()
    return line.split("\t" if separator == "tab" else ",")

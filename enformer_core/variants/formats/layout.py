"""How the records of a text file are laid out, by its first lines: VCF, or one of the dialects of `headers`.

Knows headers and what records look like where there is none. Does not read the records, but for the first few, which
`body` holds against the header.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from enformer_core.errors import InputError
from enformer_core.variants.formats import headers, headless
from enformer_core.variants.formats.body import Body, fit_body
from enformer_core.variants.formats.cells import Cut, likely_separators
from enformer_core.variants.formats.columns import find_columns
from enformer_core.variants.formats.given import NOTHING_GIVEN, GivenColumns
from enformer_core.variants.formats.headers import begins_like_vcf, cleaned
from enformer_core.variants.formats.headless import is_whole_number
from enformer_core.variants.formats.odd_lines import (
    no_header,
    refuse_odd_line,
    refuse_spaced_vcf,
)
from enformer_core.variants.formats.reader import (
    VCF_ALLELES,
    VCF_COLUMNS,
    Columns,
    Header,
    Separator,
)

_CONTIG_LINE = re.compile(
    rb"##contig=<(?=[^\n]*\bID=(?P<id>[^,>]+))(?=[^\n]*\blength=(?P<length>\d{1,18})\b)"
)

# of VCF's columns; behind FORMAT are samples, which may have any name
_FORMAT_AT = 8

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
        body: how their lines are cut, and how many cells they have.
    """

    header: Header
    body_line: int
    body: Body


def find_layout(
    blocks: Iterator[bytes],
    path: Path,
    given: GivenColumns = NOTHING_GIVEN,
) -> tuple[Layout, bytes]:
    """The layout, and what remains of its block: the first records.

    Args:
        blocks: whole lines, from the file's beginning.
        path: the file, for messages.
        given: columns that the user named.

    Raises:
        InputError: when the beginning is that of no known format.
    """
    search = _Search(path, given)
    for block in blocks:
        position = 0
        while position < len(block):
            start = position
            position = block.index(b"\n", start) + 1
            head = search.look(block[start:position].rstrip(b"\r\n"))
            if head is not None:
                # the line that settled it is the first record itself where there is no header
                records = block[start if head.is_record else position :] or next(blocks, b"")
                return _with_body(head, search, records), records
    if search.is_vcf:
        raise InputError(
            f"{path}: no header line that names the columns #CHROM, POS, REF and ALT, and no records"
        )
    raise InputError(f"{path}: no header line and no records")


@dataclass(frozen=True)
class _Head:
    """What one line has settled.

    Attributes:
        header: what it says of the records.
        cut: how it was cut itself.
        cells: how many it has; None where records may have any number.
        is_record: whether it is the first record.
    """

    header: Header
    cut: Cut
    cells: int | None
    is_record: bool = False


def _with_body(head: _Head, search: "_Search", records: bytes) -> Layout:
    where = f"{search.path}, line {search.number}"
    body = fit_body(head.header, head.cut, head.cells, records, where)
    header = replace(
        head.header,
        columns=body.moved(head.header.columns),
        separator=body.cut.separator,
    )
    return Layout(header, search.number + (not head.is_record), body)


class _Search:
    """Lines are shown to it one after another until it knows.

    Attributes:
        number: of the line that was shown last, from 1.
        is_vcf: whether a line ##fileformat=VCF was among them.
    """

    def __init__(self, path: Path, given: GivenColumns) -> None:
        self.number = 0
        self.is_vcf = False
        self.path = path
        self._given = given
        self._has_chrom_line = False
        self._contigs: dict[str, int] = {}

    def look(self, line: bytes) -> _Head | None:
        """What this line settles, if anything.

        Args:
            line: without its end; it may be the header, or the first record.

        Raises:
            InputError: when it should be a header and is none.
        """
        self.number += 1
        refuse_odd_line(line, self._where)
        if not line.strip() or line.startswith((b"##", b"track ", b"browser ")):
            self._note_meta_line(line)
            return None
        text = line.decode("utf-8", "backslashreplace")
        if self.is_vcf:
            return self._look_in_vcf(line, text)
        is_comment = line.startswith(b"#")
        # records before headers: an identifier may be a column's name by chance
        head = None if is_comment else self._headless(text)
        head = head or self._headed_table(text, is_comment=is_comment)
        if head is None and is_comment:
            self._has_chrom_line |= line.upper().startswith(b"#CHROM")
            return None
        if head is None:
            cut = Cut(likely_separators(text)[0], quotes=True)
            raise self._no_header(cut.cells(text))
        return head

    def _look_in_vcf(self, line: bytes, text: str) -> _Head | None:
        # in a VCF commas and spaces mean nothing between columns
        cells = Cut("tab").cells(text)
        refuse_spaced_vcf(line, self._where)
        # the order is the specification's: a name that is empty, by a tab too many, is no column
        names = [name for name in cells if name.strip()] if line.startswith(b"#") else cells
        columns = self._vcf_columns(_without_samples(names))
        # a VCF's header must name the alleles; with a lesser one the first record is refused, which says so
        if columns is not None and columns.has_alleles:
            return self._vcf(columns, len(names))
        if line.startswith(b"#"):
            self._has_chrom_line |= line.upper().startswith(b"#CHROM")
            return None
        head = self._vcf_without_names(cells)
        if head is None:
            raise self._no_header(cells)
        return head

    def _vcf_columns(self, names: Sequence[str]) -> Columns | None:
        columns = find_columns(names, self._where)
        # what names no columns is a remark or a record, and has none that could be given
        is_header = names[0].upper().startswith("#CHROM") or columns is not None
        return find_columns(names, self._where, self._given) if is_header else None

    @property
    def _where(self) -> str:
        return f"{self.path}, line {self.number}"

    def _note_meta_line(self, line: bytes) -> None:
        self.is_vcf |= line.startswith(b"##fileformat=VCF")
        contig = _CONTIG_LINE.match(line)
        if contig:
            name = contig["id"].decode("utf-8", "backslashreplace")
            self._contigs[name] = int(contig["length"])

    def _vcf(self, columns: Columns, cells: int) -> _Head:
        if columns.basis == "names":
            columns = replace(columns, basis="format", why=VCF_ALLELES)
        header = Header("VCF", _with_info(columns), self._contigs or None)
        return _Head(header, Cut("tab"), cells)

    def _headed_table(self, text: str, *, is_comment: bool) -> _Head | None:
        """The line as the names of columns, by the first separator that makes it so."""
        separators = likely_separators(text)
        for separator in separators:
            cut = Cut(separator, quotes=True)
            names = cut.cells(text)
            if names[_FORMAT_AT : _FORMAT_AT + 1] == ["FORMAT"]:
                return self._vcf_without_version(names)
            if separator == "space" and "tab" in separators:
                columns = self._mixed(names)
            else:
                columns = self._columns(names, is_comment=is_comment)
            if columns is None:
                continue
            if begins_like_vcf(columns):
                columns = _with_info(columns)
                cut = Cut(separator)
            header = Header(_dialect(columns, separator), columns, self._contigs or None, separator)
            return _Head(replace(header, is_table=cut.quotes), cut, len(names))
        return None

    def _columns(self, names: list[str], *, is_comment: bool) -> Columns | None:
        if is_comment and self._given:
            try:
                return find_columns(names, self._where, self._given)
            # a remark; the header is yet to come
            except InputError:
                return None
        return find_columns(names, self._where, self._given)

    def _mixed(self, names: list[str]) -> Columns | None:
        """A line with tabs in it, cut at blanks too: a header where that names all that is needed, and nothing twice.

        Names may hold blanks: `Gene name`, `Effect size` are two, of which neither is an identifier or an allele.
        """
        if len(set(names)) < len(names):
            return None
        try:
            columns = find_columns(names, self._where, self._given)
        # what it would say is of names that nobody wrote
        except InputError:
            return None
        is_whole = columns is not None and columns.has_place and columns.has_alleles
        return columns if is_whole else None

    def _vcf_without_version(self, names: list[str]) -> _Head | None:
        columns = find_columns(_without_samples(names), self._where, self._given)
        if columns is None:
            return None
        header = Header(_dialect(columns, "tab"), _with_info(columns), self._contigs or None)
        return _Head(header, Cut("tab"), len(names))

    def _headless(self, text: str) -> _Head | None:
        if self._given.roles:
            return self._numbered(text)
        for separator in likely_separators(text):
            cut = Cut(separator, quotes=True)
            fields = cut.cells(text)
            for kind in headless.HEADLESS:
                columns = kind.columns(fields)
                if columns is None:
                    continue
                if self._given.effect_allele is not None:
                    columns = headless.with_effect(
                        columns, self._given.effect_allele, fields, self._where
                    )
                # a list's lines are whole identifiers, which may hold commas and spaces
                cut = Cut("tab") if len(fields) == 1 else cut
                header = Header(
                    kind.format,
                    columns,
                    separator=cut.separator,
                    named_alleles=kind.named_alleles,
                    is_table=True,
                )
                return _Head(header, cut, len(fields) if kind.is_even else None, is_record=True)
        return None

    def _numbered(self, text: str) -> _Head | None:
        """A file without a header, of which the user numbers the columns."""
        if not all(is_whole_number(name) for name in self._given.roles.values()):
            return None
        cut = Cut(likely_separators(text)[0], quotes=True)
        fields = cut.cells(text)
        columns = find_columns(
            [str(number) for number, _ in enumerate(fields, start=1)],
            self._where,
            self._given,
        )
        if columns is None:
            return None
        columns = replace(columns, names=())
        header = Header(
            _BY_SEPARATOR[cut.separator], columns, separator=cut.separator, is_table=True
        )
        return _Head(header, cut, len(fields), is_record=True)

    def _vcf_without_names(self, fields: list[str]) -> _Head | None:
        """The first record of a VCF without #CHROM; after ##fileformat=VCF the columns' order is known all the same."""
        has_alt = len(fields) > VCF_COLUMNS["alt"]
        # a line #CHROM that was no header named other columns, and the order is not known
        if self._has_chrom_line or not has_alt:
            return None
        if not is_whole_number(fields[VCF_COLUMNS["pos"]]):
            return None
        if self._given:
            raise InputError(
                f"{self.path}: a VCF without a line #CHROM has its columns in the order of the format, and no names "
                "for --columns and --effect-allele. Leave them out, or add that line"
            )
        index = {role: at for role, at in VCF_COLUMNS.items() if at < len(fields)}
        columns = Columns(index, why=VCF_ALLELES)
        header = Header("VCF", columns, self._contigs or None)
        return _Head(header, Cut("tab"), None, is_record=True)

    def _no_header(self, fields: list[str]) -> InputError:
        if self.is_vcf:
            return InputError(
                f"{self.path}: line {self.number} comes before any #CHROM line with POS, REF and ALT. Add that line."
            )
        return no_header(self._where, fields, self._given)


def _dialect(columns: Columns, separator: Separator) -> str:
    for dialect in headers.DIALECTS:
        if dialect.applies(columns):
            return dialect.format
    return _BY_SEPARATOR[separator]


def _without_samples(names: list[str]) -> list[str]:
    """The names of a VCF's columns; those of samples may be any."""
    has_samples = names[_FORMAT_AT : _FORMAT_AT + 1] == ["FORMAT"]
    return names[:_FORMAT_AT] if has_samples else names


def _with_info(columns: Columns) -> Columns:
    places = {cleaned(name): at for at, name in enumerate(columns.names)}
    if "info" not in places:
        return columns
    return replace(columns, index={**columns.index, "info": places["info"]})

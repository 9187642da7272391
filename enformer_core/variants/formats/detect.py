"""Which of the known text formats a file is in, by its first lines: VCF, PLINK, summary statistics, BED, names alone.

Knows headers and what records look like where there is none. Does not read the records.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from enformer_core.errors import InputError
from enformer_core.variants.formats.headers import (
    REQUIRED,
    VCF_COLUMNS,
    Columns,
    find_columns,
    listed,
)

Separator = Literal["tab", "comma", "space"]

_CONTIG_LINE = re.compile(
    rb"##contig=<(?=[^\n]*\bID=(?P<id>[^,>]+))(?=[^\n]*\blength=(?P<length>\d{1,18})\b)"
)

_ALLELE = re.compile(r"[ACGTN]+|[0ID.*-]|<[^<>]+>", re.IGNORECASE)

_LETTERS = re.compile(r"[ACGTN.-]+", re.IGNORECASE)

_RSID = re.compile(r"rs\d+", re.IGNORECASE)

NAMED_ALLELES = (
    r"^(?P<chrom>(?:[cC][hH][rR])?[A-Za-z0-9.]+)[:_-](?P<pos>[0-9]+)[:_-]"
    r"(?P<ref>[A-Za-z*]+|<[^<>]+>)[:_/>-](?P<alt>[A-Za-z*]+|<[^<>]+>)(?:_b3[78])?$"
)
"""Names such as 1:55516888:G:GA, 1-55516888-G-GA and chr1_55516888_G_GA_b38."""

_FORMAT_AT = 8

_GWAS_SSF = {"chromosome", "base_pair_location", "effect_allele", "other_allele"}


@dataclass(frozen=True)
class Layout:
    """How the records of a text file are laid out.

    Attributes:
        format: its name, for people.
        columns: where things are.
        separator: between columns.
        body_line: line on which records begin, counted from 1.
        header_contigs: contigs with their lengths in bp, where a header declares any.
        named_alleles: whether identifiers are NAMED_ALLELES and hold place and alleles.
    """

    format: str
    columns: Columns
    separator: Separator
    body_line: int
    header_contigs: Mapping[str, int] | None = None
    named_alleles: bool = False


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
            start, position = position, block.index(b"\n", position) + 1
            layout = search.look(block[start:position].rstrip(b"\r\n"))
            if layout is not None:
                return layout, block[start if layout.body_line == search.number else position :]
    if search.is_vcf:
        raise InputError(
            f"{path}: no header line that names the columns #CHROM, POS, REF and ALT, and no records"
        )
    raise InputError(f"{path}: no header line and no records")


class _Search:
    """Lines are shown to it one after another until it knows."""

    def __init__(self, path: Path) -> None:
        self.path, self.number = path, 0
        self.is_vcf = self._named = False
        self._contigs: dict[str, int] = {}

    def look(self, line: bytes) -> Layout | None:
        """The layout, if this line settles it; it may be the header or, with `body_line` the same, the first record."""
        self.number += 1
        if not line.strip() or line.startswith((b"##", b"track ", b"browser ")):
            self.is_vcf |= line.startswith(b"##fileformat=VCF")
            self._note_contig(line)
            return None
        text = line.decode("utf-8", "backslashreplace")
        separator = "tab" if self.is_vcf else _separator(text)
        names = _fields(text, separator)
        if not self.is_vcf and not line.startswith(b"#"):
            record = self._headless(
                names, separator
            )  # first: an identifier may be a column's name by chance
            if record is not None:
                return record
        if self.is_vcf or names[_FORMAT_AT : _FORMAT_AT + 1] == ["FORMAT"]:
            names = names[:_FORMAT_AT]  # behind it are samples, of any name
        columns = find_columns(names, f"{self.path}, line {self.number}")
        if columns is not None and (columns.has_alleles or not self.is_vcf):
            return self._headed(columns, separator)
        if line.startswith(b"#"):
            self._named |= line.upper().startswith(b"#CHROM")
            return None
        layout = self._headless(names, separator) if self.is_vcf else None
        if layout is None:
            raise _no_header(self.path, self.number, names, is_vcf=self.is_vcf)
        return layout

    def _note_contig(self, line: bytes) -> None:
        found = _CONTIG_LINE.match(line)
        if found:
            self._contigs[found["id"].decode("utf-8", "backslashreplace")] = int(found["length"])

    def _headed(self, columns: Columns, separator: Separator) -> Layout:
        plain = {
            name.strip().strip('"').lower().removeprefix("#"): at
            for at, name in enumerate(columns.names)
        }
        is_plink = columns.names[0] == "#CHROM" and list(plain)[1:5] == ["pos", "id", "ref", "alt"]
        if (self.is_vcf or is_plink) and "info" in plain:
            columns = replace(columns, index={**columns.index, "info": plain["info"]})
        if self.is_vcf:
            name = "VCF"
        elif set(plain) >= _GWAS_SSF:
            name = "GWAS-SSF"
        elif is_plink and "effect" not in columns.index:
            name = "PLINK 2 .pvar"
        elif "risk" in columns.index:
            name = "GWAS Catalog associations"
        elif columns.one_based_start is not True:
            name = "BED-like text"
        elif (
            not columns.declares_ref
            or "effect" in columns.index
            or {"beta", "p", "pval", "p_value"} & set(plain)
        ):
            name = "summary statistics"
        else:
            name = {"tab": "tab-separated text", "comma": "CSV", "space": "space-separated text"}[
                separator
            ]
        return Layout(name, columns, separator, self.number + 1, self._contigs or None)

    def _headless(self, fields: list[str], separator: Separator) -> Layout | None:
        if self.is_vcf:
            # Some programs leave out #CHROM; after ##fileformat=VCF the order of columns is known all the same.
            is_record = (
                not self._named
                and len(fields) > VCF_COLUMNS["alt"]
                and _whole(fields[VCF_COLUMNS["pos"]])
            )
            index = {role: at for role, at in VCF_COLUMNS.items() if at < len(fields)}
            return (
                Layout("VCF", Columns(index), "tab", self.number, self._contigs or None)
                if is_record
                else None
            )
        bim = _bim_columns(fields)
        if bim is not None:
            return Layout("PLINK 1 .bim", Columns(bim, declares_ref=False), separator, self.number)
        bed = _bed_columns(fields)
        if bed is not None:
            return Layout(
                "BED-like text", Columns(bed, one_based_start=False), separator, self.number
            )
        if len(fields) == 1 and _RSID.fullmatch(fields[0].strip()):
            return Layout(
                "list of rsIDs", Columns({"id": 0}, declares_ref=False), "tab", self.number
            )
        if len(fields) == 1 and re.fullmatch(NAMED_ALLELES, fields[0].strip()):
            return Layout(
                "list of variants", Columns({"id": 0}), "tab", self.number, named_alleles=True
            )
        return None


def _separator(line: str) -> Separator:
    if "\t" in line:
        return "tab"
    if line.count(",") >= 2:
        return "comma"
    return "space"


def _fields(line: str, separator: Separator) -> list[str]:
    if separator == "space":
        return line.split()
    return line.split("\t" if separator == "tab" else ",")


def _whole(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _bim_columns(fields: list[str]) -> dict[str, int] | None:
    """Chromosome, identifier, centimorgans (which PLINK 2 may leave out), position, A1, A2."""
    if len(fields) not in {5, 6}:
        return None
    pos = len(fields) - 3
    alleles = all(_ALLELE.fullmatch(allele.strip()) for allele in fields[pos + 1 :])
    if alleles and _whole(fields[pos].removeprefix("-")) and not _whole(fields[1]):
        return {"chrom": 0, "id": 1, "pos": pos, "alt": pos + 1, "ref": pos + 2}
    return None


def _bed_columns(fields: list[str]) -> dict[str, int] | None:
    """Contig, start, end; REF and ALT behind them, or behind a name, or behind name, score and strand."""
    if len(fields) < 5 or not (
        _whole(fields[1]) and _whole(fields[2]) and int(fields[1]) <= int(fields[2])
    ):
        return None
    for ref in (3, 4, 6):
        if len(fields) > ref + 1 and all(
            _LETTERS.fullmatch(allele) for allele in fields[ref : ref + 2]
        ):
            name = {"id": 3} if ref > 3 else {}
            return {"chrom": 0, "pos": 1, **name, "ref": ref, "alt": ref + 1}
    return None


def _no_header(path: Path, number: int, names: list[str], *, is_vcf: bool) -> InputError:
    if is_vcf:
        return InputError(
            f"{path}: line {number} comes before any #CHROM line with POS, REF and ALT. Add that line."
        )
    return InputError(
        f"{path}: not a variant file. Line {number} should name columns {', '.join(REQUIRED)} (or be a record of "
        f"a .bim or BED file, or an rsID); it has {listed(names)}. Give VCF, a table with such a header, or Parquet."
    )

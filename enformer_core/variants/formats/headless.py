"""Layouts of variants without a header line, told by what their first record looks like."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from enformer_core.errors import InputError
from enformer_core.variants.formats.identifiers import EMPTY_ALLELE, holds_alleles
from enformer_core.variants.formats.reader import Columns

_BIM_ALLELE = re.compile(r"[ACGTN]+|[0ID.*-]|<[^<>]+>", re.IGNORECASE)

_LETTERS = re.compile(r"[ACGTN.-]+", re.IGNORECASE)

_BED6 = 6
"""Columns of BED up to its strand, which is the last of them."""

_RSID = re.compile(r"rs\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Headless:
    """A layout without a header line, told by what its first record looks like.

    Attributes:
        format: its name, for people.
        columns: of a record's fields, where place and alleles are; None when it is no such record.
        named_alleles: whether the identifiers hold place and alleles.
        is_even: whether every record has as many fields as the first.
    """

    format: str
    columns: Callable[[Sequence[str]], Columns | None]
    named_alleles: bool = False
    is_even: bool = False


_MOST_DIGITS = 18


def is_whole_number(text: str) -> bool:
    """Whether a field is decimal digits and nothing else, and no more of them than 64 bits hold."""
    return text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS


def _bim_columns(fields: Sequence[str]) -> Columns | None:
    """Chromosome, identifier, centimorgans (which PLINK 2 may leave out), position, A1, A2."""
    if len(fields) not in {5, 6}:
        return None
    # counted from the end, as centimorgans may be there or not
    pos = len(fields) - 3
    alleles = fields[pos + 1 :]
    if not all(_BIM_ALLELE.fullmatch(allele.strip()) for allele in alleles):
        return None
    # a negative position is PLINK's way to leave a variant out; with a number for an identifier it would be a BED file
    if not is_whole_number(fields[pos].removeprefix("-")):
        return None
    if is_whole_number(fields[1]):
        return None
    index = {
        "chrom": 0,
        "id": 1,
        "pos": pos,
        "alt": pos + 1,
        "ref": pos + 2,
    }
    why = "PLINK's first allele, A1, is the one whose effect is estimated"
    return Columns(index, declares_ref=False, basis="dialect", why=why)


def _interval_columns(fields: Sequence[str]) -> Columns | None:
    """Contig, start, end; REF and ALT behind them, or behind a name, or behind name, score and strand.

    How starts count, each record's end and REF show: of T at the 5th base, 5 and 5 count from 1 and 4 and 5 from 0.
    """
    if len(fields) < 5:
        return None
    if not (is_whole_number(fields[1]) and is_whole_number(fields[2])):
        return None
    for ref in (3, 4, _BED6):
        alleles = fields[ref : ref + 2]
        if len(alleles) == 2 and all(_LETTERS.fullmatch(allele) for allele in alleles):
            index = _interval_index(ref)
            return Columns(index, one_based_start=None, why="REF and ALT stand behind the interval")
    return None


def _interval_index(ref: int) -> dict[str, int]:
    """Where the roles of an interval's fields are, from where REF is."""
    index = {
        "chrom": 0,
        "pos": 1,
        "end": 2,
        "ref": ref,
        "alt": ref + 1,
    }
    # BED's fourth column is a name
    if ref > 3:
        index["id"] = 3
    if ref == _BED6:
        index["strand"] = 5
    return index


def _annovar_columns(fields: Sequence[str]) -> Columns | None:
    """Contig, start, end, REF, ALT, where start and end are the first and last base of REF."""
    columns = _interval_columns(fields)
    if columns is None or columns.index["ref"] != 3:
        return None
    start = int(fields[1])
    end = int(fields[2])
    ref = fields[3].strip()
    # of an insertion, REF `-`, both are the base before it
    last = start if ref == EMPTY_ALLELE else start + len(ref) - 1
    return columns if end == last else None


def _rsid_columns(fields: Sequence[str]) -> Columns | None:
    if len(fields) == 1 and _RSID.fullmatch(fields[0].strip()):
        return Columns({"id": 0}, declares_ref=False, why="alleles are those of --sites")
    return None


def _name_columns(fields: Sequence[str]) -> Columns | None:
    if len(fields) == 1 and holds_alleles(fields[0].strip()):
        return Columns({"id": 0}, why="the names hold REF, then ALT")
    return None


def with_effect(
    columns: Columns,
    name: str,
    fields: Sequence[str],
    where: str,
) -> Columns:
    """The columns where the user says which holds the effect allele: A1 or A2, REF or ALT, or a number from 1.

    Raises:
        InputError: when the records have no such column of alleles.
    """
    ref = columns.index.get("ref")
    alt = columns.index.get("alt")
    names = ("REF", "ALT") if columns.declares_ref else ("A2", "A1")
    by_name = dict(zip(names, (ref, alt), strict=True))
    at = by_name.get(name.upper())
    if at is None and ref is not None and is_whole_number(name):
        at = int(name) - 1
    if at is None or not _is_allele_at(at, fields):
        known = "it has no column of alleles" if ref is None else f"give {' or '.join(names)}"
        raise InputError(
            f"{where}: --effect-allele {name}: this file has no header and no such column of alleles; {known}"
        )
    index = dict(columns.index)
    if columns.declares_ref or at not in {ref, alt}:
        index["effect"] = at
    elif at == ref:
        # the effect allele stands as ALT, so that a positive effect is one of ALT
        index |= {"ref": index["alt"], "alt": index["ref"]}
    return replace(columns, index=index, basis="given", why="--effect-allele says so")


def _is_allele_at(at: int, fields: Sequence[str]) -> bool:
    """Whether there is such a field, and an allele in it."""
    # number 0 would be -1, Python's last field
    if not 0 <= at < len(fields):
        return False
    allele = fields[at].strip()
    return _BIM_ALLELE.fullmatch(allele) is not None


HEADLESS: tuple[Headless, ...] = (
    Headless("PLINK 1 .bim", _bim_columns, is_even=True),
    Headless("ANNOVAR input", _annovar_columns),
    Headless("BED-like text", _interval_columns),
    Headless("list of rsIDs", _rsid_columns),
    Headless("list of variants", _name_columns, named_alleles=True),
)
"""Layouts without a header; the first that applies counts."""

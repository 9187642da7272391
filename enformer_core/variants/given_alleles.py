"""Columns that the user says hold alleles, held against what is in them: a column of positions is no effect allele.

Knows names and cells. Does not know the genome.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.errors import InputError, first_few
from enformer_core.variants.arrow import Column, has_match
from enformer_core.variants.formats.given import GivenColumns
from enformer_core.variants.formats.headers import cleaned
from enformer_core.variants.formats.reader import Columns, RecordReader
from enformer_core.variants.formats.text import TextReader

_LOOKED_AT = 1000
"""Records of a file's beginning; a column of alleles has one among them."""

_TELLS_NOTHING = r"^\s*[-.*0]?\s*$|^(?i:na|nan|null|none|#na)$"
"""No cell, a missing one, and signs that stand for an allele and for much else."""

_ALLELE = r"""^(?i:[ACGTUN.,*/|\[\]"' -]+|[DIR]|<[^<>]+>|rs[0-9]+-[ACGT?]+)$"""
"""Letters of bases, lists of them, codes of array software, symbols, and an identifier with its risk allele."""

_SHOWN_CELLS = 3

_ALLELE_ROLES = ("ref", "alt", "effect", "other")


def check_given_alleles(reader: RecordReader, given: GivenColumns, path: Path) -> None:
    """Refuse a column that the user names for alleles, and that has none in the file's first records.

    Raises:
        InputError: naming the column, what it holds, and the columns that look like alleles.
    """
    for option, name in _named(given):
        at = _place_of(name, reader.header.columns)
        if at is None:
            continue
        cells = next(_cells_of(reader, [at]), None)
        if cells is None or _holds_alleles(cells):
            continue
        others = _others(reader, at)
        raise InputError(
            f"{path}: {option}: that column has {_some(cells)}, which are no alleles{others}"
        )


def _named(given: GivenColumns) -> Iterator[tuple[str, str]]:
    """The options that name a column of alleles, as written, and its name."""
    if given.effect_allele is not None:
        yield f"--effect-allele {given.effect_allele}", given.effect_allele
    for role in _ALLELE_ROLES:
        if role in given.roles:
            yield f"--columns {role}={given.roles[role]}", given.roles[role]


def _place_of(name: str, columns: Columns) -> int | None:
    """Index of a column by its name or, as in a file without a header, its number; None for A1 of a .bim."""
    names = [cleaned(each) for each in columns.names]
    wanted = cleaned(name)
    if wanted in names:
        # of Effect and EFFECT the one that is written so
        as_written = [each.strip() for each in columns.names]
        return as_written.index(name) if name in as_written else names.index(wanted)
    is_number = name.isdecimal() and int(name) > 0
    return int(name) - 1 if is_number else None


def _holds_alleles(cells: Column) -> bool:
    """Whether half of a column and more are alleles, or nothing in it says what it is."""
    told = _telling(cells)
    is_allele = has_match(told, _ALLELE)
    # the sum of no cells is null
    alleles = pc.sum(is_allele).as_py() or 0
    return 2 * alleles >= len(told)


def _telling(cells: Column) -> Column:
    tells_nothing = has_match(cells, _TELLS_NOTHING)
    return cells.filter(pc.invert(tells_nothing))


def _some(cells: Column) -> str:
    distinct = pc.unique(cells.drop_null()).to_pylist()
    return first_few([repr(cell) for cell in distinct], count=_SHOWN_CELLS)


def _others(reader: RecordReader, refused: int) -> str:
    """Which of the other columns look like alleles, for the end of a message."""
    names = reader.header.columns.names
    alike = []
    for at, name in enumerate(names):
        if at == refused or not name.strip():
            continue
        cells = next(_cells_of(reader, [at]), None)
        if cells is not None and _looks_like_alleles(cells):
            alike.append(name.strip())
    if not alike:
        return ""
    verb = "looks" if len(alike) == 1 else "look"
    return f"; {' and '.join(alike)} {verb} like alleles"


def _looks_like_alleles(cells: Column) -> bool:
    """Whether all cells that say something are letters of bases, and some are."""
    told = _telling(cells)
    is_bases = has_match(told, "^(?i:[ACGT]+)$")
    is_allele = has_match(told, _ALLELE)
    # of no cells both are null
    has_bases = bool(pc.any(is_bases).as_py())
    are_alleles = bool(pc.all(is_allele).as_py())
    return has_bases and are_alleles


def _cells_of(reader: RecordReader, at: list[int]) -> Iterator[Column]:
    """The first records' cells of columns, whatever these were taken for; none where they cannot be text."""
    for index in at:
        role = "looked_at"
        only = _with_columns(reader, {role: index})
        if only is None:
            return
        try:
            blocks: list[pa.Table] = list(islice(only.blocks((role,)), 1))
        # of a column of lists of numbers, say
        except InputError:
            return
        if blocks and role in blocks[0].column_names:
            cells = blocks[0][role]
            yield cells.slice(0, _LOOKED_AT)


def _with_columns(reader: RecordReader, index: dict[str, int]) -> RecordReader | None:
    """A reader of the same file that takes its columns for these roles; None for one that cannot be told so."""
    columns = replace(reader.header.columns, index=index)
    header = replace(reader.header, columns=columns)
    # the header of a text file is its layout's
    if isinstance(reader, TextReader):
        layout = replace(reader.layout, header=header)
        return replace(reader, layout=layout)
    changed: Any = reader
    try:
        told: RecordReader = replace(changed, header=header)
    except TypeError:
        return None
    return told

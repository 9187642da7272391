"""Candidate elements: where they are, what they are called, and how active they are.

Read from BED, from any table with their places, and from the EnhancerList of the ABC program. Does not know genes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Float64, Int64

from enformer_core.errors import InputError, nearest
from enformer_core.genome.contig_names import (
    Lengths,
    called_otherwise,
    one_name_each,
    reconcile_contigs,
)
from enformer_core.links.tables import CHROM, END, START, Numbers, Table, WholeNumbers

ACTIVITIES = (
    ("activity_base",),
    ("H3K27ac.RPM", "DHS.RPM"),
    ("H3K27ac.RPM", "ATAC.RPM"),
    ("DHS.RPM",),
    ("ATAC.RPM",),
)
"""Columns that activity is the geometric mean of: the first of these that a table has, as the ABC program chooses."""

_OF_GENES = ("tss", "Ensembl_ID", "gene_type")
"""Columns that lists of genes have and lists of elements have not."""

_LONGEST_CONTIG_BP = 2**31 - 1
"""As far as programs that read BED can count."""

_MOST_ACTIVITY = 1e30
"""Far beyond any measurement; sums of such activities times contacts are still numbers."""

_EXCHANGED = "Were --genes and --candidates exchanged?"


@dataclass(frozen=True)
class Candidates:
    """Elements in the order of their file.

    Attributes:
        frame: `chrom`, `start` and `end` (0-based, half-open), `name` (null where the file has none), `class`
            (`promoter`, `genic`, `intergenic`; null where the file has none), `activity` (null if none was asked for).
        activity_from: the columns that activity was made of; none where it was not asked for.
        table: the file, for messages.
    """

    frame: pl.DataFrame
    activity_from: tuple[str, ...]
    table: Table

    @property
    def has_classes(self) -> bool:
        """Whether the file says which elements are promoters."""
        return not self.frame["class"].is_null().all()


def read_candidates(
    table: Table,
    *,
    with_activity: bool,
    activity: Sequence[str] = (),
    contigs: Lengths | None = None,
) -> Candidates:
    """The elements of a table.

    Args:
        table: with columns of chromosome, start and end; `name` and `class` where they are there.
        with_activity: whether activities are needed.
        activity: the columns that activity is the geometric mean of (default: the first of `ACTIVITIES`).
        contigs: a genome's, as for `read_places`.

    Raises:
        InputError: for places that cannot be, an element that is listed twice, a table of genes, and for activities
            that are missing, negative, or no numbers.
    """
    _refuse_genes(table)
    places = read_places(table, contigs)
    _refuse_repeats(places, table)
    columns: tuple[str, ...] = ()
    values = pl.Series("activity", [None] * places.height, pl.Float64)
    if with_activity:
        columns = _activity_columns(table, activity)
        values = pl.Series("activity", _activity(table, columns))
    frame = places.with_columns(
        _words(table, "name"),
        _words(table, "class").str.to_lowercase(),
        values,
    )
    return Candidates(frame, columns, table)


def has_activity(table: Table, asked: Sequence[str] = ()) -> bool:
    """Whether a table has columns of activity, or was said to."""
    known = [[table.find([name]) for name in names] for names in ACTIVITIES]
    return bool(asked) or any(map(all, known))


def read_places(table: Table, contigs: Lengths | None = None) -> pl.DataFrame:
    """The columns `chrom`, `start` and `end` of a table, whatever they are called there.

    Args:
        table: in which a contig may have several names, chr20 and 20.
        contigs: a genome's, by whose names they are called; without one, a contig has the name that it has first.

    Raises:
        InputError: for a row without a chromosome, that starts before 0, that does not end after its start, or that
            lies where no contig reaches.
    """
    chrom = table.texts(table.column(CHROM))
    start = table.whole_numbers(table.column(START))
    end = table.whole_numbers(table.column(END))
    unnamed = chrom.is_null().arg_true()
    if unnamed.len():
        row = int(unnamed[0])
        raise InputError(f"{table.where(row)}: has no chromosome")
    # 0-based and half-open: an end that is the start would be an element without a base
    impossible = np.flatnonzero((start < 0) | (end <= start))
    if impossible.size:
        row = int(impossible[0])
        raise InputError(
            f"{table.where(row)}: from {start[row]} to {end[row]}; starts count from 0, and the end comes "
            "after the start"
        )
    refuse_beyond_contigs(table, end)
    return pl.DataFrame({"chrom": named_once(chrom, contigs), "start": start, "end": end})


def notes_of_names(table: Table, contigs: Lengths | None) -> tuple[str, ...]:
    """A note where a genome calls the contigs of a table otherwise."""
    if contigs is None:
        return ()
    names = table.texts(table.column(CHROM)).unique(maintain_order=True)
    said = called_otherwise(names.to_list(), contigs)
    return () if said is None else (f"{table.name}: {said}",)


def named_once(chrom: pl.Series, contigs: Lengths | None = None) -> pl.Series:
    """Names of contigs, of which each has one alone: the genome's, or without a genome the first.

    Two names would be two places: an element that is listed by both would count twice, and rows that are called
    otherwise would be lost where tables are joined.
    """
    names = chrom.unique(maintain_order=True).to_list()
    own = one_name_each(names) if contigs is None else reconcile_contigs(names, contigs)
    return chrom.replace(own)


def refuse_beyond_contigs(table: Table, position: WholeNumbers) -> None:
    """Refuse a position that no contig has.

    Raises:
        InputError: with its row.
    """
    beyond = np.flatnonzero(position > _LONGEST_CONTIG_BP)
    if beyond.size:
        row = int(beyond[0])
        raise InputError(
            f"{table.where(row)}: base {position[row]}; no contig is longer than {_LONGEST_CONTIG_BP:,} bases"
        )


def _refuse_genes(table: Table) -> None:
    columns = [table.find([name]) for name in _OF_GENES]
    found = [column for column in columns if column]
    # the ABC program's lists of elements have a class; no list of genes has
    if found and table.find(["class"]) is None:
        raise InputError(
            f"{table.name}: looks like a list of genes, with its column {found[0]}. {_EXCHANGED}"
        )


def _refuse_repeats(places: pl.DataFrame, table: Table) -> None:
    """An element that is listed twice would count twice in the sum of every gene near it."""
    is_first = pl.struct(pl.all()).is_first_distinct()
    repeats = places.select(~is_first).to_series().arg_true()
    if not repeats.len():
        return
    row = int(repeats[0])
    chrom, start, end = places.row(row)
    is_same = pl.all_horizontal(
        pl.col("chrom") == chrom,
        pl.col("start") == start,
        pl.col("end") == end,
    )
    first = int(places.select(is_same.arg_true().first()).item())
    raise InputError(
        f"{table.where(row)}: {chrom}:{start}-{end} is listed before, in {table.unit} {table.lines[first]}. "
        "List each candidate once."
    )


def _words(table: Table, column: str) -> pl.Series:
    found = table.find([column])
    if found is None:
        nothing = [None] * table.rows.height
        return pl.Series(column, nothing, pl.String)
    return table.texts(found).alias(column)


def _activity_columns(table: Table, asked: Sequence[str]) -> tuple[str, ...]:
    if asked:
        columns = table.rows.columns
        unknown = [name for name in asked if name not in columns]
        if unknown:
            raise InputError(
                f"--activity {unknown[0]}: {table.name} has no such column{nearest(unknown[0], columns)}"
            )
        return tuple(asked)
    for names in ACTIVITIES:
        found = [table.find([name]) for name in names]
        if all(found):
            return tuple(column for column in found if column)
    raise InputError(_no_activity(table))


def _no_activity(table: Table) -> str:
    known = "activity_base, or DHS.RPM or ATAC.RPM with or without H3K27ac.RPM"
    message = (
        f"{table.name}: has no column of activity for --scores abc: {known}. Name its columns by --activity, or ask "
        f"for --scores distance; it has {', '.join(table.rows.columns[:12])}"
    )
    strand = table.find(["strand"])
    # elements have no strand
    is_of_genes = strand is not None and table.texts(strand).is_in(["+", "-"]).all()
    return f"{message}. {_EXCHANGED}" if is_of_genes else message


def _activity(table: Table, columns: Sequence[str]) -> Numbers:
    """The geometric mean of some columns, 0 where one of them is."""
    # of one column the mean is the column itself, and of two the root of their product, as in the ABC program
    product = np.ones(table.rows.height)
    for column in columns:
        values = table.numbers(column)
        _refuse_values(table, column, values, ~np.isfinite(values), "is no activity")
        _refuse_values(table, column, values, values < 0, "is below 0, which no activity is")
        _refuse_values(table, column, values, values > _MOST_ACTIVITY, "is no activity: too large")
        product *= values
    mean: Float64[np.ndarray, " rows"] = product ** (1 / len(columns))
    return mean


def _refuse_values(
    table: Table,
    column: str,
    values: Numbers,
    is_bad: Bool[np.ndarray, " rows"],
    why: str,
) -> None:
    bad: Int64[np.ndarray, " bad"] = np.flatnonzero(is_bad)
    if bad.size:
        row = int(bad[0])
        raise InputError(
            f"{table.where(row)}: {column} {values[row]} {why}. Leave the candidate out, or write 0 for none."
        )

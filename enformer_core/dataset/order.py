"""The order of alleles in a plan, and what follows from it: repeats, windows, who is audited, where a shard may end.

Works on columns of alleles held in memory: all of a small run, or one bucket of the genome of a large one. Does not
know shards or files.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int64

from enformer_core.variants.audit_sample import AuditChoice, AuditSample
from enformer_core.variants.hashing import scored_rows
from enformer_core.variants.table import Flag

ContigLengths = Mapping[str, int]
"""The genome's contigs with their lengths in bp; their order is the plan's."""

RowMask = Bool[np.ndarray, " rows"]

RowPositions = Int64[np.ndarray, " rows"]

WindowStarts = Callable[[RowPositions], RowPositions]
"""From 0-based starts of alleles, the first bases of the windows in which they are scored."""

ALLELE = ("chrom", "start", "ref", "alt")
"""Columns that make two rows the same allele."""

TIE_BREAKERS = ("ref", "alt", "input_file", "input_line", "alt_index")
"""Columns that order rows at one position; the last three differ between any two rows."""

UNPLACED_AT = 1 << 61
"""Where on the axis rows lie that have a start but no contig of the genome; starts are below 2^60."""

NO_START = np.iinfo(np.int64).max
"""Where on the axis rows lie that have no start: behind all others."""


def axis_positions(alleles: pa.Table, contigs: ContigLengths) -> RowPositions:
    """Contig and start as one number: on an axis, contigs lie end to end in the genome's order.

    Args:
        alleles: with the columns chrom and start, 0-based; either may be null.
        contigs: the genome's.

    Returns:
        A position for each row. Behind the last contig follow rows without a contig, by start, then those without a
        start.
    """
    lengths = np.fromiter(contigs.values(), np.int64)
    # One more place than bases, as an empty REF may start at a contig's very end:
    #   lengths 30 7 40 -> ends 31 39 80 -> first positions 1 32 40
    ends = np.cumsum(lengths + 1)
    firsts = np.append(ends - lengths, UNPLACED_AT)
    names = pa.array(list(contigs), pa.string())
    # Rows without a contig have the number behind the last, whose first position is UNPLACED_AT.
    contig = pc.index_in(alleles["chrom"], names)
    positions = firsts[_ints(contig, null=len(contigs))]
    positions += _ints(alleles["start"], null=0)
    no_start = np.asarray(pc.is_null(alleles["start"]))
    positions[no_start] = NO_START
    return positions


def sorted_alleles(alleles: pa.Table, contigs: ContigLengths) -> pa.Table:
    """The rows by contig in the genome's order, start, REF, ALT, file, line and ALT of the line; null comes last."""
    positions = axis_positions(alleles, contigs)
    # In one piece: sorting columns of many chunks merges them two by two, which takes twice as long.
    keys = alleles.select(TIE_BREAKERS).combine_chunks()
    keys = keys.append_column("position", pa.array(positions))
    columns = ("position", *TIE_BREAKERS)
    ascending = [(name, "ascending") for name in columns]
    order = pc.sort_indices(keys, sort_keys=ascending)
    # Most inputs are sorted already, and taking all rows costs as much as finding their order.
    as_they_are = np.arange(alleles.num_rows)
    if np.array_equal(order, as_they_are):
        return alleles
    return alleles.take(order)


def changes(rows: pa.Table, columns: Sequence[str]) -> RowMask:
    """Whether a row differs from the one before in any of the columns; null is equal to null. The first row does."""
    changed = np.zeros(rows.num_rows, dtype=bool)
    changed[:1] = True
    for name in columns:
        values = rows[name].combine_chunks()
        before = values[:-1]
        after = values[1:]
        was_null = pc.is_null(before)
        is_null = pc.is_null(after)
        both_null = pc.and_(was_null, is_null)
        equal = pc.equal(before, after)
        # Comparing with null gives null, which is neither equal nor different.
        same = pc.or_(pc.fill_null(equal, False), both_null)
        changed[1:] |= ~np.asarray(same)
    return changed


def run_firsts(values: Int64[np.ndarray, " rows"]) -> list[int]:
    """The rows at which runs of equal values begin: of 3 3 3 7 7, rows 0 and 3. No value may be -1."""
    steps = np.diff(values, prepend=-1)
    return np.flatnonzero(steps).tolist()


@dataclass(frozen=True)
class Boundaries:
    """Where something begins in rows that are in the plan's order: the places at which shards may be cut.

    Attributes:
        new_contig: whether a row's contig is another than that of the row before.
        new_window: whether it is scored in another window than the row before.
        new_allele: whether it can be scored without the row before: it is no repeat of its allele.
    """

    new_contig: RowMask
    new_window: RowMask
    new_allele: RowMask


_NOBODY = AuditSample(0.0, 0, "")


@dataclass(frozen=True)
class AlleleSorter:
    """Makes rows of a plan from alleles held in memory; it is the same for every bucket of a run.

    Attributes:
        contigs: the genome's.
        window_starts: first bases of the windows in which alleles that start at these positions are scored.
        audit: which alleles are scored twice, or None.
        audit_choice: what `AuditSample.choose` gives for all alleles of the run.
    """

    contigs: ContigLengths
    window_starts: WindowStarts
    audit: AuditSample | None
    audit_choice: AuditChoice

    def sort(self, alleles: pa.Table) -> pa.Table:
        """The alleles in order, repeats flagged, with the columns window_start and `DRAWN_COLUMNS`.

        Args:
            alleles: in any order; all repeats of an allele must be among them.

        Returns:
            A row for each allele. What is not scored has no window; only an allele's first row is audited.
        """
        alleles = sorted_alleles(alleles, self.contigs)
        scored = scored_rows(alleles)
        # Repeats are neighbours, so the first of equal rows is the one that differs from the row before.
        first = changes(alleles, ALLELE)
        alleles = _flag_duplicates(alleles, scored & ~first)
        windows = self._windows(alleles)
        audited = self._audited(alleles) & first
        alleles = alleles.append_column("window_start", pa.array(windows, mask=~scored))
        sample = self.audit or _NOBODY
        return sample.described(alleles, audited, self.audit_choice)

    def boundaries(self, alleles: pa.Table) -> Boundaries:
        """Where alleles in order may be cut. Rows that are not scored need no other row."""
        windows = self._windows(alleles)
        # Windows 7 7 9 are compared with 6 7 7: the first row begins a window, too.
        before_first = windows[:1] - 1
        another = np.diff(windows, prepend=before_first) != 0
        new_contig = changes(alleles, ("chrom",))
        new_letters = changes(alleles, ALLELE)
        unscored = ~scored_rows(alleles)
        return Boundaries(
            new_contig=new_contig,
            new_window=new_contig | another,
            new_allele=new_letters | unscored,
        )

    def _audited(self, alleles: pa.Table) -> RowMask:
        if self.audit is None:
            return np.zeros(alleles.num_rows, dtype=bool)
        return self.audit.drawn(alleles, self.audit_choice)

    def _windows(self, alleles: pa.Table) -> RowPositions:
        starts = _ints(alleles["start"], null=0)
        return self.window_starts(starts)


def _flag_duplicates(alleles: pa.Table, repeated: RowMask) -> pa.Table:
    """Add `duplicate` at the end of the flags of these rows; null counts as no flags."""
    if not repeated.any():
        return alleles
    flags = alleles["flags"].combine_chunks()
    sizes = _ints(pc.list_value_length(flags), null=0)
    # Lists [a b] [] [c], of which the last two are repeats, are the values a b c with ends 2 2 3. A fourth value D,
    # `duplicate`, is put in at the repeats' ends: values 0 1 3 2 3, that is a b D c D, with ends 2 3 5.
    # polars' list.concat says the same in two lines and takes ten times as long.
    own_values = flags.flatten()
    duplicate = len(own_values)
    added = pa.array([Flag.DUPLICATE.value])
    values = pa.concat_arrays([own_values, added])
    as_they_are = np.arange(duplicate)
    ends = np.cumsum(sizes)
    source = np.insert(as_they_are, ends[repeated], duplicate)
    new_ends = np.cumsum(sizes + repeated)
    offsets = np.append(0, new_ends)
    # a null that is repeated has a list now, of the flag alone
    was_null = pc.is_null(flags)
    still_null = pc.and_(was_null, pa.array(~repeated))
    longer = pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()),
        values.take(pa.array(source)),
        type=flags.type,
        mask=still_null,
    )
    column = alleles.schema.get_field_index("flags")
    return alleles.set_column(column, "flags", longer)


def _ints(column: pa.ChunkedArray | pa.Array, *, null: int) -> RowPositions:
    filled = pc.fill_null(column, null)
    return np.asarray(filled, dtype=np.int64)

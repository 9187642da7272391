"""The order of alleles in a plan, and what follows from it: repeats, windows, who is audited.

Works on columns of alleles held in memory: all of a small run, or a stretch of the genome of a large one. Does not know
shards or files.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int64

from enformer_core.variants.hashing import AuditSample, scored_rows

Positions = Int64[np.ndarray, " rows"]

WindowStarts = Callable[[Int64[np.ndarray, " alleles"]], Int64[np.ndarray, " alleles"]]

ALLELE = ("chrom", "start", "ref", "alt")

TIES = ("ref", "alt", "input_file", "input_line", "alt_index")

UNPLACED_AT = 1 << 61
"""Where on the axis of positions rows lie that have a start but no contig; starts are below 2^60."""

NO_START = np.iinfo(np.int64).max


def axis_positions(alleles: pa.Table, contigs: Mapping[str, int]) -> Positions:
    """One number for contig and start: contigs lie end to end in the genome's order, rows without one behind them."""
    names, lengths = list(contigs), np.array([0, *contigs.values()], dtype=np.int64)
    firsts = np.append(
        np.cumsum(lengths + 1)[:-1], UNPLACED_AT
    )  # an empty REF may start at a contig's very end
    rank = pc.fill_null(pc.index_in(alleles["chrom"], pa.array(names, pa.string())), len(names))
    start = alleles["start"]
    positions = firsts[np.asarray(rank)] + np.asarray(pc.fill_null(start, 0), dtype=np.int64)
    positions[np.asarray(pc.is_null(start))] = NO_START
    return positions


def sorted_alleles(alleles: pa.Table, contigs: Mapping[str, int]) -> pa.Table:
    """By contig in the genome's order, start, REF, ALT, file, line and ALT of the line; what is null comes last."""
    positions = axis_positions(alleles, contigs)
    order = np.argsort(positions, kind="stable")
    in_order = positions[order]
    same = in_order[1:] == in_order[:-1]
    tied = np.zeros(order.size, dtype=bool)
    tied[1:] |= same
    tied[:-1] |= same
    if tied.any():
        rows = order[tied]
        keys = (
            alleles.select(TIES).take(pa.array(rows)).append_column("at", pa.array(in_order[tied]))
        )
        among = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in ("at", *TIES)])
        order[tied] = rows[np.asarray(among)]
    if np.array_equal(order, np.arange(order.size)):
        return alleles
    return alleles.take(pa.array(order))


def changes(rows: pa.Table, columns: Sequence[str]) -> Bool[np.ndarray, " rows"]:
    """Whether a row differs from the one before in any of the columns; the first row does."""
    changed = np.zeros(rows.num_rows, dtype=bool)
    changed[:1] = True
    for name in columns:
        values = rows[name].combine_chunks()
        before, after = values[:-1], values[1:]
        same = pc.or_(
            pc.fill_null(pc.equal(before, after), False),
            pc.and_(pc.is_null(before), pc.is_null(after)),
        )
        changed[1:] |= ~np.asarray(same)
    return changed


@dataclass(frozen=True)
class Marks:
    """Where rows in order may be cut.

    Attributes:
        new_contig: whether a row's contig is not that of the row before; the same for the others.
        new_window: it is scored in another window.
        new_allele: it is not a repeat that needs the row before it.
    """

    new_contig: Bool[np.ndarray, " rows"]
    new_window: Bool[np.ndarray, " rows"]
    new_allele: Bool[np.ndarray, " rows"]


@dataclass(frozen=True)
class Preparation:
    """What is done with alleles in memory before they are cut into shards.

    Attributes:
        contigs: the genome's contigs; their order is the plan's.
        window_starts: first bases of the windows in which alleles that start at these positions are scored.
        audit: which alleles to score twice, or None.
        audit_limit: as `AuditSample.limit` found it over all alleles of the run.
    """

    contigs: Mapping[str, int]
    window_starts: WindowStarts
    audit: AuditSample | None
    audit_limit: int

    def __call__(self, alleles: pa.Table) -> pa.Table:
        """The alleles in order, repeats flagged, with the columns window_start and audited.

        Args:
            alleles: in any order; repeats of an allele must all be among them.
        """
        alleles = sorted_alleles(alleles, self.contigs)
        ok, first = scored_rows(alleles), changes(alleles, ALLELE)
        alleles = _flagged(alleles, ok & ~first)
        windows = pa.array(self._windows(alleles), mask=~ok)
        audited = np.zeros(alleles.num_rows, dtype=bool)
        if self.audit is not None:
            audited = self.audit.drawn(alleles, self.audit_limit) & first
        return alleles.append_column("window_start", windows).append_column(
            "audited", pa.array(audited)
        )

    def marks(self, alleles: pa.Table) -> Marks:
        """Where alleles in order may be cut. Rows that are not scored need no other row."""
        windows = self._windows(alleles)
        new_contig = changes(alleles, ("chrom",))
        new_window = new_contig | np.diff(windows, prepend=windows[:1] - 1).astype(bool)
        return Marks(new_contig, new_window, changes(alleles, ALLELE) | ~scored_rows(alleles))

    def _windows(self, alleles: pa.Table) -> Int64[np.ndarray, " rows"]:
        return self.window_starts(np.asarray(pc.fill_null(alleles["start"], 0), dtype=np.int64))


def _flagged(alleles: pa.Table, repeated: Bool[np.ndarray, " rows"]) -> pa.Table:
    """Add `duplicate` to the flags of these rows."""
    if not repeated.any():
        return alleles
    flags = alleles["flags"].combine_chunks()
    sizes = np.asarray(pc.fill_null(pc.list_value_length(flags), 0), dtype=np.int64)
    values = flags.flatten()  # of rows that are not null, end to end
    offsets = np.concatenate([[0], np.cumsum(sizes + repeated)])
    source = np.full(offsets[-1], len(values), dtype=np.int64)
    source[np.arange(len(values)) + np.repeat(np.cumsum(repeated) - repeated, sizes)] = np.arange(
        len(values)
    )
    longer = pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()),
        pa.concat_arrays([values, pa.array(["duplicate"])]).take(pa.array(source)),
        type=flags.type,
        mask=pc.and_(pc.is_null(flags), pa.array(~repeated)),
    )
    return alleles.set_column(alleles.schema.get_field_index("flags"), "flags", longer)

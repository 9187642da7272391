"""What a planned run will take, before anything is computed: windows, operations, bytes.

Counts come from the plan and are exact; operations from the model's graph. Does not know where the output goes, who
computes, or how fast: see `speed`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Int64

from enformer_core.dataset.order import changes
from enformer_core.dataset.schemas import GENE_VALUES
from enformer_core.models.spec import PassOperations
from enformer_core.scoring.conventions import Engine
from enformer_core.variants.table import Flag, Status, has_flag

WindowStarts = Callable[[Int64[np.ndarray, " alleles"]], Int64[np.ndarray, " alleles"]]
"""From the first bases of alleles to those of their windows."""

# measured on stored runs
_ALLELE_BYTES = 160  # of a row of scores, its values aside
_EFFECT_BYTES = 18  # of a row of effects
_GENE_BYTES = 60  # of a row of gene_effects, its values aside

AUDIT_WEIGHT = 4 / 3
"""Of one of three audited alleles the passes are in float64, which takes twice as long."""

_EXPONENT_BITS = (
    5  # a value takes its mantissa, its sign, and what is left of its exponent's 8 bits
)

_COLUMNS = ("chrom", "start", "ref", "alt", "status", "flags", "window_start", "audited", "shard")


MOVED_FLANK = 0.5
"""Of an insertion's or deletion's tokens, the part that lies on the flank that it moves."""


@dataclass(frozen=True)
class Work:
    """What of a plan is computed.

    Attributes:
        alleles: rows of the plan.
        alts: distinct alleles that are scored; their repeats take over the first one's scores.
        audited: those of them that are scored a second time, by direct passes.
        windows: windows of the reference, each computed once for the neighbours that share it.
        indels: those of `alts` that insert or delete.
        towers: windows whose tokens the tower computes; fewer than `windows`, and no whole number, where windows that
            overlap have tokens in common.
        overlapping: whether they may.
        flanks: as many windows' tokens as are computed again for the flanks that insertions and deletions move, where
            windows may overlap: half a window, in common to all neighbours of the same gain. Elsewhere 0, for there it
            is half a window for each.
    """

    alleles: int
    alts: int
    audited: int
    windows: int
    indels: int
    towers: float
    overlapping: bool
    flanks: float = 0.0


def count_work(
    parts: Iterable[Path | bytes],
    *,
    window_bp: int,
    overlapping: bool,
    window_starts: WindowStarts | None = None,
) -> Work:
    """Count the rows of a plan's stored parts.

    Args:
        parts: in order.
        window_bp: bases of a window.
        overlapping: whether windows that overlap have tokens in common, as all have that need not be centred.
        window_starts: where windows would start, of the alleles' starts; None for where the plan has them.
    """
    alleles = alts = audited = windows = indels = 0
    towers = flanks = 0.0
    for part in parts:
        source = pa.BufferReader(part) if isinstance(part, bytes) else part
        rows = pq.read_table(source, columns=list(_COLUMNS))
        ok = pc.equal(rows["status"], Status.OK)
        scored = rows.filter(pc.and_(ok, pc.invert(has_flag(rows, Flag.DUPLICATE))))
        if window_starts is not None:
            column = scored.schema.get_field_index("window_start")
            starts = window_starts(np.asarray(scored["start"]))
            scored = scored.set_column(column, "window_start", pa.array(starts))
        alleles += rows.num_rows
        alts += scored.num_rows
        audited += pc.sum(scored["audited"]).as_py() or 0
        gains = np.asarray(
            pc.subtract(*(pc.binary_length(scored[name]) for name in ("alt", "ref")))
        )
        indels += int(np.count_nonzero(gains))
        # Shards are computed apart, so a window that two of them need is computed twice.
        of_part = scored.filter(changes(scored, ("shard", "window_start")))
        windows += of_part.num_rows
        towers += _towers(of_part, window_bp) if overlapping else of_part.num_rows
        for gain in np.unique(gains[gains != 0]) if overlapping else ():
            flanks += MOVED_FLANK * _towers(scored.filter(pa.array(gains == gain)), window_bp)
    return Work(alleles, alts, audited, windows, indels, towers, overlapping, flanks)


def _towers(windows: pa.Table, window_bp: int) -> float:
    """How many windows' tokens are computed, where each computes what the one before it has not."""
    # windows of 100 bp at 0, 10 and 500: all of the first, a tenth of the second, all of the third
    starts = np.asarray(windows["window_start"])
    new = np.ones(len(starts))
    new[1:] = np.minimum(1.0, np.diff(starts) / window_bp)
    new[changes(windows, ("shard",))] = 1.0
    return float(new.sum())


def total_operations(
    work: Work,
    engine: Engine,
    *,
    views: int,
    operations: PassOperations,
) -> int:
    """Floating-point operations of a run.

    By differences, each window's reference is one pass, but for tokens that it has from another window, and each allele
    what follows the tower, of which it renews a few tokens; an insertion or deletion those of a flank, but for what it
    has from another of the same gain. By direct passes, each allele takes two.

    Args:
        work: what is computed.
        engine: how.
        views: strands × shifts.
        operations: of one pass.
    """
    of_direct = 2 * operations.total
    if engine == "direct":
        return views * work.alts * of_direct
    flanks = work.flanks if work.overlapping else MOVED_FLANK * work.indels
    towers = round((work.towers + flanks) * operations.tower)
    differences = (work.windows + work.alts) * operations.after_tower
    return views * (towers + differences + audit_operations(work.audited, operations))


def audit_operations(audited: int, operations: PassOperations) -> int:
    """Operations of an audit in one reading: two passes an allele, one of three of them in float64, which counts twice.

    Args:
        audited: alleles.
        operations: of one pass.
    """
    return round(audited * 2 * operations.total * AUDIT_WEIGHT)


def output_bytes(
    work: Work,
    *,
    statistics: int,
    tracks: int,
    top_tracks: int,
    mantissa_bits: int,
    gene_rows: int = 0,
    has_spread: bool = False,
) -> int:
    """Size of the tables, some 20 % more or less: repeats and what is not scored are counted as scored.

    Args:
        work: what is computed.
        statistics: how many each allele has.
        tracks: of each statistic.
        top_tracks: rows of effects for each allele and statistic.
        mantissa_bits: of each value, as stored.
        gene_rows: rows of gene_effects.
        has_spread: whether each list has that of its spread beside it.
    """
    value_bytes = (1 + has_spread) * (mantissa_bits + _EXPONENT_BITS) / 8
    allele_bytes = _ALLELE_BYTES + statistics * tracks * value_bytes
    effects = work.alts * statistics * min(top_tracks, tracks)
    gene_bytes = _GENE_BYTES + len(GENE_VALUES) * tracks * value_bytes
    return round(work.alleles * allele_bytes + effects * _EFFECT_BYTES + gene_rows * gene_bytes)

"""The kinds of run: what is planned, which tables answer it, and how a stored table is held against the plan.

Knows columns. Does not know how values are computed, nor when they are written.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset.schemas import KEY_COLUMNS
from enformer_core.errors import DatasetError

Answered = Callable[[pa.Table], pa.Table]

Statuses = Callable[[pa.Table, pa.Table], pa.ChunkedArray]

ValueColumns = Callable[[Mapping[str, Any]], Sequence[str]]

TILES_SCHEMA = pa.schema(
    [
        pa.field("chrom", pa.string()),
        pa.field("start", pa.int64()),
        pa.field("end", pa.int64()),
        pa.field("bin_bp", pa.int32()),
        pa.field("first_bins", pa.list_(pa.int32())),
        pa.field("end_bins", pa.list_(pa.int32())),
        pa.field("bins", pa.int32()),
        pa.field("status", pa.string()),
    ]
)
"""A tile: the bases [start, end) that its window predicts, cut at the contig's end; the runs [first, end) of its bins
that are asked for, and how many bins they are; `ok`, or `all_n` where there is nothing to predict."""


@dataclass(frozen=True)
class RunKind:
    """What a run plans and writes.

    Attributes:
        name: as in `run.json`.
        unit: what a row of the plan is, in the plural; also its count's name in `run.json`.
        plan_keys: what names a row of the plan; unique over a run.
        tables: the tables of a shard in the order of their puts. The first holds the values; the others are derived
            from it as stored.
        key_columns: what names a row of the first table.
        answered: from rows of the plan, the keys that the first table must hold, in order, and of which planned `row`.
        statuses: from rows of the plan and the stored first table, what became of each planned row.
        value_columns: from the run's identity, the first table's lists over tracks.
        proof: what a verified run proves of its units.
    """

    name: str
    unit: str
    plan_keys: tuple[str, ...]
    tables: tuple[str, ...]
    key_columns: tuple[str, ...]
    answered: Answered
    statuses: Statuses
    value_columns: ValueColumns
    proof: str


def tile_bins(tiles: pa.Table) -> pa.Table:
    """The bins that are to be predicted: `start` and `end` on the contig, and which `row` of `tiles` they are of.

    Args:
        tiles: of TILES_SCHEMA, all on one contig. Those that are not `ok` have no bins.
    """
    rows, bins = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    columns = (tiles[name].to_pylist() for name in ("status", "first_bins", "end_bins"))
    for row, (status, firsts, ends) in enumerate(zip(*columns, strict=True)):
        for first, end in zip(firsts, ends, strict=True) if status == "ok" else ():
            rows.append(np.full(end - first, row))
            bins.append(np.arange(first, end))
    of_tile = np.concatenate(rows)
    bin_bp = np.asarray(tiles["bin_bp"], dtype=np.int64)[of_tile]
    start = np.asarray(tiles["start"])[of_tile] + np.concatenate(bins) * bin_bp
    end = np.minimum(start + bin_bp, np.asarray(tiles["end"])[of_tile])
    return pa.table({"start": start, "end": end, "row": of_tile})


def _allele_keys(alleles: pa.Table) -> pa.Table:
    return alleles.select(list(KEY_COLUMNS)).append_column(
        "row", pa.array(np.arange(alleles.num_rows))
    )


def _allele_statuses(alleles: pa.Table, scores: pa.Table) -> pa.ChunkedArray:
    del alleles
    return scores["status"]


def _tile_statuses(tiles: pa.Table, predictions: pa.Table) -> pa.ChunkedArray:
    """As planned; but `failed` where a bin is without values."""
    empty = tile_bins(tiles)["row"].filter(pc.is_null(predictions["values"]))
    failed = pc.is_in(pa.array(np.arange(tiles.num_rows)), value_set=empty)
    return pc.if_else(pa.chunked_array([failed]), "failed", tiles["status"])


def _statistics(identity: Mapping[str, Any]) -> Sequence[str]:
    return tuple(identity["conventions"]["statistics"])


def _values(identity: Mapping[str, Any]) -> Sequence[str]:
    del identity
    return ("values",)


VARIANTS = RunKind(
    name="variants",
    unit="alleles",
    plan_keys=KEY_COLUMNS,
    tables=("scores", "effects"),
    key_columns=KEY_COLUMNS,
    answered=_allele_keys,
    statuses=_allele_statuses,
    value_columns=_statistics,
    proof="each with its one row",
)

TILES = RunKind(
    name="tiles",
    unit="tiles",
    plan_keys=("chrom", "start"),
    tables=("predictions",),
    key_columns=("start", "end"),
    answered=tile_bins,
    statuses=_tile_statuses,
    value_columns=_values,
    proof="each bin that is asked for once",
)

KINDS = {kind.name: kind for kind in (VARIANTS, TILES)}


def kind_of(identity: Mapping[str, Any]) -> RunKind:
    """The kind of the run with this identity.

    Raises:
        DatasetError: for a kind that this program does not know.
    """
    name = identity.get("kind")
    if name not in KINDS:
        raise DatasetError(
            f"run.json: a run of kind {name!r}, this program knows {', '.join(KINDS)}. Use its release."
        )
    return KINDS[name]


def count_statuses(statuses: Iterable[pa.ChunkedArray]) -> dict[str, int]:
    """Rows by status, in the order of the statuses' names."""
    counted: dict[str, int] = {}
    for column in statuses:
        for row in pc.value_counts(column).to_pylist():
            counted[row["values"]] = counted.get(row["values"], 0) + row["counts"]
    return dict(sorted(counted.items()))

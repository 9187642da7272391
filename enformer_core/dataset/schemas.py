"""The columns of the tables of a run. Does not know how values come about or when they are written."""

from collections.abc import Sequence

import pyarrow as pa

KEY_COLUMNS = ("input_file", "input_line", "alt_index")
"""What names an input allele; unique over a run."""

_ALLELE_COLUMNS = [
    pa.field("variant_id", pa.string()),
    pa.field("pos", pa.int64()),
    pa.field("id", pa.string()),
    pa.field("ref", pa.string()),
    pa.field("alt", pa.string()),
    pa.field("input_file", pa.string()),
    pa.field("input_line", pa.int64()),
    pa.field("alt_index", pa.int32()),
    pa.field("input_ref", pa.string()),
    pa.field("input_alt", pa.string()),
    pa.field("status", pa.string()),
    pa.field("reason", pa.string()),
    pa.field("flags", pa.list_(pa.string())),
    pa.field("effect_sign", pa.int8()),
    pa.field("window_start", pa.int64()),
    pa.field("offset_bp", pa.int32()),
]

EFFECTS_SCHEMA = pa.schema(
    [
        pa.field("track", pa.int32()),
        pa.field("variant_id", pa.string()),
        pa.field("pos", pa.int64()),
        pa.field("ref", pa.string()),
        pa.field("alt", pa.string()),
        pa.field("statistic", pa.string()),
        pa.field("value", pa.float32()),
        pa.field("rank", pa.int32()),
    ]
)

PREDICTIONS_SCHEMA = pa.schema(
    [
        pa.field("start", pa.int64()),
        pa.field("end", pa.int64()),
        pa.field("values", pa.list_(pa.float32())),
    ]
)
"""A bin of a contig, 0-based and half-open as in BED, and its prediction for each track."""


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


def scores_schema(statistics: Sequence[str]) -> pa.Schema:
    """Columns of a scores file: the allele, a list over tracks per statistic, and the strongest of each."""
    lists = [pa.field(name, pa.list_(pa.float32())) for name in statistics]
    strongest: list[pa.Field] = []
    for name in statistics:
        # scalars, so that SQL can filter and sort without reading the lists
        strongest.append(pa.field(f"max_abs_{name}", pa.float32()))
        strongest.append(pa.field(f"max_abs_{name}_track", pa.int32()))
    return pa.schema([*_ALLELE_COLUMNS, *lists, *strongest])

"""The columns of the tables of a run. Does not know how values come about or when they are written."""

from collections.abc import Sequence

import pyarrow as pa

KEY_COLUMNS = ("input_file", "input_line", "alt_index")
"""What names an input allele; unique over a run."""

_ALLELE_COLUMNS = [
    ("variant_id", pa.string()),
    ("pos", pa.int64()),
    ("id", pa.string()),
    ("ref", pa.string()),
    ("alt", pa.string()),
    ("input_file", pa.string()),
    ("input_line", pa.int64()),
    ("alt_index", pa.int32()),
    ("input_ref", pa.string()),
    ("input_alt", pa.string()),
    ("status", pa.string()),
    ("reason", pa.string()),
    ("flags", pa.list_(pa.string())),
    ("effect_sign", pa.int8()),
    ("window_start", pa.int64()),
    ("offset_bp", pa.int32()),
]

EFFECTS_SCHEMA = pa.schema(
    [
        ("track", pa.int32()),
        ("variant_id", pa.string()),
        ("pos", pa.int64()),
        ("ref", pa.string()),
        ("alt", pa.string()),
        ("statistic", pa.string()),
        ("value", pa.float32()),
        ("rank", pa.int32()),
    ]
)

PREDICTIONS_SCHEMA = pa.schema(
    [
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("values", pa.list_(pa.float32())),
    ]
)
"""A bin of a contig, 0-based and half-open as in BED, and its prediction for each track."""


TILES_SCHEMA = pa.schema(
    [
        ("chrom", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("bin_bp", pa.int32()),
        ("first_bins", pa.list_(pa.int32())),
        ("end_bins", pa.list_(pa.int32())),
        ("bins", pa.int32()),
        ("status", pa.string()),
    ]
)
"""A tile: the bases [start, end) that its window predicts, cut at the contig's end; the runs [first, end) of its bins
that are asked for, and how many bins they are; `ok`, or `all_n` where there is nothing to predict."""


def scores_schema(statistics: Sequence[str]) -> pa.Schema:
    """Columns of a scores file: the allele, a list over tracks per statistic, and the strongest of each."""
    columns = list(_ALLELE_COLUMNS)
    columns += [(name, pa.list_(pa.float32())) for name in statistics]
    for name in statistics:
        # scalars, so that SQL can filter and sort without reading the lists
        columns.append((f"max_abs_{name}", pa.float32()))
        columns.append((f"max_abs_{name}_track", pa.int32()))
    return pa.schema(columns)

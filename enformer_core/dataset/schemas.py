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

GENE_VALUES = ("log2_ratio", "difference")
"""What a gene has for each track: log2((1 + Σ alt) / (1 + Σ ref)) and Σ alt − Σ ref over its bins."""

_ALLELE_OF_GENE = frozenset(
    {
        "variant_id",
        "pos",
        "id",
        "ref",
        "alt",
        "input_file",
        "input_line",
        "alt_index",
        "effect_sign",
    }
)
"""What a gene's row says of its allele; the rest stands in `scores`."""

SUMMARY_COLUMNS = ("variant_id", "pos", "id", "ref", "alt", *KEY_COLUMNS, "status")
"""What every table beside a run says of its alleles."""

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

EFFECTS_ORDER = [
    ("track", "ascending"),
    ("pos", "ascending"),
    ("ref", "ascending"),
    ("alt", "ascending"),
    ("statistic", "ascending"),
    ("rank", "ascending"),
]
"""How `effects` are sorted: by track first, so that a reader who asks for one reads neighbouring rows."""

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


def spread_of(name: str) -> str:
    """The column of a value's spread: its standard deviation over replicates, with n - 1, for each track."""
    return f"{name}_sd"


def scores_schema(
    statistics: Sequence[str],
    kept: Sequence[pa.Field] = (),
    *,
    has_spread: bool = False,
) -> pa.Schema:
    """Columns of a scores file: the allele, a list over tracks per statistic, and the strongest of each.

    Args:
        statistics: of the run.
        kept: columns of the input that stand behind the allele's own.
        has_spread: whether the run has several replicates, and beside each list that of its spread.
    """
    values = _value_columns(statistics, has_spread=has_spread)
    return pa.schema([*_ALLELE_COLUMNS, *kept, *values])


def gene_effects_schema(*, has_spread: bool = False) -> pa.Schema:
    """Columns of a file of gene effects: the allele, the gene, where it lies, a list over tracks for each value.

    `distance` is from the gene's nearest TSS to the allele's first base, along transcription: negative is upstream.
    `tss_bins` are output bins of the reference's window, from 0, that are summed.

    Args:
        has_spread: as of `scores_schema`.
    """
    # in the order of `scores`, whatever the set's own
    columns = [column for column in _ALLELE_COLUMNS if column[0] in _ALLELE_OF_GENE]
    columns += [
        ("gene_id", pa.string()),
        ("gene_name", pa.string()),
        ("gene_type", pa.string()),
        ("strand", pa.string()),
        ("distance", pa.int64()),
        ("tss_bins", pa.list_(pa.int32())),
    ]
    return pa.schema([*columns, *_value_columns(GENE_VALUES, has_spread=has_spread)])


def summary_schema(columns: Sequence[tuple[str, pa.DataType]]) -> pa.Schema:
    """Columns of a table beside a run: the allele, and what is made of its scores."""
    kinds = dict(_ALLELE_COLUMNS)
    return pa.schema([*((name, kinds[name]) for name in SUMMARY_COLUMNS), *columns])


def _value_columns(names: Sequence[str], *, has_spread: bool) -> list[tuple[str, pa.DataType]]:
    """A list over tracks for each, with that of its spread behind it, then the strongest of each."""
    columns = []
    for name in names:
        lists = (name, spread_of(name)) if has_spread else (name,)
        columns += [(each, pa.list_(pa.float32())) for each in lists]
    for name in names:
        # scalars, so that SQL can filter and sort without reading the lists
        columns.append((f"max_abs_{name}", pa.float32()))
        columns.append((f"max_abs_{name}_track", pa.int32()))
    return columns


TARGETS_SCHEMA = pa.schema(
    [
        ("chrom", pa.string()),
        ("target", pa.string()),
        ("name", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("strand", pa.string()),
        ("ref", pa.string()),
        ("alt", pa.string()),
        ("window_start", pa.int64()),
        ("first_bin", pa.int32()),
        ("end_bin", pa.int32()),
        ("alleles", pa.list_(pa.string())),
        ("groups", pa.list_(pa.string())),
        ("layers", pa.int32()),
        ("status", pa.string()),
        ("reason", pa.string()),
    ]
)
"""What a prediction is attributed of: the bases [start, end), or a variant there, with `ref` and `alt`; the window, and
its bins [first_bin, end_bin), over which predictions are averaged. `alleles` says of which sequences: the genome's
(`ref`) and, of a variant, the alternate one (`alt`) too. `groups` are the run's; `layers` counts those whose attention
is read, 0 where it was not asked for. `start` and what follows are null where a variant has no place."""

REF = "ref"
ALT = "alt"
"""The alleles of a target: the genome's own sequence, and a variant's alternate one."""

SEQUENCE = "sequence"
"""The column that has the letters of a whole window, too long for a line of text."""

CONTRIBUTIONS = "contributions"
"""The table that has a list over bases for each target, group of tracks and allele."""

LETTERS = ("a", "c", "g", "t")
"""Ends of the names of the columns of hypothetical contributions, in the order of the models' letters."""

_ATTRIBUTED = [
    ("target", pa.string()),
    ("group", pa.string()),
    ("allele", pa.string()),
]

CONTRIBUTION_BINS_SCHEMA = pa.schema(
    [
        *_ATTRIBUTED,
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("value", pa.float32()),
    ]
)
"""Signed sums of contributions over each bin's bases, over the whole window."""

ATTENTION_SCHEMA = pa.schema(
    [
        ("target", pa.string()),
        ("allele", pa.string()),
        ("layer", pa.int32()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("values", pa.list_(pa.float32())),
    ]
)
"""How much a target's bins attend to each token of the window: a row for each layer, counted from 1, and one, its layer
null, for the mean over layers."""


def contributions_schema(*, hypothetical: bool) -> pa.Schema:
    """Columns of a contributions file: what was attributed, the window and its letters, and a list over its bases."""
    columns = [
        *_ATTRIBUTED,
        ("name", pa.string()),
        ("target_start", pa.int64()),
        ("target_end", pa.int64()),
        ("strand", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("contig_bp", pa.int64()),
        ("first_bin", pa.int32()),
        ("end_bin", pa.int32()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("prediction", pa.float32()),
        (SEQUENCE, pa.string()),
    ]
    lists = contribution_lists(hypothetical=hypothetical)
    # of so many bases of a window, one number each, in the order of the letters
    of_bases = [(name, pa.list_(pa.float32())) for name in lists]
    return pa.schema([*columns, *of_bases])


def contribution_lists(*, hypothetical: bool) -> tuple[str, ...]:
    """The columns of lists over bases: contributions and, where they were asked for, those of every letter."""
    of_letters = tuple(f"hypothetical_{letter}" for letter in LETTERS)
    return ("values", *of_letters) if hypothetical else ("values",)


_PAIR_COLUMNS = [
    ("gene", pa.string()),
    ("gene_id", pa.string()),
    ("tss", pa.int64()),
    ("is_expressed", pa.bool_()),
    ("start", pa.int64()),
    ("end", pa.int64()),
    ("name", pa.string()),
    ("class", pa.string()),
    ("is_self_promoter", pa.bool_()),
    ("distance", pa.float64()),
    ("powerlaw_contact", pa.float64()),
    ("activity", pa.float64()),
    ("abc_numerator", pa.float64()),
    ("abc", pa.float64()),
]

LINK_PAIRS_SCHEMA = pa.schema(
    [
        ("chrom", pa.string()),
        *_PAIR_COLUMNS,
        ("window_start", pa.int64()),
        ("first_bin", pa.int32()),
        ("end_bin", pa.int32()),
        ("groups", pa.list_(pa.string())),
        ("status", pa.string()),
    ]
)
"""A gene's TSS and an element that lies whole in its window, whose bins [first_bin, end_bin) are the TSS's. `activity`
and what follows from it are null where elements have none. `groups` are the run's."""

PLACES_SCHEMA = pa.schema(
    [
        ("chrom", pa.string()),
        ("place", pa.string()),
        ("boundary", pa.string()),
        ("kind", pa.string()),
        ("position", pa.int64()),
        ("window_start", pa.int64()),
        ("layers", pa.int32()),
        ("status", pa.string()),
        ("reason", pa.string()),
    ]
)
"""A boundary, or a control of one, `boundary` by name. The window's middle lies before the base `position`. `layers`
counts the model's that attend. A boundary that no place is like is `unmatched`, for a `reason`, and is not read."""

_PLACE_COLUMNS = [
    ("place", pa.string()),
    ("boundary", pa.string()),
    ("kind", pa.string()),
    ("position", pa.int64()),
    ("status", pa.string()),
    ("reason", pa.string()),
]

INSULATION_SCHEMA = pa.schema(
    [
        *_PLACE_COLUMNS,
        ("layer", pa.int32()),
        ("across", pa.float32()),
        ("at", pa.float32()),
    ]
)
"""What attention does at a place: a row for each layer, counted from 1, and one, its layer null, for the mean over
layers."""

ATTENTION_MAPS_SCHEMA = pa.schema([*_PLACE_COLUMNS, ("values", pa.list_(pa.float32()))])
"""A place's map over what distance gives, mean over layers, in pixels, row after row."""


def links_schema(scores: Sequence[str]) -> pa.Schema:
    """Columns of a file of links: the pair, the group of tracks, and a number for each score of the model."""
    columns = [
        *_PAIR_COLUMNS,
        ("group", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
    ]
    of_model = [(name, pa.float32()) for name in scores]
    return pa.schema([*columns, *of_model])

"""From rows of a table to what is judged: labels and measured effects, filters, repeats, and matched negatives.

Knows the table's layout and the buckets. Does not know how rows come to their scores.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from enformer_core.errors import InputError
from enformer_core.evaluate.labelled import LabelledRows
from enformer_core.evaluate.matched_negatives import NO_GROUP, Matching, match_groups
from enformer_core.evaluate.measured import MeasuredRows
from enformer_core.evaluate.row_buckets import Bucket, judged, open_rows, put
from enformer_core.evaluate.variant_layouts import Asked, Effects, Labels
from enformer_core.evaluate.variant_table import VariantTable

_AS_WRITTEN = ("element", "contig", "written_pos", "written_ref", "written_alt")


def with_labels(
    table: VariantTable,
    layout: Labels,
    rows: pl.DataFrame,
    asked: Asked,
) -> pl.DataFrame:
    """The rows with `is_positive`, those without a label, or between both thresholds, in their buckets.

    Raises:
        InputError: for a cell that is no label or probability.
    """
    if layout.is_pip:
        return _with_thresholds(table, layout.column, rows, asked)
    labels = table.truths(rows, layout.column)
    labelled = rows.with_columns(is_positive=labels)
    has_none = pl.col("is_positive").is_null()
    return put(labelled, Bucket.NO_VALUE, has_none, _is_empty(layout.column))


def _is_empty(column: str | None) -> pl.Expr:
    return pl.lit(f"{column} is empty")


def _with_thresholds(
    table: VariantTable,
    column: str,
    rows: pl.DataFrame,
    asked: Asked,
) -> pl.DataFrame:
    """The rows with `is_positive` by their posterior probability."""
    rows = rows.with_columns(pip=table.numbers(rows, column))
    pip = pl.col("pip")
    table.check(
        rows,
        pip.is_between(0, 1),
        column,
        "is no probability, which lies between 0 and 1. Is this another column? Name that of labels by --label-column",
    )
    least, most = asked.thresholds
    is_positive = pip >= least
    is_negative = pip <= most
    label = pl.when(is_positive | is_negative).then(is_positive)
    rows = rows.with_columns(is_positive=label)
    rows = put(rows, Bucket.NO_VALUE, pip.is_null(), _is_empty(column))
    between = pl.format(
        "{} {} lies between {} and {}",
        pl.lit(column),
        pip,
        pl.lit(f"{most:g}"),
        pl.lit(f"{least:g}"),
    )
    return put(rows, Bucket.UNDECIDED, pl.col("is_positive").is_null(), between)


def with_effects(
    table: VariantTable,
    layout: Effects,
    rows: pl.DataFrame,
    asked: Asked,
    element: str,
) -> pl.DataFrame:
    """The rows with `effect` and `element`, those without one, or that a filter takes out, in their buckets.

    Args:
        table: of the rows.
        layout: which columns.
        rows: as read.
        asked: the filters.
        element: of a table that is of one.

    Raises:
        InputError: for a cell that is no number.
    """
    effect = table.numbers(rows, layout.column)
    named = table.cell(layout.element) if layout.element else pl.lit(element)
    rows = rows.with_columns(named.alias("element"), effect=effect)
    is_number = pl.col("effect").is_finite()
    none_is = pl.lit(f"{layout.column} is no number")
    rows = put(rows, Bucket.NO_VALUE, ~is_number.fill_null(False), none_is)
    nameless = pl.col("element").is_null()
    rows = put(rows, Bucket.NO_VALUE, nameless, _is_empty(layout.element))
    if layout.tags is not None:
        enough = pl.col("filtered_by") >= asked.min_tags
        rows = _filtered(table, rows, layout.tags, enough, "--min-tags")
    if layout.p is not None:
        small = pl.col("filtered_by") <= asked.max_p
        rows = _filtered(table, rows, layout.p, small, "--max-p")
    return rows


def _filtered(
    table: VariantTable,
    rows: pl.DataFrame,
    column: str,
    passes: pl.Expr,
    option: str,
) -> pl.DataFrame:
    """The rows, of which those that do not pass a filter, or have nothing to be filtered by, are in its bucket."""
    values = table.numbers(rows, column)
    rows = rows.with_columns(filtered_by=values)
    shown = pl.col("filtered_by").cast(pl.String)
    why = pl.format(f"{column} is {{}} ({option})", shown.fill_null("empty"))
    return put(rows, Bucket.FILTERED, ~passes.fill_null(False), why)


def labels_once(rows: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Each allele once, as a positive where any of its rows is one; and how many repeats have another label.

    Pairs of a variant and a gene are such repeats: what is judged is the variant.
    """
    key = ["allele"]
    positive_first = open_rows(rows).sort("is_positive", descending=True, maintain_order=True)
    first = positive_first.unique(key, keep="first", maintain_order=True)
    rows = _repeats_in_bucket(rows, first, key)
    is_repeat = pl.col("bucket") == Bucket.DUPLICATE.value
    repeats = rows.filter(is_repeat)
    kept = first.select("allele", kept_label="is_positive")
    both = repeats.join(kept, on="allele")
    contrary = both["is_positive"] != both["kept_label"]
    return rows, int(contrary.sum())


def effects_once(rows: pl.DataFrame) -> pl.DataFrame:
    """Each change once in its element as it is written, the first; those that only come to the same are all judged."""
    first = open_rows(rows).unique(_AS_WRITTEN, keep="first", maintain_order=True)
    return _repeats_in_bucket(rows, first, _AS_WRITTEN)


def _repeats_in_bucket(
    rows: pl.DataFrame,
    first: pl.DataFrame,
    key: Sequence[str],
) -> pl.DataFrame:
    lines = first.select(*key, first_line="line")
    rows = rows.join(
        lines,
        on=key,
        how="left",
        maintain_order="left",
    )
    first_line = pl.col("first_line")
    is_repeat = pl.col("line") != first_line
    why = pl.format("the same variant as {}, which counts", first_line)
    return put(rows, Bucket.DUPLICATE, is_repeat, why)


def with_groups(
    table: VariantTable,
    layout: Labels,
    rows: pl.DataFrame,
    matching: Matching,
) -> pl.DataFrame:
    """The rows with `group`, the name or number of their match group; those that matching leaves out in their bucket.

    A column that is matched holds numbers where every cell that says something does.
    """
    if layout.match:
        return _matched(table, layout.match, rows, matching)
    if layout.match_group is None:
        return rows
    return rows.with_columns(table.cell(layout.match_group).alias("group"))


def _matched(
    table: VariantTable,
    columns: Sequence[str],
    rows: pl.DataFrame,
    matching: Matching,
) -> pl.DataFrame:
    candidates = open_rows(rows)
    features = [_feature(table, candidates, column) for column in columns]
    is_positive = candidates["is_positive"].to_numpy()
    found = match_groups(is_positive, features, matching)
    groups = pl.DataFrame({"line": candidates["line"], "group": found})
    in_group = groups.filter(found != NO_GROUP)
    rows = rows.join(
        in_group,
        on="line",
        how="left",
        maintain_order="left",
    )
    few = pl.lit(f"fewer than {matching.negatives} negatives are like it")
    left = pl.lit("is not drawn")
    why = pl.when("is_positive").then(few).otherwise(left)
    return put(rows, Bucket.UNMATCHED, pl.col("group").is_null(), why)


def _feature(
    table: VariantTable,
    rows: pl.DataFrame,
    column: str,
) -> pl.Series:
    cells = rows.select(table.cell(column)).to_series()
    numbers = cells.cast(pl.Float64, strict=False)
    is_number = numbers.is_finite().fill_null(False)
    if (is_number | cells.is_null()).all():
        return numbers
    return cells


def judged_labels(
    rows: pl.DataFrame,
    table: str,
) -> LabelledRows:
    """The rows that are judged, as arrays.

    Raises:
        InputError: where they are all positives, or all negatives.
    """
    rows = judged(rows)
    is_positive = rows["is_positive"].to_numpy().astype(bool)
    kinds = {True: "positives", False: "negatives"}
    for label, kind in kinds.items():
        if not (is_positive == label).any():
            others = kinds[not label]
            raise InputError(
                f"{table}: of the rows that can be judged none is among the {kind}, {rows.height:,} are {others}; "
                "both are needed"
            )
    chroms = rows["chrom"].unique(maintain_order=True)
    group = None
    if "group" in rows.columns:
        # a row of no group is one by itself
        alone = pl.format("line {}", pl.col("line"))
        named = pl.col("group").cast(pl.String)
        names = rows.select(named.fill_null(alone))
        group = _numbered(names.to_series())
    return LabelledRows(
        is_positive,
        rows["score"].to_numpy(),
        _numbered(rows["chrom"]),
        tuple(chroms),
        group,
    )


def judged_effects(rows: pl.DataFrame) -> list[MeasuredRows]:
    """The rows that are judged by element, each that the table names, as arrays."""
    elements = rows["element"].drop_nulls().unique(maintain_order=True)
    here = judged(rows)
    found = []
    for element in elements:
        is_of_it = pl.col("element") == element
        of_element = here.filter(is_of_it)
        base = pl.concat_str("chrom", "written_pos", separator=":")
        place = of_element.select(base)
        found.append(
            MeasuredRows(
                element,
                of_element["effect"].to_numpy(),
                of_element["score"].to_numpy(),
                _numbered(place.to_series()),
            )
        )
    return found


def _numbered(names: pl.Series) -> np.ndarray:
    """Names by numbers, from 0 for the first that comes: of b, a, b they are 0, 1, 0."""
    known = names.unique(maintain_order=True).to_list()
    numbers = {name: number for number, name in enumerate(known)}
    return np.array([numbers[name] for name in names], dtype=np.int64)

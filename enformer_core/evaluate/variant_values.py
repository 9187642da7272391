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
    column = layout.column
    if not layout.is_pip:
        rows = rows.with_columns(table.truths(rows, column).alias("is_positive"))
        return put(
            rows, Bucket.NO_VALUE, pl.col("is_positive").is_null(), pl.lit(f"{column} is empty")
        )
    pip = table.numbers(rows, column)
    beyond = rows.filter(((pip < 0) | (pip > 1) | pip.is_nan()) & rows["bucket"].is_null())
    if beyond.height:
        cell = beyond[f"cell:{column}"][0]
        raise InputError(
            f"{table.name}, {table.unit} {beyond['line'][0]}: {column} {cell!r} is no probability, which lies between "
            "0 and 1. Is this another column? Name that of labels by --label-column"
        )
    # thresholds are of this layout alone: elsewhere nothing lies between
    is_positive = pl.col("pip") >= asked.min_pip
    is_label = is_positive | (pl.col("pip") <= asked.max_pip)
    rows = rows.with_columns(pip.alias("pip"))
    rows = rows.with_columns(pl.when(is_label).then(is_positive).alias("is_positive"))
    rows = put(rows, Bucket.NO_VALUE, pl.col("pip").is_null(), pl.lit(f"{column} is empty"))
    between = f" lies between {asked.max_pip:g} and {asked.min_pip:g}"
    why = pl.concat_str(pl.lit(f"{column} "), pl.col("pip"), pl.lit(between))
    return put(rows, Bucket.UNDECIDED, pl.col("is_positive").is_null(), why)


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
    name = pl.lit(element) if layout.element is None else table.cell(layout.element)
    rows = rows.with_columns(effect.alias("effect"), name.alias("element"))
    has_none = ~pl.col("effect").is_finite().fill_null(False)
    rows = put(rows, Bucket.NO_VALUE, has_none, pl.lit(f"{layout.column} is no number"))
    rows = put(
        rows, Bucket.NO_VALUE, pl.col("element").is_null(), pl.lit(f"{layout.element} is empty")
    )
    if layout.tags is not None and asked.min_tags is not None:
        rows = rows.with_columns(table.numbers(rows, layout.tags).alias("tags"))
        too_few = ~(pl.col("tags") >= asked.min_tags).fill_null(False)
        rows = put(rows, Bucket.FILTERED, too_few, _filtered(layout.tags, "tags", "--min-tags"))
    if layout.p is not None and asked.max_p is not None:
        rows = rows.with_columns(table.numbers(rows, layout.p).alias("p"))
        too_large = ~(pl.col("p") <= asked.max_p).fill_null(False)
        rows = put(rows, Bucket.FILTERED, too_large, _filtered(layout.p, "p", "--max-p"))
    return rows


def _filtered(column: str, role: str, option: str) -> pl.Expr:
    value = pl.col(role).cast(pl.String).fill_null("empty")
    return pl.format(f"{column} is {{}} ({option})", value)


def labels_once(rows: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Each allele once, as a positive where any of its rows is one; and how many repeats have another label.

    Pairs of a variant and a gene are such repeats: what is judged is the variant.
    """
    order = open_rows(rows).sort("is_positive", "line", descending=[True, False])
    first = order.unique("allele", keep="first", maintain_order=True)
    rows = _repeats_in_bucket(rows, first, ["allele"])
    repeats = rows.filter(pl.col("bucket") == Bucket.DUPLICATE.value)
    labels = first.select("allele", kept_label="is_positive")
    contrary = repeats.join(labels, on="allele").filter(
        pl.col("is_positive") != pl.col("kept_label")
    )
    return rows, contrary.height


def effects_once(rows: pl.DataFrame) -> pl.DataFrame:
    """Each change once in its element as it is written, the first; those that only come to the same are all judged."""
    first = open_rows(rows).unique(_AS_WRITTEN, keep="first", maintain_order=True)
    return _repeats_in_bucket(rows, first, _AS_WRITTEN)


def _repeats_in_bucket(rows: pl.DataFrame, first: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    lines = first.select(*key, first_line="line")
    rows = rows.join(lines, on=key, how="left", maintain_order="left", nulls_equal=True)
    is_repeat = pl.col("line") != pl.col("first_line")
    why = pl.format("the same variant as {}, which counts", pl.col("first_line"))
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
    in_group = groups.filter(pl.col("group") != NO_GROUP)
    rows = rows.join(in_group, on="line", how="left", maintain_order="left")
    none_like_it = f"fewer than {matching.negatives} negatives are like it"
    why = pl.when("is_positive").then(pl.lit(none_like_it)).otherwise(pl.lit("is not drawn"))
    return put(rows, Bucket.UNMATCHED, pl.col("group").is_null(), why)


def _feature(table: VariantTable, rows: pl.DataFrame, column: str) -> pl.Series:
    cells = rows.select(table.cell(column)).to_series()
    numbers = cells.cast(pl.Float64, strict=False)
    is_number = numbers.is_finite().fill_null(False)
    if (is_number | cells.is_null()).all():
        return numbers
    return cells


def judged_labels(rows: pl.DataFrame, table: str) -> LabelledRows:
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
        lonely = pl.format("line {}", pl.col("line"))
        names = rows.select(pl.col("group").cast(pl.String).fill_null(lonely)).to_series()
        group = _numbered(names)
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
        of_element = here.filter(pl.col("element") == element)
        place = of_element.select(pl.concat_str("chrom", "written_pos", separator=":"))
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

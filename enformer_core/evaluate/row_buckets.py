"""What became of each row of a table that is held against a run: one bucket a row, the first that applies.

No row is left out in silence: the buckets' counts add up to the table's rows, and each has examples. Knows a column
`bucket`. Does not know how rows are read or judged.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

_EXAMPLES = 3


class Bucket(StrEnum):
    """What became of a row; the first two are judged."""

    USED = "used"
    USED_SWAPPED = "used_swapped"
    """Judged, REF and ALT exchanged, since the genome has ALT: a signed score is turned."""
    UNREADABLE = "unreadable"
    NO_VALUE = "no_value"
    """Without a label, a probability or a measured effect."""
    UNDECIDED = "undecided"
    """Its posterior probability is neither a positive's nor a negative's."""
    FILTERED = "filtered"
    UNPLACED = "unplaced"
    """The genome has neither allele there, or no such place."""
    MISSING = "missing"
    NOT_SCORED = "not_scored"
    """In the run, with a status that is not ok."""
    NO_SCORE = "no_score"
    """In the run, its score null, NaN or infinite."""
    AMBIGUOUS = "ambiguous"
    """An insertion or deletion that could be two alleles, in a table whose order does not say which is REF."""
    DUPLICATE = "duplicate"
    UNMATCHED = "unmatched"
    """No positive with enough negatives like it, or a negative that is not drawn."""


MEANINGS: Mapping[Bucket, str] = {
    Bucket.USED: "judged",
    Bucket.USED_SWAPPED: "judged with REF and ALT exchanged",
    Bucket.UNREADABLE: "cannot be read",
    Bucket.NO_VALUE: "without a value to judge by",
    Bucket.UNDECIDED: "between both thresholds",
    Bucket.FILTERED: "taken out by a filter",
    Bucket.UNPLACED: "not in the genome",
    Bucket.MISSING: "not in the run",
    Bucket.NOT_SCORED: "in the run, not scored",
    Bucket.NO_SCORE: "the score is no finite number",
    Bucket.AMBIGUOUS: "could be two alleles",
    Bucket.DUPLICATE: "listed before",
    Bucket.UNMATCHED: "not among the matched",
}

JUDGED = (Bucket.USED, Bucket.USED_SWAPPED)
"""Buckets whose rows are judged."""


@dataclass(frozen=True)
class Example:
    """A row of a bucket.

    Attributes:
        line: in the table, from 1; in Parquet the row.
        variant: as written there.
        why: why the row is in this bucket.
    """

    line: int
    variant: str
    why: str


@dataclass(frozen=True)
class BucketCount:
    """How many rows a bucket has, and some of them.

    Attributes:
        meaning: in words.
        rows: how many rows of the table it has.
        positives: how many of them are labelled so; None where rows have no labels.
        negatives: likewise.
        reasons: how many rows for each reason, where a bucket has several kinds.
        examples: its first rows.
    """

    meaning: str
    rows: int
    positives: int | None
    negatives: int | None
    reasons: Mapping[str, int]
    examples: tuple[Example, ...]


def undecided(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows as read, all of them in no bucket yet.

    Args:
        rows: with `line` and `variant`, which say where and what they are.
    """
    nothing = pl.lit(None, dtype=pl.String)
    return rows.with_columns(
        bucket=nothing,
        why=nothing,
        kind=nothing,
    )


def put(
    rows: pl.DataFrame,
    bucket: Bucket,
    where: pl.Expr,
    why: pl.Expr,
    kind: pl.Expr | None = None,
) -> pl.DataFrame:
    """The rows, of which those that are in no bucket yet and for which `where` holds are put into this one.

    Args:
        rows: as `undecided` gives them.
        bucket: the bucket.
        where: which rows; null is no.
        why: of each row, in words.
        kind: by which rows of the bucket are counted apart.
    """
    chosen = pl.col("bucket").is_null() & where.fill_null(False)
    put_in = {"bucket": pl.lit(bucket.value), "why": why}
    if kind is not None:
        put_in["kind"] = kind
    return rows.with_columns(
        pl.when(chosen).then(text).otherwise(pl.col(name)).alias(name)
        for name, text in put_in.items()
    )


def open_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Those rows that are in no bucket yet."""
    return rows.filter(pl.col("bucket").is_null())


def judged(rows: pl.DataFrame) -> pl.DataFrame:
    """Those rows that are judged, swapped or not."""
    return rows.filter(pl.col("bucket").is_in([bucket.value for bucket in JUDGED]))


def counts(rows: pl.DataFrame) -> dict[str, BucketCount]:
    """Every bucket, those that are judged first; the rows of all are those of the table."""
    return {
        bucket.value: _count(bucket, rows.filter(pl.col("bucket") == bucket.value))
        for bucket in Bucket
    }


def _count(bucket: Bucket, here: pl.DataFrame) -> BucketCount:
    has_labels = "is_positive" in here.columns
    labels = here["is_positive"] if has_labels else None
    kinds = here["kind"].drop_nulls().value_counts(sort=True)
    first = here.head(_EXAMPLES).select("line", "variant", "why")
    return BucketCount(
        meaning=MEANINGS[bucket],
        rows=here.height,
        positives=None if labels is None else int(labels.sum()),
        negatives=None if labels is None else int((~labels).sum()),
        reasons=dict(kinds.iter_rows()),
        examples=tuple(Example(*row) for row in first.iter_rows()),
    )

"""Rows of a table put beside the alleles of a run: by lines where the run scored that very table, else by alleles.

An allele has several spellings. By lines nothing depends on them; with the genome both sides are in normal form;
without it, alleles are trimmed, which finds every substitution, and insertions and deletions as far as they stand
where the run has them: at the left end of a repeat. Knows columns. Does not know what is judged.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from enformer_core.errors import InputError
from enformer_core.evaluate.row_buckets import Bucket, open_rows, put
from enformer_core.genome.contig_names import reconcile_contigs
from enformer_core.variants.allele_keys import trimmed
from enformer_core.variants.formats.identifiers import EMPTY_ALLELE
from enformer_core.variants.table import Flag
from enformer_core.variants.written_order import says_nothing

KEY = ("chrom", "pos", "ref", "alt")
"""What makes an allele: its contig, its position from 1, and both alleles."""

RUN_COLUMNS = (*KEY, "status", "reason", "effect_sign", "flags", "score")
"""What is asked of a run for each of its alleles, with `line` where it scored the table."""

_FEW = 0.1
"""Part of the rows on contigs of the run below which the run hardly has the table's variants."""

_ADVICE = "Is one of another assembly, or are positions counted from 0?"

_SEVERAL_BASES = "^[ACGTN]{2,}$"


@dataclass(frozen=True)
class Spelled:
    """Rows of a table as alleles that a run may have.

    Attributes:
        rows: with the columns of KEY, null where a row is no allele of letters.
        is_normal: whether the key is the normal form, REF the genome's.
    """

    rows: pl.DataFrame
    is_normal: bool

    def places(self) -> pl.DataFrame:
        """`chrom` and `pos` of all alleles that are looked for, each place once."""
        looked_for = open_rows(self.rows)
        places = looked_for.select("chrom", "pos").drop_nulls()
        if not self.is_normal:
            # a deletion is written at its first base, and the run has it with the base before
            before = places.with_columns(pl.col("pos") - 1)
            places = pl.concat([places, before])
        return places.unique()


def in_normal_form(rows: pl.DataFrame) -> Spelled:
    """Rows that were found in the genome."""
    return Spelled(rows, is_normal=True)


def as_written(
    rows: pl.DataFrame,
    contigs: Iterable[str],
) -> Spelled:
    """Rows without a genome: contigs called as the run calls them, alleles trimmed."""
    written = rows["contig"].drop_nulls().unique()
    own = reconcile_contigs(written, dict.fromkeys(contigs, 0))
    chrom = pl.col("contig").replace_strict(
        own,
        default=None,
        return_dtype=pl.String,
    )
    spelled = rows.with_columns(
        chrom=chrom,
        pos="written_pos",
        ref="written_ref",
        alt="written_alt",
    )
    return Spelled(_trimmed(spelled), is_normal=False)


def _trimmed(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with alleles without the bases that both share."""
    both_long = pl.all_horizontal(
        pl.col(name).str.contains(_SEVERAL_BASES) for name in ("ref", "alt")
    )
    # few rows share bases: a loop over them costs little
    longer = rows.filter(both_long)
    if not longer.height:
        return rows
    alleles = longer.select("pos", "ref", "alt")
    shorter = [trimmed(*allele) for allele in alleles.iter_rows()]
    forms = pl.DataFrame(shorter, schema=alleles.schema, orient="row")
    return rows.update(forms.with_columns(longer["line"]), on="line")


def beside_lines(
    rows: pl.DataFrame,
    run: pl.DataFrame,
) -> pl.DataFrame:
    """The rows with what the run has of each line, and `sign` and `allele`, as `beside_alleles` gives them.

    Args:
        rows: of the table.
        run: RUN_COLUMNS and `line` of the same file.
    """
    alleles = _named(run).rename({"effect_sign": "sign"})
    first = alleles.unique("line", keep="first", maintain_order=True)
    beside = _joined(rows, first, ["line"])
    return _sorted_in(beside.with_columns(is_order_open=_HAS_OPEN_ORDER))


def beside_alleles(
    spelled: Spelled,
    run: pl.DataFrame,
) -> pl.DataFrame:
    """The rows with what the run has of each allele.

    `sign` is -1 where the table's ALT is the run's REF; `allele` is the run's, as `chrom:pos:ref:alt`.

    Args:
        spelled: rows of the table.
        run: RUN_COLUMNS of alleles at their places.
    """
    # repeats of an allele have one score: one that was computed counts
    is_computed = pl.col("status") == "ok"
    computed_first = _named(run).sort(is_computed, descending=True, maintain_order=True)
    once = computed_first.unique(KEY, keep="first", maintain_order=True)
    # whether the run's own input was turned says nothing of the table
    alleles = once.drop("effect_sign", "line", "flags")
    if spelled.is_normal:
        rows = spelled.rows.with_columns(is_order_open=_HAS_OPEN_ORDER)
        return _sorted_in(_joined(rows, alleles, KEY))
    exchanged = alleles.rename({"ref": "alt", "alt": "ref"})
    spellings = [
        _with_sign(1, alleles),
        _with_sign(1, _deletions(alleles)),
        _with_sign(-1, exchanged.select(alleles.columns)),
    ]
    # what is found as it is written is not looked for in other ways
    all_known = pl.concat(spellings)
    has_both = pl.col("sign").n_unique().over(KEY) > 1
    known = all_known.with_columns(has_both=has_both).unique(KEY, keep="first", maintain_order=True)
    is_open = pl.col("has_both").fill_null(False) & ~pl.col("declares_ref").fill_null(True)
    return _sorted_in(_joined(spelled.rows, known, KEY).with_columns(is_order_open=is_open))


_HAS_OPEN_ORDER = pl.col("flags").list.contains(Flag.AMBIGUOUS_ORDER.value)
"""Of rows in normal form, that both their alleles fit the genome, and the table does not say which is REF."""


def _named(run: pl.DataFrame) -> pl.DataFrame:
    allele = pl.concat_str(KEY, separator=":")
    return run.with_columns(allele=allele)


def _with_sign(
    sign: int,
    alleles: pl.DataFrame,
) -> pl.DataFrame:
    return alleles.with_columns(sign=pl.lit(sign, dtype=pl.Int8))


def _joined(
    rows: pl.DataFrame,
    alleles: pl.DataFrame,
    key: Sequence[str],
) -> pl.DataFrame:
    return rows.join(
        alleles,
        on=key,
        how="left",
        maintain_order="left",
    )


def _deletions(alleles: pl.DataFrame) -> pl.DataFrame:
    """Deletions as tables write them with `-`: at the first base that is gone, without the one before.

    The run's 99 CT>C is 100 T>- there.
    """
    ref = pl.col("ref")
    alt = pl.col("alt")
    is_anchored = ref.str.starts_with(alt)
    has_anchor_alone = alt.str.len_bytes() == 1
    is_longer = ref.str.len_bytes() > 1
    found = alleles.filter(is_anchored, has_anchor_alone, is_longer)
    return found.with_columns(
        pl.col("pos") + 1,
        ref.str.slice(1),
        pl.lit(EMPTY_ALLELE).alias("alt"),
    )


def _sorted_in(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows, those without a score in their buckets; `sign` is that of the table's ALT."""
    rows = rows.with_columns(pl.col("sign").fill_null(1))
    status = pl.col("status")
    nothing = pl.lit("the run has no such allele")
    rows = put(rows, Bucket.MISSING, status.is_null(), nothing)
    reason = pl.col("reason").fill_null("no reason is known")
    why = pl.format("{}: {}", status, reason)
    rows = put(rows, Bucket.NOT_SCORED, status != "ok", why, status)
    if _is_in_no_order(rows):
        open_order = pl.lit("both its alleles fit, and others of the table are swapped")
        rows = put(rows, Bucket.AMBIGUOUS, pl.col("is_order_open"), open_order)
    score = pl.col("score")
    is_number = score.is_finite().fill_null(False)
    shown = score.cast(pl.String).fill_null("null")
    return put(rows, Bucket.NO_SCORE, ~is_number, pl.format("the score is {}", shown))


def _is_in_no_order(rows: pl.DataFrame) -> bool:
    """Whether the substitutions that were found show that the written order does not say which allele is REF."""
    same_length = pl.col("written_ref").str.len_bytes() == pl.col("written_alt").str.len_bytes()
    found = rows.filter(same_length, pl.col("status").is_not_null())
    return says_nothing(found.filter(pl.col("sign") < 0).height, found.height)


def decided(
    rows: pl.DataFrame,
    *,
    signed: bool,
) -> pl.DataFrame:
    """The rows, those that are in no bucket yet in one of those that are judged.

    Args:
        rows: as they stand beside the run.
        signed: whether scores are of ALT, and turned where REF and ALT are exchanged.
    """
    sign = pl.col("sign")
    what_follows = ": the score is turned" if signed else ""
    swapped = pl.lit(f"the genome's allele is ALT here{what_follows}")
    rows = put(rows, Bucket.USED_SWAPPED, sign < 0, swapped)
    rest = pl.lit(value=True)
    rows = put(rows, Bucket.USED, rest, pl.lit("the genome's allele is REF"))
    return rows.with_columns(pl.col("score") * sign) if signed else rows


def check_overlap(
    table: str,
    run: str,
    rows: pl.DataFrame,
    allele_of_run: str | None,
) -> str | None:
    """What is said where the run has few of the table's variants; None where it has enough.

    Args:
        table: as its user calls it.
        run: likewise.
        rows: as they stand beside the run.
        allele_of_run: any of the run's alleles, for the message.

    Raises:
        InputError: where it has none of them.
    """
    missing = rows.filter(pl.col("bucket") == Bucket.MISSING.value)
    found = rows["status"].drop_nulls().len()
    looked_for = found + missing.height
    if found and found >= _FEW * looked_for:
        return None
    if not looked_for:
        shown = rows["variant"][0]
        raise InputError(
            f"{table}: no row has a place and a value that could be looked for in {run}; the first is {shown}"
        )
    shown = missing["variant"][0]
    if found:
        return (
            f"{run}: has {found:,} of {looked_for:,} variants of {table} (not, for one, {shown}); the others are "
            f"not judged. {_ADVICE}"
        )
    there = allele_of_run or "no alleles"
    raise InputError(
        f"{table} and {run}: none of {looked_for:,} variants is in the run. {table} has {shown}, {run} has {there}. "
        f"{_ADVICE}"
    )

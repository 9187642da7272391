"""Rows of a table put beside the alleles of a run: by lines where the run scored that very table, else by alleles.

An allele has several spellings. By lines nothing depends on them; with the genome both sides are in normal form;
without it, alleles are trimmed, which finds every substitution, and insertions and deletions as far as they stand
where the run has them: at the left end of a repeat. Knows columns. Does not know what is judged.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from enformer_core.errors import InputError
from enformer_core.evaluate.row_buckets import Bucket, open_rows, put
from enformer_core.genome.contig_names import reconcile_contigs
from enformer_core.variants.allele_keys import trimmed
from enformer_core.variants.formats.identifiers import EMPTY_ALLELE

KEY = ("chrom", "pos", "ref", "alt")
"""What makes an allele: its contig, its position from 1, and both alleles."""

RUN_COLUMNS = (*KEY, "status", "reason", "effect_sign", "score")
"""What is asked of a run for each of its alleles, with `line` where it scored the table."""

_FEW = 0.1
"""Part of the rows on contigs of the run below which the run hardly has the table's variants."""

_BASES = r"^[ACGTN]+$"


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
        places = open_rows(self.rows).select("chrom", "pos").drop_nulls()
        if not self.is_normal:
            # a deletion is written at its first base, and the run has it with the base before
            before = places.with_columns(pl.col("pos") - 1)
            places = pl.concat([places, before])
        return places.unique()


def in_normal_form(rows: pl.DataFrame) -> Spelled:
    """Rows that were found in the genome."""
    return Spelled(rows, is_normal=True)


def as_written(rows: pl.DataFrame, contigs: Iterable[str]) -> Spelled:
    """Rows without a genome: contigs called as the run calls them, alleles trimmed."""
    known = dict.fromkeys(contigs, 0)
    written = rows["contig"].drop_nulls().unique().to_list()
    own = reconcile_contigs(written, known)
    chrom = pl.col("contig").replace_strict(own, default=None, return_dtype=pl.String)
    rows = rows.with_columns(
        chrom.alias("chrom"),
        pl.col("written_pos").alias("pos"),
        pl.col("written_ref").alias("ref"),
        pl.col("written_alt").alias("alt"),
    )
    both = (pl.col("ref").str.len_bytes() > 1) & (pl.col("alt").str.len_bytes() > 1)
    are_bases = pl.col("ref").str.contains(_BASES) & pl.col("alt").str.contains(_BASES)
    has_shared = (both & are_bases).fill_null(False)
    # few rows share bases: a loop over them costs little
    longer = rows.filter(has_shared)
    forms = [trimmed(*row) for row in longer.select("pos", "ref", "alt").iter_rows()]
    short = pl.DataFrame(forms, schema=["pos", "ref", "alt"], orient="row")
    if short.height:
        short = short.with_columns(line=longer["line"])
        rows = rows.update(short, on="line")
    return Spelled(rows, is_normal=False)


def beside_lines(rows: pl.DataFrame, run: pl.DataFrame) -> pl.DataFrame:
    """The rows with what the run has of each line, and `sign` and `allele`, as `beside_alleles` gives them.

    Args:
        rows: of the table.
        run: RUN_COLUMNS and `line` of the same file.
    """
    first = _named(run).unique("line", keep="first", maintain_order=True)
    signed = first.rename({"effect_sign": "sign"})
    return _sorted_in(rows.join(signed, on="line", how="left", maintain_order="left"))


def beside_alleles(spelled: Spelled, run: pl.DataFrame) -> pl.DataFrame:
    """The rows with what the run has of each allele.

    `sign` is -1 where the table's ALT is the run's REF; `allele` is the run's, as `chrom:pos:ref:alt`.

    Args:
        spelled: rows of the table.
        run: RUN_COLUMNS of alleles at their places.
    """
    # repeats of an allele have one score: one that was computed counts
    computed_first = _named(run).sort(
        pl.col("status") == "ok", descending=True, maintain_order=True
    )
    # whether the run's own input was turned says nothing of the table
    alleles = computed_first.unique(KEY, keep="first", maintain_order=True).drop("effect_sign")
    if spelled.is_normal:
        return _sorted_in(_joined(spelled.rows, alleles))
    exchanged = alleles.rename({"ref": "alt", "alt": "ref"})
    spellings = {1: (alleles, _deletions(alleles)), -1: (exchanged,)}
    every = [
        each.select(alleles.columns).with_columns(pl.lit(sign, dtype=pl.Int8).alias("sign"))
        for sign, several in spellings.items()
        for each in several
    ]
    # what is found as it is written is not looked for in other ways
    known = pl.concat(every).unique(KEY, keep="first", maintain_order=True)
    return _sorted_in(_joined(spelled.rows, known))


def _named(run: pl.DataFrame) -> pl.DataFrame:
    allele = pl.concat_str(*KEY, separator=":").alias("allele")
    return run.with_columns(allele)


def _joined(rows: pl.DataFrame, alleles: pl.DataFrame) -> pl.DataFrame:
    return rows.join(alleles, on=KEY, how="left", maintain_order="left")


def _deletions(alleles: pl.DataFrame) -> pl.DataFrame:
    """Deletions as tables write them with `-`: at the first base that is gone, without the one before.

    The run's 99 CT>C is 100 T>- there.
    """
    is_anchored = pl.col("ref").str.starts_with(pl.col("alt"))
    is_deletion = (pl.col("alt").str.len_bytes() == 1) & (pl.col("ref").str.len_bytes() > 1)
    return alleles.filter(is_anchored & is_deletion).with_columns(
        pl.col("pos") + 1,
        pl.col("ref").str.slice(1),
        pl.lit(EMPTY_ALLELE).alias("alt"),
    )


def _sorted_in(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows, those without a score in their buckets; `sign` is that of the table's ALT."""
    rows = rows.with_columns(pl.col("sign").fill_null(1))
    is_absent = pl.col("status").is_null()
    rows = put(rows, Bucket.MISSING, is_absent, pl.lit("the run has no such allele"))
    status = pl.col("status")
    why = pl.concat_str(status, pl.lit(": "), pl.col("reason").fill_null("no reason is known"))
    rows = put(rows, Bucket.NOT_SCORED, status != "ok", why, status)
    no_number = ~pl.col("score").is_finite().fill_null(False)
    value = pl.col("score").cast(pl.String).fill_null("null")
    return put(rows, Bucket.NO_SCORE, no_number, pl.format("the score is {}", value))


def decided(rows: pl.DataFrame, *, signed: bool) -> pl.DataFrame:
    """The rows, those that are in no bucket yet in one of those that are judged.

    Args:
        rows: as they stand beside the run.
        signed: whether scores are of ALT, and turned where REF and ALT are exchanged.
    """
    is_swapped = pl.col("sign") < 0
    swapped = pl.lit(
        "the genome's allele is ALT here" + (": the score is turned" if signed else "")
    )
    rows = put(rows, Bucket.USED_SWAPPED, is_swapped, swapped)
    rows = put(rows, Bucket.USED, pl.lit(value=True), pl.lit("the genome's allele is REF"))
    if not signed:
        return rows
    return rows.with_columns(pl.col("score") * pl.col("sign"))


def check_overlap(
    table: str, run: str, rows: pl.DataFrame, allele_of_run: str | None
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
    absent = Bucket.MISSING.value
    is_absent = pl.col("bucket") == absent
    was_found = pl.col("status").is_not_null()
    found = rows.filter(was_found).height
    looked_for = rows.filter(was_found | is_absent).height
    if found and found >= _FEW * looked_for:
        return None
    shown = rows.filter(is_absent)["variant"].head(1).to_list() or rows["variant"].head(1).to_list()
    here = f"{table} has {shown[0]}"
    there = f"{run} has {allele_of_run}" if allele_of_run else f"{run} has no alleles"
    advice = "Is one of another assembly, or are positions counted from 0?"
    if found:
        return (
            f"{run}: has {found:,} of {looked_for:,} variants of {table} (not, for one, {shown[0]}); the others are "
            f"not judged. {advice}"
        )
    if not looked_for:
        raise InputError(
            f"{table}: no row has a place and a value that could be looked for in {run}; the first is {shown[0]}"
        )
    raise InputError(
        f"{table} and {run}: none of {looked_for:,} variants is in the run. {here}, {there}. {advice}"
    )

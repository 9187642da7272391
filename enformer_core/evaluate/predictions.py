"""Predictions of links, as `enformer-ray links` writes them, put beside the pairs that an experiment tested.

An experiment's element need not be one of the candidates: a pair has the sum over those that overlap its element, as
EngreitzLab/CRISPR_comparison takes it for ABC scores.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from enformer_core.errors import InputError
from enformer_core.genome.contig_names import reconcile_contigs
from enformer_core.links.tables import PARQUET_MAGIC, Numbers
from enformer_core.links.written import is_tsv, is_written
from enformer_core.storage.open import local_path

PLACES = ("gene", "chrom", "start", "end")
"""Columns that name a gene and an element."""

_NO_SCORES = (*PLACES, "tss", "distance", "powerlaw_contact", "activity", "abc_numerator")


def predicted_scores(name: str, pairs: pl.DataFrame) -> Mapping[str, Numbers]:
    """The scores of tested pairs, by name; NaN where no predicted element of the gene overlaps the pair's.

    Of an element that is predicted for several TSSs of a gene, the largest score counts.

    Args:
        name: the file, Parquet or text separated by tabs (.gz), a path or an object's address; which it is, its content
            shows. Every column of numbers that is no place is a score.
        pairs: `gene`, `chrom`, `start` and `end` of each.

    Raises:
        InputError: for a file that is no such table, has no scores, or none of the pairs' genes.
    """
    path = Path(local_path(name))
    is_parquet = _is_parquet(name, path)
    try:
        predictions = pl.scan_parquet(path) if is_parquet else _scan_tsv(path)
        scores = _score_columns(name, predictions, is_parquet=is_parquet)
        # only here its rows are read
        return summed_scores(name, predictions, scores, pairs)
    except (pl.exceptions.PolarsError, OSError) as error:
        kind = "Parquet" if is_parquet else "tab-separated text"
        raise InputError(f"{name}: cannot be read as {kind}: {error}") from error


def summed_scores(
    name: str, predictions: pl.LazyFrame, scores: Sequence[str], pairs: pl.DataFrame
) -> Mapping[str, Numbers]:
    """Of each pair the sum over the predicted elements that overlap its own, as `predicted_scores` says.

    Args:
        name: of the predictions, for messages.
        predictions: with `PLACES` and the scores.
        scores: names of columns.
        pairs: as for `predicted_scores`.

    Raises:
        InputError: where none of the pairs is predicted.
    """
    tested = pairs.with_row_index("pair")
    here = _named_alike(predictions, tested)
    beside = here.join(tested.lazy(), on=["gene", "chrom"], suffix="_tested")
    begins_before = pl.col("start") < pl.col("end_tested")
    ends_behind = pl.col("end") > pl.col("start_tested")
    overlapping = beside.filter(begins_before & ends_behind)
    # an element of several TSSs or groups once, then all elements of a pair
    elements = overlapping.group_by("pair", "start", "end").agg(pl.col(scores).max())
    sums = elements.group_by("pair").agg(pl.col(scores).sum()).collect()
    if not sums.height:
        raise InputError(
            f"{name}: predicts none of the tested pairs. Are genes and assembly the same?"
        )
    in_order = tested.select("pair").join(sums, on="pair", how="left", maintain_order="left")
    unknown = float("nan")
    return {
        score: in_order[score].cast(pl.Float64).fill_null(unknown).to_numpy() for score in scores
    }


def _score_columns(name: str, predictions: pl.LazyFrame, *, is_parquet: bool) -> list[str]:
    """Which columns of a table of links are scores."""
    schema = predictions.collect_schema()
    missing = [column for column in PLACES if column not in schema]
    if missing:
        is_uncut = not is_parquet and len(schema) == 1
        hint = ". Columns are separated by tabs" if is_uncut else ""
        raise InputError(f"{name}: has no column {missing[0]}, so it is no table of links{hint}")
    numeric = [column for column, kind in schema.items() if kind.is_numeric()]
    scores = [column for column in numeric if column not in _NO_SCORES]
    if not scores:
        raise InputError(
            f"{name}: has no column of scores, as `enformer-ray links --scores abc` writes"
        )
    return scores


def _is_parquet(name: str, path: Path) -> bool:
    """By content; what is called Parquet and is something else is damaged, and no text."""
    try:
        with path.open("rb") as file:
            begins_so = file.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or error}") from error
    return begins_so or (is_written(name) and not is_tsv(name))


def _scan_tsv(path: Path) -> pl.LazyFrame:
    # names may look like numbers: chromosome 1, gene 7SK
    names = dict.fromkeys(("gene", "gene_id", "chrom", "name", "class"), pl.String)
    return pl.scan_csv(path, separator="\t", schema_overrides=names, infer_schema_length=None)


def _named_alike(predictions: pl.LazyFrame, tested: pl.DataFrame) -> pl.LazyFrame:
    """The predictions of the tested genes, with the experiment's names of chromosomes."""
    of_genes = predictions.filter(pl.col("gene").is_in(tested["gene"].unique().to_list()))
    known = dict.fromkeys(tested["chrom"].unique().to_list(), 0)
    found = of_genes.select(pl.col("chrom").unique()).collect()["chrom"]
    return of_genes.with_columns(pl.col("chrom").replace(reconcile_contigs(found, known)))

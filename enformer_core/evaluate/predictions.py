"""Predictions of links, as `enformer-ray links` writes them, put beside the pairs that an experiment tested.

An experiment's element need not be one of the candidates: a pair has the sum over those that overlap its element, as
EngreitzLab/CRISPR_comparison takes it for ABC scores.
"""

from collections.abc import Callable, Mapping, Sequence

import polars as pl
import polars.selectors as cs

from enformer_core.errors import InputError
from enformer_core.evaluate.prediction_tables import scan_predictions
from enformer_core.genome.contig_names import reconcile_contigs
from enformer_core.links.tables import Numbers


def predicted_scores(
    name: str, pairs: pl.DataFrame, *, warn: Callable[[str], object]
) -> Mapping[str, Numbers]:
    """The scores of tested pairs, by name; NaN where no predicted element of the gene overlaps the pair's.

    Of an element that is predicted for several TSSs of a gene, the largest score counts.

    Args:
        name: the file, as `scan_predictions` reads it.
        pairs: `gene`, `chrom`, `start` and `end` of each.
        warn: is told which columns are left out.

    Raises:
        InputError: for a file that is no such table, has no scores, or none of the pairs' genes.
    """
    predictions = scan_predictions(name)
    for text in predictions.notes:
        warn(text)
    try:
        # only here its rows are read
        return summed_scores(name, predictions.rows, predictions.scores, pairs)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{name}: cannot be read: {error}") from error


def summed_scores(
    name: str, predictions: pl.LazyFrame, scores: Sequence[str], pairs: pl.DataFrame
) -> Mapping[str, Numbers]:
    """Of each pair the sum over the predicted elements that overlap its own, as `predicted_scores` says.

    An element without a value, null or NaN, is not scored: it adds nothing, and pairs that overlap no other have no
    score.

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
    known = overlapping.with_columns(cs.float().fill_nan(None))
    elements = known.group_by("pair", "start", "end").agg(pl.col(scores).max())
    sums = elements.group_by("pair").agg(map(_sum_of_known, scores)).collect()
    if not sums.height:
        raise InputError(
            f"{name}: predicts none of the tested pairs. Are genes and assembly the same?"
        )
    in_order = tested.select("pair").join(sums, on="pair", how="left", maintain_order="left")
    unknown = float("nan")
    return {
        score: in_order[score].cast(pl.Float64).fill_null(unknown).to_numpy() for score in scores
    }


def _sum_of_known(score: str) -> pl.Expr:
    # the sum of nothing is 0, which would be a score
    is_known = pl.col(score).count() > 0
    return pl.when(is_known).then(pl.col(score).sum()).alias(score)


def _named_alike(predictions: pl.LazyFrame, tested: pl.DataFrame) -> pl.LazyFrame:
    """The predictions of the tested genes, with the experiment's names of chromosomes."""
    of_genes = predictions.filter(pl.col("gene").is_in(tested["gene"].unique().to_list()))
    known = dict.fromkeys(tested["chrom"].unique().to_list(), 0)
    found = of_genes.select(pl.col("chrom").unique()).collect()["chrom"]
    return of_genes.with_columns(pl.col("chrom").replace(reconcile_contigs(found, known)))

"""Scores of a run of `enformer-ray links`, put beside the pairs that an experiment tested."""

from collections.abc import Mapping

import polars as pl

from enformer_core.errors import InputError
from enformer_core.evaluate.prediction_tables import PLACES
from enformer_core.evaluate.predictions import summed_scores
from enformer_core.links.tables import Numbers

_OF_MODEL = (
    "gradient",
    "gradient_2kb",
    "attention",
    "mutagenesis",
    "shuffles",
)
_SIGNED = ("mutagenesis", "shuffles")


def scores_of_run(
    name: str,
    links: pl.DataFrame,
    pairs: pl.DataFrame,
) -> Mapping[str, Numbers]:
    """The scores of tested pairs: each of the model's for each group of tracks, and the ABC score.

    What it does to change an element counts by its magnitude, as in the Enformer article: an enhancer that is taken
    away lowers the prediction.

    Args:
        name: of the run, for messages.
        links: its table.
        pairs: `gene`, `chrom`, `start` and `end` of each.

    Raises:
        InputError: for a run in which no pair has scores, or that has none of the pairs' genes.
    """
    is_computed = pl.col("status") == "ok"
    computed = links.filter(is_computed)
    if not computed.height:
        raise InputError(f"{name}: no pair of this run has scores")
    signed = [column for column in _SIGNED if column in links.columns]
    magnitudes = pl.col(signed).abs()
    computed = computed.with_columns(magnitudes)
    # it is the same for all groups; null where candidates have no activity
    has_abc = not computed["abc"].is_null().all()
    of_files = ["abc"] if has_abc else []
    groups = computed["group"].unique(maintain_order=True)
    parts = [_of_group(computed, group, of_files) for group in groups]
    # elements of several groups have a row for each, of which the others' columns are null
    beside = pl.concat(parts, how="diagonal")
    # places come first in each part
    scores = beside.columns[len(PLACES) :]
    return summed_scores(name, beside.lazy(), scores, pairs)


def _of_group(
    computed: pl.DataFrame,
    group: str,
    of_files: list[str],
) -> pl.DataFrame:
    """Places and scores of one group, by whose name the model's are called."""
    of_model = [column for column in _OF_MODEL if column in computed.columns]
    is_of_group = pl.col("group") == group
    rows = computed.filter(is_of_group)
    names = {column: f"{column} ({group})" for column in of_model}
    wanted = rows.select(*PLACES, *of_files, *of_model)
    return wanted.rename(names)

"""`enformer-ray evaluate`: scores held against experiments."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Bool

from enformer_core.api.run_tables import RunTables, open_run
from enformer_core.errors import DatasetError, InputError
from enformer_core.evaluate.average_precision import Bootstrap
from enformer_core.evaluate.bins import read_bins
from enformer_core.evaluate.crispr import TestedPairs, read_tested_pairs
from enformer_core.evaluate.links import LinksResult, judge_links
from enformer_core.evaluate.predictions import predicted_scores
from enformer_core.evaluate.run_predictions import scores_of_run
from enformer_core.links.tables import Numbers, read_table
from enformer_core.links.written import is_written
from enformer_core.storage.open import parse_address
from enformer_core.words import counted
from jobs import exit_codes
from jobs.link_settings import EvaluateLinksSettings
from jobs.log import note
from jobs.terminal import print_prose

_LOWER_IS_BETTER = re.compile(
    r"(?i)^(dist|p[_.]?val|q[_.]?val|fdr|padj|rank)|^(?!inv).*[_.](dist|rank)"
)
"""Names of what is the stronger the smaller it is: distances, p-values, ranks; 1/distance is called otherwise."""

_TURN_IT = "turn its sign in the table"

_LEAST_COVERAGE = 0.5
"""Part of the pairs that predictions cover below which that is said: the rest share the last rank."""


def evaluate_links(settings: EvaluateLinksSettings) -> int:
    """Print the average precision of each score in each bin of distances.

    Returns:
        The exit code.

    Raises:
        InputError: for tables that cannot be used, and bins that are none.
    """
    bins = read_bins(settings.bins)
    bootstrap = Bootstrap.asked(settings.bootstrap, settings.seed)
    pairs, left_out = _pairs(settings)
    for name in pairs.scores:
        if _LOWER_IS_BETTER.search(name):
            note(
                f"{name}: is ranked from high to low, as all scores are; where lower is better, {_TURN_IT}"
            )
    results = list(judge_links(pairs, bins, bootstrap))
    if settings.json:
        answer: dict[str, object] = {"rows": list(map(asdict, results))}
        if settings.covered_only:
            answer["left_out"] = left_out
        print(json.dumps(answer))
    else:
        # of a narrow terminal lines are longer: they go on below the second column
        print_prose(_lines(results))
    return exit_codes.DONE


def _pairs(settings: EvaluateLinksSettings) -> tuple[TestedPairs, int]:
    """The pairs with all scores, and how many are left out since no prediction covers them."""
    if settings.covered_only and settings.predictions is None:
        raise InputError("--covered-only: give --predictions too, or leave it out")
    pairs = read_tested_pairs(read_table(settings.table), scores=settings.scores)
    for text in pairs.notes:
        note(text)
    if settings.predictions is None:
        return pairs, 0
    predicted = _predicted(settings.predictions, pairs.places)
    is_covered = ~np.isnan(np.stack(list(predicted.values()))).all(axis=0)
    with_predictions = pairs.with_scores(predicted)
    if settings.covered_only:
        left_out = int((~is_covered).sum())
        note(
            f"{settings.predictions}: {left_out:,} of {counted(is_covered.size, 'tested pairs')} left out, which no "
            "prediction covers; all scores are of the others"
        )
        return with_predictions.kept(is_covered), left_out
    _note_coverage(settings.predictions, is_covered)
    return with_predictions, 0


def _note_coverage(name: str, is_covered: Bool[np.ndarray, " rows"]) -> None:
    """Say so where most pairs have no prediction, so that a ranking of the few others is what is judged."""
    covered = int(is_covered.sum())
    if covered < _LEAST_COVERAGE * is_covered.size:
        note(
            f"{name}: the predictions cover {covered:,} of {counted(is_covered.size, 'tested pairs')}; "
            "the others come last in every ranking (--covered-only leaves them out)"
        )


def _predicted(name: str, places: pl.DataFrame) -> Mapping[str, Numbers]:
    """Scores of a file of links, or of a run."""
    if _is_file(name):
        return predicted_scores(name, places, warn=note)
    run = open_run(name)
    if not run.status.finished:
        note(f"{name}: is not finished; pairs that it has not come to are without a score")
    return scores_of_run(name, _links(run, name), places)


def _is_file(name: str) -> bool:
    """Whether this is a table rather than a run; of what is not there, by its name."""
    if parse_address(name) is None and os.path.lexists(name):
        return not Path(name).is_dir()
    return is_written(name)


def _links(run: RunTables, name: str) -> pl.DataFrame:
    """The run's table, read whole.

    Raises:
        DatasetError: where a file of it is damaged behind its length, which nothing notices but its reading.
    """
    try:
        return run.table("links").collect()
    except pl.exceptions.PolarsError as error:
        raise DatasetError(
            f"{name}: its table links cannot be read: {error}. `enformer-ray verify {name}` says which file is damaged."
        ) from error


def _lines(results: Sequence[LinksResult]) -> list[str]:
    """A line for each score and bin, in columns."""
    width = max(len(result.score) for result in results)
    columns = f"{'bin':<14}{'pairs':>8}{'positive':>10}  {'score':<{width}}"
    lines = [f"{columns}  average precision  (95 % interval)"]
    for result in results:
        bin_and_pairs = f"{result.bin:<14}{result.pairs:>8,}{result.positives:>10,}"
        lines.append(f"{bin_and_pairs}  {result.score:<{width}}  {_precision(result)}")
    return lines


def _precision(result: LinksResult) -> str:
    if result.average_precision is None:
        return "none is positive" if not result.positives else "none has this score"
    value = f"{result.average_precision:.3f}"
    if result.low is not None:
        value += f"  ({result.low:.3f}-{result.high:.3f})"
    if result.missing:
        value += f"  ({result.missing:,} without a score come last)"
    return value

"""Finished runs whose scores are any matrix: a row for each allele, a column for each track."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from enformer_core.dataset.codec import Footer, to_parquet
from enformer_core.dataset.keys import TRACKS_KEY
from enformer_core.dataset.run import ModelIdentity, Run
from enformer_core.models.tracks.table import Track, Tracks
from enformer_core.storage.local import LocalStore
from tests.support.plans import make_draft, placed_table
from tests.support.toy_runs import (
    CONVENTIONS,
    ToyRun,
    scoring_worker,
    toy_identity,
    toy_ledger,
    toy_run,
)

_CONTIG_BP = 10_000_000


class ScorerByMatrix:
    """SAD of the allele at base n, from 0, is row n of a matrix; nothing is a number where it has none."""

    def __init__(self, values):
        self.values = values

    def score(self, alleles, start):
        return [{"sad": self.values[allele.start]} for allele in alleles]


def begun_wide_run(
    place: Path,
    values: np.ndarray,
    *,
    indices: Sequence[int] = (),
    tracks: Sequence[Track] = (),
    shard_size: int = 100,
    repeats: Sequence[int] = (),
    unplaced: int = 0,
    model: str = "toy",
    seed: int = 1,
) -> ToyRun:
    """Plan an allele for each row, on two contigs, and store what a driver stores before anything is computed.

    Args:
        place: the run's directory.
        values: of `sad`, a row for each allele.
        indices: columns of the head that the tracks are; from 0 by default.
        tracks: those of these columns, with their names; by default each has an identifier alone.
        shard_size: rows of a shard.
        repeats: rows whose allele stands in the input a second time.
        unplaced: alleles without a place, which have no scores.
        model: its name.
        seed: part of the identity that decides no score.
    """
    indices = list(indices) or list(range(values.shape[1]))
    half = len(values) // 2
    of_rows = [("chr1" if row < half else "chr2", row, "A", "G") for row in range(len(values))]
    rows = [*of_rows, *(of_rows[row] for row in repeats), *[(None, None, None, None)] * unplaced]
    draft = make_draft(
        placed_table(rows),
        {"chr1": _CONTIG_BP, "chr2": _CONTIG_BP},
        shard_size,
        window_starts=lambda starts: starts - 98_303,
    )
    identity = toy_identity(tracks=len(indices), seed=seed)
    identity = replace(
        identity, model=ModelIdentity(model, "0" * 64, "human"), shard_size=shard_size
    )
    run: Run = toy_run(
        identity, sha256=draft.sha256, shards=len(draft.shards), by_status=draft.by_status
    )
    store = LocalStore(place)
    run.claim(store)
    unnamed = (Track(index=index, identifier=f"id-{index}") for index in indices)
    named = Tracks("human", max(indices) + 1, tuple(tracks or unnamed))
    footer = Footer("tracks", run.digest, run.notice)
    store.put_if_absent(TRACKS_KEY, to_parquet(named.to_arrow(), footer))
    ledger = toy_ledger(store, run)
    conventions = replace(CONVENTIONS, statistics=("sad",))
    worker = scoring_worker(ScorerByMatrix(values), ledger, conventions, indices)
    return ToyRun(store, run, draft.put(store), ledger, worker)


def wide_run(place: Path, values: np.ndarray, **options) -> ToyRun:
    """The same with every shard computed and stored, and the manifest put."""
    run = begun_wide_run(place, values, **options)
    run.commit_all()
    run.ledger.finish(run.plan)
    return run

"""Runs small enough to be worked out by hand: their identities, ledgers and workers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from enformer_core.analyses.allele_scoring import AlleleScoring, Auditor, Scorer
from enformer_core.analyses.base import ShardWorker
from enformer_core.analyses.gene_table import GeneTable
from enformer_core.analyses.score_spec import ScoreSpec
from enformer_core.analyses.variant_run_type import VariantEffectsType
from enformer_core.dataset.codec import Footer, to_parquet
from enformer_core.dataset.keys import TRACKS_KEY
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.plan import Plan
from enformer_core.dataset.receipts import Provenance
from enformer_core.dataset.run import (
    Identity,
    ModelIdentity,
    PlanSummary,
    ReferenceIdentity,
    Run,
    TracksIdentity,
)
from enformer_core.dataset.run_type import RunType
from enformer_core.dataset.shard_task import ShardTask
from enformer_core.models.geometry import ENFORMER
from enformer_core.models.tracks.table import Track, Tracks
from enformer_core.scoring.conventions import Conventions
from enformer_core.scoring.rounding import WHOLE_BITS
from enformer_core.storage.store import Store
from enformer_core.variants.audit_sample import AuditSample
from tests.support.plans import make_draft, placed_table

CONTIGS = {"chr2": 1000, "chr10": 1000, "chr1": 1000}

ROWS = [("chr1", start, "A", "G") for start in range(7)] + [
    ("chr1", 3, "A", "G"),
    ("chr2", 4, "C", "CT"),
    (None, None, None, None),
]

CONVENTIONS = Conventions(geometry=ENFORMER, statistics=("sad", "d1"), centre_index=98_303)

TRACKS = (0, 5, 7)
"""Columns of the head whose scores a toy run has."""


class CountingScorer:
    """Scores that can be worked out: start, minus start, and 1 for three tracks; counts its calls."""

    def __init__(self, offset=0.0):
        self.offset = offset
        self.scored = []

    def score(self, alleles, start):
        self.scored.extend(alleles)
        assert all(allele.start - start == 98_303 for allele in alleles)
        values = [
            np.array([allele.start, -allele.start - 0.5, 1.0]) + self.offset for allele in alleles
        ]
        return [{"sad": sad, "d1": np.abs(sad)} for sad in values]


@dataclass(frozen=True, kw_only=True)
class ToyIdentity(Identity):
    """An identity with a seed, and with the statistics where the run scores variants."""

    seed: int = 1
    conventions: Mapping[str, Any] = field(default_factory=dict)


def toy_identity(
    kind: str = "variants", *, tracks: int = 3, statistics: Sequence[str] = ("sad",), seed: int = 1
) -> ToyIdentity:
    """What a run's identity is, with as little in it as can be."""
    return ToyIdentity(
        kind=kind,
        model=ModelIdentity("toy", "0" * 64, "human"),
        tracks=TracksIdentity(tracks, "0" * 64),
        reference=ReferenceIdentity(1, "0" * 64, {}),
        shard_size=2,
        seed=seed,
        conventions={"statistics": list(statistics)},
    )


def toy_run(
    identity: Identity | None = None,
    *,
    sha256: Sequence[str] = (),
    shards: int = 1,
    by_status: Mapping[str, int] | None = None,
    notice: str | None = "only a test",
) -> Run:
    """The description of a run with this plan."""
    plan = PlanSummary(len(sha256), tuple(sha256), shards, dict(by_status or {"ok": 1}))
    return Run.of(identity or toy_identity(), plan, notice=notice)


def toy_ledger(store: Store, run: Run | None = None, run_type: RunType | None = None) -> Ledger:
    """The ledger of a run, by default of one that scores variants."""
    return Ledger(store, run or toy_run(), run_type or VariantEffectsType())


def put_tracks(store: Store, run: Run) -> None:
    """The table of tracks, as a driver puts it when a run begins."""
    tracks = pa.table({"index": list(range(run.typed_identity.tracks.count))})
    store.put_if_absent(TRACKS_KEY, to_parquet(tracks, Footer("tracks", run.digest, run.notice)))


def score_spec(conventions: Conventions, *, top_tracks: int = 2) -> ScoreSpec:
    """How toys are scored: plainly, every bit kept, nothing audited."""
    return ScoreSpec(
        conventions=conventions,
        engine="direct",
        precision="exact",
        audit_fraction=0.0,
        audit_tolerance=0.02,
        mantissa_bits=WHOLE_BITS,
        top_tracks=top_tracks,
    )


def scoring_worker(
    scorer: Scorer,
    ledger: Ledger,
    conventions: Conventions,
    tracks: Sequence[int],
    *,
    top_tracks: int = 2,
    mantissa_bits: int = WHOLE_BITS,
    auditor: Auditor | None = None,
    genes: GeneTable | None = None,
) -> ShardWorker:
    """A worker that scores shards with this scorer."""
    spec = replace(score_spec(conventions, top_tracks=top_tracks), mantissa_bits=mantissa_bits)
    return ShardWorker(AlleleScoring(scorer, spec, tracks, Provenance(), auditor, genes), ledger)


@dataclass(frozen=True)
class ToyRun:
    """A run of alleles that is planned and stored, and the worker that can compute it."""

    store: Store
    run: Run
    plan: Plan
    ledger: Ledger
    worker: ShardWorker

    def commit_all(self) -> None:
        """Compute and store every shard; the run is not closed."""
        for shard in self.plan.shards:
            self.worker(ShardTask(shard))


def begun_toy_run(
    store: Store,
    rows: Sequence[tuple[str | None, int | None, str | None, str | None]] = ROWS,
    contigs: Mapping[str, int] = CONTIGS,
    *,
    shard_size: int = 3,
    tracks: Sequence[Track] | None = None,
    scorer: Scorer | None = None,
    auditor: Auditor | None = None,
    ids: Sequence[str | None] | None = None,
) -> ToyRun:
    """Plan alleles, each in a window of its own, and store what a driver stores before anything is computed.

    Args:
        store: where.
        rows: of the plan, as `placed_table` has them.
        contigs: their lengths in bp, in the order of the plan.
        shard_size: rows of a shard.
        tracks: those at TRACKS; without names by default.
        scorer: what scores; it gives `sad` and `d1` for each of the tracks.
        auditor: what scores again; nothing by default.
        ids: what the input calls each row; nothing by default.
    """
    draft = make_draft(
        placed_table(rows, ids),
        contigs,
        shard_size,
        window_starts=lambda starts: starts - 98_303,
        audit=None if auditor is None else AuditSample(1.0, 0, ""),
    )
    run = toy_run(
        toy_identity(statistics=("sad", "d1")),
        sha256=draft.sha256,
        shards=len(draft.shards),
        by_status=draft.by_status,
    )
    run.claim(store)
    named = Tracks("human", 8, tuple(tracks or map(_unnamed, TRACKS)))
    footer = Footer("tracks", run.digest, run.notice)
    store.put_if_absent(TRACKS_KEY, to_parquet(named.to_arrow(), footer))
    ledger = toy_ledger(store, run)
    worker = scoring_worker(
        scorer or CountingScorer(), ledger, CONVENTIONS, TRACKS, auditor=auditor
    )
    return ToyRun(store, run, draft.put(store), ledger, worker)


def _unnamed(index: int) -> Track:
    return Track(index=index)

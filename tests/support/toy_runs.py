"""Runs small enough to be worked out by hand: their identities, ledgers and workers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from enformer_core.analyses.allele_scoring import AlleleScoring, Auditor, Scorer
from enformer_core.analyses.base import ShardWorker
from enformer_core.analyses.score_spec import ScoreSpec
from enformer_core.analyses.variant_run_type import VariantEffectsType
from enformer_core.dataset.codec import Footer, to_parquet
from enformer_core.dataset.keys import TRACKS_KEY
from enformer_core.dataset.ledger import Ledger
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
from enformer_core.scoring.conventions import Conventions
from enformer_core.scoring.rounding import WHOLE_BITS
from enformer_core.storage.store import Store


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
) -> ShardWorker:
    """A worker that scores shards with this scorer."""
    spec = replace(score_spec(conventions, top_tracks=top_tracks), mantissa_bits=mantissa_bits)
    return ShardWorker(AlleleScoring(scorer, spec, tracks, Provenance(), auditor), ledger)

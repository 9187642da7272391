"""Runs of real files of variants whose scores are worked out without a network: as fast as they are read."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from enformer_core.dataset.codec import Footer, as_json_object, canonical_json, to_parquet
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.keys import TRACKS_KEY
from enformer_core.dataset.plan_builder import gather
from enformer_core.dataset.run import PlanSummary, ReferenceIdentity, Run
from enformer_core.dataset.shard_task import ShardTask
from enformer_core.genome.fasta import Genome
from enformer_core.models.tracks.table import Tracks, described_track
from enformer_core.storage.local import LocalStore
from enformer_core.variants.columns_taken import columns_taken
from enformer_core.variants.harmonise import harmonise_alleles
from enformer_core.variants.input_files import input_digests
from enformer_core.variants.source import open_sources
from tests.support.plans import contents
from tests.support.toy_runs import (
    CONVENTIONS,
    TRACKS,
    ToyIdentity,
    ToyRun,
    scoring_worker,
    toy_identity,
    toy_ledger,
)

NAMES = ("CAGE:liver, adult;50%", "DNASE:K562", "CHIP:CTCF:HeLa")


class ScorerByPlace:
    """SAD and log SAD of an allele: base from 0, minus that and a half more, 1 for three tracks; D1 is their size."""

    def __init__(self, failing: Sequence[int] = ()):
        self.failing = failing

    def score(self, alleles, start):
        return [self._of(allele) for allele in alleles]

    def _of(self, allele):
        sad = np.array([allele.start, -allele.start - 0.5, 1.0])
        if allele.start in self.failing:
            sad = sad * np.nan
        return {"sad": sad, "d1": np.abs(sad), "log_sad": sad}


@dataclass(frozen=True, kw_only=True)
class FileIdentity(ToyIdentity):
    """A toy's identity that names its input."""

    input: list[Any] = field(default_factory=list)


def begun_file_run(
    out: Path,
    files: Sequence[Path],
    fasta: Path,
    *,
    shard_size: int = 100,
    allow_swapped: bool = False,
    failing: Sequence[int] = (),
    sites: Path | None = None,
    statistics: Sequence[str] = ("sad", "d1"),
    chosen: Callable[[pa.Table], pa.Table] = lambda raw: raw,
) -> ToyRun:
    """Plan the alleles of files as `score` does, and store what a driver stores before anything is computed.

    Args:
        out: the run's directory.
        files: of variants.
        fasta: their genome.
        shard_size: rows of a shard.
        allow_swapped: take ALT for REF where the genome has it.
        failing: starts of alleles whose scores are no numbers.
        sites: places of rsIDs.
        statistics: that are kept.
        chosen: leaves out rows that are read, as filters do.
    """
    genome = Genome(fasta)
    sources = open_sources(list(files), sites=sites)
    batches = [chosen(batch) for source in sources for batch in source.batches()]
    with (
        tempfile.TemporaryDirectory() as folder,
        gather(
            batches,
            genome.contigs,
            place=lambda raw: harmonise_alleles(
                raw, genome, max_allele_bp=10_000, allow_swapped=allow_swapped
            ),
            scratch=Path(folder),
        ) as alleles,
    ):
        draft = alleles.draft(shard_size, window_starts=lambda starts: starts - 98_303)
        draft = replace(draft, parts=tuple(contents(draft)))
    lengths = dict(genome.contigs)
    names_sha256 = sha256(canonical_json(lengths))
    plain = toy_identity(statistics=statistics)
    identity = FileIdentity(
        **{
            name: getattr(plain, name)
            for name in ToyIdentity.__dataclass_fields__
            if name != "reference"
        },
        reference=ReferenceIdentity(len(lengths), names_sha256, {}),
        input=list(input_digests(list(files))),
    )
    run = Run.of(
        identity,
        PlanSummary(
            len(draft.parts),
            draft.sha256,
            len(draft.shards),
            dict(draft.by_status),
            columns=tuple(as_json_object(taken) for taken in columns_taken(sources)),
        ),
        notice='only a "test"',
        configuration={"variants": [str(file) for file in files], "genome": str(fasta)},
    )
    store = LocalStore(out)
    run.claim(store)
    named = Tracks("human", 8, tuple(map(_track, TRACKS, NAMES)))
    store.put_if_absent(
        TRACKS_KEY, to_parquet(named.to_arrow(), Footer("tracks", run.digest, run.notice))
    )
    ledger = toy_ledger(store, run)
    conventions = replace(CONVENTIONS, statistics=tuple(statistics))
    worker = scoring_worker(ScorerByPlace(failing), ledger, conventions, TRACKS)
    return ToyRun(store, run, draft.put(store), ledger, worker)


def scored_file_run(out: Path, files: Sequence[Path], fasta: Path, **options: Any) -> ToyRun:
    """The same with every shard computed and stored, and the manifest put."""
    run = begun_file_run(out, files, fasta, **options)
    run.commit_all()
    run.ledger.finish(run.plan)
    return run


def stored_scores(run: ToyRun) -> pa.Table:
    """All rows of `scores`."""
    tables = [
        run.ledger.store.get(receipt.tables["scores"].key) for receipt in run.ledger.receipts()
    ]
    return pa.concat_tables([pa.parquet.read_table(pa.BufferReader(each)) for each in tables])


def commit(run: ToyRun, shards: Sequence[int]) -> None:
    """Compute and store some shards alone."""
    for shard in run.plan.shards:
        if shard.number in shards:
            run.worker(ShardTask(shard))


def _track(index, name):
    return described_track(index, f"id-{index}", name)

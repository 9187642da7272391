"""A finished run as large as a biobank's, without a network: values are drawn, the rest is `score`.

    python -m benchmarks.synthetic_run --records 1000000 --out /big/run

Planning, shards, commits, receipts and files are the product's own, so that what is measured on the run (queries,
look-ups, percentiles, compaction) is what users would meet. Values have heavy tails, and tracks that go together, as
real ones do. The same command continues a run, and several at once share it.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from zlib import crc32

import numpy as np

from benchmarks.planning_material import Material
from enformer_core.analyses import variant_effects
from enformer_core.analyses.allele_scoring import AlleleScoring
from enformer_core.dataset.receipts import Provenance
from enformer_core.models.enformer_spec import EnformerConfig
from enformer_core.models.motif import motif_model
from enformer_core.models.motif_spec import SPEC as MOTIF
from enformer_core.models.registry import register
from enformer_core.models.spec import Demonstration, ModelSpec, Operations
from enformer_core.models.tracks.table import Tracks, described_track
from enformer_core.scoring.windows import Allele
from jobs.cli import main as enformer_ray

TRACKS = 5_313
"""As many as Enformer's human head has."""

FACTORS = 24
"""Tracks are mixtures of so many, such as tissues; noise of their own comes on top."""

ASSAYS = ("DNASE", "CHIP:H3K27ac", "CHIP:CTCF", "CAGE")

BIOSAMPLES = ("liver", "K562", "heart", "HepG2", "brain", "monocyte")

NOTICE = "SYNTHETIC VALUES: drawn by chance to measure how fast runs are read. They say nothing about any genome."


def synthetic_tracks(head: str) -> Tracks:
    """Names of the tracks, in turn of each assay and biosample."""
    rows = [
        described_track(index, f"SYN{index:05}", f"{assay}:{biosample}")
        for index in range(TRACKS)
        for assay in (ASSAYS[index % len(ASSAYS)],)
        for biosample in (BIOSAMPLES[index % len(BIOSAMPLES)],)
    ]
    return Tracks(head, TRACKS, tuple(rows))


SPEC: ModelSpec[EnformerConfig] = ModelSpec(
    name="synthetic",
    config=MOTIF.config,
    network=MOTIF.network,
    worker_memory_bytes=MOTIF.worker_memory_bytes,
    demonstration=Demonstration(
        make=motif_model,
        tracks=synthetic_tracks,
        notice=NOTICE,
        weights_sha256="0" * 64,
    ),
    operations=Operations(tower=1, trunk=1, track=1),
)


class SyntheticScorer:
    """Values that follow from the allele alone, so that any worker comes to the same."""

    def __init__(self, statistics: Sequence[str]) -> None:
        self._statistics = statistics
        self._loadings = np.random.default_rng(1).standard_normal((FACTORS, TRACKS), np.float32)

    def score(self, alleles: Sequence[Allele], start: int) -> list[Mapping[str, np.ndarray]]:
        """Student's t with 2 degrees of freedom for an allele's size, times what its tracks have in common."""
        del start
        return [self._of(allele) for allele in alleles]

    def _of(self, allele: Allele) -> Mapping[str, np.ndarray]:
        name = f"{allele.contig}:{allele.start}:{allele.ref}:{allele.alt}"
        rng = np.random.default_rng(crc32(name.encode()))
        size = np.float32(0.01 * rng.standard_t(2))
        common = rng.standard_normal(FACTORS, np.float32) @ self._loadings
        own = rng.standard_normal(TRACKS, np.float32)
        values = size * (common + own)
        return dict.fromkeys(self._statistics, values)


def _load(loader: variant_effects.VariantEffectsLoader, *_: object) -> AlleleScoring:
    """In place of a network."""
    spec = loader.spec
    scorer = SyntheticScorer(spec.conventions.statistics)
    return AlleleScoring(scorer, spec, loader.inputs.tracks, Provenance())


def score_synthetic(folder: Path, records: int, out: str, more: Sequence[str] = ()) -> int:
    """Make genome and variants in `folder` where they are not there yet, and score them into `out`.

    Returns:
        The exit code of `score`.
    """
    register(SPEC)
    variant_effects.VariantEffectsLoader.load = _load  # type: ignore[method-assign, assignment]
    variants = _variants(folder, records)
    argv = ["score", str(variants), "--genome", str(folder / "genome.fa"), "--model", "synthetic"]
    argv += ["--statistics", "sad", "--ray", "off", "--audit-fraction", "0", "--out", out, *more]
    return enformer_ray(argv)


def _variants(folder: Path, records: int) -> Path:
    """The file of variants; made whole before it has its name."""
    path = folder / f"{records}.vcf.gz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        material = Material(folder, quick=True)
        material.write_genome()
        material.write_variants(records)
    return path


def _main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, required=True, help="for genome and variants")
    parser.add_argument("--out", required=True)
    arguments, more = parser.parse_known_args(argv)
    return score_synthetic(arguments.folder, arguments.records, arguments.out, more)


if __name__ == "__main__":
    sys.exit(_main())

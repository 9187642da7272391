"""Alleles and their genes, scored: the run that a thousand worlds are about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from enformer_core.analyses.allele_scoring import AlleleScoring
from enformer_core.analyses.gene_run_type import GENE_IDS, GeneEffectsType
from enformer_core.analyses.gene_table import GeneTable
from enformer_core.dataset.plan_builder import DraftPlan
from enformer_core.dataset.receipts import Provenance
from enformer_core.dataset.run import Identity
from enformer_core.genome.fasta import Genome
from enformer_core.models.geometry import ENFORMER
from enformer_core.scoring.conventions import Conventions
from enformer_core.scoring.gene_bins import GeneReach
from enformer_core.scoring.gene_effect import GeneEffect, ScoredAllele
from enformer_core.scoring.windows import Allele
from tests.simulation.subject import CONTIGS, TRACKS, Begins, Keys, Place, Subject
from tests.support.genes import gene, genes
from tests.support.plans import make_draft, placed_table
from tests.support.toy_runs import score_spec

CONVENTIONS = Conventions(geometry=ENFORMER, statistics=("sad",), centre_index=98_303)
REACH = GeneReach(
    genes(
        gene("one", 100, 300, chrom="chr1"),
        gene("two", 500, chrom="chr1", strand="-"),
        gene("three", 60, chrom="chr2"),
    ),
    CONVENTIONS,
)
"""Two genes of every allele of chr1, one of those of chr2."""
TOP_TRACKS = 1
_ROWS = [
    *(("chr1", start, "A", "G") for start in (5, 9, 9, 12, 20, 31, 40, 41, 52)),
    *(("chr2", start, "C", "CT") for start in (3, 4, 8, 15, 16, 23)),
    (None, None, None, None),
]
ALLELES = len(_ROWS)
SPEC = score_spec(CONVENTIONS, top_tracks=TOP_TRACKS)
_LINES = list(enumerate(_ROWS, 1))
_GENES = {"chr1": ("one", "two"), "chr2": ("three",), None: ()}


@dataclass(frozen=True, kw_only=True)
class ToyIdentity(Identity):
    """What the made-up command decides beside model and genome."""

    conventions: Conventions
    input: str


@dataclass(frozen=True)
class ToyScorer:
    """Scores that can be worked out; `at` is told of every allele before it is scored."""

    hardware: int
    at: Any

    def score(self, alleles: Sequence[Allele], start: int) -> list[Mapping[str, Any]]:
        for allele in alleles:
            self.at(allele)
        shift = 1e-3 * self.hardware
        return [
            {"sad": np.array([allele.start + shift, -allele.start - 0.5 + shift])}
            for allele in alleles
        ]

    def score_with_genes(self, alleles: Sequence[Allele], start: int) -> list[ScoredAllele]:
        scored = []
        for allele, scores in zip(alleles, self.score(alleles, start), strict=True):
            found = enumerate(REACH.of_allele(allele, start))
            of_genes = [GeneEffect(each, self._of_gene(scores["sad"] + at)) for at, each in found]
            scored.append(ScoredAllele(scores, tuple(of_genes)))
        return scored

    @staticmethod
    def _of_gene(values: Any) -> Mapping[str, Any]:
        return {"log2_ratio": values, "difference": -values}


class GeneToy(Subject):
    """Sixteen alleles in six shards; one is a duplicate, one has no place."""

    run_type = GeneEffectsType()
    shard_rows = 3
    words = ("score", "a.vcf")
    input_field = "input"
    # the duplicate's place is not among them
    places = sorted({row[:2] for row in _ROWS if row[0] is not None and row[1] != 9})
    keys: ClassVar[Keys] = {
        "scores": (("input_line",), [(line,) for line, _ in _LINES]),
        "gene_effects": (
            ("input_line", "gene_id"),
            [(line, name) for line, row in _LINES for name in _GENES[row[0]]],
        ),
    }

    def make_draft(self) -> DraftPlan:
        placed = placed_table(_ROWS)
        placed = placed.append_column(GENE_IDS, REACH.gene_ids(placed))
        return make_draft(
            placed, CONTIGS, self.shard_rows, window_starts=lambda starts: starts - 98_303
        )

    def identity(self, digest: str) -> Identity:
        return ToyIdentity(**self.what_all_have(), conventions=CONVENTIONS, input=digest)

    def places_of(self, row: Mapping[str, Any]) -> list[Place]:
        return [(row["chrom"], row["start"])]

    def computation(self, hardware: int, begins: Begins, genome: Genome) -> AlleleScoring:
        scorer = ToyScorer(hardware, lambda allele: begins((allele.contig, allele.start)))
        table = GeneTable(scorer, REACH)
        return AlleleScoring(scorer, SPEC, TRACKS, Provenance(), genes=table)


GENES = GeneToy()

"""How wrong scores are on weights that were really trained: what else is measured here is measured on seeded ones.

    python -m benchmarks.trained DIR --genome hg38.fa --variants sites.vcf.gz --json benchmarks/results/trained.json

DIR holds the small model of calico/baskerville's own tests (tests/data/eval: model.h5, params.json, targets.txt):
642,994 parameters, 131,072 bp, 2,048 bins of 32 bp, 74 tracks. The truth is two passes in float64. SNVs are real
sites, evenly chosen, in windows of their own and in shared ones, on both strands; indels of the same file beside
them. Weaker effects than the sites have are made by a stem that can hardly tell G from A: its weights for G are moved
towards those for A, and A>G is scored. `fast` is bfloat16 here on every machine. Minutes on one core.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from benchmarks.accuracy import FAST, described, relative_errors, row_of
from benchmarks.circumstances import CPU, circumstances
from enformer_core.genome.fasta import Genome
from enformer_core.models.borzoi import Borzoi
from enformer_core.models.registry import ModelSource
from enformer_core.scoring.conventions import AUDIT_TOLERANCE, Conventions
from enformer_core.scoring.delta.delta_model import delta_network
from enformer_core.scoring.delta.engine import DeltaScorer
from enformer_core.scoring.direct import DirectScorer, SequencePredictor
from enformer_core.scoring.precision import Arithmetic
from enformer_core.scoring.statistics import STATISTICS
from enformer_core.scoring.windows import Allele, window_start
from enformer_core.variants.source import open_source

LIKENESS = (1.0, 1e-2, 1e-3, 1e-4, 1e-5)
"""How much of what tells G from A the stem keeps."""
SHARED_BP = 8_192
"""Largest distance from a shared window's middle."""
MARGIN_BP = 200_000
"""Sites nearer to the contig's ends are left out."""
A, C, G, T = range(4)
"""Columns of one-hot letters."""

Scores = list[dict[str, np.ndarray]]
"""Of each allele, each statistic."""


@dataclass(frozen=True)
class Bench:
    """The trained model and what is scored with it.

    Attributes:
        folder: of the model.
        genome: the reference.
        variants: a VCF of real sites.
        places: SNVs; a third as many indels.
    """

    folder: Path
    genome: Genome
    variants: Path
    places: int

    @cached_property
    def source(self) -> ModelSource:
        """The model by its files."""
        weights, params = self.folder / "model.h5", self.folder / "params.json"
        return ModelSource("borzoi", str(weights), params=str(params))

    @cached_property
    def pairs(self) -> tuple[int, ...] | None:
        """The other strand's column of each track."""
        return self.source.tracks("human", str(self.folder / "targets.txt")).strand_pairs()

    @cached_property
    def sites(self) -> list[Allele]:
        """All alleles of the file but those near the contig's ends."""
        lengths = dict(self.genome.contigs)
        found = []
        for batch in open_source(self.variants).batches():
            for row in batch.select(["input_chrom", "start", "input_ref", "input_alt"]).to_pylist():
                length_bp = lengths.get(row["input_chrom"], 0)
                if MARGIN_BP <= row["start"] < length_bp - MARGIN_BP:
                    found.append(
                        Allele(row["input_chrom"], row["start"], row["input_ref"], row["input_alt"])
                    )
        return found

    def chosen(self, count: int, is_asked_for: Callable[[Allele], bool]) -> list[Allele]:
        """Sites of one kind, evenly spread over the file."""
        kind = [site for site in self.sites if is_asked_for(site)]
        return kind[:: max(1, len(kind) // count)][:count]

    def model(self, likeness: float = 1.0) -> Borzoi:
        """The model in float32, its stem telling G from A, and C from T, by so much of what it learnt."""
        model = cast("Borzoi", self.source.build(CPU))
        weight = model.stem.conv.weight.data
        for letter, like in ((G, A), (C, T)):
            told = weight[:, letter] - weight[:, like]
            weight[:, letter] = weight[:, like] + likeness * told
        return model

    def by_two_passes(
        self, alleles: Sequence[Allele], settings: Conventions, dtype: torch.dtype, likeness: float
    ) -> tuple[Scores, np.ndarray]:
        """Scores, and sums of the reference's prediction over bins."""
        model = self.model(likeness).to(dtype)
        predictor = SequencePredictor(
            model, "human", None, settings, CPU, dtype, strand_pairs=self.pairs
        )
        scorer = DirectScorer(predictor, self.genome)
        effects = [scorer.effects([allele], _start(allele, settings))[0] for allele in alleles]
        predicted = [effect.reference.astype(np.float64).sum(axis=0) for effect in effects]
        return [dict(effect.scores) for effect in effects], np.array(predicted)

    def by_differences(
        self,
        alleles: Sequence[Allele],
        settings: Conventions,
        arithmetic: Arithmetic,
        likeness: float,
    ) -> Scores:
        """Scores."""
        network = delta_network(
            self.model(likeness),
            "human",
            None,
            device=CPU,
            arithmetic=arithmetic,
            strand_pairs=self.pairs,
        )
        scorer = DeltaScorer(network, self.genome, settings, batch_alts=1)
        return [dict(scorer.score([one], _start(one, settings))[0]) for one in alleles]

    def row(
        self, what: str, alleles: Sequence[Allele], settings: Conventions, likeness: float = 1.0
    ) -> dict[str, Any]:
        """Errors of each way to compute, of some alleles."""
        truth, predicted = self.by_two_passes(alleles, settings, torch.float64, likeness)
        plain, _ = self.by_two_passes(alleles, settings, torch.float32, likeness)
        found = {
            "direct": plain,
            "exact": self.by_differences(alleles, settings, Arithmetic(), likeness),
            "fast": self.by_differences(alleles, settings, FAST, likeness),
        }
        sads = _of(truth, "sad")
        row: dict[str, Any] = {
            "what": what,
            "alleles": len(alleles),
            "effect": float(np.median(np.abs(sads) / predicted)),
        }
        for name, scores in found.items():
            row[name] = described(_of(scores, "sad"), sads) | {
                "by_statistic": _by_statistic(scores, truth)
            }
        for policy, tolerance in AUDIT_TOLERANCE.items():
            # an audit holds what was computed against two plain passes in float32
            errors = relative_errors(_of(found[policy], "sad"), _of(plain, "sad"))
            row[policy]["audit_warns_of"] = int((errors > tolerance).sum())
        print(what, row_of(row), flush=True)
        return row


def _of(scores: Scores, statistic: str) -> np.ndarray:
    """A statistic of all alleles: [alleles, tracks]."""
    return np.array([of_allele[statistic] for of_allele in scores])


def _by_statistic(found: Scores, truth: Scores) -> dict[str, float]:
    """Of each statistic, the median over alleles of the error relative to its norm over tracks."""
    return {
        name: float(np.median(relative_errors(_of(found, name), _of(truth, name))))
        for name in truth[0]
    }


def _start(allele: Allele, settings: Conventions) -> int:
    return window_start(allele.start, settings)


def is_substitution(allele: Allele) -> bool:
    """Of one base."""
    return len(allele.ref) == len(allele.alt) == 1


def measured(bench: Bench) -> dict[str, Any]:
    """Every row."""
    geometry = bench.source.geometry
    centred = Conventions(
        geometry=geometry,
        statistics=tuple(STATISTICS),
        centre_index=geometry.window_bp // 2 - 1,
    )
    shared = replace(centred, max_offset_bp=SHARED_BP)
    stitched = replace(centred, indel_rule="stitched")
    substitutions = bench.chosen(bench.places, is_substitution)
    longer = bench.chosen(bench.places // 6, lambda one: one.gain_bp > 0)
    shorter = bench.chosen(bench.places // 6, lambda one: one.gain_bp < 0)
    some = substitutions[::3]
    rows = [
        bench.row("SNVs, centred", substitutions, centred),
        bench.row("SNVs, shared windows", some, shared),
        bench.row("insertions, centred", longer, centred),
        bench.row("deletions, centred", shorter, centred),
        bench.row("insertions, stitched", longer, stitched),
        bench.row("deletions, shared windows", shorter, shared),
    ]
    transitions = bench.chosen(bench.places // 4, lambda one: (one.ref, one.alt) == ("A", "G"))
    weaker = [
        bench.row(f"A>G, {likeness:g} of it", transitions, centred, likeness)
        for likeness in LIKENESS
    ]
    return {"by_kind": rows, "by_effect_size": weaker}


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="model.h5, params.json and targets.txt")
    parser.add_argument("--genome", required=True)
    parser.add_argument("--variants", type=Path, required=True)
    parser.add_argument("--json", type=Path, help="where the figures are written")
    parser.add_argument("--places", type=int, default=48, help="SNVs")
    options = parser.parse_args()
    torch.set_num_threads(1)
    bench = Bench(options.folder, Genome(options.genome), options.variants, options.places)
    figures = measured(bench) | circumstances("numpy")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Loci whose causal variant is one that the demonstration `motif` sees: it breaks a site that its sequence has.

A genome of random letters with sites of CTCF, variants all along it, and for each seed people, a trait and a study.
What a run of scores says of the variants is the same for all seeds.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from enformer_core.dataset.ledger import Ledger
from enformer_core.finemapping.finemap import FinemapResult, FinemapSettings, finemap
from enformer_core.finemapping.ld import open_panel
from enformer_core.finemapping.locus import LocusData, put_together
from enformer_core.finemapping.run_prior import weights_of_run
from enformer_core.finemapping.study import StudyFile
from tests.support.genomes import OTHER, random_letters, write_fasta
from tests.support.loci import made_up_genotypes, study_of

SITE = "CCACCAGAGGGC"
"""A site of CTCF's consensus."""

STEP_BP = 250
FIRST_BP = 30_000
EACH = 20
"""Every so manieth variant breaks a site."""

IN_SITE_BP = 6

LARGEST_RATIO = 100


@dataclass(frozen=True)
class MotifGenome:
    """A genome with sites and variants, and the files of both.

    Attributes:
        fasta: its sequence.
        vcf: its variants.
        variants: of each the position, from 1, and both alleles.
        breaking: which of them break a site.
    """

    fasta: Path
    vcf: Path
    variants: list[tuple[int, str, str]]
    breaking: np.ndarray


def write_motif_genome(folder: Path, variants: int) -> MotifGenome:
    """Write a contig in which variants stand 250 bp apart, and every twentieth breaks a site."""
    length = 2 * FIRST_BP + STEP_BP * variants
    letters = list(random_letters(length, seed=4))
    breaking = np.arange(EACH // 2, variants, EACH)
    for each in breaking:
        first = FIRST_BP + STEP_BP * each - IN_SITE_BP
        letters[first : first + len(SITE)] = SITE
    rows = []
    for each in range(variants):
        at = FIRST_BP + STEP_BP * each
        rows.append((at + 1, letters[at], OTHER[letters[at]]))
    fasta = write_fasta(folder / "genome.fa", {"chr1": "".join(letters)})
    vcf = folder / "variants.vcf"
    lines = ["##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"]
    lines += [
        f"chr1\t{pos}\trs{at}\t{ref}\t{alt}\t.\t.\t.\n" for at, (pos, ref, alt) in enumerate(rows)
    ]
    vcf.write_text("".join(lines))
    return MotifGenome(fasta, vcf, rows, breaking)


@dataclass(frozen=True)
class KnownTruth:
    """One locus of one seed.

    Attributes:
        data: the locus, as the command puts it together.
        causal: which of its variants is causal.
        weights: of the run.
    """

    data: LocusData
    causal: int
    weights: np.ndarray

    def fitted(self, weights: np.ndarray) -> FinemapResult:
        """With a prior beside one without."""
        return finemap(self.data, "panel", weights, FinemapSettings(diagnostics="none"))

    def causal_pips(self, weights: np.ndarray) -> tuple[float, float]:
        """The causal variant's PIP without and with a prior."""
        result = self.fitted(weights)
        assert result.prior is not None
        uniform = result.uniform.fit.pip[self.causal]
        return float(uniform), float(result.prior.fit.pip[self.causal])

    def shuffled(self, rng: np.random.Generator) -> np.ndarray:
        """The same weights, of other variants."""
        return rng.permutation(self.weights)

    def wrong(self) -> np.ndarray:
        """The worst prior of a ratio of 100: the variant most like the causal one has a hundred times its weight."""
        linkage = np.abs(self.data.correlations[self.causal]).copy()
        linkage[self.causal] = 0
        weights = np.ones(self.weights.size)
        weights[linkage.argmax()] = LARGEST_RATIO
        return weights


def known_truth(
    genome: MotifGenome,
    ledger: Ledger,
    folder: Path,
    *,
    seed: int,
    variants: int = 40,
    people: int = 1_000,
    explained: float = 0.02,
) -> KnownTruth:
    """A study of some variants side by side, of which the one in the middle half that breaks a site is causal."""
    rng = np.random.default_rng(seed)
    causal = int(rng.choice(genome.breaking))
    before = int(rng.integers(variants // 4, 3 * variants // 4))
    first = int(np.clip(causal - before, 0, len(genome.variants) - variants))
    thresholds = rng.uniform(-1.0, 0.2, variants)
    linkage = rng.uniform(0.9, 0.995, variants)
    genotypes = made_up_genotypes(rng, people, thresholds, linkage)
    z, correlations = study_of(rng, genotypes, (causal - first,), explained)
    rows = [
        f"1\t{pos}\trs{first + at}\t{alt}\t{ref}\t{z[at]:.17g}\t{people}\n"
        for at, (pos, ref, alt) in enumerate(genome.variants[first : first + variants])
    ]
    study = folder / f"study{seed}.tsv"
    study.write_text("CHR\tBP\tSNP\tA1\tA2\tZ\tN\n" + "".join(rows))
    np.savez(folder / f"ld{seed}.npz", R=correlations)
    panel = open_panel(str(folder / f"ld{seed}.npz"))
    data = put_together(StudyFile(str(study)).read(), panel)
    return KnownTruth(data, causal - first, weights_of_run(data, ledger).weights)

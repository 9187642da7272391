"""Real variants and the 108 real genes of chr20:1-10,000,000, worked out by hand from profiles of plain passes."""

import gzip
import json
import re
from dataclasses import dataclass

import numpy as np
import pytest
import torch

import enformer_core
from enformer_core.genome.alphabet import decode
from enformer_core.genome.genes import read_genes
from enformer_core.models.geometry import ENFORMER
from enformer_core.scoring.conventions import AUDIT_TOLERANCE, Conventions
from enformer_core.scoring.delta.delta_model import delta_network
from enformer_core.scoring.delta.engine import DeltaScorer
from enformer_core.scoring.direct import DirectScorer, SequencePredictor
from enformer_core.scoring.gene_bins import GeneReach
from enformer_core.scoring.gene_sums import GeneSums
from enformer_core.scoring.precision import choose_arithmetic
from enformer_core.scoring.windows import Allele
from jobs.cli import main
from tests.support.vcf import write_vcf

CPU = torch.device("cpu")

VARIANTS = 3


@pytest.fixture(scope="module")
def bed(data_dir):
    return data_dir / "genes" / "abc_gene_bounds.hg38.bed.gz"


def tss_of(bed):
    """TSSs by name, by the rule and not by the reader: the start of plus genes, the last base of minus genes."""
    found = {}
    for line in gzip.decompress(bed.read_bytes()).decode().splitlines():
        chrom, start, end, name, _, strand, *_ = line.split("\t")
        if chrom == "chr20" and int(end) <= 10_000_000:
            found[name] = int(start) if strand == "+" else int(end) - 1
    return found


def broken_sites(chr20, tss):
    """The first GATA1 sites with four genes or more within 45 kb, 300 kb apart, each broken in its second base."""
    letters = decode(chr20.codes("chr20"))
    positions = np.sort(np.array(list(tss.values())))
    chosen = [0]
    for match in re.finditer("AGATAA", letters):
        at = match.start() + 1
        near = np.count_nonzero(np.abs(positions - at) < 45_000)
        if near >= 4 and at > chosen[-1] + 300_000:
            chosen.append(at)
    return [("chr20", at + 1, "G", "C") for at in chosen[1 : VARIANTS + 1]]


def test_every_gene_in_reach_has_its_sums(data_dir, chr20, bed, tmp_path, capsys):
    tss = tss_of(bed)
    assert len(tss) == 108
    records = broken_sites(chr20, tss)
    vcf = write_vcf(tmp_path / "v.vcf", records)
    out = tmp_path / "run"
    command = ["score", vcf, "--genome", chr20.path, "--model", "motif_core", "--ray", "off"]
    command += ["--genes", bed, "--precision", "exact", "--audit-fraction", "0", "--out", out]
    assert main([str(word) for word in command]) == 0
    sql = "FROM gene_effects SELECT pos, gene_name, log2_ratio, difference ORDER BY ALL"
    capsys.readouterr()
    assert main(["query", str(out), sql, "--json"]) == 0
    found = {(row["pos"], row["gene_name"]): row for row in json.loads(capsys.readouterr().out)}
    scorer = enformer_core.Scorer("motif_core", genome=chr20.path, engine="direct", threads=1)
    expected = {}
    for chrom, pos, ref, alt in records:
        effect = scorer.variant(f"{chrom}:{pos}:{ref}:{alt}")
        first = effect.bin_starts[0]
        for name, position in tss.items():
            own = (position - first) // 128
            if 0 <= own < 896:
                rows = [each for each in (own - 1, own, own + 1) if 0 <= each < 896]
                r = effect.ref[rows].astype(np.float64).sum(axis=0)
                d = effect.difference[rows].astype(np.float64).sum(axis=0)
                expected[pos, name] = (np.log1p(d / (1 + r)) / np.log(2), d)
    assert found.keys() == expected.keys()
    assert len(found) >= 4 * VARIANTS
    for key, (ratio, difference) in expected.items():
        np.testing.assert_allclose(found[key]["log2_ratio"], ratio, rtol=1e-3, atol=3e-6)
        np.testing.assert_allclose(found[key]["difference"], difference, rtol=1e-3, atol=3e-6)
        assert difference[6] < 0  # of the track that gathers GATA1's sites


TRACKS = tuple(range(0, 5313, 10))


@dataclass(frozen=True)
class Plain:
    """An SNV, its window, and what two plain passes predict there."""

    allele: Allele
    window: int
    conventions: Conventions
    reference: np.ndarray
    difference: np.ndarray


@pytest.fixture(scope="module")
def plain(golden, chr20, enformer):
    ref, alt = (golden[f"variant_{name}"][0].item() for name in ("ref", "alt"))
    start = golden["variant_pos"][0].item() - 1
    one = Allele("chr20", start, ref, alt)
    conventions = Conventions(
        geometry=ENFORMER, statistics=("sad",), centre_index=98_303, strands="forward"
    )
    window = start - conventions.centre_index
    predictor = SequencePredictor(enformer, "human", TRACKS, conventions, CPU)
    r, d = DirectScorer(predictor, chr20).profiles(one, window)
    return Plain(one, window, conventions, r.numpy(), d.numpy())


@pytest.mark.full
@pytest.mark.parametrize("policy", AUDIT_TOLERANCE)
def test_one_window_of_full_size(chr20, enformer, bed, plain, policy):
    """By differences, against sums of the plain passes' profiles that are taken here; the bounds are the audit's."""
    sums = GeneSums(GeneReach(read_genes(bed, chr20), plain.conventions))
    arithmetic = choose_arithmetic(policy, CPU)
    network = delta_network(enformer, "human", TRACKS, device=CPU, arithmetic=arithmetic)
    engine = DeltaScorer(network, chr20, plain.conventions, batch_alts=1, genes=sums)
    (scored,) = engine.score_with_genes([plain.allele], plain.window)
    first = plain.window + 40_960
    in_reach = {name: at - first for name, at in tss_of(bed).items() if 0 <= at - first < 114_688}
    assert {effect.gene.gene.name for effect in scored.genes} == set(in_reach)
    assert in_reach
    for effect in scored.genes:
        own = in_reach[effect.gene.gene.name] // 128
        rows = slice(max(own - 1, 0), own + 2)
        reference = plain.reference[rows].sum(axis=0)
        change = plain.difference[rows].sum(axis=0)
        error = np.linalg.norm(effect.values["difference"] - change)
        print(f"{policy} {effect.gene.gene.name}: {error / np.linalg.norm(change):.1e}")
        # what two plain passes in float32 cannot tell from a difference
        rounding = 1e-6 * np.linalg.norm(reference)
        assert error <= AUDIT_TOLERANCE[policy] * np.linalg.norm(change) + rounding
        ratio = np.log2((1 + reference + change) / (1 + reference))
        ratio_error = np.linalg.norm(effect.values["log2_ratio"] - ratio)
        assert ratio_error <= AUDIT_TOLERANCE[policy] * np.linalg.norm(ratio) + rounding

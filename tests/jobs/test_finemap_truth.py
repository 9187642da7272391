"""A run of scores as a prior at loci whose causal variant is known: it helps, shuffled it does not, harm is bounded."""

import json
import shutil

import numpy as np
import pytest

from enformer_core.finemapping.finemap import FinemapSettings, finemap
from enformer_core.finemapping.run_prior import weights_of_run
from enformer_core.finemapping.susie import SusieSettings
from jobs.cli import main
from jobs.finished_run import open_ledger
from tests.support.motif_loci import LARGEST_RATIO, known_truth, write_motif_genome
from tests.support.vcf import write_vcf

SEEDS = range(10)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("truth")


@pytest.fixture(scope="module")
def genome(folder):
    return write_motif_genome(folder, 80)


def score(genome, vcf, out):
    words = ["score", str(vcf), "--genome", str(genome.fasta), "--model", "motif", "--ray", "off"]
    words += ["--strands", "forward", "--max-offset-bp", "16384", "--audit-fraction", "0"]
    assert main([*words, "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def out(folder, genome):
    """A run of scores of all variants."""
    return score(genome, genome.vcf, folder / "run")


@pytest.fixture(scope="module")
def loci(folder, genome, out):
    ledger = open_ledger(str(out))
    return [known_truth(genome, ledger, folder, seed=seed) for seed in SEEDS]


def test_the_model_sees_the_causal_variants(loci, out):
    ledger = open_ledger(str(out))
    for locus in loci:
        # sizes themselves: what rounding leaves of the others' has ranks
        sizes = weights_of_run(locus.data, ledger, "max_abs_sad").weights
        others = np.delete(sizes, locus.causal)
        assert sizes[locus.causal] > 10 * np.median(others)
        ranks = np.delete(locus.weights, locus.causal)
        assert locus.weights[locus.causal] > np.quantile(ranks, 0.9)


def test_the_prior_raises_causal_pips_and_shuffled_it_does_not(loci):
    pips = np.array([locus.causal_pips(locus.weights) for locus in loci])
    assert (pips[:, 1] >= pips[:, 0]).all()
    assert pips[:, 1].mean() > pips[:, 0].mean() + 0.1
    rng = np.random.default_rng(0)
    shuffled = [locus.causal_pips(locus.shuffled(rng))[1] for locus in loci]
    assert np.mean(shuffled) <= pips[:, 0].mean()


def test_the_worst_prior_of_a_ratio_does_no_more_harm_than_its_ratio(loci):
    """With one effect of a given variance odds change as the prior's do, which holds whatever the data say."""
    for locus in loci:
        settings = FinemapSettings(SusieSettings(effects=1), diagnostics="none")
        result = finemap(locus.data, "panel", locus.wrong(), settings)
        assert result.prior is not None
        before, after = result.uniform.fit, result.prior.fit
        misled = int(locus.wrong().argmax())
        change = np.log(before.alpha[0, locus.causal] / before.alpha[0, misled])
        change -= np.log(after.alpha[0, locus.causal] / after.alpha[0, misled])
        # the variance is estimated anew, and evidence between the two changes with it
        kept = 1_000 * np.array([before.prior_variance[0], after.prior_variance[0]])
        shrinkage = kept / (1 + kept)
        z = result.data.panel_z
        adjusted = z**2 * 999 / (z**2 + 998)
        evidence = (adjusted[locus.causal] - adjusted[misled]) / 2
        expected = np.log(LARGEST_RATIO) + evidence * (shrinkage[0] - shrinkage[1])
        assert change == pytest.approx(expected, abs=0.02)
        # and so the whole odds fall by little more than the ratio
        odds = [fit.pip[locus.causal] / (1 - fit.pip[locus.causal]) for fit in (before, after)]
        assert odds[0] / odds[1] < 1.2 * LARGEST_RATIO


@pytest.fixture
def finemapped(run, folder, loci):
    def call(prior, *more, seed=0):
        code, text, error = run(
            *("finemap", "--sumstats", folder / f"study{seed}.tsv"),
            *("--ld", folder / f"ld{seed}.npz", "--prior", prior, "--json", *more),
        )
        assert code == 0, error
        return json.loads(text), error

    return call


def test_the_command_does_the_same(finemapped, loci, out):
    answer, error = finemapped(out)
    causal = answer["variants"][loci[0].causal]
    found = (causal["pip_uniform"], causal["pip_prior"])
    assert found == pytest.approx(loci[0].causal_pips(loci[0].weights), abs=1e-9)
    share = loci[0].weights / loci[0].weights.sum()
    assert causal["prior"] == pytest.approx(share[loci[0].causal])
    assert answer["missing"] == []
    assert "prior weights of 80 alleles are -10 log10 of the part of the run's" in error


def test_an_expression_may_make_the_weights(finemapped, out):
    answer, error = finemapped(out, "--prior-sql", "1 + max_abs_sad * 0")
    assert {round(each["prior"], 12) for each in answer["variants"]} == {1 / 40}
    assert "prior weights of 80 alleles are 1 + max_abs_sad * 0" in error
    pips = [(each["pip_uniform"], each["pip_prior"]) for each in answer["variants"]]
    np.testing.assert_allclose(*zip(*pips, strict=True), atol=1e-12)


def test_an_unfinished_run_is_noted(finemapped, out, tmp_path):
    copy = shutil.copytree(out, tmp_path / "run")
    (copy / "manifest.json").unlink()
    _, error = finemapped(copy)
    assert "is not finished; weights are of what it has scored so far" in error


@pytest.fixture(scope="module")
def first(loci):
    """The number of the first variant of the first locus."""
    return int(loci[0].data.names.id[0].removeprefix("rs"))


@pytest.fixture(scope="module")
def part(folder, genome, first):
    """A run that has not scored two variants of the first locus."""
    kept = [row for at, row in enumerate(genome.variants) if at not in (first, first + 2)]
    records = [("chr1", *row) for row in kept]
    return score(genome, write_vcf(folder / "part.vcf", records), folder / "part")


@pytest.mark.full
def test_variants_without_a_score_have_the_mean_weight(finemapped, part, first):
    answer, error = finemapped(part)
    missing = [(each["id"], each["from"]) for each in answer["missing"]]
    assert missing == [(f"rs{first}", "prior"), (f"rs{first + 2}", "prior")]
    priors = [each["prior"] for each in answer["variants"]]
    known = [prior for at, prior in enumerate(priors) if at not in (0, 2)]
    assert priors[0] == priors[2] == pytest.approx(np.mean(known))
    assert "2 variants have no score in" in error


def test_a_run_that_says_nothing_of_the_locus_is_refused(run, folder, loci, out, tmp_path):
    text = (folder / "study0.tsv").read_text().replace("\n1\t", "\n2\t")
    (tmp_path / "elsewhere.tsv").write_text(text)
    words = ["finemap", "--ld", folder / "ld0.npz", "--prior", out]
    code, _, error = run(*words, "--sumstats", tmp_path / "elsewhere.tsv")
    assert code == 2
    assert "elsewhere.tsv" in error
    assert "it has the contigs 2, the run chr1" in error
    lines = [line.split("\t") for line in text.splitlines()]
    (tmp_path / "names.tsv").write_text("\n".join("\t".join(line[2:]) for line in lines))
    code, _, error = run(*words, "--sumstats", tmp_path / "names.tsv")
    assert code == 2
    assert "says of no variant where it lies, and neither does the LD" in error

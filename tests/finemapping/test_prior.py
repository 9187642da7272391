"""Scores as prior weights: sizes, floored once over all alleles, and refusals of what can be no weight."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enformer_core.errors import InputError
from enformer_core.finemapping.prior import (
    alleles_with_prior,
    check_sizes,
    floored,
    phred_of_ranks,
)
from tests.support.genomes import write_fasta
from tests.support.scored_files import scored_file_run
from tests.support.summaries import write_ranks_by_place
from tests.support.vcf import write_vcf


def test_ranks_by_hand():
    # parts as large: 2 of 4, all, all, 1 of 4
    phred = phred_of_ranks(np.array([3.0, 1, 1, 8]))
    assert phred == pytest.approx([3.0103, 0, 0, 6.0206], abs=1e-4)


def test_of_a_thousand_the_largest_is_30_as_in_cadd():
    phred = phred_of_ranks(np.arange(1000.0))
    assert phred[-1] == pytest.approx(30)
    assert phred[-10] == pytest.approx(20)
    assert phred[0] == 0


def test_the_floor_is_a_hundredth_of_the_largest():
    prior = floored(np.array([0.0, 0.01, 0.06, 5]), "toy")
    assert prior.weight.tolist() == [0.05, 0.05, 0.06, 5]
    assert prior.floored == 2
    assert prior.least == 0.05
    assert prior.notes() == [
        "prior weights of 4 alleles are toy, 2 of them raised to a hundredth of the largest"
    ]


def test_where_all_are_0_all_are_1():
    prior = floored(np.zeros(3), "toy")
    assert prior.weight.tolist() == [1, 1, 1]
    assert "since all are 0" in prior.notes()[0]


@given(st.lists(st.floats(0, 1e30), min_size=1, max_size=40))
def test_weights_are_positive_in_the_order_of_sizes_and_within_the_ratio(sizes):
    size = np.array(sizes)
    prior = floored(phred_of_ranks(size), "toy")
    assert (prior.weight > 0).all()
    assert prior.weight.max() / prior.weight.min() <= 100 * (1 + 1e-12)
    order = np.argsort(size, kind="stable")
    assert (np.diff(prior.weight[order]) >= 0).all()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1, np.nan, np.nan], "x: is no finite number, of 2 of 3 alleles"),
        ([1, np.inf], "x: is no finite number, of 1 of 2 alleles"),
        ([1, -1], r"x: is below 0, and a prior is a size: take abs\(\) of it, of 1 of 2 alleles"),
    ],
)
def test_what_is_no_size_is_refused_with_its_count(values, said):
    with pytest.raises(InputError, match=said):
        check_sizes(np.array(values, dtype=float), "x")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Four rows, of which two are one allele: sizes by place are 4.5, 8.5 and 8.5."""
    folder = tmp_path_factory.mktemp("prior")
    fasta = write_fasta(folder / "g.fa", {"chr1": "ACGT" * 10})
    records = [("chr1", 5, "A", "C"), ("chr1", 5, "A", "C"), ("chr1", 9, "A", "C,G")]
    vcf = write_vcf(folder / "v.vcf", records)
    return scored_file_run(folder / "run", [vcf], fasta)


def test_a_run_ranks_its_alleles_by_the_largest_size_over_tracks(run):
    alleles, prior = alleles_with_prior(run.ledger)
    # 3 of 3 and 2 of 3 are as large
    assert alleles.pos.tolist() == [5, 9, 9]
    largest = 10 * np.log10(1.5)
    assert prior.weight == pytest.approx([largest / 100, largest, largest])
    assert "max_abs_sad" in prior.made_of
    assert prior.silent == 0


def test_ranks_among_common_variants_come_first_where_the_run_has_them(tmp_path):
    fasta = write_fasta(tmp_path / "g.fa", {"chr1": "ACGT" * 10, "chr2": "ACGT" * 10})
    rows = [("chr1", 5, "A", "C"), ("chr1", 5, "A", "C"), ("chr1", 9, "A", "<DEL>")]
    vcf = write_vcf(tmp_path / "v.vcf", [*rows, ("chr2", 9, "A", "T")])
    run = scored_file_run(tmp_path / "run", [vcf], fasta)
    _, own = alleles_with_prior(run.ledger)
    assert "of the run's alleles" in own.made_of
    write_ranks_by_place(run.ledger)
    alleles, prior = alleles_with_prior(run.ledger)
    # toy PHREDs are twice the place and 1
    assert alleles.pos.tolist() == [5, 9]
    assert prior.weight.tolist() == [11, 19]
    assert prior.made_of == "max_sad_phred of percentiles, among common variants"


def test_of_both_defaults_expressions_name_each_for_good(tmp_path):
    fasta = write_fasta(tmp_path / "g.fa", {"chr1": "ACGT" * 10})
    rows = [("chr1", 5, "A", "C"), ("chr1", 9, "A", "C,G")]
    run = scored_file_run(tmp_path / "run", [write_vcf(tmp_path / "v.vcf", rows)], fasta)
    _, own = alleles_with_prior(run.ledger)
    write_ranks_by_place(run.ledger)
    _, beside = alleles_with_prior(run.ledger, None, "--prior-sql")
    pinned = "-10 * log10(cume_dist() OVER (ORDER BY max_abs_sad DESC))"
    assert f"own alleles are --prior-sql '{pinned}'" in beside.notes()[0]
    _, named = alleles_with_prior(run.ledger, pinned)
    assert named.weight == pytest.approx(own.weight, rel=1e-12)
    _, named = alleles_with_prior(run.ledger, "percentiles.max_sad_phred")
    assert named.weight.tolist() == beside.weight.tolist()


def test_ranks_of_what_rounding_leaves_are_counted():
    prior = replace(floored(np.array([1.0, 2, 3]), "ranks"), silent=2)
    said = "2 of 3 alleles have no value above a millionth of the run's largest, and are ranked by what rounding leaves"
    assert said in prior.notes()[1]


EXPRESSIONS = {
    "max_abs_sad": [4.5, 8.5, 8.5],
    "abs(sad[1])": [4, 8, 8],
    "pos + CASE alt WHEN 'G' THEN 0.5 ELSE 0 END": [5, 9, 9.5],
    "(SELECT max(abs(e.value)) FROM effects e WHERE e.variant_id = scores.variant_id)": [
        4.5,
        8.5,
        8.5,
    ],
    "list_max([abs(x) FOR x IN sad]) -- the largest": [4.5, 8.5, 8.5],
    "0": [1, 1, 1],
}


@pytest.mark.parametrize(
    ("expression", "weights"), EXPRESSIONS.items(), ids=range(len(EXPRESSIONS))
)
def test_an_expression_over_the_run_is_the_weight(run, expression, weights):
    _, prior = alleles_with_prior(run.ledger, expression)
    assert prior.weight.tolist() == weights


REFUSED = {
    "sad[1] - 4.5": "is below 0, .* of 1 of 3 alleles",
    "CASE WHEN pos = 5 THEN 1 END": "is no finite number, of 2 of 3 alleles",
    "max_abs_sda": "this SQL was refused: .*max_abs_sda",
    "(SELECT 1": "this SQL was refused",
    "(SELECT count(*) FROM read_csv('/etc/passwd'))": "this SQL was refused",
    "1) AS DOUBLE) AS prior FROM scores UNION ALL SELECT 'x', CAST((1": "gives 7 numbers for 3 alleles",
}


@pytest.mark.parametrize(("expression", "said"), REFUSED.items(), ids=range(len(REFUSED)))
def test_what_is_no_weight_is_refused(run, expression, said):
    with pytest.raises(InputError, match=said):
        alleles_with_prior(run.ledger, expression)

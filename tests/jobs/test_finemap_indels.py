"""`finemap --prior RUN` finds indels however they are written, by the run's genome, and has the weights of exports."""

import json

import numpy as np
import polars as pl
import pytest

from tests.support.genomes import write_fasta
from tests.support.scored_files import scored_file_run
from tests.support.summaries import write_ranks_by_place

# five T from 5 to 9, four G from 15 to 18
GENOME = {"chr1": "ACGATTTTTCAGCAGGGGCATCAACGTACA"}

# left-aligned, as a run has them: the deletion of a T, the insertion of a G
SCORED = [
    ("chr1", 2, "C", "A"),
    ("chr1", 4, "AT", "A"),
    ("chr1", 14, "A", "AG"),
    ("chr1", 24, "A", "C"),
]

# as a program that shifts to the right writes them: 8 TT>T is 4 AT>A
WRITTEN = [(2, "A", "C"), (8, "T", "TT"), (18, "GG", "G"), (24, "C", "A")]


@pytest.fixture
def files(tmp_path):
    fasta = write_fasta(tmp_path / "g.fa", GENOME)
    rows = ["\t".join(map(str, row)) for row in SCORED]
    variants = tmp_path / "v.tsv"
    variants.write_text("\n".join(["chrom\tpos\tref\talt", *rows]) + "\n")
    scored = scored_file_run(tmp_path / "run", [variants], fasta)
    lines = [
        f"1\t{pos}\trs{at}\t{effect}\t{other}\t{at + 1}\t500\n"
        for at, (pos, effect, other) in enumerate(WRITTEN)
    ]
    (tmp_path / "study.tsv").write_text("CHR\tBP\tSNP\tA1\tA2\tZ\tN\n" + "".join(lines))
    np.savez(tmp_path / "ld.npz", R=np.eye(len(WRITTEN)))
    return tmp_path, scored


@pytest.fixture
def finemapped(run, files):
    folder, _ = files

    def call(*more):
        code, text, error = run(
            *("finemap", "--sumstats", folder / "study.tsv", "--ld", folder / "ld.npz"),
            *("--prior", folder / "run", "--prior-sql", "pos", "--json", *more),
        )
        assert code == 0, error
        return json.loads(text), error

    return call


def priors_of(answer):
    return [each["prior"] for each in answer["variants"]]


def test_shifted_indels_have_the_weights_that_exports_give_them(run, files, finemapped):
    folder, _ = files
    answer, error = finemapped()
    assert answer["missing"] == []
    assert "indels are matched as they are written" not in error
    places = np.array([pos for _, pos, _, _ in SCORED])
    assert priors_of(answer) == pytest.approx(places / places.sum())
    weights = folder / "w.tsv"
    words = ["export", folder / "run", "--susie", weights, "--sumstats", folder / "study.tsv"]
    assert run(*words, "--prior", "pos")[0] == 0
    written = pl.read_csv(weights, separator="\t")
    assert written["prior_weights"].to_list() == places.tolist()
    assert written["status"].unique().to_list() == ["scored"]


def test_a_genome_that_has_moved_is_said_and_named_by_an_option(run, files, finemapped):
    folder, _ = files
    whole, _ = finemapped()
    (folder / "g.fa").rename(folder / "moved.fa")
    answer, error = finemapped()
    assert [each["id"] for each in answer["missing"]] == ["rs1", "rs2"]
    assert "the run's genome is not at its place" in error
    answer, error = finemapped("--genome", folder / "moved.fa")
    assert priors_of(answer) == priors_of(whole)
    assert "indels are matched as they are written" not in error
    other = write_fasta(folder / "other.fa", {"chr1": "ACGT"})
    words = ["finemap", "--sumstats", folder / "study.tsv", "--ld", folder / "ld.npz"]
    code, _, error = run(*words, "--prior", folder / "run", "--genome", other)
    assert code == 2
    assert "is not the run's genome" in error
    code, _, error = run(*words, "--genome", other)
    assert code == 2
    assert "is of a run; give --prior RUN too" in error


def test_tables_beside_the_run_go_by_their_names(run, files, finemapped):
    folder, scored = files
    write_ranks_by_place(scored.ledger)
    answer, _ = finemapped("--prior-sql", "percentiles.max_sad_phred")
    # toy PHREDs are twice the place and 1
    ranks = np.array([2 * pos + 1 for _, pos, _, _ in SCORED])
    assert priors_of(answer) == pytest.approx(ranks / ranks.sum())
    weights = folder / "w.tsv"
    words = ["export", folder / "run", "--susie", weights, "--sumstats", folder / "study.tsv"]
    assert run(*words, "--prior", "percentiles.max_sad_phred + scores.pos")[0] == 0
    written = pl.read_csv(weights, separator="\t")
    assert written["prior_weights"].to_list() == [3 * pos + 1 for _, pos, _, _ in SCORED]


@pytest.mark.parametrize("expression", ["nothing.of_this", "-max_abs_sad"])
def test_messages_name_the_option_that_was_given(run, files, expression):
    folder, _ = files
    words = ["finemap", "--sumstats", folder / "study.tsv", "--ld", folder / "ld.npz"]
    code, _, error = run(*words, "--prior", folder / "run", "--prior-sql", expression)
    assert code == 2
    assert f"enformer-ray: --prior-sql '{expression}': " in error
    words = ["export", folder / "run", "--susie", folder / "w", "--sumstats", folder / "study.tsv"]
    code, _, error = run(*words, "--prior", expression)
    assert code == 2
    assert f"enformer-ray: --prior '{expression}': " in error

"""From a table of measured effects through `score` to `evaluate variants`: a site of GATA1 whose truth is known."""

import json
import random

import pytest

from jobs.cli import main
from tests.support.genomes import write_fasta
from tests.support.mpra import mutagenesis, sites, write_mutagenesis

CONTIG_BP = 3_000
SITE_START = 1_500
GATA = "sad[2]"
"""The track of GATA1's occupancy, the second of the model."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A contig with one site between bases that make no other, the table of its changes, and its run."""
    folder = tmp_path_factory.mktemp("mpra")
    letters = "".join(random.Random(3).choices("ACGT", k=CONTIG_BP))
    # without any other site: a second one in a bin counts more than the first
    bare = letters.replace("GATA", "GCCA").replace("TATC", "TCCC")
    contig = bare[:SITE_START] + "AGATAACGCG" + bare[SITE_START + 10 :]
    assert sites(contig) == 1
    genome = write_fasta(folder / "g.fa", {"chr1": contig})
    rows = list(mutagenesis(contig, SITE_START - 1, SITE_START + 7, chrom="1"))
    table = write_mutagenesis(folder / "mpra.tsv", rows)
    scored = folder / "run"
    code = main(
        f"score {table} --genome {genome} --model motif_core --strands forward --audit-fraction 0"
        f" --tracks 0,1,6 --ray off --out {scored}".split()
    )
    assert code == 0
    return folder, genome, rows, table, scored


@pytest.fixture
def judged(run):
    def call(table, out, *more):
        code, text, error = run("evaluate", "variants", table, "--run", out, "--json", *more)
        assert code == 0, error
        return json.loads(text)

    return call


def used(answer):
    return {name: each["rows"] for name, each in answer["buckets"].items() if each["rows"]}


def test_the_table_that_was_scored_is_joined_by_line(made, judged):
    _, _, rows, table, scored = made
    answer = judged(table, scored, "--score", GATA)
    assert answer["joined_by"] == "lines"
    assert used(answer) == {"used": len(rows)} == {"used": 32}
    (element,) = answer["elements"]
    assert element["element"] == "GATA"
    # one site: every change breaks it, which is -10, or keeps it
    assert element["pearson"] > 0.999
    assert element["spearman"] > 0.8
    assert element["spearman_low"] > 0.5
    turned = judged(table, scored, "--score", f"-{GATA}")
    assert turned["mean"]["pearson"] == pytest.approx(-element["pearson"])
    # the measured order against a track that knows nothing of it
    other = judged(table, scored, "--score", "sad[1]")
    assert other["mean"]["pearson"] is None or abs(other["mean"]["pearson"]) < 0.5


def test_however_rows_are_joined_the_answer_is_the_same(made, judged):
    folder, genome, rows, table, scored = made
    by_line = judged(table, scored, "--score", GATA)
    # another file: the same rows from behind
    again = write_mutagenesis(folder / "again.tsv", rows[::-1])
    with_genome = judged(again, scored, "--score", GATA, "--genome", genome)
    assert with_genome["joined_by"] == "genome"
    assert used(with_genome) == {"used": 32}
    assert with_genome["mean"]["pearson"] == pytest.approx(by_line["mean"]["pearson"])
    assert with_genome["mean"]["spearman"] == pytest.approx(by_line["mean"]["spearman"])
    as_written = judged(again, scored, "--score", GATA)
    assert as_written["joined_by"] == "alleles"
    # of AA one deletion is like the other, and stands in the run at the first
    missing = as_written["buckets"]["missing"]["examples"]
    assert used(as_written) == {"used": 32 - len(missing), "missing": len(missing)}
    assert all(each["variant"].endswith(":-") for each in missing)
    assert 0 < len(missing) < 4


def test_a_wrong_ref_is_turned_or_told(made, judged, run):
    folder, genome, rows, table, scored = made
    by_line = judged(table, scored, "--score", GATA)
    wrong = []
    for number, row in enumerate(rows):
        chrom, pos, ref, alt, tags, dna, rna, effect, *rest = row
        # every third substitution is told from the other side
        is_told_so = alt != "-" and number % 3 == 0
        turned_row = (chrom, pos, alt, ref, tags, dna, rna, -effect, *rest)
        wrong.append(turned_row if is_told_so else row)
    strange = ("1", SITE_START + 1, "C", "T", 20, 9, 9, 5.0, 0.01, "GATA")
    swapped = write_mutagenesis(folder / "swapped.tsv", [*wrong, strange])
    answer = judged(swapped, scored, "--score", GATA, "--genome", genome)
    turned = sum(row[3] != "-" for row in rows[::3])
    assert used(answer) == {"used": 32 - turned, "used_swapped": turned, "unplaced": 1}
    assert answer["mean"]["pearson"] == pytest.approx(by_line["mean"]["pearson"])
    example = answer["buckets"]["unplaced"]["examples"][0]
    assert "neither C nor T" in example["why"]
    assert answer["buckets"]["unplaced"]["reasons"] == {"ref_mismatch": 1}
    # the same table scored: rows whose REF is wrong have no score there, unless they may change places
    out = folder / "swapped-run"
    command = ["score", swapped, "--genome", genome, "--model", "motif_core", "--tracks", "1"]
    command += ["--strands", "forward", "--audit-fraction", "0", "--ray", "off", "--out", out]
    code, _, error = run(*command, "--allow-swapped", "--allow-mismatch")
    assert code == 0, error
    scored_so = judged(swapped, out, "--score", "sad[1]")
    assert scored_so["joined_by"] == "lines"
    assert used(scored_so) == {"used": 32 - turned, "used_swapped": turned, "not_scored": 1}
    assert scored_so["mean"]["pearson"] == pytest.approx(by_line["mean"]["pearson"], rel=1e-3)


def test_another_genome_is_refused(made, run, tmp_path):
    _, _, _, table, scored = made
    other = write_fasta(tmp_path / "other.fa", {"chr1": "ACGT" * 100})
    elsewhere = tmp_path / "copy.tsv"
    elsewhere.write_text(table.read_text() + "\n")
    code, _, error = run("evaluate", "variants", elsewhere, "--run", scored, "--genome", other)
    assert code == 2
    assert "is not the genome of" in error

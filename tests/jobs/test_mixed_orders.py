"""Where a file's substitutions are swapped its order says nothing of indels: none is taken for its opposite."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from enformer_core.analyses.variant_notes import allele_notes
from tests.support.genomes import write_fasta
from tests.support.scored_files import scored_file_run

# five T from 5 to 9: the genome fits AT and A at 4
GENOME = {"chr1": "ACGATTTTTCAGCAGGGGCATCAACGTACA"}
SCORED = [(2, "C", "A"), (4, "AT", "A"), (4, "A", "AT"), (24, "A", "C")]

# of two substitutions one has the genome's base as effect
MIXED = [(2, "C", "A", 1), (4, "A", "AT", 0), (4, "AT", "A", 1), (24, "C", "A", 0)]


@pytest.fixture
def files(tmp_path):
    fasta = write_fasta(tmp_path / "g.fa", GENOME)
    rows = [f"chr1\t{pos}\t{ref}\t{alt}\n" for pos, ref, alt in SCORED]
    (tmp_path / "v.tsv").write_text("chrom\tpos\tref\talt\n" + "".join(rows))
    scored_file_run(tmp_path / "run", [tmp_path / "v.tsv"], fasta)
    lines = [
        f"1\t{pos}\trs{at}\t{effect}\t{other}\t{at + 1}\t500\t{label}\n"
        for at, (pos, effect, other, label) in enumerate(MIXED)
    ]
    study = tmp_path / "study.tsv"
    study.write_text("CHR\tBP\tSNP\tA1\tA2\tZ\tN\tlabel\n" + "".join(lines))
    scored_file_run(tmp_path / "own", [study], fasta)
    return tmp_path


def test_finemap_gives_them_no_score_and_says_why(run, files):
    lines = (files / "study.tsv").read_text().splitlines(keepends=True)
    # the other order of rs1 would be refused: both are one variant with two z
    (files / "once.tsv").write_text("".join(line for line in lines if "rs2" not in line))
    np.savez(files / "ld.npz", R=np.eye(3))
    code, text, error = run(
        *("finemap", "--sumstats", files / "once.tsv", "--ld", files / "ld.npz"),
        *("--prior", files / "run", "--prior-sql", "pos", "--json"),
    )
    assert code == 0, error
    missing = {each["id"]: each["reason"] for each in json.loads(text)["missing"]}
    assert missing.keys() == {"rs1"}
    assert all("could be two alleles" in why for why in missing.values())
    assert "left out (rs1): others of the file are swapped" in error
    # an option of exports
    assert "--ambiguous" not in error


@pytest.mark.parametrize(
    ("name", "more", "way"),
    [("run", (), "alleles"), ("run", ("--genome", "g.fa"), "genome"), ("own", (), "lines")],
)
def test_evaluate_judges_none_of_them(run, files, name, more, way, monkeypatch):
    monkeypatch.chdir(files)
    code, text, error = run("evaluate", "variants", "study.tsv", "--run", name, "--json", *more)
    assert code == 0, error
    answer = json.loads(text)
    assert answer["joined_by"] == way
    rows = {name: each["rows"] for name, each in answer["buckets"].items() if each["rows"]}
    assert rows == {"used": 1, "used_swapped": 1, "ambiguous": 2}


def test_score_says_that_some_may_be_their_opposite():
    def said(swapped):
        flags = {"ref_swapped": swapped, "ambiguous_order": 22}
        return " ".join(allele_notes(SimpleNamespace(by_status={"ok": 200}, by_flag=flags), [], []))

    assert "22 insertions or deletions of which the genome fits both alleles" in said(76)
    assert "--columns ref=COLUMN" in said(76)
    assert "opposite" not in said(2)

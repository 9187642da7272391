"""`score --keep-columns`: columns of the input in `scores`, and nothing else changed."""

import json

import pyarrow.parquet as pq
import pytest

from enformer_core import open_run
from tests.support.genes import write_bed
from tests.support.genomes import OTHER
from tests.support.runs import content_digests

SMALL = ["--model", "motif", "--ray", "off", "--tracks", "0,1", "--strands", "forward"]
SMALL += ["--audit-fraction", "0"]


@pytest.fixture
def gwas(tmp_path, letters):
    """Six rows: numbers, text, gaps; one without a place and one that is a repeat."""
    one, two = letters["chr1"], letters["chr2"]
    rows = [
        ("chr2", 700, two[699], OTHER[two[699]], "-0.5", "late"),
        ("chr1", 1000, one[999], OTHER[one[999]], "0.25", "007"),
        ("chr1", 1000, one[999], OTHER[one[999]], "0.75", "008"),
        ("chr1", 1500, one[1499], OTHER[one[1499]], "NA", ""),
        ("chrZ", 5, "A", "C", "1e-3", "lost"),
        ("chr2", 900, two[899], OTHER[two[899]], "3", "x"),
    ]
    path = tmp_path / "gwas.tsv"
    header = "chrom\tpos\tref\talt\tBETA\tCODE\n"
    path.write_text(header + "".join("\t".join(map(str, row)) + "\n" for row in rows))
    return path


@pytest.fixture
def score(run, gwas, genome, tmp_path):
    def call(name, *more):
        out = tmp_path / name
        words = [*SMALL, "--shard-size", "2", "--out", out, *more]
        code, said, errors = run("score", gwas, "--genome", genome, *words)
        return code, said + errors, out

    return call


def test_a_number_too_small_for_one_is_said(run, gwas, genome):
    gwas.write_text(gwas.read_text().replace("0.25", "1e-400"))
    words = ["plan", gwas, "--genome", genome, "--model", "motif", "--keep-columns", "BETA"]
    code, said, error = run(*words)
    assert code == 0
    assert "BETA: 1 value too small for a number of 64 bits is kept as 0" in said + error


def test_they_are_columns_of_scores(score, run):
    code, said, out = score("kept", "--keep-columns", "BETA,CODE")
    assert code == 0, said
    scores = open_run(out).scores.sort("input_line").select("BETA", "CODE").collect()
    assert scores["BETA"].to_list() == [-0.5, 0.25, 0.75, None, 0.001, 3.0]
    assert scores["CODE"].to_list() == ["late", "007", "008", None, "lost", "x"]
    for path in (out / "scores").rglob("*.parquet"):
        schema = pq.read_schema(path)
        assert str(schema.field("BETA").type) == "double"
        names = schema.names
        assert names.index("offset_bp") + 1 == names.index("BETA") == names.index("sad") - 2
    for path in (out / "effects").rglob("*.parquet"):
        assert "BETA" not in pq.read_schema(path).names
    sql = "SELECT sum(BETA) AS total FROM scores WHERE CODE <> '007'"
    code, said, _ = run("query", out, sql, "--json")
    assert json.loads(said) == [{"total": pytest.approx(3.251)}]
    assert run("verify", out)[0] == 0
    assert "BETA DOUBLE" in run("sql", out, "--engine", "athena")[1].replace("`", "")
    assert run("export", out, "--tsv", out.parent / "a.tsv")[0] == 0
    assert "\tBETA\tCODE\t" in (out.parent / "a.tsv").read_text()


def test_everything_else_is_as_without_them(score):
    _, _, plain = score("plain")
    _, _, kept = score("kept", "--keep-columns", "CODE")
    digests = [content_digests(out, ("effects",)) for out in (plain, kept)]
    assert digests[0] == digests[1]
    for path in (plain / "scores").rglob("*.parquet"):
        other = pq.read_table(kept / path.relative_to(plain), partitioning=None)
        assert pq.read_table(path, partitioning=None).equals(other.drop_columns(["CODE"]))
    identities = [json.loads((out / "run.json").read_text())["identity"] for out in (plain, kept)]
    assert identities[1].pop("keep_columns") == ["CODE"]
    assert identities[0] == identities[1]


def test_alleles_are_copied_from_a_run_that_kept_others(score):
    assert score("plain")[0] == 0
    _, _, computed = score("computed", "--keep-columns", "BETA")
    code, said, copied = score(
        "copied", "--keep-columns", "BETA", "--reuse", computed.parent / "plain"
    )
    assert code == 0, said
    assert content_digests(computed) == content_digests(copied)
    receipt = next((copied / "commits").glob("*.json"))
    assert json.loads(receipt.read_text()).get(
        "reused", json.loads(receipt.read_text()).get("copied")
    )


def test_with_genes_and_put_together(score, run, tmp_path):
    bed = write_bed(tmp_path / "genes.bed", [("chr1", 900, 1600, "GENE", "+")])
    code, said, out = score("genes", "--keep-columns", "BETA", "--genes", bed)
    assert code == 0, said
    for path in (out / "gene_effects").rglob("*.parquet"):
        assert not [name for name in pq.read_schema(path).names if "BETA" in name]
    compacted = tmp_path / "compacted"
    assert run("compact", out, "--out", compacted)[0] == 0
    for each in (out, compacted):
        assert run("verify", each)[0] == 0
        kept = open_run(each).scores.sort("input_line").select("BETA").collect()
        assert kept["BETA"].to_list() == [-0.5, 0.25, 0.75, None, 0.001, 3.0]


def test_they_are_part_of_what_a_run_is(score):
    assert score("run", "--keep-columns", "BETA")[0] == 0
    assert score("run", "--keep-columns", "BETA")[0] == 0
    for more in ([], ["--keep-columns", "BETA,CODE"]):
        code, said, _ = score("run", *more)
        assert code == 2
        assert "keep_columns" in said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("BETAS", "no file of the input has such a column; did you mean BETA?"),
        ("sad", "the table scores has a column sad of its own"),
        ("Max_abs_sad", "the table scores has a column max_abs_sad of its own"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(score, name, said):
    code, errors, out = score("run", "--keep-columns", name)
    assert code == 2
    assert f"--keep-columns {name}: {said}" in errors
    assert not out.exists()


def test_changes_by_rule_have_no_columns(run, genome, tmp_path):
    words = ["--mutagenesis", "chr1:500-501", "--genome", genome, "--out", tmp_path / "run"]
    code, _, errors = run("score", *words, *SMALL, "--keep-columns", "BETA")
    assert code == 2
    assert "--keep-columns BETA: keeps columns of the input's records" in errors

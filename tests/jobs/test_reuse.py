"""`--reuse`, as a user gives it: what is copied, what `plan` foresees, and which runs are refused."""

import json
import shutil

import pytest

from enformer_core.dataset.stored_tables import stored_tables
from jobs.cli import main
from jobs.finished_run import open_ledger
from tests.support.genomes import OTHER
from tests.support.vcf import write_vcf

UNAUDITED = ["--audit-fraction", "0"]


@pytest.fixture(scope="module")
def given(tmp_path_factory, genome, letters):
    """A scored file, a larger one, and a function that gives a command over it."""
    folder = tmp_path_factory.mktemp("reuse")
    one = letters["chr1"]
    records = [("chr1", pos, one[pos - 1], OTHER[one[pos - 1]]) for pos in (900, 1000, 1100, 1200)]
    write_vcf(folder / "few.vcf", records[:2])
    write_vcf(folder / "all.vcf", records)
    common = ["--genome", str(genome), "--model", "motif", "--strands", "forward"]

    def command(name, file, *more):
        return [name, str(folder / file), *common, "--tracks", "0,1", *map(str, more)]

    score = command("score", "few.vcf", "--ray", "off", "--out", folder / "few", *UNAUDITED)
    assert main(score) == 0
    return folder, command


def values(out):
    tables = [table for _, table in stored_tables(open_ledger(str(out)), "scores")]
    return {row["pos"]: row["sad"] for table in tables for row in table.to_pylist()}


def test_what_is_there_is_copied_and_verified(given, run, tmp_path):
    folder, command = given
    out = tmp_path / "out"
    code, text, error = run(
        *command("score", "all.vcf", "--ray", "off", "--reuse", folder / "few", "--out", out)
    )
    assert code == 0, error
    assert "reused   2 of 4, copied from other runs" in text
    plain = tmp_path / "plain"
    code, text, _ = run(*command("score", "all.vcf", "--ray", "off", "--out", plain, *UNAUDITED))
    assert (code, "reused" in text) == (0, False)
    assert values(out) == values(plain)
    assert {pos: values(out)[pos] for pos in (900, 1000)} == values(folder / "few")
    assert run("verify", out)[0] == 0
    code, text, _ = run("status", out)
    assert "reused   2 of them, copied from other runs" in text
    assert json.loads(run("status", out, "--json")[1])["rows_reused"] == 2
    # to copy or not is no part of a run's identity: the same command without it finds the run complete
    code, text, _ = run(*command("score", "all.vcf", "--ray", "off", "--out", out))
    assert (code, text.startswith("already complete")) == (0, True)
    (receipt,) = open_ledger(str(out)).receipts()
    (copied,) = receipt.copied
    assert (copied.run, copied.shard, copied.rows) == (str(folder / "few"), 0, ((0, 2),))
    assert copied.provenance.enformer_ray


def test_where_all_are_copied_none_is_audited_and_it_is_said(given, run, tmp_path):
    folder, command = given
    audited = ["--audit-fraction", "1"]
    words = ["--ray", "off", "--reuse", folder / "few", "--out", tmp_path / "out", *audited]
    code, text, error = run(*command("score", "few.vcf", *words))
    assert code == 0, error
    assert "reused   2 of 2, copied from other runs" in text
    assert "audit    none: every allele that was drawn for it is copied" in " ".join(
        text.split("  note")
    )
    assert "the audit scores at most 2 of 2 alleles again" in error
    code, text, _ = run(*command("plan", "all.vcf", "--reuse", folder / "few", *audited))
    assert "about 2 alleles a second time, by direct passes" in " ".join(text.split())
    assert "copied ones are not audited" in text


def test_plan_counts_them(given, run):
    folder, command = given
    code, text, error = run(*command("plan", "all.vcf", "--reuse", folder / "few"))
    assert code == 0, error
    assert "reused   2 distinct alleles, if the weights are the same" in text
    assert "to score 2 distinct alleles" in text
    some = json.loads(run(*command("plan", "all.vcf", "--reuse", folder / "few", "--json"))[1])
    plain = json.loads(run(*command("plan", "all.vcf", "--json"))[1])
    assert (some["reused"], some["alts"], some["output_bytes"]) == (2, 2, plain["output_bytes"])
    assert some["tflop"] < plain["tflop"]
    code, text, _ = run(*command("plan", "few.vcf", "--reuse", folder / "few"))
    assert "to score nothing: all is reused" in text


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (["--statistics", "sad,js"], "conventions.statistics"),
        (["--shifts", "-1,0"], "conventions.shifts"),
        (["--precision", "exact"], "precision"),
        (["--mantissa-bits", "8"], "mantissa_bits"),
        (["--engine", "direct", "--mantissa-bits", "11"], "engine"),
        (["--tracks", "0"], "tracks"),
        (["--model", "motif_core"], "model.name"),
    ],
)
@pytest.mark.parametrize("name", ["score", "plan"])
def test_one_field_that_differs_is_named_and_nothing_is_reused(
    given, run, tmp_path, name, change, field
):
    folder, command = given
    more = ["--ray", "off", "--out", tmp_path / "out"] if name == "score" else []
    words = command(name, "all.vcf", "--reuse", folder / "few", *more)
    if change[0] in ("--tracks", "--model"):
        place = words.index(change[0])
        words[place : place + 2] = change
    else:
        words += change
    code, _, error = run(*words)
    assert (code, "nothing of it can be reused" in error, field in error) == (2, True, True), error
    assert not (tmp_path / "out" / "run.json").exists()


def test_another_genome_is_another_score(given, run, tmp_path, genome):
    folder, command = given
    other = tmp_path / "other.fa"
    text = genome.read_text()
    # a letter far from every allele
    place = text.index("\n") + 3000
    other.write_text(text[:place] + OTHER[text[place]] + text[place + 1 :])
    words = command("plan", "all.vcf", "--reuse", folder / "few")
    words[words.index("--genome") + 1] = str(other)
    code, _, error = run(*words)
    assert (code, "reference.sha256.chr1" in error) == (2, True), error


def test_what_is_no_run_is_refused(given, run, tmp_path):
    _, command = given
    code, _, error = run(*command("plan", "all.vcf", "--reuse", tmp_path))
    assert (code, "no run here" in error) == (2, True)


def test_a_run_that_has_lost_something_is_named_before_it_is_copied_from(given, run, tmp_path):
    folder, command = given
    damaged = tmp_path / "damaged"
    shutil.copytree(folder / "few", damaged)
    lost = next((damaged / "scores").rglob("*.parquet"))
    lost.unlink()
    out = tmp_path / "out"
    code, _, error = run(
        *command("score", "all.vcf", "--ray", "off", "--reuse", damaged, "--out", out)
    )
    assert (code, out.exists()) == (2, False)
    assert f"--reuse {damaged}: {lost.relative_to(damaged)}: missing" in error
    code, _, error = run("export", damaged, "--tsv", "-")
    assert (code, f"`enformer-ray verify {damaged}` says" in error) == (2, True)

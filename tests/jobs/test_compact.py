"""`enformer-ray compact`, as a user calls it, of runs of each kind that can be put together."""

import shutil
from pathlib import Path

import pytest

from jobs.cli import main
from tests.support.genes import write_bed
from tests.support.genomes import OTHER
from tests.support.runs import content_digests
from tests.support.vcf import write_vcf


@pytest.fixture(scope="module")
def command(tmp_path_factory, genome, letters):
    """Commands over five alleles on two contigs, in five shards; with their --out."""
    folder = tmp_path_factory.mktemp("compact")
    places = [("chr1", 1000), ("chr1", 1500), ("chr1", 2000), ("chr2", 500), ("chr2", 900)]
    records = [
        (name, pos, letters[name][pos - 1], OTHER[letters[name][pos - 1]]) for name, pos in places
    ]
    write_vcf(folder / "v.vcf", records)
    write_bed(folder / "genes.bed", [("chr1", 1200, 3000, "A", "+"), ("chr2", 600, 700, "B", "-")])
    common = [
        "--genome",
        str(genome),
        "--model",
        "motif",
        "--strands",
        "forward",
        "--tracks",
        "0,1",
    ]
    common += ["--shard-size", "1", "--ray", "off", "--audit-fraction", "0"]
    commands = {
        "variants": ["score", str(folder / "v.vcf"), *common, "--statistics", "sad,js"],
        "genes": ["score", str(folder / "v.vcf"), *common, "--genes", str(folder / "genes.bed")],
        "tiles": ["tiles", *common[:4], "--strands", "forward", *common[6:-2]],
    }
    done = {}

    def call(kind):
        if kind not in done:
            out = str(folder / kind)
            words = [*commands[kind], "--out"]
            assert main([*words, out]) == 0
            done[kind] = words, out
        return done[kind]

    return call


QUESTIONS = {
    "variants": (
        "FROM scores SELECT * EXCLUDE (input_file) ORDER BY input_line",
        "FROM effects ORDER BY ALL",
        "FROM top",
    ),
    "genes": ("FROM gene_effects SELECT * EXCLUDE (input_file) ORDER BY ALL", "FROM top_genes"),
    "tiles": ("FROM predictions ORDER BY ALL",),
}


@pytest.mark.parametrize("kind", QUESTIONS)
def test_the_new_run_answers_as_the_old_one(command, run, rows, tmp_path, kind):
    words, out = command(kind)
    new = tmp_path / "new"
    code, text, error = run("compact", out, "--out", new)
    assert code == 0, error
    assert "put together into 2" in text
    assert "already complete" not in text
    for question in QUESTIONS[kind]:
        assert rows(new, question) == rows(out, question)
    code, text, _ = run("verify", new)
    assert (code, text.startswith("verified")) == (0, True)
    assert run("status", new)[0] == 0
    # the same identity: the run's own command finds it complete
    code, text, error = run(*words, new)
    assert (code, text.startswith("already complete")) == (0, True), error
    # and the same command does nothing more
    before = (new / "manifest.json").read_bytes()
    code, said, _ = run("compact", out, "--out", new)
    assert (code, said.splitlines()[0]) == (0, f"already complete: {new}")
    assert (new / "manifest.json").read_bytes() == before


def test_without_another_place_it_lies_beside_the_run(command, run, rows, tmp_path, monkeypatch):
    _, finished = command("variants")
    moved = tmp_path / "scores"
    shutil.copytree(finished, moved)
    assert run("compact", f"{moved}/")[0] == 0
    monkeypatch.chdir(moved)
    code, said, _ = run("compact", ".")  # the same place, where it is done already
    assert (code, f"output: {moved}-compact" in said) == (0, True)
    assert rows(f"{moved}-compact") == rows(moved)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scores", "scores-compact"]


def test_what_is_lost_of_it_is_computed_again(command, run, tmp_path):
    words, out = command("variants")
    new = tmp_path / "new"
    assert run("compact", out, "--out", new)[0] == 0
    before = content_digests(str(new))
    next((new / "scores").rglob("*.parquet")).unlink()
    assert run("verify", new)[0] == 2
    assert run("repair", new)[0] == 5
    assert run(*words, new)[0] == 0
    assert run("verify", new)[0] == 0
    assert content_digests(str(new)) == before


def test_a_plan_that_is_lost_of_it_is_not_made_otherwise(command, run, tmp_path):
    words, out = command("variants")
    new = tmp_path / "new"
    assert run("compact", out, "--out", new)[0] == 0
    (new / "manifest.json").unlink()
    (new / "plan" / "part-00000.parquet").unlink()
    code, _, error = run(*words, new)
    assert (code, "it was compacted" in error) == (2, True), error


def test_what_is_not_complete_is_not_compacted(command, run, tmp_path):
    _, out = command("genes")
    code, _, error = run("compact", tmp_path, "--out", tmp_path / "x")
    assert (code, "no run here" in error) == (2, True)
    code, _, error = run("compact", out, "--out", out)
    assert (code, "is the run itself" in error) == (2, True)
    code, _, error = run("compact", out, "--out", tmp_path / "x", "--file-mb", "0")
    assert (code, "--file-mb 0" in error) == (2, True)


@pytest.mark.parametrize("where", ["", "scores", "scores/chrom=chr1", "new/and/deep/er"])
def test_a_run_never_lies_in_another(command, run, tmp_path, where):
    words, out = command("variants")
    before = content_digests(out)
    (tmp_path / "link").symlink_to(out)
    for place in (Path(out, where, "x"), Path(tmp_path, "link", where, "x")):
        for asked in (["compact", out, "--out", place], [*words, place]):
            code, _, error = run(*asked)
            assert (
                code,
                f"{place}: lies in the run {Path(out).resolve()}, whose readers" in error,
            ) == (2, True)
    assert content_digests(out) == before
    assert not Path(out, where, "x").exists()


def test_files_of_other_programs_make_no_run(command, run, tmp_path):
    _, out = command("variants")
    (tmp_path / "run.json").write_text('{"of": "another program"}')
    assert run("compact", out, "--out", tmp_path / "new")[0] == 0

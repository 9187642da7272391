"""The main job on a small genome: complete, repeatable, continued, and the same on every path."""

import json
import shlex
import shutil
import subprocess
import sys

import pytest

from enformer_core.dataset.codec import from_parquet
from enformer_core.dataset.keys import receipt_key
from enformer_core.storage.local import LocalStore
from jobs.job import hint_of_ray
from tests.support.genomes import OTHER
from tests.support.vcf import write_vcf

SMALL = [
    "--model",
    "motif",
    "--ray",
    "off",
    "--tracks",
    "0,1",
    "--strands",
    "forward",
    "--shard-size",
    "2",
    "--audit-fraction",
    "0",
]


@pytest.fixture
def score(run, vcf, genome, tmp_path):
    """Score the small VCF into a directory."""

    def call(out="run", *more):
        return (
            *run("score", vcf, "--genome", genome, "--out", tmp_path / out, *SMALL, *more),
            tmp_path / out,
        )

    return call


@pytest.fixture
def out(finished):
    """A finished run of the small VCF."""
    return finished("run", *SMALL)


def test_every_alt_has_one_row(score, rows, run):
    code, text, error, out = score()
    said = text.splitlines()
    assert code == 0
    assert "6 alleles" in text
    assert "5 ok, 1 symbolic" in text
    assert "note: tracks: 2 of 8: 0 DEMO:CTCF motif occupancy" in error
    assert "DEMONSTRATION" in text
    assert hint_of_ray("local", 1) not in error  # by --ray off
    assert "columns: " not in text  # a VCF's are what the format says
    answered = rows(out)
    assert [(row["input_line"], row["alt_index"], row["status"]) for row in answered] == [
        (3, 1, "ok"),
        (4, 1, "ok"),
        (4, 2, "ok"),
        (4, 3, "ok"),
        (5, 1, "ok"),
        (6, 1, "symbolic"),
    ]
    assert {row["chrom"] for row in answered} == {"chr1", "chr2"}
    assert [row["pos"] for row in answered] == [1000, 2000, 2000, 2000, 500, 600]
    assert all(len(row["sad"]) == 2 for row in answered if row["status"] == "ok")
    code, text, _ = run("verify", out)
    assert code == 0
    assert text.startswith("verified: 6 alleles")
    # some were not scored: it is said how to list them
    [line] = [line for line in said if line.startswith("why not ok: ")]
    code, text, error = run(*shlex.split(line.removeprefix("why not ok: enformer-ray ")), "--json")
    assert code == 0, error
    [row] = json.loads(text)
    assert (row["status"], row["reason"]) == ("symbolic", "ALT <DEL> names no sequence")


def test_a_run_of_which_nothing_was_scored_says_so(run, genome, letters, tmp_path):
    refs = {pos: OTHER[letters["chr1"][pos - 1]] for pos in (10, 20)}
    wrong = [("chr1", pos, ref, OTHER[OTHER[ref]]) for pos, ref in refs.items()]
    path = write_vcf(tmp_path / "x.vcf", [*wrong, ("chr1", 30, letters["chr1"][29], "<DEL>")])
    given = ["score", path, "--genome", genome, "--out", tmp_path / "run", *SMALL]
    code, text, error = run(*given, "--allow-mismatch")
    assert code == 0, error
    lines = text.splitlines()
    assert "3 alleles in 2 shards: 2 ref_mismatch, 1 symbolic" in lines
    assert "no scores: of 3 alleles none is ok, so nothing was computed" in lines
    where = f"for example x.vcf line 3 (chr1:10:{wrong[0][2]}:{wrong[0][3]})"
    reason = f"the genome has {letters['chr1'][9]} here, not {wrong[0][2]}"
    assert f"{where}: ref_mismatch: {reason}" in lines
    note = f"note: 2 alleles are ref_mismatch and not scored, for example x.vcf line 3: {reason}\n"
    assert note in error
    named = "ALT <DEL> names no sequence"
    assert f"note: 1 allele is symbolic and not scored, for example x.vcf line 5: {named}" in error
    assert "FROM top" not in text
    words = shlex.split(lines[-1].removeprefix("why not ok: enformer-ray "))
    code, text, error = run(*words, "--json")
    assert code == 0, error
    assert len(json.loads(text)) == 3


def test_for_one_shard_ray_need_not_be_started():
    assert "--ray off" in hint_of_ray("local", 1)
    assert hint_of_ray("local", 2) is hint_of_ray("auto", 1) is None


def test_a_run_without_effects_is_not_asked_for_them(score, run):
    text = score("run", "--top-tracks", "0")[1]
    words = shlex.split(text.splitlines()[-1].removeprefix("ask it: enformer-ray "))
    code, text, error = run(*words, "--json")
    assert code == 0, error
    assert len(json.loads(text)) == 5


def test_a_name_with_the_end_of_a_line_is_told_in_one(run, vcf, genome, tmp_path):
    out = tmp_path / "a\nb"
    code, text, error = run("score", vcf, "--genome", genome, "--out", out, *SMALL)
    assert code == 0, error
    assert f"output: {tmp_path}/a\\nb\n" in text
    assert f"ask it: enformer-ray query $'{tmp_path}/a\\nb' 'FROM top LIMIT 10'\n" in text
    error = run("score", "no\nwhere.vcf", "--genome", genome, "--out", tmp_path / "c", *SMALL)[2]
    assert error.startswith("enformer-ray: no\\nwhere.vcf: ")
    error = run("status", tmp_path / "no\x1b[31m\nrun")[2]
    assert error.startswith(f"enformer-ray: {tmp_path}/no\\x1b[31m\\nrun: no run here")


def test_run_again_it_is_already_complete_and_nothing_changes(score, out):
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in out.rglob("*")}
    code, text, _, _ = score()
    assert code == 0
    assert text.startswith("already complete")
    assert {
        path: (path.stat().st_mtime_ns, path.stat().st_size) for path in out.rglob("*")
    } == before


def test_a_half_finished_run_is_continued_to_the_same_table(
    score, finished, rows, run, monkeypatch
):
    whole, half = (finished(name, *SMALL) for name in ("whole", "half"))
    receipts = sorted((half / "commits").iterdir())
    (half / "manifest.json").unlink()
    receipts[1].unlink()  # died between the data and its receipt
    receipts[2].unlink()
    shutil.rmtree(half / "effects" / "chrom=chr2")
    code, text, _ = run("status", half, "--json")
    assert code == 5
    assert json.loads(text)["shards_done"] == len(receipts) - 2
    assert run("verify", half)[0] == 5
    puts = []
    original = LocalStore.put_if_absent
    monkeypatch.setattr(
        LocalStore,
        "put_if_absent",
        lambda self, key, content: puts.append(key) or original(self, key, content),
    )
    assert score("half")[0] == 0
    scored = {key for key in puts if key.startswith("commits/")}
    assert scored == {receipt_key(1), receipt_key(2)}
    assert rows(half) == rows(whole)
    assert run("verify", half)[0] == 0


def test_a_run_whose_plan_was_not_written_is_continued(score, run, out):
    for name in ("plan", "commits", "scores", "effects"):
        shutil.rmtree(out / name)
    (out / "manifest.json").unlink()
    assert score()[0] == 0
    assert run("verify", out)[0] == 0


def test_another_run_in_the_same_directory_is_refused(score, out):
    before = sorted(path.name for path in out.rglob("*"))
    code, _, error, _ = score("run", "--statistics", "sad,js", "--top-tracks", "3")
    assert code == 2
    assert "conventions.statistics" in error
    assert "top_tracks: there 20, now 3" in error
    assert sorted(path.name for path in out.rglob("*")) == before


def test_the_same_table_with_another_shard_size_and_order_of_input(
    score, out, rows, run, vcf, genome, tmp_path
):
    *_, other = score("other", "--shard-size", "1")
    assert rows(out) == rows(other)
    assert len(list((other / "commits").iterdir())) == 6
    header, body = vcf.read_text().split("INFO\n")
    turned = tmp_path / "turned.vcf"
    turned.write_text(f"{header}INFO\n" + "\n".join(reversed(body.strip().split("\n"))) + "\n")
    assert run("score", turned, "--genome", genome, "--out", tmp_path / "t", *SMALL)[0] == 0
    sql = "FROM scores SELECT variant_id, sad ORDER BY variant_id"
    assert rows(tmp_path / "t", sql) == rows(out, sql)


def test_every_output_says_that_it_is_a_demonstration(out):
    for path in [out / "run.json", out / "manifest.json", *(out / "commits").iterdir()]:
        assert json.loads(path.read_text())["notice"].startswith("DEMONSTRATION"), path
    for path in out.rglob("*.parquet"):
        if "plan" not in path.parts:
            _, footer = from_parquet(path.read_bytes(), path.name)
            assert footer.notice.startswith("DEMONSTRATION"), path


def test_statistics_and_effects_are_columns_and_rows(score, rows):
    *_, out = score(
        "run",
        "--statistics",
        "sad,log_sad,d1,log_d1,d2,log_d2,sax,js,log_ratio",
        "--top-tracks",
        "1",
    )
    first = rows(out)[0]
    for name in ("sad", "log_sad", "d1", "log_d1", "d2", "log_d2", "sax", "js", "log_ratio"):
        assert len(first[name]) == 2
        assert first[f"max_abs_{name}"] == max(abs(value) for value in first[name])
    effects = rows(out, "FROM effects SELECT statistic, count(*) AS n GROUP BY ALL")
    assert {row["n"] for row in effects} == {5}
    assert len(effects) == 9
    tracks = rows(out, "FROM tracks")
    assert [(row["index"], row["list_position"]) for row in tracks] == [(0, 1), (1, 2)]


def test_without_ray_nothing_of_ray_is_imported(vcf, genome, tmp_path):
    code = (
        "import sys; sys.modules['ray'] = None\n"
        "from jobs.cli import main\n"
        f"sys.exit(main(['score', {str(vcf)!r}, '--genome', {str(genome)!r}, '--out', {str(tmp_path / 'run')!r},"
        f" *{SMALL!r}]))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr


def test_status_and_query_for_people(out, run):
    code, text, _ = run("status", out)
    assert code == 0
    assert "complete" in text
    assert "6 of 6" in text
    code, text, _ = run("query", out, "SELECT count(*) AS n FROM scores")
    assert code == 0
    assert "6" in text
    assert run("query", out, "SELECT nothing FROM scores")[0] == 2
    assert run("status", out / "scores")[0] == 2

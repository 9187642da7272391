"""What is lost or damaged of a run is noticed, named with a remedy, and made anew with the very values that it had."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from enformer_core.dataset.codec import from_parquet, to_parquet
from enformer_core.dataset.keys import receipt_key
from enformer_core.storage.local import LocalStore
from jobs.cli import main
from tests.support.genomes import OTHER, write_fasta
from tests.support.runs import content_digests
from tests.support.vcf import write_vcf

SMALL = ["--model", "motif", "--ray", "off", "--tracks", "0,1", "--strands", "forward"]
SMALL += ["--audit-fraction", "0"]

HARMS = [
    *("scores gone", "effects cut", "scores flipped", "receipt gone", "tracks gone"),
    *("tracks flipped", "plan gone", "plan flipped", "manifest cut"),
]


@pytest.fixture(scope="module")
def command(tmp_path_factory, letters, genome):
    """The command without its output: eight SNVs in four shards on two contigs."""
    places = [(chrom, at) for chrom in ("chr1", "chr2") for at in range(500, 900, 100)]
    records = [
        (chrom, at + 1, letters[chrom][at], OTHER[letters[chrom][at]]) for chrom, at in places
    ]
    vcf = write_vcf(tmp_path_factory.mktemp("input") / "some.vcf", records)
    return ["score", str(vcf), "--genome", str(genome), *SMALL, "--shard-size", "2"]


@pytest.fixture(scope="module")
def whole(command, tmp_path_factory):
    """A finished run that nothing has befallen."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert main([*command, "--out", str(out)]) == 0
    assert len(receipts(out)) == 4
    return out


@pytest.fixture
def out(whole, tmp_path):
    """A copy of it."""
    return shutil.copytree(whole, tmp_path / "run")


@pytest.fixture
def call(capsys, command):
    """Give a command on the run, `score` with all that it had; gives its exit code and what it said."""

    def give(name, out, *more):
        given = [*command, "--out", str(out)] if name == "score" else [name, str(out)]
        code = main([*given, *more])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return give


def receipts(out):
    return sorted((out / "commits").glob("shard-*.json"))


def tables(out, name):
    return sorted((out / name).rglob("*.parquet"), key=lambda path: path.name)


def change(path, **fields):
    content = json.loads(path.read_text()) | fields
    path.write_text(json.dumps({name: value for name, value in content.items() if value != "gone"}))


def flip_a_byte(path, at=None):
    content = bytearray(path.read_bytes())
    content[at or len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def harm_tables(out):
    tables(out, "scores")[0].unlink()
    cut(tables(out, "effects")[1])
    cut(tables(out, "scores")[2])
    shutil.rmtree(out / "effects" / "chrom=chr2")


def harm_receipts(out):
    for path, harm in zip(
        receipts(out),
        (
            {"rows": "gone"},
            {"committed_at": "yesterday"},
            {"identity": "0" * 64},
            {"shard": 3, "tables": {}},
        ),
        strict=True,
    ):
        change(path, **harm)
    (out / receipt_key(9999)).write_bytes(receipts(out)[0].read_bytes())


@pytest.mark.parametrize("harm", [harm_tables, harm_receipts])
def test_before_a_run_is_closed_what_is_lost_is_computed_again(out, whole, call, harm):
    (out / "manifest.json").unlink()
    harm(out)
    code, told = call("score", out)
    assert code == 0, told
    assert "are lost or damaged:" in told
    assert "They are computed again." in told
    assert content_digests(out) == content_digests(whole)
    assert call("verify", out)[0] == 0
    assert call("status", out)[0] == 0
    assert len(receipts(out)) == 4
    assert not list((out / "damaged").rglob("*.parquet")), "no reader takes them for tables"


def test_a_log_of_json_tells_of_it_in_json(out, command, capsys):
    (out / "manifest.json").unlink()
    harm_tables(out)
    assert main([*command, "--out", str(out), "--log-format", "json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    notes = [event["text"] for event in events if event["event"] == "note"]
    assert any("They are computed again." in text for text in notes)


def test_what_is_sound_of_a_lost_shard_stays(out, call):
    (out / "manifest.json").unlink()
    lost, *_ = tables(out, "effects")
    kept, *_ = tables(out, "scores")
    before = kept.stat().st_mtime_ns
    lost.unlink()
    code, told = call("score", out)
    assert code == 0, told
    assert kept.stat().st_mtime_ns == before
    assert "1 shard was repaired, with the very values that it had before" in told


@pytest.mark.parametrize(
    ("harm", "is_cheap", "named"),
    [
        (lambda out: tables(out, "scores")[0].unlink(), True, "shard-00000000.parquet: missing"),
        (lambda out: cut(tables(out, "effects")[1]), True, "shard-00000001.parquet"),
        (lambda out: flip_a_byte(tables(out, "scores")[2]), False, "sha256 is"),
        (lambda out: receipts(out)[3].unlink(), True, "commits/shard-00000003.json: missing"),
        (lambda out: (out / "tracks.parquet").unlink(), True, "tracks.parquet: missing"),
        (lambda out: flip_a_byte(out / "tracks.parquet", 60), False, "tracks.parquet: damaged"),
        (
            lambda out: (out / "plan/part-00000.parquet").unlink(),
            True,
            "part-00000.parquet: missing",
        ),
        (lambda out: flip_a_byte(out / "plan/part-00000.parquet"), False, "sha256 is"),
        (lambda out: cut(out / "manifest.json"), True, "manifest.json: damaged"),
    ],
    ids=HARMS,
)
def test_after_a_run_is_closed_it_is_noticed_repaired_and_proved(
    out, whole, call, harm, is_cheap, named
):
    harm(out)
    code, told = call("verify", out)
    assert code == 2
    assert named in told
    assert f"Run `enformer-ray repair {out}`" in told
    for name in ("score", "status"):
        code, told = call(name, out)
        assert code == (2 if is_cheap else 0), told
        if is_cheap:
            assert named.replace("sha256 is", "") in told
            assert f"Run `enformer-ray repair {out}`, then the run's own command again." in told
    assert call("repair", out, "--dry-run")[0] == 2
    code, told = call("repair", out)
    assert (code, named in told) == (5, True), told
    assert "Give the run's own command again" in told
    # whatever was sound and is moved is named, with why
    moved = sorted(path.name for path in (out / "damaged").rglob("*") if path.is_file())
    assert told.count("\n  with it ") == len(moved) - (0 if "missing" in named else 1)
    assert call("status", out)[0] == 5
    code, told = call("score", out)
    assert code == 0, told
    assert "are not the ones they had before" not in told
    assert content_digests(out) == content_digests(whole)
    assert call("verify", out)[0] == 0
    assert call("repair", out) == (0, "nothing is lost or damaged\n")


def test_what_does_not_belong_is_moved_and_the_run_stays_complete(out, call):
    copy = tables(out, "scores")[0]
    shutil.copy(copy, copy.with_name("shard-00000000 copy.parquet"))
    code, told = call("verify", out)
    assert code == 2
    assert "copy.parquet: no receipt names it. Run `enformer-ray repair" in told
    code, told = call("repair", out)
    assert (code, "the run is complete without them" in told) == (0, True), told
    assert call("score", out)[0] == 0


def test_values_that_are_others_than_before_are_said(out, call):
    (out / "manifest.json").unlink()
    path = receipts(out)[0]
    receipt = json.loads(path.read_text())
    receipt["tables"]["scores"] |= {"bytes": 1, "content_digest": "0" * 64}
    path.write_text(json.dumps(receipt))
    code, told = call("score", out)
    assert code == 0, told
    assert "shards 0 were repaired, and their values are not the ones they had before" in told


@pytest.mark.parametrize("name", ["score", "status", "verify", "repair"])
@pytest.mark.parametrize("plan", [{"parts": "gone"}, {"parts": 0, "sha256": []}, {"parts": 2}, []])
def test_a_run_json_that_contradicts_itself_is_refused_with_a_remedy(out, call, name, plan):
    path = out / "run.json"
    content = json.loads(path.read_text())
    if plan:
        content["plan"] |= plan
        if plan["parts"] == "gone":
            del content["plan"]["parts"]
        path.write_text(json.dumps(content))
    else:
        cut(path)
    code, told = call(name, out)
    assert code == 2, told
    assert "run.json: damaged" in told
    assert "Put the file back from a copy, or use another --out." in told


@pytest.mark.parametrize(
    ("contig", "says"),
    [
        ("__unplaced__", "this name is kept for rows without a place"),
        ("__HIVE_DEFAULT_PARTITION__", "this name is kept for no value by readers of partitions"),
        ("é" * 50, "its name makes a directory's name of 306 bytes, and file systems take 255"),
    ],
)
def test_contigs_that_cannot_be_partitions_are_refused(tmp_path, capsys, letters, contig, says):
    genome = write_fasta(tmp_path / "odd.fa", {contig: letters["chr1"]})
    vcf = write_vcf(tmp_path / "odd.vcf", [(contig, 1000, letters["chr1"][999], "N")])
    vcf.write_text(vcf.read_text().replace("\tN\t", f"\t{OTHER[letters['chr1'][999]]}\t"))
    where = ["--genome", str(genome), "--out", str(tmp_path / "run")]
    assert main(["score", str(vcf), *where, *SMALL]) == 2
    told = capsys.readouterr().err
    assert says in told
    assert "by --regions" in told
    assert not (tmp_path / "run").exists()


def test_contigs_that_differ_in_case_need_a_disk_that_tells_them_apart(
    tmp_path, capsys, letters, monkeypatch
):
    contigs = {"chrA": letters["chr1"], "chra": letters["chr2"]}
    genome = write_fasta(tmp_path / "odd.fa", contigs)
    records = [(name, 1000, text[999], OTHER[text[999]]) for name, text in contigs.items()]
    given = [
        "score",
        str(write_vcf(tmp_path / "odd.vcf", records)),
        "--genome",
        str(genome),
        *SMALL,
    ]
    assert main([*given, "--out", str(tmp_path / "one")]) == 0
    get = LocalStore.get
    monkeypatch.setattr(LocalStore, "get", lambda self, key: get(self, key.lower()))
    assert main([*given, "--out", str(tmp_path / "two")]) == 2
    assert "the contigs chrA and chra differ in nothing else" in capsys.readouterr().err
    assert not (tmp_path / "two" / "plan").exists()


@pytest.mark.parametrize("name", ["score", "status", "verify", "repair"])
def test_an_out_that_is_too_long_is_said(call, tmp_path, name):
    code, told = call(name, tmp_path / ("x" * 300))
    assert code in (2, 5), told
    assert "File name too long" in told


def refuse_to_write(out, monkeypatch):
    """As a disk that is mounted read-only: root, too, is refused, wherever a name below `out` would change."""

    def guarded(function):
        def call(path, *arguments, **options):
            is_read = function is real_open and not (arguments[0] if arguments else 0) & os.O_CREAT
            if str(out) in str(path) and not is_read:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
            return function(path, *arguments, **options)

        return call

    real_open = os.open
    for name in ("open", "link", "unlink", "mkdir", "rmdir", "rename", "replace", "chmod", "utime"):
        monkeypatch.setattr(os, name, guarded(getattr(os, name)))


def test_a_finished_run_on_a_read_only_disk_is_already_complete(out, call, monkeypatch):
    with monkeypatch.context() as patch:
        refuse_to_write(out, patch)
        code, told = call("score", out)
        assert (code, told.startswith("already complete")) == (0, True), told
        assert call("status", out)[0] == 0
        assert call("verify", out)[0] == 0
        with pytest.raises(OSError, match="Read-only file system"):
            Path(out, "new").mkdir()
    (out / "manifest.json").unlink()
    refuse_to_write(out, monkeypatch)
    code, told = call("score", out)
    assert (code, "cannot be written: Read-only file system" in told) == (2, True), told


def test_a_table_of_tracks_whose_names_were_changed_is_found(out, call):
    path = out / "tracks.parquet"
    tracks, footer = from_parquet(path.read_bytes(), path.name)
    changed = tracks.rename_columns(["other", *tracks.column_names[1:]])
    path.write_bytes(to_parquet(changed, footer))
    code, told = call("verify", out)
    assert code == 2
    assert "tracks.parquet: digest of values is " in told

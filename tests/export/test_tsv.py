"""A run as tab-separated text: every row of its first table, and nothing that a spreadsheet cannot hold."""

import csv
import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from enformer_core.errors import InputError
from enformer_core.export import export_written
from enformer_core.export.whole_file import whole_file
from enformer_core.models.tracks.table import described_track
from enformer_core.storage.local import LocalStore
from jobs import export
from jobs.cli import main
from tests.support.genomes import write_fasta
from tests.support.toy_runs import TRACKS, begun_toy_run
from tests.support.vcf import write_vcf


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A run of two SNVs, a deletion and a symbolic allele."""
    folder = tmp_path_factory.mktemp("tsv")
    letters = "ACGT" * 1000
    genome = write_fasta(folder / "g.fa", {"chr1": letters})
    records = [
        ("chr1", 1001, "A", "C,G"),
        ("chr1", 2001, "ACGT", "A"),
        ("chr1", 3001, "A", "<DEL>"),
    ]
    vcf = write_vcf(folder / "v.vcf", records)
    out = folder / "run"
    command = ["score", str(vcf), "--genome", str(genome), "--model", "motif", "--out", str(out)]
    assert main([*command, "--ray", "off", "--strands", "forward", "--audit-fraction", "0"]) == 0
    return out


class ScorerOfNothing:
    """No SAD in any track, and a D1 in all."""

    def score(self, alleles, start):
        return [{"sad": np.zeros(3), "d1": np.ones(3)} for _ in alleles]


def read(path):
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def test_every_row_is_there_and_its_numbers_are_those_of_the_run(scored, tmp_path, capsys):
    file = tmp_path / "run.tsv"
    assert main(["export", str(scored), "--tsv", str(file)]) == 0
    assert f"{file}: 4 rows" in capsys.readouterr().err
    assert '"' not in file.read_text()
    rows = read(file)
    assert [(row["chrom"], row["pos"], row["status"]) for row in rows] == [
        ("chr1", "1001", "ok"),
        ("chr1", "1001", "ok"),
        ("chr1", "2001", "ok"),
        ("chr1", "3001", "symbolic"),
    ]
    assert "sad" not in rows[0]
    assert rows[3]["max_abs_sad"] == ""
    assert rows[3]["max_abs_sad_value"] == rows[3]["max_abs_sad_description"] == ""
    names = list(rows[0])
    at = names.index("max_abs_sad_track")
    assert names[at - 1 : at + 4] == [
        "max_abs_sad",
        "max_abs_sad_track",
        "max_abs_sad_value",
        "max_abs_sad_identifier",
        "max_abs_sad_description",
    ]
    assert not [path for path in tmp_path.iterdir() if path != file]


def test_the_strongest_track_has_its_sign_and_names(tmp_path):
    """Values are the place, minus that and a half more, and 1: of the allele at base 3, -3.5 on the second track."""
    names = [described_track(at, f"id-{at}", f"CAGE:cell {at}") for at in TRACKS]
    run = begun_toy_run(LocalStore(tmp_path / "run"), tracks=names)
    run.commit_all()
    file = tmp_path / "run.tsv"
    assert main(["export", run.store.location, "--tsv", str(file)]) == 0
    rows = {row["variant_id"]: row for row in read(file) if row["status"] == "ok"}
    columns = ("track", "value", "identifier", "description")
    found = [rows["chr1:4:A:G"][f"max_abs_sad_{column}"] for column in columns]
    assert found == ["5", "-3.5", "id-5", "CAGE:cell 5"]
    assert rows["chr1:4:A:G"]["max_abs_d1_value"] == "3.5"
    assert rows["chr1:1:A:G"]["max_abs_sad_value"] == "1.0"
    assert rows["chr1:1:A:G"]["max_abs_sad_identifier"] == "id-7"


def test_every_table_of_a_run_can_be_written(tmp_path, capsys):
    run = begun_toy_run(LocalStore(tmp_path / "run"))
    run.commit_all()
    command = ["export", run.store.location, "--tsv", str(tmp_path / "run.tsv")]
    assert main([*command, "--table", "effects"]) == 0
    rows = read(tmp_path / "run.tsv")
    assert list(rows[0]) == [
        *("chrom", "track", "variant_id", "pos", "ref", "alt", "statistic", "value", "rank")
    ]
    # of 9 alleles with a place, one of them given twice, two tracks of two statistics
    assert len(rows) == 8 * 2 * 2
    capsys.readouterr()
    for name in ("gene_effects", "tracks", ""):
        assert main([*command, "--table", name]) == 2
        said = capsys.readouterr().err
        assert f"a run of alleles has no table {name!r} to write; it has scores, effects" in said
        # neither is a table of the run's shards
        assert "'FROM tracks' --output tracks.tsv`" in said
    assert main(["export", run.store.location, "--bigwig", str(tmp_path / "bw")]) == 2
    assert "bigWigs are of runs of `enformer-ray tiles` and `attribute`" in capsys.readouterr().err
    assert main(["export", run.store.location, "--npz", str(tmp_path), "--table", "scores"]) == 2
    assert "--table scores: is for --tsv alone; give --tsv FILE with it" in capsys.readouterr().err


def test_a_file_that_was_there_is_said_to_be_replaced(tmp_path, capsys):
    run = begun_toy_run(LocalStore(tmp_path / "run"))
    run.commit_all()
    file = tmp_path / "run.tsv"
    command = ["export", run.store.location, "--tsv"]
    assert main([*command, str(file)]) == 0
    assert capsys.readouterr().err == f"{file}: 10 rows\n"
    assert main([*command, str(file)]) == 0
    assert capsys.readouterr().err == f"{file}: 10 rows (replaced the file that was there)\n"
    assert main([*command, "/dev/null"]) == 0
    assert "replaced" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "number", "said"),
    [
        ("tsv", 1, "1 row"),
        ("bigwig", 1, "1 file, TARGET.GROUP.bw; igv.xml opens them in IGV"),
        ("bigwig", 2, "2 files, TARGET.GROUP.bw; igv.xml opens them in IGV"),
        ("bedgraph", 1, "1 track"),
        ("insulation", 6, "6 places, in insulation.tsv and maps.npz"),
    ],
)
def test_what_was_written_is_counted_by_its_name(name, number, said, tmp_path):
    ledger = begun_toy_run(LocalStore(tmp_path / "run")).ledger
    assert export_written(name, number, ledger) == said


def test_where_no_track_has_an_effect_none_is_called_the_strongest(tmp_path):
    names = [described_track(at, f"id-{at}", f"CAGE:cell {at}") for at in TRACKS]
    store = LocalStore(tmp_path / "run")
    run = begun_toy_run(store, tracks=names, scorer=ScorerOfNothing())
    run.commit_all()
    file = tmp_path / "run.tsv"
    assert main(["export", run.store.location, "--tsv", str(file)]) == 0
    rows = [row for row in read(file) if row["status"] == "ok"]
    assert rows
    for row in rows:
        assert (row["max_abs_sad"], row["max_abs_sad_value"]) == ("0.0", "0.0")
        assert {row[f"max_abs_sad_{name}"] for name in ("track", "identifier", "description")} == {
            ""
        }
        assert row["max_abs_d1_track"] == "0"


def test_what_cannot_be_is_said(scored, tmp_path, capsys):
    assert main(["export", str(scored)]) == 2
    assert "nothing to write: give --tsv FILE" in capsys.readouterr().err
    assert main(["export", str(scored), "--tsv", str(tmp_path / "none" / "run.tsv")]) == 2
    assert "cannot be written: No such file or directory" in capsys.readouterr().err


def test_of_an_unfinished_run_what_is_there(scored, tmp_path, capsys):
    receipt = scored / "commits" / "shard-00000000.json"
    content = receipt.read_bytes()
    receipt.unlink()
    try:
        assert main(["export", str(scored), "--tsv", str(tmp_path / "half.tsv")]) == 5
    finally:
        receipt.write_bytes(content)
    assert "incomplete: 1 shard not committed, and not in it" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["half.incomplete.tsv"]


def test_names_of_an_unfinished_runs_files_are_marked_and_streams_are_not(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "maps").mkdir()
    marked = [export._marked_incomplete(tmp_path / name) for name in ("maps", "a.v2.tsv", "pipe")]
    assert [path.name for path in marked] == ["maps.incomplete", "a.v2.incomplete.tsv", "pipe"]
    for stream in ("-", "/dev/stdout"):
        assert str(export._marked_incomplete(Path(stream))) == stream


def test_a_damaged_table_is_not_exported(scored, tmp_path, capsys):
    path = next((scored / "scores").rglob("*.parquet"))
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"x")
    try:
        assert main(["export", str(scored), "--tsv", str(tmp_path / "run.tsv")]) == 2
    finally:
        path.write_bytes(content)
    assert "is not what its receipt names" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_neither_a_device_nor_the_run_is_replaced(scored, tmp_path, capsys):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as reader:
        text = reader.submit(pipe.read_text)
        assert main(["export", str(scored), "--tsv", str(pipe)]) == 0
        assert len(text.result().splitlines()) == 1 + 4
    assert pipe.is_fifo()
    before = (scored / "run.json").read_bytes()
    assert main(["export", str(scored), "--tsv", str(scored / "run.json")]) == 2
    assert "Give a place beside it" in capsys.readouterr().err
    assert (scored / "run.json").read_bytes() == before


def test_a_hyphen_is_the_standard_output_that_the_shell_gave(scored, tmp_path):
    """In whatever way it is written, and after what stands there already."""
    for words in (["--tsv", "-"], ["--tsv=-"], ["--tsv", "/dev/stdout"]):
        shown = tmp_path / "shown.txt"
        shown.write_text("before\n")
        with shown.open("a") as out:
            command = [sys.executable, "-m", "jobs.cli", "export", str(scored), *words]
            subprocess.run(command, stdout=out, stdin=subprocess.DEVNULL, check=True)
        lines = shown.read_text().splitlines()
        assert [lines[0], len(lines)] == ["before", 1 + 1 + 4]
        assert [path.name for path in tmp_path.iterdir()] == ["shown.txt"]


def test_of_links_the_file_behind_is_written_and_devices_stay(scored, tmp_path):
    real = tmp_path / "real.tsv"
    real.write_text("old")
    real.chmod(0o640)
    link = tmp_path / "link.tsv"
    link.symlink_to(tmp_path / "other.tsv")
    (tmp_path / "other.tsv").symlink_to("real.tsv")
    assert main(["export", str(scored), "--tsv", str(link)]) == 0
    assert link.is_symlink()
    assert len(read(real)) == 4
    assert real.stat().st_mode & 0o777 == 0o640
    device = tmp_path / "device"
    device.symlink_to("/dev/stdin")
    with (tmp_path / "in").open("w+") as stream:
        command = [sys.executable, "-m", "jobs.cli", "export", str(scored), "--tsv", str(device)]
        subprocess.run(command, stdin=stream, check=True)
        assert os.fstat(stream.fileno()).st_nlink == 1  # the file that it was, not one in its place
        assert os.fstat(stream.fileno()).st_size
    assert device.is_symlink()


@pytest.mark.parametrize("beside", ["", "../{folder}/"])
def test_links_in_a_circle_are_named_and_stay(tmp_path, beside):
    to = beside.format(folder=tmp_path.name)
    one = tmp_path / "one.tsv"
    other = tmp_path / "other.tsv"
    one.symlink_to(f"{to}other.tsv")
    other.symlink_to(f"{to}one.tsv")
    with (
        pytest.raises(
            InputError, match=r"one\.tsv: cannot be written: Too many levels of symbolic"
        ),
        whole_file(one) as file,
    ):
        file.write(b"never")
    assert [path.is_symlink() for path in sorted(tmp_path.iterdir())] == [True, True]


def test_a_new_file_has_the_rights_that_the_umask_leaves(scored, tmp_path):
    before = os.umask(0o027)
    try:
        assert main(["export", str(scored), "--tsv", str(tmp_path / "run.tsv")]) == 0
    finally:
        os.umask(before)
    assert (tmp_path / "run.tsv").stat().st_mode & 0o777 == 0o640


def test_a_run_of_nothing_but_lists_is_refused(scored, tmp_path, capsys):
    genome = scored.parent / "g.fa"
    command = ["tiles", "--genome", str(genome), "--model", "motif", "--ray", "off"]
    out = str(tmp_path / "tiles")
    assert main([*command, "--out", out, "--strands", "forward"]) == 0
    assert main(["export", out, "--tsv", str(tmp_path / "tiles.tsv")]) == 2
    said = capsys.readouterr().err
    assert "lists over tracks and nothing beside them" in said
    assert not list(tmp_path.glob("*tiles.tsv*"))
    # the query that is named gives one track of every bin
    program, *words = shlex.split(said.split("`")[1])
    assert (program, words[-2:]) == ("enformer-ray", [">", "FILE"])
    assert main([*words[:-2], "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 32  # bins of 4,000 bases
    assert list(rows[0]) == ["chrom", "start", "end", "value"]


def test_a_reader_that_has_enough_ends_nothing(scored):
    command = [sys.executable, "-m", "jobs.cli", "export", str(scored), "--tsv", "-"]
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as pipe:
        ended = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 0
    assert ended.stderr == "standard output: its reader left before all rows were written\n"
    whole = subprocess.run(command, capture_output=True, check=True)
    assert whole.stdout.count(b"\n") == 5

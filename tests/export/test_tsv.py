"""A run as tab-separated text: every row of its first table, and nothing that a spreadsheet cannot hold."""

import csv

import pytest

from jobs.cli import main
from tests.support.genomes import write_fasta
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
    assert main([*command, "--ray", "off", "--strands", "forward"]) == 0
    return out


def read(path):
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def test_every_row_is_there_and_its_numbers_are_those_of_the_run(scored, tmp_path, capsys):
    file = tmp_path / "run.tsv"
    assert main(["export", str(scored), "--tsv", str(file)]) == 0
    assert f"{file}: 4 rows" in capsys.readouterr().out
    assert '"' not in file.read_text()
    rows = read(file)
    assert [(row["chrom"], row["pos"], row["status"]) for row in rows] == [
        ("chr1", "1001", "ok"),
        ("chr1", "1001", "ok"),
        ("chr1", "2001", "ok"),
        ("chr1", "3001", "symbolic"),
    ]
    assert "sad" not in rows[0]
    assert float(rows[0]["max_abs_sad"]) >= 0
    assert rows[3]["max_abs_sad"] == ""
    assert not [path for path in tmp_path.iterdir() if path != file]


def test_what_cannot_be_is_said(scored, tmp_path, capsys):
    assert main(["export", str(scored)]) == 2
    assert "nothing to write: give one of --tsv FILE" in capsys.readouterr().err
    assert main(["export", str(scored), "--tsv", str(tmp_path / "none" / "run.tsv")]) == 2
    assert "cannot be written: No such file or directory" in capsys.readouterr().err


def test_of_an_unfinished_run_what_is_there(scored, tmp_path, capsys):
    manifest = scored / "manifest.json"
    content = manifest.read_bytes()
    manifest.unlink()
    try:
        assert main(["export", str(scored), "--tsv", str(tmp_path / "half.tsv")]) == 5
    finally:
        manifest.write_bytes(content)
    assert "incomplete" in capsys.readouterr().out


def test_a_run_of_nothing_but_lists_is_refused(scored, tmp_path, capsys):
    genome = scored.parent / "g.fa"
    command = ["tiles", "--genome", str(genome), "--model", "motif", "--ray", "off"]
    out = str(tmp_path / "tiles")
    assert main([*command, "--out", out, "--strands", "forward"]) == 0
    assert main(["export", out, "--tsv", str(tmp_path / "tiles.tsv")]) == 2
    assert "lists over tracks and nothing beside them" in capsys.readouterr().err
    assert not list(tmp_path.glob("*tiles.tsv*"))

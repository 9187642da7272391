"""The file that Ensembl VEP's plugin Enformer reads, held against the plugin's own way of reading."""

import gzip

import numpy as np
import pysam
import pytest

from enformer_core.export.vep import export_vep
from jobs.cli import main
from tests.support.genomes import write_fasta
from tests.support.scored_files import scored_file_run, stored_scores
from tests.support.vcf import write_vcf

RECORDS = [
    ("chr1", 105, "A", "C,G"),
    ("chr1", 101, "A", "G"),
    ("chr1", 101, "A", "G"),
    ("chr1", 201, "ACGT", "A"),
    ("chr1", 301, "A", "<DEL>"),
    ("chr1", 302, "A", "G"),
]


@pytest.fixture
def make(tmp_path):
    fasta = write_fasta(tmp_path / "g.fa", {"chr1": "ACGT" * 500})
    file = write_vcf(tmp_path / "v.vcf", RECORDS)

    def made(*statistics):
        return scored_file_run(tmp_path / "run", [file], fasta, statistics=statistics)

    return made


def read_by_plugin(line):
    """As `parse_data` of Enformer.pm: what is behind the letters SAD, and the next field."""
    fields = line.rstrip("\n").split("\t")
    before, scores, *more = fields[7].split("SAD")
    assert not more
    assert before == ""
    first, second, *_ = scores.split(";")
    assert second.startswith("SAR=")
    assert "chr" in fields[0]
    alleles = (int(fields[1]), fields[3], fields[4])
    return alleles, first.replace("=", ""), second.rpartition("=")[2]


def test_the_plugin_finds_the_values_of_each_allele(make, tmp_path, capsys):
    run = make("sad", "log_sad")
    path = tmp_path / "vep.vcf.gz"
    assert main(["export", run.store.location, "--vep", str(path)]) == 0
    said = capsys.readouterr().err
    assert f"{path}: 4 alleles" in said
    assert "bcftools norm -m-any" in said
    found = {}
    with pysam.TabixFile(str(path)) as file:
        for line in file.fetch("chr1"):
            alleles, sad, sar = read_by_plugin(line)
            found[alleles] = [np.float32(text.split(",")) for text in (sad, sar)]
    rows = [row for row in stored_scores(run).to_pylist() if row["status"] == "ok"]
    assert {(row["pos"], row["ref"], row["alt"]) for row in rows} == found.keys()
    for row in rows:
        values = found[row["pos"], row["ref"], row["alt"]]
        assert [each.tolist() for each in values] == [row["sad"], row["log_sad"]]
    header = gzip.decompress(path.read_bytes()).decode().split("#CHROM")[0]
    assert '##enformer-ray-track=<ID=5,Name="DNASE:K562">' in header
    with pysam.VariantFile(str(path)) as file:
        assert len(next(iter(file)).info["SAR"]) == 3


def test_tracks_can_be_chosen(make, tmp_path):
    run = make("log_sad", "sad")
    path = tmp_path / "vep.vcf.gz"
    assert main(["export", run.store.location, "--vep", str(path), "--tracks", "K562"]) == 0
    with pysam.TabixFile(str(path)) as file:
        assert read_by_plugin(next(file.fetch()))[1:] == ("-100.5", "-100.5")


def test_what_the_plugin_could_not_read_is_refused(make, tmp_path, capsys, monkeypatch):
    run = make("sad")
    command = ["export", run.store.location, "--vep"]
    assert main([*command, str(tmp_path / "vep.vcf.gz")]) == 2
    assert "has no log_sad" in capsys.readouterr().err
    (tmp_path / "run").rename(tmp_path / "first")
    make("sad", "log_sad")
    assert main([*command, str(tmp_path / "vep.vcf")]) == 2
    assert "give a name that ends in .vcf.gz" in capsys.readouterr().err
    monkeypatch.setattr("enformer_core.dataset.run_tracks.MOST_TRACKS", 2)
    assert main([*command, str(tmp_path / "vep.vcf.gz")]) == 2
    assert "all by --tracks 0-7" in capsys.readouterr().err
    assert main([*command, str(tmp_path / "vep.vcf.gz"), "--tracks", "0-7"]) == 0


def test_standard_output_needs_no_ending(make, capfdbinary):
    run = make("sad", "log_sad")
    assert main(["export", run.store.location, "--vep", "-"]) == 0
    assert capfdbinary.readouterr().out.startswith(b"##fileformat=VCFv4.3\n")
    assert export_vep.__name__ == "export_vep"

"""Predicted tracks as bigWig: the values of the run in their bins, a file for each track."""

import random
import re

import numpy as np
import pyarrow as pa
import pyBigWig
import pytest

from enformer_core.dataset.stored_tables import stored_tables
from enformer_core.export.bigwig_tracks import _stretches, file_name, room_bytes
from enformer_core.models.tracks.table import described_track
from jobs.cli import main
from jobs.finished_run import open_ledger
from tests.support.genomes import write_fasta

LENGTHS = {"chr10": 3_001, "chr2": 2_560}

REGIONS = "chr10\t0\t300\nchr10\t999\t3001\nchr2\t0\t2560\n"


@pytest.fixture(scope="module")
def tiled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiles")
    letters = "".join(random.Random(0).choices("ACGT", k=3_001))
    genome = write_fasta(folder / "g.fa", {name: letters[:size] for name, size in LENGTHS.items()})
    regions = folder / "regions.bed"
    regions.write_text(REGIONS)
    out = folder / "run"
    command = ["tiles", "--genome", str(genome), "--out", str(out), "--model", "motif"]
    more = ["--ray", "off", "--strands", "forward", "--tracks", "0,3,5", "--regions", str(regions)]
    assert main([*command, *more]) == 0
    return out, genome


def test_each_bin_has_its_value(tiled, tmp_path, capsys):
    out, _ = tiled
    folder = tmp_path / "bw"
    assert main(["export", str(out), "--bigwig", str(folder)]) == 0
    assert (
        capsys.readouterr().err
        == f"{folder}: 3 files, NUMBER.IDENTIFIER.bw; igv.xml opens them in IGV\n"
    )
    names = sorted(path.name for path in folder.glob("*.bw"))
    assert [name.split(".")[0] for name in names] == ["0", "3", "5"]
    tables = list(stored_tables(open_ledger(str(out)), "predictions"))
    for at, name in enumerate(names):
        with pyBigWig.open(str(folder / name)) as file:
            assert file.chroms() == LENGTHS
            for chrom in LENGTHS:
                bins = pa.concat_tables(table for contig, table in tables if contig == chrom)
                stored = list(
                    zip(
                        bins["start"].to_pylist(),
                        bins["end"].to_pylist(),
                        [row[at] for row in bins["values"].to_pylist()],
                        strict=True,
                    )
                )
                assert list(file.intervals(chrom)) == stored
    # the last bin of a contig ends with it, and bins that nobody asked for have no value
    with pyBigWig.open(str(folder / names[0])) as file:
        assert file.intervals("chr10")[-1][1] == 3_001
        assert np.isnan(file.values("chr10", 500, 600)).all()


def test_tracks_can_be_chosen_in_several_rounds(tiled, tmp_path, monkeypatch):
    out, _ = tiled
    whole, rounds = tmp_path / "whole", tmp_path / "rounds"
    assert main(["export", str(out), "--bigwig", str(whole), "--tracks", "0,5"]) == 0
    assert len(list(whole.glob("*.bw"))) == 2
    monkeypatch.setattr("enformer_core.export.bigwig_tracks._OPEN_FILES", 1)
    assert main(["export", str(out), "--bigwig", str(rounds), "--tracks", "5,0"]) == 0
    for path in whole.iterdir():
        assert path.read_bytes() == (rounds / path.name).read_bytes()


def test_what_cannot_be_written_is_refused(tiled, tmp_path, capsys, monkeypatch):
    out, genome = tiled
    command = ["export", str(out), "--bigwig", str(tmp_path / "bw")]
    other = write_fasta(tmp_path / "other.fa", {"chr2": "ACGT"})
    assert main([*command, "--genome", str(other)]) == 2
    assert "is not the run's genome" in capsys.readouterr().err
    monkeypatch.setattr("enformer_core.dataset.run_tracks.MOST_TRACKS", 2)
    assert main(command) == 2
    assert "3 tracks are as many files; choose some by --tracks" in capsys.readouterr().err
    monkeypatch.setattr("enformer_core.export.bigwig_tracks._BYTES_A_BIN", 1 << 60)
    assert main([*command, "--tracks", "0-7"]) == 2
    assert re.search(r"may take [\d,.]+ PB, and [\d.]+ .?B are free", capsys.readouterr().err)
    assert not (tmp_path / "bw").exists()
    moved = genome.rename(genome.with_name("moved.fa"))
    try:
        assert main([*command, "--tracks", "0"]) == 2
        assert "name it by --genome FILE" in capsys.readouterr().err
    finally:
        moved.rename(genome)


def test_stretches_are_without_gaps_and_of_one_length():
    bins = pa.table({"start": [0, 128, 256, 512], "end": [128, 256, 356, 640]})
    assert list(_stretches(bins)) == [slice(0, 2), slice(2, 3), slice(3, 4)]


@pytest.mark.parametrize(
    ("identifier", "description", "named"),
    [
        ("ENCFF833POA", "DNASE:K562", "5.ENCFF833POA.bw"),
        (None, "CAGE:liver/adult", "5.CAGE_liver%2Fadult.bw"),
        (None, None, "5.bw"),
    ],
)
def test_a_file_is_called_by_number_and_name(identifier, description, named):
    assert file_name(described_track(5, identifier, description)) == named


def test_files_have_no_more_bytes_than_was_asked_for(tmp_path):
    # values that no packing makes smaller
    bins = 200_000
    values = np.random.default_rng(1).normal(size=bins)
    path = tmp_path / "x.bw"
    with pyBigWig.open(str(path), "w") as file:
        file.addHeader([("chr1", bins * 128)])
        file.addEntries("chr1", 0, values=values, span=128, step=128)
    assert path.stat().st_size < room_bytes(bins, 1)

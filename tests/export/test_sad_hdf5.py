"""Scores as sad.h5: the datasets that basenji's reader asks for, with the values of the run."""

import sys

import h5py
import numpy as np
import pytest

from enformer_core.export.sad_hdf5 import as_float16, percentiles
from jobs.cli import main
from tests.support.genomes import write_fasta
from tests.support.scored_files import scored_file_run, stored_scores
from tests.support.vcf import write_vcf

RECORDS = [
    ("chr2", 105, "A", "C,G"),
    ("chr1", 101, "A", "G"),
    ("chr1", 101, "A", "G"),
    ("chr1", 201, "ACGT", "A"),
    ("chr1", 301, "A", "<DEL>"),
]


@pytest.fixture
def run(tmp_path):
    letters = "ACGT" * 500
    fasta = write_fasta(tmp_path / "g.fa", {"chr1": letters, "chr2": letters})
    file = write_vcf(tmp_path / "v.vcf", RECORDS)
    text = file.read_text().replace("chr1\t201\t.", "chr1\t201\trs1")
    file.write_text(text)
    statistics = ("sad", "log_sad")
    return scored_file_run(tmp_path / "run", [file], fasta, shard_size=2, statistics=statistics)


def test_the_layout_is_that_of_basenji(run, tmp_path, capsys):
    path = tmp_path / "sad.h5"
    assert main(["export", run.store.location, "--hdf5", str(path)]) == 0
    assert capsys.readouterr().err == f"{path}: 4 alleles\n"
    rows = [row for row in stored_scores(run).to_pylist() if row["status"] == "ok"]
    rows = [row for row in rows if "duplicate" not in row["flags"]]
    with h5py.File(path) as file:
        kinds = {name: dataset.dtype.kind for name, dataset in file.items()}
        assert {name for name, kind in kinds.items() if kind == "S"} == {
            *("snp", "chr", "ref_allele", "alt_allele", "target_ids", "target_labels")
        }
        assert file["pos"].dtype == np.uint32
        assert list(file["snp"]) == [b"chr1:101:A:G", b"rs1", b"chr2:105:A:C", b"chr2:105:A:G"]
        assert list(file["chr"]) == [b"chr1", b"chr1", b"chr2", b"chr2"]
        assert list(file["pos"]) == [101, 201, 105, 105]
        assert list(file["ref_allele"]) == [b"A", b"ACGT", b"A", b"A"]
        assert list(file["alt_allele"]) == [b"G", b"A", b"C", b"G"]
        assert list(file["target_ids"]) == [b"id-0", b"id-5", b"id-7"]
        assert file["target_labels"][1] == b"DNASE:K562"
        for name, statistic in (("SAD", "sad"), ("SAR", "log_sad")):
            assert file[name].dtype == np.float16
            assert np.array_equal(file[name], np.float16([row[statistic] for row in rows]))
            pct = np.percentile(np.float32(file[name]), 100 * percentiles(), axis=0).T
            assert np.array_equal(file[f"{name}_pct"], pct.astype(np.float16))
        assert file["percentiles"].shape == (279,)
        assert file.attrs["run"] == run.run.digest
        location = file["target_cauchy_fit_loc"][:]
        assert np.allclose(location, np.median(np.float32(file["SAD"]), axis=0))
        # one CAGE track stands alone, the two others share their medians
        assert np.allclose(file["target_cauchy_norm_loc"][0], location[0])
        assert np.allclose(file["target_cauchy_norm_loc"][1:], np.median(location[1:]))
        assert (file["target_cauchy_fit_scale"][:] > 0).all()


def test_tracks_can_be_chosen(run, tmp_path):
    path = tmp_path / "sad.h5"
    assert main(["export", run.store.location, "--hdf5", str(path), "--tracks", "7"]) == 0
    with h5py.File(path) as file:
        assert file["SAD"][:].tolist() == [[1.0]] * 4
        assert list(file["target_ids"]) == [b"id-7"]


def test_blocks_of_tracks_change_nothing(run, tmp_path, monkeypatch):
    whole, blocks = tmp_path / "whole.h5", tmp_path / "blocks.h5"
    assert main(["export", run.store.location, "--hdf5", str(whole)]) == 0
    for name, value in {"_BLOCK_BYTES": 1, "_COLUMNS": 1, "_ROWS": 2, "_TEXT_ROWS": 1}.items():
        monkeypatch.setattr(f"enformer_core.export.sad_hdf5.{name}", value)
    assert main(["export", run.store.location, "--hdf5", str(blocks)]) == 0
    with h5py.File(whole) as first, h5py.File(blocks) as second:
        assert first.keys() == second.keys()
        assert all(np.array_equal(first[name], second[name]) for name in first)


def test_what_float16_cannot_hold_is_counted():
    stored, clipped, vanished = as_float16(np.float32([[1e6, -1e6], [1e-9, 0.0]]))
    assert stored.tolist() == [[65504.0, -65504.0], [0.0, 0.0]]
    assert (clipped, vanished) == (2, 1)


def test_a_run_without_scored_alleles_is_a_file_of_none(tmp_path):
    fasta = write_fasta(tmp_path / "g.fa", {"chr1": "ACGT" * 500})
    file = write_vcf(tmp_path / "v.vcf", [("chr1", 301, "A", "<DEL>")])
    run = scored_file_run(tmp_path / "run", [file], fasta)
    assert main(["export", run.store.location, "--hdf5", str(tmp_path / "sad.h5")]) == 0
    with h5py.File(tmp_path / "sad.h5") as opened:
        assert opened["SAD"].shape == (0, 3)
        assert opened["snp"].shape == (0,)


def test_what_cannot_be_written_is_said(run, tmp_path, capsys, monkeypatch):
    command = ["export", run.store.location, "--hdf5"]
    assert main([*command, "-"]) == 2
    assert "neither standard input nor standard output" in capsys.readouterr().err
    assert main([*command, "/dev/null"]) == 2
    assert "name a file" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert main([*command, str(tmp_path / "sad.h5")]) == 2
    assert "pip install h5py" in capsys.readouterr().err
    assert not (tmp_path / "sad.h5").exists()

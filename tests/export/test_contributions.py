"""Contributions in the formats of other programs: each reader finds the numbers of the run, at their places."""

import errno
import os
import sys
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyBigWig
import pytest

from enformer_core.api.run_tables import open_run
from enformer_core.export.bigwig import room_bytes
from jobs.cli import main
from tests.support.genomes import write_fasta
from tests.support.vcf import write_vcf

CONTIG_BP = 3_000

SITE = "AGATAAGA"


def attributed(folder, targets, *more):
    """A run over a short contig with one site of GATA1, so that most of a window is N."""
    letters = "C" * 1_500 + SITE + "C" * (CONTIG_BP - 1_500 - len(SITE))
    genome = write_fasta(folder / "g.fa", {"chr1": letters})
    out = folder / "run"
    command = ["attribute", str(targets), "--genome", str(genome), "--model", "motif"]
    command += ["--strands", "forward", "--ray", "off", "--out", str(out), *more]
    assert main(command) == 0
    return out


@pytest.fixture(scope="module")
def two_groups(tmp_path_factory):
    """Two targets whose windows overlap, two groups, every letter's contributions."""
    folder = tmp_path_factory.mktemp("two")
    bed = folder / "t.bed"
    bed.write_text("chr1\t1408\t1536\tgene\nchr1\t1280\t1408\tother\n")
    return attributed(folder, bed, "--group", "GATA1=1", "--group", "b/d=6", "--hypothetical")


@pytest.fixture(scope="module")
def one_group(tmp_path_factory):
    """A variant that breaks the site: two alleles, contributions of the letters that are there alone."""
    folder = tmp_path_factory.mktemp("one")
    vcf = write_vcf(folder / "v.vcf", [("chr1", 1503, "A", "C")])
    return attributed(folder, vcf, "--group", "GATA1=1")


def rows_of(out):
    return open_run(out).table("contributions").collect().to_dicts()


def arrays(folder):
    """What a program that reads `arr_0` finds."""
    return [np.load(folder / name)["arr_0"] for name in ("ohe.npz", "shap.npz")]


def test_npz_has_a_folder_for_each_group(two_groups, tmp_path, capsys):
    out = tmp_path / "modisco"
    assert main(["export", str(two_groups), "--npz", str(out)]) == 0
    error = capsys.readouterr().err
    written = "4 rows, ohe.npz, shap.npz and windows.tsv in each of the folders GATA1, b%2Fd"
    assert f"{out}: {written}" in error
    assert "note: " not in error
    assert sorted(path.name for path in out.iterdir()) == ["GATA1", "b%2Fd"]
    for group, folder in (("GATA1", "GATA1"), ("b/d", "b%2Fd")):
        letters, contributions = arrays(out / folder)
        assert letters.shape == contributions.shape == (2, 4, 196_608)
        rows = [row for row in rows_of(two_groups) if row["group"] == group]
        for number, row in enumerate(rows):
            expected = [row[f"hypothetical_{letter}"] for letter in "acgt"]
            np.testing.assert_array_equal(contributions[number], np.array(expected, np.float32))
            found = "".join("ACGTN"[code] for code in _codes(letters[number]))
            assert found == row["sequence"]
            own = (letters[number] * contributions[number]).sum(axis=0)
            np.testing.assert_array_equal(own, np.array(row["values"], np.float32))
        windows = (out / folder / "windows.tsv").read_text().splitlines()
        assert windows[1].split("\t")[:4] == ["0", "other", "ref", "chr1"]
        assert int(windows[1].split("\t")[4]) == rows[0]["start"]
        assert windows[1].split("\t")[6:] == [group, "1280", "1408"]


def _codes(letters):
    """The row in which a 1 stands; 4 where none does."""
    return np.where(letters.any(axis=0), letters.argmax(axis=0), 4)


def test_npz_of_one_group_without_other_letters_contributions(one_group, tmp_path, capsys):
    assert main(["export", str(one_group), "--npz", str(tmp_path / "npz")]) == 0
    error = capsys.readouterr().err
    assert "note: tfmodisco-lite wants hypothetical contributions" in error
    assert f"{tmp_path / 'npz'}: 2 rows of ohe.npz, shap.npz and windows.tsv" in error
    letters, contributions = arrays(tmp_path / "npz")
    ref, alt = rows_of(one_group)
    for number, row in enumerate((ref, alt)):
        own = np.array(row["values"], np.float32) * letters[number]
        np.testing.assert_array_equal(contributions[number], own)
    assert np.abs(contributions[0]).max() > 10
    assert (letters[0] != letters[1]).sum() == 2  # one base is another
    lines = (tmp_path / "npz" / "windows.tsv").read_text().splitlines()
    assert [line.split("\t")[2] for line in lines] == ["allele", "ref", "alt"]


def test_bedgraph_has_every_base_of_the_contig_once_a_track(two_groups, tmp_path):
    path = tmp_path / "all.bedgraph"
    assert main(["export", str(two_groups), "--bedgraph", str(path)]) == 0
    tracks = defaultdict(list)
    for line in path.read_text().splitlines():
        if line.startswith("track"):
            name = line.split('"')[1]
        else:
            tracks[name].append(line.split("\t"))
    assert list(tracks) == ["other GATA1", "other b/d", "gene GATA1", "gene b/d"]
    for row in rows_of(two_groups):
        lines = tracks[f"{row['target']} {row['group']}"]
        edges = [(int(start), int(end)) for _, start, end, _ in lines]
        assert [edges[0][0], edges[-1][1]] == [0, CONTIG_BP]
        assert all(one[1] == other[0] for one, other in pairwise(edges))
        values = np.repeat(
            [float(value) for *_, value in lines], [end - start for start, end in edges]
        )
        on_contig = row["values"][-row["start"] :][:CONTIG_BP]
        np.testing.assert_array_equal(values.astype(np.float32), np.array(on_contig, np.float32))


def test_bigwig_has_the_same_values(two_groups, one_group, tmp_path):
    assert main(["export", str(two_groups), "--bigwig", str(tmp_path / "bw")]) == 0
    names = sorted(path.name for path in (tmp_path / "bw").glob("*.bw"))
    assert names == ["gene.GATA1.bw", "gene.b%2Fd.bw", "other.GATA1.bw", "other.b%2Fd.bw"]
    row = next(row for row in rows_of(two_groups) if row["target"] == "gene")
    with pyBigWig.open(str(tmp_path / "bw" / "gene.GATA1.bw")) as file:
        assert file.chroms() == {"chr1": CONTIG_BP}
        values = file.values("chr1", 0, CONTIG_BP)
    on_contig = row["values"][-row["start"] :][:CONTIG_BP]
    np.testing.assert_array_equal(np.array(values, np.float32), np.array(on_contig, np.float32))
    # the alternate sequence is no part of the genome
    assert main(["export", str(one_group), "--bigwig", str(tmp_path / "one")]) == 0
    assert len(list((tmp_path / "one").glob("*.bw"))) == 1


def test_tab_separated_text_has_what_a_line_can_hold(two_groups, tmp_path):
    path = tmp_path / "run.tsv"
    assert main(["export", str(two_groups), "--tsv", str(path)]) == 0
    header, *lines = [line.split("\t") for line in path.read_text().splitlines()]
    assert header[:5] == ["chrom", "target", "group", "allele", "name"]
    assert header[-1] == "prediction"
    assert [(line[1], line[2]) for line in lines] == [
        *(("other", "GATA1"), ("other", "b/d"), ("gene", "GATA1"), ("gene", "b/d"))
    ]


def test_what_cannot_be_is_said(one_group, tmp_path, capsys, monkeypatch):
    scored = tmp_path / "scored"
    vcf = write_vcf(tmp_path / "v.vcf", [("chr1", 1503, "A", "C")])
    genome = one_group.parent / "g.fa"
    command = ["score", str(vcf), "--genome", str(genome), "--model", "motif", "--ray", "off"]
    assert (
        main([*command, "--out", str(scored), "--strands", "forward", "--audit-fraction", "0"]) == 0
    )
    for option in ("--npz", "--bedgraph", "--bigwig"):
        assert main(["export", str(scored), option, str(tmp_path / "x")]) == 2
        said = capsys.readouterr().err
        assert "a run of alleles with the tables scores, effects" in said
        wanted = "bigWigs are of runs of `enformer-ray tiles` and `attribute`"
        if option != "--bigwig":
            wanted = "contributions come from `enformer-ray attribute`"
        assert wanted in said
    (tmp_path / "file").write_text("")
    assert main(["export", str(one_group), "--npz", str(tmp_path / "file")]) == 2
    assert "cannot be made" in capsys.readouterr().err
    assert main(["export", str(one_group), "--bigwig", str(tmp_path / "file")]) == 2
    assert f"file: cannot be written: {tmp_path / 'file'} is a file" in capsys.readouterr().err
    assert main(["export", str(one_group), "--npz", str(one_group / "npz")]) == 2
    assert "Give a place beside it" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "pyBigWig", None)
    assert main(["export", str(one_group), "--bigwig", str(tmp_path / "bw")]) == 2
    assert "pip install pyBigWig; or give --bedgraph FILE" in capsys.readouterr().err


def test_groups_of_any_name_stay_within_the_folder(tmp_path, capsys):
    bed = tmp_path / "t.bed"
    bed.write_text("chr1\t1408\t1536\tgene\n")
    long = "x" * 300
    names = (".", "..", "k", "K", long)
    groups = [word for name in names for word in ("--group", f"{name}=1")]
    out = attributed(tmp_path, bed, *groups)
    before = sorted(tmp_path.iterdir())
    npz = tmp_path / "npz"
    capsys.readouterr()
    assert main(["export", str(out), "--npz", str(npz)]) == 0
    assert "is there already" not in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == sorted([*before, npz])
    assert len(list(npz.iterdir())) == len(names)
    assert all(folder.is_dir() for folder in npz.iterdir())
    assert main(["export", str(out), "--bigwig", str(tmp_path / "bw")]) == 0
    files = list((tmp_path / "bw").glob("*.bw"))
    assert len({file.name.lower() for file in files}) == len(names)
    assert main(["export", str(out), "--bigwig", str(tmp_path / "bw")]) == 0
    assert f"note: {tmp_path / 'bw'}: is there already" in capsys.readouterr().err
    assert sorted((tmp_path / "bw").glob("*.bw")) == sorted(files)


def test_a_bigwig_that_finds_no_room_is_refused(one_group, tmp_path, capsys, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    assert main(["export", str(one_group), "--bigwig", str(tmp_path / "bw")]) == 2
    assert "bw: cannot be written: " in capsys.readouterr().err
    assert not list((tmp_path / "bw").iterdir())


def test_a_bigwig_has_no_more_bytes_than_room_was_taken_for(tmp_path):
    # values that no packing makes smaller
    values = np.random.default_rng(1).normal(size=196_608)
    path = tmp_path / "x.bw"
    with pyBigWig.open(str(path), "w") as file:
        file.addHeader([("chr1", 3_000_000)])
        file.addEntries("chr1", 0, values=values, span=1, step=1)
    assert path.stat().st_size < room_bytes(values.size)

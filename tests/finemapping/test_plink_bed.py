"""Genotypes of PLINK 1: bytes by hand, correlations against NumPy's, blocks of any size, and sets that do not fit."""

import numpy as np
import pytest

from enformer_core.errors import InputError
from enformer_core.finemapping import plink_bed
from enformer_core.finemapping.plink_bed import PlinkBed
from tests.support.plink import write_plink


def variants(number):
    return [("20", f"rs{each}", 100 + each, "A", "G") for each in range(number)]


def test_bytes_by_hand(tmp_path):
    # five people, of whom the fifth is alone in the second byte: 2, missing, 1, 0 copies, and 1
    (tmp_path / "x.bed").write_bytes(
        bytes([0x6C, 0x1B, 0x01, 0b11_10_01_00, 0b10, 0b00_11_10_10, 0])
    )
    (tmp_path / "x.bim").write_text("20 rs1 0 5 a G\n20 rs2 0 9 T C\n")
    (tmp_path / "x.fam").write_text("f i 0 0 0 0\n" * 5)
    bed = PlinkBed.open(str(tmp_path / "x.bed"))
    assert bed.people == 5
    assert (bed.names.id, bed.names.effect, bed.names.other) == (
        ["rs1", "rs2"],
        ["A", "T"],
        ["G", "C"],
    )
    found = bed.correlated(np.array([0, 1]))
    # the missing one is the mean of 2, 1, 0, 1
    first = np.array([2, 1, 1, 0, 1.0])
    second = np.array([1, 1, 0, 2, 2.0])
    expected = np.corrcoef(first, second)[0, 1]
    assert found.correlations[0, 1] == pytest.approx(expected, abs=1e-12)
    assert found.missing == pytest.approx(0.1)


@pytest.mark.parametrize("people", [8, 9, 10, 11])
@pytest.mark.parametrize("block_bytes", [1, 200, 1 << 20])
def test_correlations_are_numpys_whatever_the_blocks(tmp_path, monkeypatch, people, block_bytes):
    rng = np.random.default_rng(people)
    copies = rng.integers(0, 3, (people, 6))
    bed = PlinkBed.open(str(write_plink(tmp_path / "x", copies, variants(6))))
    monkeypatch.setattr(plink_bed, "_BLOCK_BYTES", block_bytes)
    rows = np.array([4, 0, 5])
    found = bed.correlated(rows)
    expected = np.corrcoef(copies[:, rows].T)
    np.testing.assert_allclose(found.correlations, expected, atol=1e-12)
    assert found.varies.all()
    assert found.missing == 0


def test_what_does_not_vary_is_marked(tmp_path):
    copies = np.array([[2, 0, 1, -1], [2, 1, 1, -1], [2, 2, -1, -1], [2, 1, 1, -1]])
    bed = PlinkBed.open(str(write_plink(tmp_path / "x", copies, variants(4))))
    found = bed.correlated(np.arange(4))
    assert found.varies.tolist() == [False, True, False, False]
    assert np.isfinite(found.correlations).all()


def test_files_that_do_not_fit_are_named(tmp_path):
    copies = np.zeros((5, 3), dtype=int)
    bed = write_plink(tmp_path / "x", copies, variants(3))
    (tmp_path / "x.bim").write_text("20 rs1 0 5 A G\n")
    with pytest.raises(InputError, match=r"x\.bed: has 9 bytes; .*x\.bim \(1 variants\).*make 5"):
        PlinkBed.open(str(bed))
    (tmp_path / "x.fam").unlink()
    with pytest.raises(InputError, match=r"x\.fam"):
        PlinkBed.open(str(bed))
    write_plink(tmp_path / "x", copies, variants(3))
    bed.write_bytes(b"\x6c\x1b\x00" + bed.read_bytes()[3:])
    with pytest.raises(InputError, match="person by person"):
        PlinkBed.open(str(bed))
    write_plink(tmp_path / "y", copies[:1], variants(3))
    with pytest.raises(InputError, match="1 people"):
        PlinkBed.open(str(tmp_path / "y.bed"))

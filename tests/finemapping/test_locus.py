"""A study and a panel put together: alleles turned, places filled, and every variant that is left out."""

import numpy as np
import pytest

from enformer_core.errors import InputError
from enformer_core.finemapping.ld import open_panel
from enformer_core.finemapping.locus import put_together
from enformer_core.finemapping.study import Locus, StudyFile
from enformer_core.finemapping.susie import susie_rss
from tests.support.loci import made_up_locus
from tests.support.plink import write_plink

R = np.array([[1.0, 0.25, -0.5], [0.25, 1.0, 0.125], [-0.5, 0.125, 1.0]])


@pytest.fixture
def together(tmp_path):
    """A study's text and a matrix, with or without names, put together."""

    def put(text, matrix=R, *, locus=None, **names):
        (tmp_path / "study.tsv").write_text(text)
        np.savez(tmp_path / "ld.npz", R=matrix, **names)
        study = StudyFile(str(tmp_path / "study.tsv"), locus=locus).read()
        return put_together(study, open_panel(str(tmp_path / "ld.npz")))

    return put


HEADER = "CHR BP SNP A1 A2 Z N\n"
THREE = f"{HEADER}20 10 rs1 A G 1 50\n20 20 rs2 C T 2 50\n20 30 rs3 G A 3 50\n"


def test_without_names_the_order_is_taken_and_said(together):
    data = together(THREE)
    np.testing.assert_array_equal(data.correlations, R)
    assert data.panel_z.tolist() == [1, 2, 3]
    assert "its rows are taken to be those of" in data.notes[0]
    assert data.missing == []


def test_a_row_that_cannot_be_used_takes_its_row_of_the_matrix_with_it(together):
    data = together(THREE.replace("C T 2", "C T NA"))
    np.testing.assert_array_equal(data.correlations, R[np.ix_([0, 2], [0, 2])])
    (missing,) = data.missing
    assert (missing.id, missing.line, missing.source) == ("rs2", 3, "sumstats")


@pytest.mark.parametrize("size", [2, 4])
def test_another_size_is_refused(together, size):
    with pytest.raises(InputError, match=rf"has {size} × {size} correlations .*tsv 3 rows\. Give"):
        together(THREE, np.eye(size))


def test_a_matrix_of_the_whole_file_is_one_of_its_locus_too(together):
    locus = Locus("20:15-40", "20", 15, 40)
    data = together(THREE, locus=locus)
    np.testing.assert_array_equal(data.correlations, R[1:, 1:])
    data = together(THREE, R[1:, 1:], locus=locus)
    np.testing.assert_array_equal(data.correlations, R[1:, 1:])
    with pytest.raises(InputError, match="3 rows, 2 of them in the locus"):
        together(THREE, np.eye(5), locus=locus)


def test_alleles_are_turned_and_what_is_missing_is_listed(together):
    data = together(
        THREE,
        np.pad(R, (0, 1)) + np.diag([0, 0, 0, 1]),
        id=np.array(["rs3", "rs1", "new", "rs2"]),
        chrom=np.array(["20"] * 4),
        pos=np.array([30, 10, 25, 20]),
        a1=np.array(["A", "A", "A", "C"]),
        a2=np.array(["G", "G", "C", "A"]),
    )
    assert data.labels == ["rs1", "rs3"]
    assert data.z.tolist() == [1, 3]
    assert data.panel_z.tolist() == [1, -3]
    assert data.correlations[0, 1] == 0.25
    found = {(each.id, each.line, each.source) for each in data.missing}
    assert found == {("rs2", 3, "ld"), ("new", None, "sumstats")}
    reasons = {each.id: each.reason for each in data.missing}
    assert "has the alleles T/C, and in" in reasons["rs2"]


def test_what_does_not_vary_is_left_out(together):
    matrix = R.copy()
    matrix[1] = matrix[:, 1] = np.nan
    data = together(THREE, matrix)
    assert data.labels == ["rs1", "rs3"]
    assert data.correlations.tolist() == [[1, -0.5], [-0.5, 1]]
    (missing,) = data.missing
    assert (missing.id, missing.source) == ("rs2", "ld")
    assert "does not vary in" in missing.reason
    with pytest.raises(InputError, match=r"none of the 3 variants .* varies there"):
        together(THREE, np.full((3, 3), np.nan))


def test_nothing_in_common_names_both_sides(together):
    with pytest.raises(InputError, match=r"such as rs1 \(20:10 G/A\), which is not in .* is x1"):
        together(THREE, rsid=np.array(["x1", "x2", "x3"]))
    with pytest.raises(InputError, match=r"line 2 \(rs1\) has no finite z: Z x; no other row"):
        together(f"{HEADER}20 10 rs1 A G x 50\n", np.eye(1))


def test_two_rows_of_one_variant_of_the_panel(together):
    text = f"{HEADER}20 10 rs1 A G 1 50\n20 10 other T C 2 50\n"
    with pytest.raises(InputError, match=r"line 2 \(rs1\) and .*line 3 \(other\) are one variant"):
        together(
            text,
            np.eye(1),
            id=np.array(["rs1"]),
            chrom=np.array([20]),
            pos=np.array([10]),
            a1=np.array(["A"]),
            a2=np.array(["G"]),
        )


def test_names_that_are_alike_are_told_apart_by_alleles(together):
    text = f"{HEADER}20 10 rs1 A G 1 50\n20 10 rs1 C G 2 50\n20 30 rs3 G A 3 50\n"
    assert together(text).labels == ["rs1:G:A", "rs1:G:C", "rs3"]


def test_a_panel_in_another_order_with_other_alleles_gives_the_same_pips(tmp_path):
    locus = made_up_locus(seed=11, variants=20, causal=(8,), people=400)
    lines = [f"20 {100 + each} rs{each} A G {z:.17g} 400\n" for each, z in enumerate(locus.z)]
    (tmp_path / "study.tsv").write_text(HEADER + "".join(lines))
    rng = np.random.default_rng(0)
    order = rng.permutation(20)
    counts_other = rng.random(20) < 0.5
    copies = np.where(counts_other, 2 - locus.genotypes, locus.genotypes)[:, order].astype(int)
    variants = [
        ("chr20", f"rs{each}", 100 + each, *("GA" if counts_other[each] else "AG"))
        for each in order
    ]
    bed = write_plink(tmp_path / "panel", copies, variants)
    study = StudyFile(str(tmp_path / "study.tsv")).read()
    data = put_together(study, open_panel(str(bed)))
    assert data.sign.tolist() == np.where(counts_other, -1, 1).tolist()
    found = susie_rss(data.panel_z, data.correlations, 400.0)
    expected = susie_rss(locus.z, locus.correlations, 400.0)
    np.testing.assert_allclose(found.pip, expected.pip, atol=1e-9)

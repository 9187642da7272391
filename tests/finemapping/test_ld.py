"""What is no matrix of correlations is refused, with both sides; what rounding explains is not."""

import numpy as np
import pytest

from enformer_core.errors import InputError
from enformer_core.finemapping.ld import open_panel
from enformer_core.finemapping.ld_definite import check_definite, shrunk, tolerated_below_zero
from enformer_core.finemapping.matching import match_variants
from enformer_core.finemapping.variant_names import VariantNames
from tests.support.plink import write_plink

R = np.array([[1.0, 0.25, -0.5], [0.25, 1.0, 0.125], [-0.5, 0.125, 1.0]])
ALL = np.arange(3)


@pytest.fixture
def panel(tmp_path):
    """A panel of these correlations, with names or without."""

    def write(matrix, **more):
        np.savez(tmp_path / "x.npz", R=matrix, **more)
        return open_panel(str(tmp_path / "x.npz"))

    return write


def changed(row, column, value, *, both=True):
    matrix = R.copy()
    matrix[row, column] = value
    if both:
        matrix[column, row] = value
    return matrix


def test_a_block_is_in_the_order_asked_for(panel):
    block = panel(R).block(np.array([2, 0]))
    np.testing.assert_array_equal(block.correlations, R[np.ix_([2, 0], [2, 0])])
    assert block.varies.all()
    assert block.notes == ()


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (changed(0, 1, 0.3, both=False), "not symmetric: rs1.* and rs2.*0.3, the other way .*0.25"),
        (changed(0, 1, np.nan), "rs1 .row 1. and rs2 .row 2. is nan"),
        (changed(1, 2, np.inf), "rs2 .* and rs3 .* is inf"),
        (changed(0, 2, -1.2), "rs1 .* and rs3 .*-1.2; a correlation lies between"),
        (changed(1, 1, 0.4), "rs2 .* has 0.4 with itself.*covariance"),
    ],
)
def test_what_no_correlation_is(panel, matrix, message):
    named = panel(matrix, rsid=np.array(["rs1", "rs2", "rs3"]))
    with pytest.raises(InputError, match=message):
        named.block(ALL)


def test_rows_without_names_are_numbered(panel):
    with pytest.raises(InputError, match=r"row 1 and row 3 have -1.2"):
        panel(changed(0, 2, -1.2)).block(ALL)


@pytest.mark.parametrize("diagonal", [np.nan, 0.0, 1.0])
def test_a_variant_that_does_not_vary_is_marked(panel, diagonal):
    matrix = R.copy()
    matrix[1] = matrix[:, 1] = 0.0 if diagonal == 0 else np.nan
    matrix[1, 1] = diagonal
    block = panel(matrix).block(ALL)
    assert block.varies.tolist() == [True, False, True]
    assert block.correlations[0, 2] == -0.5


def test_rounding_between_halves_is_halved(panel):
    block = panel(changed(0, 1, 0.25 + 4e-7, both=False)).block(ALL)
    assert block.correlations[0, 1] == block.correlations[1, 0] == pytest.approx(0.25 + 2e-7)


def test_float16_is_fine(panel):
    block = panel(R.astype(np.float16)).block(ALL)
    np.testing.assert_allclose(block.correlations, R, atol=1e-3)


def test_squares_are_suspected(panel):
    rng = np.random.default_rng(0)
    matrix = np.corrcoef(rng.normal(size=(25, 40)))
    block = panel(matrix).block(np.arange(25))
    assert (block.notes, block.seems_squared) == ((), False)
    block = panel(matrix**2).block(np.arange(25))
    (said,) = block.notes
    assert "r²" in said
    assert block.seems_squared


@pytest.mark.parametrize(
    ("matrix", "seems_squared"),
    [
        ([[1, 0.2, 0.3], [0.2, 1, 0.1], [0.3, 0.1, 1]], True),
        ([[1, 0.2, 0.3], [0.2, 1, -0.1], [0.3, -0.1, 1]], False),
        # of these squares are the same
        ([[1, 0, 1], [0, 1, 0], [1, 0, 1]], False),
        ([[1, 0.2], [0.2, 1]], False),
    ],
)
def test_squares_of_few_are_suspected_too(panel, matrix, seems_squared):
    block = panel(np.array(matrix, dtype=float)).block(np.arange(len(matrix)))
    assert block.seems_squared is seems_squared


def test_eigenvalues_below_zero_are_refused_with_what_mends_them():
    with pytest.raises(
        InputError, match=r"x: is not positive definite: of 3 .* 1 lie.* -0.7"
    ) as error:
        check_definite("x", np.array([-0.7, 1.0, 2.7]), 0.0)
    shrinkage = float(str(error.value).rsplit(" ", 4)[-4])
    assert (1 - shrinkage) * -0.7 + shrinkage >= 0
    assert check_definite("x", np.array([-1e-9, 1.0]), 0.0) == ()
    (said,) = check_definite("x", np.array([-1e-3, 1.0]), 1e-2)
    assert "rounding to 1e-02" in said


def test_rounding_stays_within_what_is_tolerated():
    rng = np.random.default_rng(2)
    # fewer people than variants: eigenvalues of 0, which rounding moves
    exact = np.corrcoef(rng.normal(size=(200, 50)))
    for digits in (2, 3, 4):
        least = np.linalg.eigvalsh(exact.round(digits)).min()
        unit = 10.0**-digits
        assert -tolerated_below_zero(unit, 200) < least < -0.1 * unit


def test_shrinking_is_in_place():
    matrix = R.copy()
    shrunk(matrix, 0.2)
    np.testing.assert_allclose(matrix, 0.8 * R + 0.2 * np.eye(3))


def test_names_beside_a_matrix_are_found_and_must_fit(tmp_path):
    np.savetxt(tmp_path / "x.ld", R)
    assert open_panel(str(tmp_path / "x.ld")).names is None
    (tmp_path / "x.snplist").write_text("snp_a\nsnp_b\nsnp_c\n")
    panel = open_panel(str(tmp_path / "x.ld"))
    assert panel.names is not None
    assert panel.names.id == ["snp_a", "snp_b", "snp_c"]
    bim = tmp_path / "y.bim"
    bim.write_text("20 rs1 0 5 A G\n20 rs2 0 6 C T\n20 rs3 0 7 G A\n")
    named = open_panel(str(tmp_path / "x.ld"), str(bim))
    assert named.names is not None
    assert named.names.effect == ["A", "C", "G"]
    bim.write_text("20 rs1 0 5 A G\n")
    with pytest.raises(InputError, match=r"y\.bim: names 1 variants, and .*x\.ld has 3 rows"):
        open_panel(str(tmp_path / "x.ld"), str(bim))


def test_a_reference_panel(tmp_path):
    copies = np.array([[0, 1], [1, 2], [2, 0], [1, -1]])
    bed = write_plink(
        tmp_path / "p", copies, [("20", "rs1", 5, "A", "G"), ("20", "rs2", 6, "C", "T")]
    )
    panel = open_panel(str(bed))
    assert (panel.size, panel.name) == (2, str(bed))
    assert open_panel(str(tmp_path / "p")).name == str(bed)
    block = panel.block(np.array([1, 0]))
    assert block.correlations.diagonal().tolist() == [1, 1]
    assert "12.50% of genotypes are missing" in block.notes[0]
    with pytest.raises(InputError, match=r"--ld-variants y: .* leave it out"):
        open_panel(str(bed), "y")


def test_two_rows_of_one_name_are_refused(tmp_path):
    np.savez(tmp_path / "x.npz", R=R)
    listed = tmp_path / "names.txt"
    listed.write_text("rs1\nrs2\nrs1\n")
    with pytest.raises(InputError, match="variants 1 and 3 are both called rs1"):
        open_panel(str(tmp_path / "x.npz"), str(listed))
    np.savez(tmp_path / "y.npz", R=R, rsid=["b", "a", "a"])
    with pytest.raises(InputError, match="variants 2 and 3 are both called a"):
        open_panel(str(tmp_path / "y.npz"))
    # alleles tell them apart, and what has no name is no other's
    listed.write_text("SNP CHR BP A1 A2\nrs1 1 5 A G\nrs1 1 5 A T\nrs1 1 5 A C\n")
    assert open_panel(str(tmp_path / "x.npz"), str(listed)).size == 3
    listed.write_text(".\n.\nrs1\n")
    assert open_panel(str(tmp_path / "x.npz"), str(listed)).size == 3


def test_a_list_of_keys_names_places_and_alleles_and_not_which_is_counted(tmp_path):
    np.savez(tmp_path / "x.npz", R=R)
    listed = tmp_path / "names.txt"
    listed.write_text("chr20:5:A:G\nchr20:9:AT:A\nrs3\n")
    panel = open_panel(str(tmp_path / "x.npz"), str(listed))
    unknown = [None] * 3
    study = VariantNames(
        unknown, ["20"] * 3, np.array([5, 9, 5]), ["A", "A", "A"], ["G", "AT", "C"]
    )
    match = match_variants(study, panel.names, panel.name)
    assert match.row.tolist() == [0, 1, -1]
    assert match.sign.tolist() == [1, 1, 1]
    assert "does not say which alleles it counts" in match.notes[0]

"""What a study says of a locus: strange P, PIPs, sets, repeats and LD are refused, or left out with a count."""

import numpy as np
import pytest

from enformer_core.errors import InputError
from enformer_core.pictures.stack import Stretch
from enformer_core.variants.formats.given import NOTHING_GIVEN
from jobs.locus_study import read_association, read_probabilities

HERE = Stretch("chr20", 1, 100)
PLACED = "CHR\tBP\tSNP\tA1\tA2"
FINEMAPPED = "id\tchrom\tpos\tpip_uniform\tset_uniform\tpip_prior\tset_prior"


@pytest.fixture
def association(tmp_path):
    """What is read of a study, given what stands behind each variant's name and alleles."""

    def read(header, *rows, ld=None, names=None):
        lines = [f"20\t{at + 1}\trs{at + 1}\tG\tA\t{row}" for at, row in enumerate(rows)]
        path = tmp_path / "gwas.tsv"
        path.write_text("\n".join([f"{PLACED}\t{header}", *lines, ""]))
        return read_association(str(path), NOTHING_GIVEN, HERE, ld, names)

    return read


@pytest.fixture
def probabilities(tmp_path):
    """What is read of a file that says to be `finemap`'s."""

    def read(*rows, header=FINEMAPPED, name="fm.tsv"):
        path = tmp_path / name
        path.write_text("\n".join([header, *rows, ""]))
        return read_probabilities(str(path), HERE)

    return read


@pytest.fixture
def ld(tmp_path):
    """A file of a matrix, with names or without."""

    def write(matrix, **names):
        np.savez(tmp_path / "ld.npz", R=matrix, **names)
        return str(tmp_path / "ld.npz")

    return write


def strengths(found):
    return dict(found.table.select("name", "minus_log10_p").iter_rows())


def said(notes, words):
    (note,) = [each for each in notes if words in each]
    return note


STRANGE = ("-1", "2", "inf", "0.05e", "NaN", "NA", "0", "1e-400", "0.5")


def test_p_that_is_none_is_counted_where_z_stands_for_it(association):
    found = association("P\tZ", *(f"{p}\t5" for p in STRANGE))
    of_z = 6.2416
    expected = [of_z] * 7 + [400, 0.30103]
    assert list(strengths(found).values()) == pytest.approx(expected, abs=1e-4)
    assert "4 variants of the locus, such as line 2, have a P that is no number" in said(
        found.notes, "from 0 to 1"
    )
    assert "2 variants" in said(found.notes, "have no P")
    assert "1 variant " in said(found.notes, "has a P of 0")


def test_p_that_is_none_is_left_out_for_its_own_reason(association):
    found = association("P", *STRANGE)
    assert strengths(found) == pytest.approx({"rs8": 400, "rs9": 0.30103}, abs=1e-4)
    assert "4 variants" in said(found.notes, "with a P that is no number from 0 to 1")
    assert "2 variants" in said(found.notes, "without P and without z")
    assert "line 8" in said(found.notes, "with a P of 0, which says no size")


def test_pips_beyond_0_and_1_are_refused_by_line(association, probabilities):
    for pip in ("1.2", "-0.3"):
        with pytest.raises(InputError, match=rf"line 3 \(rs2\): PIP {pip} is no probability"):
            association("P\tPIP", "0.5\t0.5", f"0.5\t{pip}")
        with pytest.raises(InputError, match=rf"variant 1 \(rs1\): pip_uniform {pip} is no prob"):
            probabilities(f"rs1\t20\t5\t{pip}\t\t\t")
    # what rounding leaves of 1
    found = association("P\tPIP", "0.5\t1.0000000002", "0.5\tNA")
    assert found.fine_mapped["pip"].to_list() == [1.0]


def test_programs_signs_of_no_set_are_no_set(association, probabilities):
    sets = ("-1", "0", "NA", "", "2", "L1")
    found = association("P\tPIP\tCS", *(f"0.5\t0.5\t{each}" for each in sets))
    assert found.fine_mapped["credible_set"].to_list() == [None, None, None, None, "2", "L1"]
    rows, _ = probabilities(*(f"rs{n}\t20\t5\t0.5\t{each}\t\t" for n, each in enumerate(sets)))
    assert rows["PIP"]["credible_set"].to_list() == [None, None, None, None, "2", "L1"]


def test_fine_mapping_without_a_number_is_said(probabilities):
    rows, notes = probabilities("rs1\t20\t5\tnan\t\t0.5\t1", "rs2\t20\t6\tnan\t\t\t")
    assert list(rows) == ["PIP with prior"]
    assert rows["PIP with prior"]["name"].to_list() == ["rs1"]
    assert said(notes, "no pip_uniform").count("2 variants") == 1
    assert said(notes, "no pip_prior").count("1 variant ") == 1


def test_a_cell_that_is_no_number_is_named(probabilities):
    with pytest.raises(InputError, match=r"variant 2 \(rs2\): pip_prior 'high' is no number"):
        probabilities("rs1\t20\t5\t0.5\t\t0.5\t", "rs2\t20\t5\t0.5\t\thigh\t")
    with pytest.raises(InputError, match="pos 'here' is no number"):
        probabilities("rs1\t20\there\t0.5\t\t0.5\t")


@pytest.mark.parametrize("name", ["fm.tsv", "fm.parquet", "fm.json"])
def test_another_file_is_refused_in_words_of_this_program(probabilities, name):
    with pytest.raises(InputError) as raised:
        probabilities("a\tb\tc\td", header="##fileformat=VCFv4.2", name=name)
    assert str(raised.value).endswith(
        "is not what `enformer-ray finemap` writes by --out or --json"
    )


def test_a_row_that_says_again_what_another_says_is_drawn_once(tmp_path):
    path = tmp_path / "gwas.tsv"
    rows = ["20\t5\trs5\tG\tA\t2", "20\t5\trs5\tA\tG\t-2", "20\t5\trs5\tG\tA\t3"]
    path.write_text("\n".join([f"{PLACED}\tZ", *rows, ""]))
    found = read_association(str(path), NOTHING_GIVEN, HERE, None, None)
    assert found.table.height == 2
    assert "line 3, the variant of line 2" in said(found.notes, "left out: each says again")
    assert "line 4, the variant of line 2" in said(found.notes, "with another P")


R = np.array([[1, 0.5, -0.25], [0.5, 1, 0.8], [-0.25, 0.8, 1]])


def test_a_variant_that_does_not_vary_in_the_panel_is_counted(association, ld):
    matrix = R.copy()
    matrix[1] = matrix[:, 1] = np.nan
    found = association("Z", "9", "2", "3", ld=ld(matrix, rsid=["rs1", "rs2", "rs3"]))
    assert found.table["r2"].to_list() == [1, None, 0.0625]
    assert "1 variant " in said(found.notes, "do not vary there")


def test_a_matrix_without_names_is_said_to_be_in_the_studys_order(association, ld):
    # the second row has no P, and its row of the matrix is passed over
    found = association("P", "1e-9", "NA", "0.5", ld=ld(R))
    assert found.table["r2"].to_list() == [1, 0.0625]
    assert said(found.notes, "its rows are taken to be those of")


def test_squares_are_asked_about(association, ld):
    found = association("Z", "9", "2", "3", ld=ld(R**2, rsid=["rs1", "rs2", "rs3"]))
    assert said(found.notes, "Is it r²? Colours are of the square of what it holds")
    found = association("Z", "9", "2", "3", ld=ld(R, rsid=["rs1", "rs2", "rs3"]))
    assert not found.notes


def test_keys_name_the_rows_of_a_matrix(association, ld, tmp_path):
    listed = tmp_path / "keys.txt"
    listed.write_text("chr20:1:A:G\nchr20:2:A:G\nchr20:3:A:G\n")
    found = association("Z", "9", "2", "3", ld=ld(R), names=str(listed))
    assert found.table["r2"].to_list() == [1, 0.25, 0.0625]
    assert not found.notes

"""Matrices of correlations in every format: one matrix written in all of them is read the same."""

import gzip
import io
import re

import numpy as np
import pytest

from enformer_core.errors import InputError
from enformer_core.finemapping.ld_files import read_matrix

R = np.array([[1.0, 0.25, -0.5], [0.25, 1.0, 0.125], [-0.5, 0.125, 1.0]])
IDS = ["rs1", "rs2", "rs3"]


def sparse(kind, matrix):
    """The arrays that scipy.sparse.save_npz writes for the lower half of a matrix, in row order."""
    row, column = np.nonzero(matrix)
    data = matrix[row, column]
    shape = np.array(matrix.shape)
    if kind == "coo":
        return {"row": row, "col": column, "data": data, "format": b"coo", "shape": shape}
    by = row if kind == "csr" else column
    order = np.argsort(by, kind="stable")
    begins = np.concatenate([[0], np.cumsum(np.bincount(by, minlength=3))])
    indices = (column if kind == "csr" else row)[order]
    return {
        "indices": indices,
        "indptr": begins,
        "data": data[order],
        "format": np.array(kind.encode()),
        "shape": shape,
    }


@pytest.mark.parametrize("key", ["R", "ld", "anything"])
def test_dense_npz(tmp_path, key):
    np.savez(tmp_path / "x.npz", **{key: R})
    read = read_matrix(str(tmp_path / "x.npz"))
    np.testing.assert_array_equal(read.values, R)
    assert read.names is None


def test_dense_npz_with_names(tmp_path):
    np.savez(
        tmp_path / "x.npz",
        R=R.astype(np.float32),
        rsid=np.array(IDS),
        chrom=np.array([20, 20, 20]),
        pos=np.array([5, 6, 7]),
        a1=np.array([b"a", b"C", b"G"]),
        a2=np.array(["G", "T", "A"]),
    )
    read = read_matrix(str(tmp_path / "x.npz"))
    assert read.names is not None
    assert read.names.id == IDS
    assert read.names.chrom == ["20"] * 3
    assert read.names.pos.tolist() == [5, 6, 7]
    assert read.names.effect == ["A", "C", "G"]
    assert read.names.other == ["G", "T", "A"]
    assert read.unit == pytest.approx(6e-8, rel=0.01)


@pytest.mark.parametrize("kind", ["coo", "csr", "csc"])
@pytest.mark.parametrize("form", ["polyfun", "lower", "upper", "whole"])
def test_sparse_npz(tmp_path, kind, form):
    half = np.tril(R)
    matrix = {
        # the transpose is added: the diagonal is halved
        "polyfun": half - np.eye(3) / 2,
        "lower": half,
        "upper": half.T,
        "whole": R,
    }[form]
    np.savez(tmp_path / "x.npz", **sparse(kind, matrix.astype(np.float32)))
    read = read_matrix(str(tmp_path / "x.npz"))
    np.testing.assert_array_equal(read.values, R)


def test_npy(tmp_path):
    np.save(tmp_path / "x.npy", R)
    np.testing.assert_array_equal(read_matrix(str(tmp_path / "x.npy")).values, R)


TEXTS = {
    "plink": "1\t0.25\t-0.5\n0.25\t1\t0.125\n-0.5\t0.125\t1\n",
    "blanks": " 1.000  0.250 -0.500 \n\n 0.250 1.000 0.125\n -0.500 0.125 1.000",
    "commas": "1,0.25,-0.5\r\n0.25,1,0.125\r\n-0.5,0.125,1\r\n",
    "header": "rs1 rs2 rs3\n1 .25 -.5\n.25 1 .125\n-.5 .125 1\n",
    "R": '"rs1" "rs2" "rs3"\n"rs1" 1 0.25 -0.5\n"rs2" 0.25 1 0.125\n"rs3" -0.5 0.125 1\n',
    "pandas": ",rs1,rs2,rs3\nrs1,1.0,2.5e-1,-0.5\nrs2,0.25,1.0,0.125\nrs3,-0.5,0.125,1.0\n",
    "corner": "snp\trs1\trs2\trs3\nrs1\t1\t.25\t-.5\nrs2\t.25\t1\t.125\nrs3\t-.5\t.125\t1\n",
    "names in rows": "rs1 1 0.25 -0.5\nrs2 0.25 1 0.125\nrs3 -0.5 0.125 1\n",
}
NAMED = ("header", "R", "pandas", "corner", "names in rows")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", TEXTS)
def test_text(tmp_path, form, packed):
    content = TEXTS[form].encode()
    (tmp_path / "x.ld").write_bytes(gzip.compress(content) if packed else content)
    read = read_matrix(str(tmp_path / "x.ld"))
    np.testing.assert_array_equal(read.values, R)
    if form in NAMED:
        assert read.names is not None
        assert read.names.id == IDS
    else:
        assert read.names is None


def test_digits_that_are_kept(tmp_path):
    for text, unit in (
        ("1 0.1234\n0.1234 1\n", 1e-4),
        ("1 0\n0 1\n", 0.0),
        ("1 .5\n.5 1", 0.1),
        # six digits, as PLINK writes them
        ("1 -0.123456 0.00123456\n-0.123456 1 0\n0.00123456 0 1", 1e-6),
        ("1 0.001\n0.001 1", 1e-3),
        # the first row is not the only one that tells
        ("1 0.5 0\n0.5 1 0.125\n0 0.125 1", 1e-3),
    ):
        (tmp_path / "x.ld").write_text(text)
        assert read_matrix(str(tmp_path / "x.ld")).unit == pytest.approx(unit)


def test_no_number_is_nan(tmp_path):
    (tmp_path / "x.ld").write_text("1 NA nan\nNA 1 0.5\nnan 0.5 1\n")
    read = read_matrix(str(tmp_path / "x.ld"))
    assert np.isnan(read.values).sum() == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 0.5\n0.5 1\n0 0\n", r"line 3: row 3 has 2 numbers, and the first has 2"),
        ("1 0.5\n0.5\n", r"line 2: row 2 has 1 numbers, and the first has 2"),
        ("1 0.5 0\n0.5 1 0\n", r"has 2 rows of 3 numbers"),
        ("1\n0.5 1\n", "one half of a matrix.*--r square"),
        ("1 0.5\n0.5 x1\n", "line 2: 'x1' is not a number"),
        ("CHR_A BP_A SNP_A CHR_B BP_B SNP_B R\n1 2 rs1 1 3 rs2 0.5\n", "pair of variants a line"),
        ("a b\na 1 0.5\nc 0.5 1\n", "column 2 is called b, and row 2 c"),
        ("", "empty file"),
        ("\n\n", "empty file"),
        ("hello", "has no row of numbers; a matrix of correlations has one for each variant"),
        ("hello there\n", "has no row of numbers"),
    ],
)
def test_text_that_is_no_matrix(tmp_path, text, message):
    (tmp_path / "x.ld").write_text(text)
    with pytest.raises(InputError, match=message):
        read_matrix(str(tmp_path / "x.ld"))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"R": R[:2]}, "shape 2 × 3"),
        ({"R": R[0]}, "shape 3"),
        ({"R": np.array([["a"]])}, "no numbers"),
        ({"x": R, "y": R}, "which of its arrays is the matrix.*x, y"),
        ({"R": R, "rsid": np.array(IDS[:2])}, r"array rsid has the shape \(2,\).* 3 rows"),
        ({"R": R, "rsid": np.array(IDS, dtype=object)}, "Python objects"),
        ({**sparse("coo", R), "format": b"dia"}, "format dia; write coo, csr, csc"),
        ({**sparse("coo", R), "shape": np.array([3, 4])}, "3 rows and 4 columns"),
    ],
)
def test_npz_that_is_no_matrix(tmp_path, arrays, message):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    (tmp_path / "x.npz").write_bytes(buffer.getvalue())
    with pytest.raises(InputError, match=message) as error:
        read_matrix(str(tmp_path / "x.npz"))
    assert re.match(rf"{tmp_path}/x\.npz", str(error.value))


def test_damaged_files_are_named(tmp_path):
    np.savez(tmp_path / "x.npz", R=R)
    whole = (tmp_path / "x.npz").read_bytes()
    (tmp_path / "x.npz").write_bytes(whole[:100])
    with pytest.raises(InputError, match=r"x\.npz: cannot be read"):
        read_matrix(str(tmp_path / "x.npz"))
    (tmp_path / "x.ld.gz").write_bytes(gzip.compress(TEXTS["plink"].encode())[:-9])
    with pytest.raises(InputError, match=r"x\.ld\.gz: is neither"):
        read_matrix(str(tmp_path / "x.ld.gz"))
    (tmp_path / "x.bed").write_bytes(b"\x6d\x1b\x01" + bytes(range(256)))
    with pytest.raises(
        InputError,
        match=r"x\.bed: begins with 6d 1b 01, and a \.bed of PLINK 1 with 6c 1b 01; nor is it",
    ):
        read_matrix(str(tmp_path / "x.bed"))
    (tmp_path / "x.bin").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match=r"x\.bin: is neither"):
        read_matrix(str(tmp_path / "x.bin"))

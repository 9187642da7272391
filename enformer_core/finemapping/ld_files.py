"""Matrices of correlations as files: NumPy's .npz and .npy, PolyFun's sparse .npz, and text as PLINK writes it.

Knows numbers in rows and columns, and names beside them. Does not know studies, nor whether the numbers make sense.
"""

import gzip
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from enformer_core.errors import InputError, first_few
from enformer_core.finemapping.plink_bed import said_of_no_bed
from enformer_core.finemapping.susie import Correlations
from enformer_core.finemapping.variant_names import Texts, VariantNames, one_file

_MATRIX = ("R", "r", "LD", "ld", "corr", "correlation", "correlations")
_IDS = ("id", "ids", "rsid", "rsids", "snp", "snps", "SNP", "names", "variants", "variant_ids")
_CHROMS = ("chrom", "chr", "chromosome", "CHR")
_POSITIONS = ("pos", "bp", "position", "positions", "BP")
_COUNTED = ("a1", "A1", "allele1", "effect_allele", "alt")
_OTHERS = ("a2", "A2", "allele2", "other_allele", "ref")
"""What arrays of an .npz are called, the first that is there."""

_SPARSE = {"coo": ("row", "col"), "csr": ("indices", "indptr"), "csc": ("indices", "indptr")}

_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGIC = b"PK"
_NPY_MAGIC = b"\x93NUMPY"

_BED = ".bed"

_ROWS_THAT_TELL = 50

_NO_NUMBER = ("NA", "na", ".")
"""How programs write the correlation of a variant that does not vary, beside nan."""

_ONE_PAIR_A_LINE = {"SNP_A", "SNP_B", "ID_A", "ID_B"}

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|nan|-nan|inf|-inf", re.IGNORECASE)


@dataclass(frozen=True)
class LdMatrix:
    """A matrix as its file has it.

    Attributes:
        name: of the file, as its user calls it.
        values: in float64.
        names: of its rows; None where the file does not say.
        unit: the last digit that is kept of a number near 1: 1e-6 of `0.123456`, 6e-8 of float32.
    """

    name: str
    values: Correlations
    names: VariantNames | None
    unit: float


def read_matrix(name: str) -> LdMatrix:
    """Read a file by what is in it.

    Raises:
        InputError: for what is no square matrix.
    """
    path = one_file(name).path
    with path.open("rb") as file:
        beginning = file.read(8)
    if beginning.startswith(_ZIP_MAGIC):
        return _npz(name, path)
    if beginning.startswith(_NPY_MAGIC):
        with path.open("rb") as file:
            values = _loaded(name, file)
        return LdMatrix(name, _square(name, values), None, _unit_of(values.dtype))
    return _text(name, path, is_packed=beginning.startswith(_GZIP_MAGIC))


def _loaded(
    name: str,
    file: BinaryIO,
) -> Any:
    try:
        return np.load(file, allow_pickle=False)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{name}: cannot be read as NumPy's file: {error}") from error


def _npz(
    name: str,
    path: Path,
) -> LdMatrix:
    # NumPy leaves a file open that is none of its own
    with path.open("rb") as file, _loaded(name, file) as arrays:
        if "format" in arrays and "shape" in arrays:
            values = _sparse(name, arrays)
            return LdMatrix(name, values, None, _unit_of(arrays["data"].dtype))
        key = _matrix_key(name, arrays)
        values = _array(name, arrays, key)
        square = _square(name, values)
        names = _names(name, arrays, square.shape[0])
    return LdMatrix(name, square, names, _unit_of(values.dtype))


def _array(
    name: str,
    arrays: Mapping[str, Any],
    key: str,
) -> Any:
    try:
        return arrays[key]
    except ValueError as error:
        raise InputError(
            f"{name}: its array {key} holds Python objects, which may run any program and are not read. Write "
            "np.array(names, dtype=str)"
        ) from error


def _matrix_key(
    name: str,
    arrays: Mapping[str, Any],
) -> str:
    found = next((key for key in _MATRIX if key in arrays), None)
    keys = [*arrays]
    if found is not None or len(keys) == 1:
        return found or keys[0]
    raise InputError(
        f"{name}: which of its arrays is the matrix? It has {first_few(keys)}; call it R"
    )


def _names(
    name: str,
    arrays: Mapping[str, Any],
    rows: int,
) -> VariantNames | None:
    def texts(keys: Sequence[str]) -> Texts | None:
        key = next((key for key in keys if key in arrays), None)
        if key is None:
            return None
        values = _array(name, arrays, key)
        if values.shape != (rows,):
            raise InputError(
                f"{name}: its array {key} has the shape {values.shape}, and its matrix has {rows:,} rows"
            )
        return [one.decode() if isinstance(one, bytes) else str(one) for one in values.tolist()]

    unknown: Texts = [None] * rows
    ids = texts(_IDS)
    chroms = texts(_CHROMS)
    places = texts(_POSITIONS)
    if ids is None and (chroms is None or places is None):
        return None
    counted = texts(_COUNTED) or unknown
    others = texts(_OTHERS) or unknown
    return VariantNames(
        ids or unknown,
        chroms or unknown,
        np.array(places or np.zeros(rows), dtype=np.float64).astype(np.int64),
        [each and each.upper() for each in counted],
        [each and each.upper() for each in others],
    )


def _sparse(
    name: str,
    arrays: Mapping[str, Any],
) -> Correlations:
    """A matrix as `scipy.sparse.save_npz` writes it; of one half the other half is its mirror image.

    PolyFun stores the lower half with a diagonal of 0.5, and adds the transpose: 0.5 + 0.5 is 1.
    """
    kind = arrays["format"].item()
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    if kind not in _SPARSE:
        raise InputError(
            f"{name}: is a sparse matrix of format {kind}; write {first_few([*_SPARSE])}"
        )
    rows, columns = (int(size) for size in arrays["shape"])
    if rows != columns:
        raise InputError(f"{name}: has {rows:,} rows and {columns:,} columns; it must be square")
    row, column = (arrays[key] for key in _SPARSE[kind])
    if kind != "coo":
        # the second array says where each row (of csc each column) begins
        begun = np.repeat(np.arange(rows), np.diff(column))
        row, column = (begun, row) if kind == "csr" else (row, begun)
    values = np.zeros((rows, rows))
    np.add.at(values, (row, column), arrays["data"].astype(np.float64))
    if np.any(column > row) and np.any(column < row):
        return values
    halves = np.allclose(np.diag(values), 0.5, atol=1e-3)
    diagonal = np.diag(values) * (2 if halves else 1)
    values += values.T
    np.fill_diagonal(values, diagonal)
    return values


def _square(
    name: str,
    values: Any,
) -> Correlations:
    shape = values.shape
    if len(shape) != 2 or shape[0] != shape[1]:
        raise InputError(
            f"{name}: has the shape {' × '.join(map(str, shape))}; a matrix of correlations is square"
        )
    if values.dtype.kind not in "fiu":
        raise InputError(f"{name}: holds {values.dtype}, no numbers")
    return np.asarray(values, dtype=np.float64)


def _unit_of(kind: np.dtype[Any]) -> float:
    return float(np.finfo(kind).eps) / 2 if kind.kind == "f" else 1.0


def _text(
    name: str,
    path: Path,
    *,
    is_packed: bool,
) -> LdMatrix:
    """A matrix with a row a line, separated by blanks, tabs or commas; names may stand above it and before each row."""
    try:
        with _opened(path, is_packed=is_packed) as file:
            lines = _lines(file)
            first = next(lines, None)
            if first is None:
                raise InputError(f"{name}: an empty file. Was it written or copied to its end?")
            header = None if _are_numbers(first[1]) else first[1]
            if header is not None:
                _check_header(name, header)
                first = next(lines, (2, []))
            values, ids, unit = _rows(name, first, lines, header)
    except (UnicodeDecodeError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        bed = f"{said_of_no_bed(path)}; nor is it" if name.endswith(_BED) else "is neither"
        raise InputError(f"{name}: {bed} text nor NumPy's file ({error})") from error
    names = None if ids is None else VariantNames.of_ids(ids)
    return LdMatrix(name, values, names, unit)


def _opened(
    path: Path,
    *,
    is_packed: bool,
) -> TextIOWrapper:
    if is_packed:
        return gzip.open(path, "rt", encoding="utf-8-sig")
    return path.open(encoding="utf-8-sig")


def _lines(file: TextIOWrapper) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(file, 1):
        words = line.replace(",", " ").replace('"', " ").split()
        if words:
            yield number, words


def _are_numbers(words: Sequence[str]) -> bool:
    # a name may come before the row's numbers
    return all(map(_is_number, words[1:] or words))


def _is_number(word: str) -> bool:
    return word in _NO_NUMBER or _NUMBER.fullmatch(word) is not None


def _check_header(
    name: str,
    header: Sequence[str],
) -> None:
    if _ONE_PAIR_A_LINE & {each.lstrip("#") for each in header}:
        raise InputError(
            f"{name}: has a pair of variants a line, of which those far apart or weak are left out. Write the whole "
            "matrix: plink --r square"
        )


def _rows(
    name: str,
    first: tuple[int, list[str]],
    others: Iterator[tuple[int, list[str]]],
    header: list[str] | None,
) -> tuple[Correlations, Texts | None, float]:
    """The numbers, names if there are some, and the unit of the last digit."""
    _, words = first
    is_named = bool(words) and not _is_number(words[0])
    size = len(words) - is_named
    if not size:
        raise InputError(
            f"{name}: has no row of numbers; a matrix of correlations has one for each variant"
        )
    values = np.zeros((size, size))
    ids: list[str] = []
    row = 0
    digits = _Digits()
    for number, words in chain([first], others):
        cells = words[1:] if is_named else words
        if row >= size or len(cells) != size:
            _refuse_shape(name, number, len(cells), size, row)
        values[row] = _numbers(name, number, cells)
        if is_named:
            ids.append(words[0])
        # some rows tell how many digits all have
        if row < _ROWS_THAT_TELL:
            digits.count(cells)
        row += 1
    if row != size:
        raise InputError(f"{name}: has {row:,} rows of {size:,} numbers; a matrix is square")
    # R leaves the corner out; others put a word there
    above = [] if header is None else header[-size:]
    _check_one_order(name, above, ids)
    return values, above or ids or None, digits.unit


def _check_one_order(
    name: str,
    above: Sequence[str],
    beside: Sequence[str],
) -> None:
    for place, (column, row) in enumerate(zip(above, beside, strict=False), 1):
        if column != row:
            raise InputError(
                f"{name}: column {place} is called {column}, and row {place} {row}; they must be in one order"
            )


def _refuse_shape(
    name: str,
    number: int,
    cells: int,
    size: int,
    row: int,
) -> None:
    if size == 1 and row == 1 and cells == 2:
        raise InputError(f"{name}: is one half of a matrix. Write it whole: plink --r square")
    raise InputError(
        f"{name}, line {number}: row {row + 1} has {cells:,} numbers, and the first has {size:,}; a matrix is square"
    )


def _numbers(
    name: str,
    number: int,
    cells: Sequence[str],
) -> Any:
    try:
        return np.array(cells, dtype=np.float64)
    except ValueError:
        known = ["nan" if cell in _NO_NUMBER else cell for cell in cells]
        strange = next((cell for cell in known if not _NUMBER.fullmatch(cell)), None)
        if strange is None:
            return np.array(known, dtype=np.float64)
        raise InputError(
            f"{name}, line {number}: {strange!r} is not a number, as all of a matrix are"
        ) from None


@dataclass
class _Digits:
    """How many digits behind the point numbers have.

    Attributes:
        of_large: the most that a number from 0.1 to 1 has.
        of_any: the most that any has. PLINK writes six digits behind leading zeros, so that 0.00123456 says nothing of
            the rounding of 0.123456.
    """

    of_large: int = 0
    of_any: int = 0

    def count(self, words: Sequence[str]) -> None:
        """Take a row of numbers into account."""
        for word in words:
            decimals = _decimals(word)
            self.of_any = max(self.of_any, decimals)
            if decimals > self.of_large and _is_large(word):
                self.of_large = decimals

    @property
    def unit(self) -> float:
        """The last digit: 1e-4 of `1 0.1234 0.5`; 0 where all numbers are whole."""
        decimals = self.of_large or self.of_any
        return 10.0**-decimals if decimals else 0.0


def _is_large(word: str) -> bool:
    is_nan = word in _NO_NUMBER
    return not is_nan and 0.1 <= abs(float(word)) < 1


def _decimals(word: str) -> int:
    behind_point = word.partition(".")[2]
    return len(behind_point.lower().partition("e")[0])

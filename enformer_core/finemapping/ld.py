"""Correlations between the variants of a locus: opened, and checked before anything is computed with them.

    panel = open_panel("locus.npz")
    block = panel.block(rows)           # those of some of its variants

Knows matrices and file sets. Does not know studies.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, SupportsInt, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int64

from enformer_core.errors import InputError
from enformer_core.finemapping.ld_files import LdMatrix, read_matrix
from enformer_core.finemapping.plink_bed import MAGIC, PlinkBed
from enformer_core.finemapping.repeated_variants import earlier_rows
from enformer_core.finemapping.susie import Correlations
from enformer_core.finemapping.variant_names import VariantNames, one_file, read_names
from enformer_core.words import counted

Rows = Int64[np.ndarray, " variants"]

_ROUNDING_UNITS = 10
"""So many units of the last digit may a number be off, by rounding here and there."""

_LEAST_TOLERANCE = 1e-6
_MOST_TOLERANCE = 1e-3

_SUFFIXES = (".npz", ".npy", ".ld.gz", ".ld", ".txt.gz", ".txt", ".tsv", ".csv", ".gz")
_BESIDE = (".bim", ".snplist", ".snps", ".vars")


@dataclass(frozen=True)
class LdBlock:
    """Correlations of the variants that were asked for.

    Attributes:
        correlations: of each pair.
        varies: which variants do, in the panel; rows and columns of others mean nothing.
        unit: the last digit that is kept of a number near 1; 0 where all are.
        notes: what was made of the numbers.
        seems_squared: whether they may be r², as none is below 0.
    """

    correlations: Correlations
    varies: Bool[np.ndarray, " variants"]
    unit: float
    notes: tuple[str, ...] = ()
    seems_squared: bool = False


@runtime_checkable
class Panel(Protocol):
    """Where correlations come from: a matrix, or the genotypes of a reference panel."""

    @property
    def name(self) -> str:
        """What its user calls it, for messages."""
        ...

    @property
    def names(self) -> VariantNames | None:
        """What its variants are called; None where only their order is known."""
        ...

    @property
    def size(self) -> int:
        """How many variants its rows are."""
        ...

    def block(
        self,
        rows: Rows,
    ) -> LdBlock:
        """Correlations of these variants, in this order.

        Raises:
            InputError: where they cannot be correlations.
        """
        ...


def open_panel(
    name: str,
    variants: str | None = None,
) -> Panel:
    """A matrix, or a PLINK 1 file set by the name of its .bed.

    Args:
        name: a path or an object's address; of a file set the ending may be left out.
        variants: a file that names a matrix's rows: .bim, PolyFun's .gz, a table, or a list of identifiers.

    Raises:
        InputError: for a file that is neither, and for names that do not fit.
    """
    if not Path(name).is_file() and Path(f"{name}.bed").is_file():
        # as PLINK itself calls its file sets
        name = f"{name}.bed"
    path = one_file(name).path
    with path.open("rb") as file:
        is_bed = file.read(2) == MAGIC[:2]
    if not is_bed:
        matrix = read_matrix(name)
        return _MatrixPanel(matrix, _names_of(matrix, variants))
    if variants is not None:
        raise InputError(
            f"--ld-variants {variants}: {name} has its variants in its .bim; leave it out"
        )
    return _BedPanel(PlinkBed.open(name))


def _names_of(
    matrix: LdMatrix,
    given: str | None,
) -> VariantNames | None:
    """Names of a matrix's rows: as given, else its own, else those of a file beside it."""
    beside = given or (None if matrix.names is not None else _file_beside(matrix.name))
    if beside is None:
        return None if matrix.names is None else _different(matrix.name, matrix.names)
    names = read_names(beside)
    rows = matrix.values.shape[0]
    if len(names) != rows:
        raise InputError(
            f"{beside}: names {len(names):,} variants, and {matrix.name} has {rows:,} rows. Name the rows' own file "
            "by --ld-variants"
        )
    return _different(beside, names)


def _different(called: str, names: VariantNames) -> VariantNames:
    """The same names.

    Raises:
        InputError: where two are one: which row of the matrix is meant nobody could know.
    """
    for row, first in earlier_rows(names, range(len(names))):
        raise InputError(
            f"{called}: variants {first + 1:,} and {row + 1:,} are both called {names.shown(row)}; each row of a "
            "matrix needs a name of its own, with alleles where an identifier has several"
        )
    return names


def _file_beside(name: str) -> str | None:
    """X.gz beside X.npz, as PolyFun has it; X.bim, X.snplist beside X.ld; X.vars as PLINK 2 has it."""
    if "://" in name:
        return None
    suffix = next((each for each in _SUFFIXES if name.endswith(each)), "")
    stem = name.removesuffix(suffix)
    places = [stem + each for each in _BESIDE] + [f"{name}.vars"]
    if suffix == ".npz":
        places.insert(0, f"{stem}.gz")
    return next((each for each in places if Path(each).is_file()), None)


@dataclass(frozen=True)
class _BedPanel:
    """Genotypes of a reference panel, whose correlations are worked out."""

    bed: PlinkBed

    @property
    def name(self) -> str:
        return self.bed.name

    @property
    def names(self) -> VariantNames | None:
        return self.bed.names

    @property
    def size(self) -> int:
        return len(self.bed.names)

    def block(
        self,
        rows: Rows,
    ) -> LdBlock:
        found = self.bed.correlated(rows)
        np.fill_diagonal(found.correlations, 1.0)
        said: tuple[str, ...] = ()
        if found.missing:
            said = (
                f"{self.name}: {found.missing:.2%} of genotypes are missing, and are taken for their variant's mean",
            )
        return LdBlock(found.correlations, found.varies, 0.0, said)


@dataclass(frozen=True)
class _MatrixPanel:
    """Correlations that somebody else has worked out."""

    matrix: LdMatrix
    names: VariantNames | None

    @property
    def name(self) -> str:
        return self.matrix.name

    @property
    def size(self) -> int:
        return self.matrix.values.shape[0]

    def block(
        self,
        rows: Rows,
    ) -> LdBlock:
        values = self.matrix.values
        # all in order: without a copy
        if not np.array_equal(rows, np.arange(self.size)):
            values = values[np.ix_(rows, rows)]
        labels = _Labels(self.name, self.names, rows)
        tolerance = _ROUNDING_UNITS * self.matrix.unit
        tolerance = min(max(tolerance, _LEAST_TOLERANCE), _MOST_TOLERANCE)
        varies = _varies(values)
        _check_numbers(values, varies, labels)
        _check_symmetric(values, varies, labels, tolerance)
        _check_diagonal(values, varies, labels, tolerance)
        _check_range(values, varies, labels, tolerance)
        notes = _seems_squared(self.name, values)
        return LdBlock(values, varies, self.matrix.unit, notes, seems_squared=bool(notes))


@dataclass(frozen=True)
class _Labels:
    """What a block's rows are called in messages."""

    name: str
    names: VariantNames | None
    rows: Rows

    def __call__(
        self,
        row: SupportsInt,
    ) -> str:
        number = int(self.rows[int(row)])
        if self.names is None:
            return f"row {number + 1}"
        return f"{self.names.shown(number)} (row {number + 1})"


def _varies(values: Correlations) -> Bool[np.ndarray, " variants"]:
    """A variant that does not vary has no correlations: its row is NaN, or all 0 with the diagonal."""
    is_nan = np.isnan(values)
    # PLINK may write 1, 0 or nan upon the diagonal
    nans = is_nan.sum(axis=1) - is_nan.diagonal()
    is_all_nan = nans >= max(values.shape[0] - 1, 1)
    # its NaN stand in all other rows too
    others = ~is_all_nan
    is_empty = (np.diag(values) == 0) | is_nan.diagonal()
    return others & ~is_empty


def _check_numbers(
    values: Correlations,
    varies: Bool[np.ndarray, " variants"],
    label: _Labels,
) -> None:
    for row in np.flatnonzero(varies):
        strange = ~np.isfinite(values[row]) & varies
        for column in np.flatnonzero(strange)[:1]:
            raise InputError(
                f"{label.name}: the correlation of {label(row)} and {label(column)} is {values[row, column]}. Where "
                "the panel has too few genotypes of a variant, take it out of both files"
            )


def _check_symmetric(
    values: Correlations,
    varies: Bool[np.ndarray, " variants"],
    label: _Labels,
    tolerance: float,
) -> None:
    """Refuse unlike halves; rounding between them is halved between both."""
    largest = 0.0
    for row in np.flatnonzero(varies):
        # numbers near the largest of float64 are no correlations either
        with np.errstate(over="ignore"):
            difference = np.where(varies, np.abs(values[row] - values[:, row]), 0.0)
        column = int(difference.argmax())
        largest = max(largest, float(difference[column]))
        if difference[column] > tolerance:
            raise InputError(
                f"{label.name}: is not symmetric: {label(row)} and {label(column)} have {values[row, column]:.6g}, the "
                f"other way round {values[column, row]:.6g}. Was the whole matrix written, or rows in another order?"
            )
    if largest > 0:
        values += values.T.copy()
        values /= 2


def _check_diagonal(
    values: Correlations,
    varies: Bool[np.ndarray, " variants"],
    label: _Labels,
    tolerance: float,
) -> None:
    off = np.where(varies, np.abs(np.diag(values) - 1), 0.0)
    row = int(off.argmax())
    # a correlation estimated with shrinkage, or stored in 16 bits, is 1 up to thousandths
    if off[row] > max(tolerance, 1e-2):
        raise InputError(
            f"{label.name}: {label(row)} has {values[row, row]:.6g} with itself, where a correlation is 1. Is it a "
            "covariance? Divide by both standard deviations"
        )
    np.fill_diagonal(values, 1.0)


def _check_range(
    values: Correlations,
    varies: Bool[np.ndarray, " variants"],
    label: _Labels,
    tolerance: float,
) -> None:
    for row in np.flatnonzero(varies):
        sizes = np.where(varies, np.abs(values[row]), 0.0)
        column = int(sizes.argmax())
        if sizes[column] > 1 + tolerance:
            raise InputError(
                f"{label.name}: {label(row)} and {label(column)} have {values[row, column]:.6g}; a correlation lies "
                "between −1 and 1"
            )


_ENOUGH_FOR_SIGNS = 3
"""Variants of which one pair at least is likely to count contrary alleles, were signs there."""


def _seems_squared(
    name: str,
    values: Correlations,
) -> tuple[str, ...]:
    """A note where no number is below 0: of r² the signs are lost, which fine-mapping needs."""
    # a NaN is no number below 0 either
    if values.shape[0] < _ENOUGH_FOR_SIGNS or np.any(values < 0):
        return ()
    pairs = values[~np.eye(values.shape[0], dtype=bool)]
    # of 0 and 1 alone squares are the same
    if not np.any((pairs > 0) & (pairs < 1)):
        return ()
    return (f"{said_of_squares(name, values.shape[0])} Fine-mapping needs r, with its sign",)


def said_of_squares(name: str, variants: int) -> str:
    """What is asked of correlations among which none is below 0."""
    among = f"no correlation among {counted(variants, 'variants')} is below 0"
    return f"{name}: {among}. Is it r²?"

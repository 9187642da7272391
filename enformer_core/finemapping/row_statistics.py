"""z, beta, SE, P and N of rows, each of what its row has. Works on columns of text. Does not know variants."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float64, Int8

from enformer_core.finemapping.p_values import z_of_log_p
from enformer_core.finemapping.statistic_names import Statistic, StatisticColumns
from enformer_core.finemapping.statistic_texts import are_missing, as_floats, as_log_p
from enformer_core.variants.arrow import Mask, in_full
from enformer_core.variants.formats.reader import kept_role

Floats = Float64[np.ndarray, " rows"]
Signs = Int8[np.ndarray, " rows"]

MOST_Z = 1e6
"""No study has a z beyond: what a file has there is no z, and its square would leave all others without a say."""

_LN_10 = float(np.log(10))


@dataclass(frozen=True)
class Statistics:
    """The statistics of rows; NaN where there are none.

    Attributes:
        log_p: the natural logarithm of P, of which float64 holds 1e-400 too; -inf of 0.
        is_no_p: whether something stands where P should, and is no number from 0 to 1.
        se_as_read: as written, before it is made of beta and z where it is not there.
        agreement: whether the signs of the columns Z, BETA and OR are the same, as far as a row has several: 1 where
            they are, −1 where one is not, 0 where there is nothing to compare.
    """

    beta: Floats
    se: Floats
    se_as_read: Floats
    z: Floats
    n: Floats
    log_p: Floats
    is_no_p: Mask
    agreement: Signs

    @staticmethod
    def of(
        raw: pa.Table,
        columns: StatisticColumns,
        n: float | None,
    ) -> "Statistics":
        """Read them from the columns that are kept beside the alleles, as text."""

        def column(statistic: Statistic) -> Floats:
            if not columns.has(statistic):
                return np.full(raw.num_rows, np.nan)
            return as_floats(texts_of(raw, columns, statistic))

        # the logarithm of an odds ratio is an effect like any other
        odds_ratio = column("odds_ratio")
        positive = np.where(odds_ratio > 0, odds_ratio, np.nan)
        log_odds = np.log(positive)
        as_read = (column("z"), column("beta"), log_odds)
        beta = _first(column("beta"), log_odds)
        se = column("se")
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            z = _first(column("z"), beta / se)
        log_p = _log_p(raw, columns)
        without = np.isnan(z) & ~np.isnan(log_p) & ~np.isnan(beta)
        z[without] = np.sign(beta[without]) * z_of_log_p(log_p[without])
        # an SE that was never written is the one that gives this z
        is_made = without & np.isnan(se) & (z != 0)
        made = se.copy()
        # what is beyond float64 is no number, as is what is divided by 0
        with np.errstate(over="ignore"):
            made[is_made] = beta[is_made] / z[is_made]
            in_all = column("cases") + column("controls")
        of_rows = _first(column("n"), in_all)
        sizes = of_rows if n is None else np.full(raw.num_rows, float(n))
        return Statistics(
            beta,
            made,
            se,
            z,
            sizes,
            log_p,
            _are_no_p(raw, columns, log_p),
            _agreement(*as_read),
        )

    @property
    def p(self) -> Floats:
        """P as float64 has it: 0 below 1e-323."""
        return np.exp(self.log_p)

    @property
    def has_z(self) -> Bool[np.ndarray, " rows"]:
        """Whether each row has a z that a study can have."""
        # of NaN it is false
        return np.abs(self.z) <= MOST_Z


def _agreement(*columns: Floats) -> Signs:
    """Of each row 1 where the signs that are known are the same, −1 where they are not, 0 where there are not two."""
    signs = np.sign(np.nan_to_num(np.stack(columns), nan=0.0))
    known = np.abs(signs).sum(axis=0)
    is_same = np.abs(signs.sum(axis=0)) == known
    return np.where(known < 2, 0, np.where(is_same, 1, -1)).astype(np.int8)


def texts_of(
    raw: pa.Table,
    columns: StatisticColumns,
    statistic: Statistic,
) -> pa.Array:
    """The cells of a statistic that the file has, as they were written."""
    return in_full(raw, kept_role(columns.names[statistic]))


def _log_p(
    raw: pa.Table,
    columns: StatisticColumns,
) -> Floats:
    """Natural logarithms of P; a column of -log10(P) says more of what is very small, and wins."""
    log_p = np.full(raw.num_rows, np.nan)
    if columns.has("minus_log10_p"):
        log_p = -_LN_10 * as_floats(texts_of(raw, columns, "minus_log10_p"))
    if columns.has("p"):
        log_p = _first(log_p, as_log_p(texts_of(raw, columns, "p")))
    # what is above 1 is no P
    return np.where(log_p <= 0, log_p, np.nan)


def _are_no_p(
    raw: pa.Table,
    columns: StatisticColumns,
    log_p: Floats,
) -> Mask:
    """Whether something stands in a column of P where none could be read."""
    of_p: tuple[Statistic, ...] = ("p", "minus_log10_p")
    is_written = np.zeros(raw.num_rows, dtype=bool)
    for statistic in of_p:
        if columns.has(statistic):
            is_written |= ~are_missing(texts_of(raw, columns, statistic))
    return is_written & np.isnan(log_p)


def _first(
    numbers: Floats,
    others: Floats,
) -> Floats:
    """Of each row the first number, or the second where there is no first."""
    return np.where(np.isnan(numbers), others, numbers)

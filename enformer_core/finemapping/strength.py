"""How strong the association of a variant is: −log10 of its P, of its z where there is no P, and which of both it is.

Does not know where the variants lie.
"""

import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float64

from enformer_core.finemapping.sumstats import Sumstats
from enformer_core.variants.arrow import Mask
from enformer_core.words import agreeing, counted

Floats = Float64[np.ndarray, " rows"]


def strength_of(rows: Sumstats) -> tuple[Floats, list[str]]:
    """−log10 of two-sided P of each row, NaN where nothing says it; and what is to be said of rows without a P.

    P counts as it is written, of `1e-400` too. Where it is 0, missing or none, it is that of z.
    """
    strength = minus_log10_p(rows.log_p, rows.z)
    has_p = rows.columns.has("p") or rows.columns.has("minus_log10_p")
    return strength, list(_said(rows, np.isfinite(strength))) if has_p else _unknown(rows, strength)


def minus_log10_p(log_p: Floats, z: Floats) -> Floats:
    """−log10 of two-sided P; where its logarithm is NaN or -inf, of z; NaN where neither is known."""
    of_p = np.abs(log_p) / math.log(10)
    of_z = np.array([_of_z(abs(value)) for value in z.tolist()], dtype=np.float64)
    return np.where(np.isfinite(of_p), of_p, of_z)


def _unknown(rows: Sumstats, strength: Floats) -> list[str]:
    """Of a file without a column of P."""
    absent = np.isnan(strength)
    return [_left_out(rows, absent, "without a z")] if absent.any() else []


def _said(rows: Sumstats, is_known: Mask) -> Iterator[str]:
    is_zero = np.isneginf(rows.log_p)
    is_missing = np.isnan(rows.log_p) & ~rows.is_no_p
    for which, of_z, without in (
        (
            rows.is_no_p,
            "a P that is no number from 0 to 1",
            "with a P that is no number from 0 to 1",
        ),
        (is_zero, "a P of 0, less than its file could hold", "with a P of 0, which says no size"),
        (is_missing, "no P", "without P"),
    ):
        made = which & is_known
        if made.any():
            have = agreeing(int(made.sum()), "has", "have")
            yield f"{_of(rows, made)} {have} {of_z}: it is worked out from z"
        absent = which & ~is_known
        if absent.any():
            yield _left_out(rows, absent, f"{without} and without z")


def _left_out(rows: Sumstats, which: Mask, why: str) -> str:
    return f"{_of(rows, which)} {agreeing(int(which.sum()), 'is', 'are')} left out, {why}"


def _of(rows: Sumstats, which: Mask) -> str:
    """`gwas.tsv: 3 variants of the locus, such as line 5`."""
    first = int(np.flatnonzero(which)[0])
    number = counted(int(which.sum()), "variants")
    return f"{rows.name}: {number} of the locus, such as line {rows.line[first]},"


def _of_z(size: float) -> float:
    """−log10 of the two-sided P of a z of this size; NaN where z is none."""
    tail = math.erfc(size / math.sqrt(2))
    if tail > 0 or math.isnan(size):
        return -math.log10(tail) if tail > 0 else math.nan
    if math.isinf(size):
        return math.nan
    # beyond z = 38 p is 0 in float64: erfc(x) is exp(−x²) / (x √π) · (1 − 1/2x² + 3/4x⁴ …)
    correction = math.log1p(-1 / size**2 + 3 / size**4)
    return (size * size / 2 + math.log(size * math.sqrt(math.pi / 2)) - correction) / math.log(10)

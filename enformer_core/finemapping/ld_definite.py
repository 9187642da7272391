"""Whether correlations are such as genotypes can have, with no eigenvalue below 0 but by rounding, and what mends it.

Does not know where they come from.
"""

import math

import numpy as np

from enformer_core.errors import InputError
from enformer_core.finemapping.susie import Correlations, Variants
from enformer_core.words import counted

_ZERO = 1e-8
"""Eigenvalues above −1e-8 are not below 0, as susieR has it."""


def tolerated_below_zero(
    unit: float,
    size: int,
) -> float:
    """How far below 0 rounding alone may bring an eigenvalue.

    Errors that are even over a unit have a standard deviation of unit / √12, and a symmetric matrix of them a largest
    eigenvalue of 2 √p times that. Of six decimals and 1,000 variants 2e-5; half as much again is granted.
    """
    return max(_ZERO, 1.5 * 2 * math.sqrt(size) * unit / math.sqrt(12))


def check_definite(
    name: str,
    eigenvalues: Variants,
    unit: float,
) -> tuple[str, ...]:
    """Refuse a matrix with an eigenvalue far below 0: no genotypes have such correlations.

    Args:
        name: of the panel.
        eigenvalues: of the block.
        unit: the last digit that is kept of a number.

    Returns:
        A note where rounding explains it.

    Raises:
        InputError: with the eigenvalue, and the shrinkage that mends it.
    """
    least = float(eigenvalues.min())
    if least >= -_ZERO:
        return ()
    if least >= -tolerated_below_zero(unit, eigenvalues.size):
        return (
            f"{name}: its least eigenvalue is {least:.2g}, as rounding to {unit:.0e} makes it; it is taken for 0",
        )
    # (1 − s) least + s = 0, rounded up to two digits
    needed = -least / (1 - least)
    digits = 1 - math.floor(math.log10(needed))
    shown = math.ceil(needed * 10**digits) / 10**digits
    raise InputError(
        f"{name}: is not positive definite: of {counted(eigenvalues.size, 'eigenvalues')} "
        f"{int((eigenvalues < -_ZERO).sum()):,} lie below 0, the least is {least:.3g}. Genotypes of one panel cannot "
        "give that: were pairs worked out from different people, or matrices joined? "
        f"--ld-shrinkage {shown:g} makes it so"
    )


def shrunk(
    correlations: Correlations,
    shrinkage: float,
) -> None:
    """(1 − s) R + s I, in place: each r is s nearer to 0."""
    correlations *= 1 - shrinkage
    np.fill_diagonal(correlations, 1.0)

"""Scores of a run as prior weights of its alleles: which of them is likelier to be causal, before any association.

Weights are relative: programs that take them bring them to a sum of 1 for each locus. They are sizes, never signed, and
the largest is at most 100 times the smallest, as PolyFun has it (its `--q`). Does not know sumstats.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from enformer_core.dataset.ledger import Ledger
from enformer_core.errors import InputError
from enformer_core.finemapping.run_alleles import RunAlleles
from enformer_core.words import counted

Floats = Float64[np.ndarray, " alleles"]

LARGEST_RATIO = 100
"""Of the largest weight to the smallest: PolyFun's default, beyond which no annotation is believed."""


@dataclass(frozen=True)
class Prior:
    """Weights of a run's alleles.

    Attributes:
        weight: above 0, of each allele.
        made_of: what they are made of, in words.
        floored: alleles whose weight was below a hundredth of the largest, and is that.
    """

    weight: Floats
    made_of: str
    floored: int

    @property
    def least(self) -> float:
        """The smallest that a weight may be: what an allele has of which nothing is known."""
        return float(self.weight.max()) / LARGEST_RATIO

    def notes(self) -> list[str]:
        """What a user should know of the weights."""
        floored = f", {self.floored:,} of them raised to a hundredth of the largest"
        return [
            f"prior weights of {counted(self.weight.size, 'alleles')} are {self.made_of}"
            f"{floored if self.floored else ''}"
        ]


def alleles_with_prior(ledger: Ledger, expression: str | None = None) -> tuple[RunAlleles, Prior]:
    """The alleles of a run and their weights.

    Args:
        ledger: of a run by `score`.
        expression: of SQL over the columns of `scores`, whose value is the weight; by default weights are PHRED-scaled
            ranks of the largest size over all tracks.

    Raises:
        InputError: for a run of another kind, without scores, or with weights that are negative or no numbers.
        DatasetError: for a table that is missing or damaged.
    """
    if expression is not None:
        # here: it loads DuckDB
        from enformer_core.finemapping.prior_expression import numbers_of  # noqa: PLC0415

        alleles = RunAlleles.read(ledger)
        weight = numbers_of(ledger, alleles, expression)
        check_sizes(weight, f"--prior {expression!r}")
        return alleles, floored(weight, expression)
    column = f"max_abs_{main_statistic(ledger)}"
    alleles = RunAlleles.read(ledger, column)
    size = np.asarray(alleles.column(column), dtype=np.float64)
    check_sizes(size, f"{alleles.location}: {column}")
    made_of = f"-10 log10 of the part of the run's alleles whose {column} is as large or larger"
    return alleles, floored(phred_of_ranks(size), made_of)


def main_statistic(ledger: Ledger) -> str:
    """The statistic by whose size alleles are ranked: `sad` where the run has it, else its first.

    Raises:
        InputError: for a run of another kind.
    """
    run_type = ledger.run_type
    if "scores" not in run_type.tables:
        raise InputError(
            f"{ledger.store.location}: is a run of {run_type.unit}; name one by `enformer-ray score`"
        )
    names = run_type.value_columns(run_type.value_tables[0], ledger.run)
    return "sad" if "sad" in names else names[0]


def phred_of_ranks(size: Floats) -> Floats:
    """-10 log10 of the part of all that are as large or larger, as CADD's scaled scores are made.

    Of the sizes 3, 1, 1, 8 these parts are 2/4, 4/4, 4/4 and 1/4: 3.01, 0, 0, 6.02.

    Args:
        size: of each allele, none of them NaN.
    """
    ascending = np.sort(size)
    # equals have the rank of the last of them
    smaller = np.searchsorted(ascending, size, side="left")
    as_large = size.size - smaller
    # of all, log10(1) is 0 and not -0
    return 10 * np.log10(size.size / as_large)


def floored(weight: Floats, made_of: str) -> Prior:
    """Weights none of which is below a hundredth of the largest; where all are 0, all are 1.

    Args:
        weight: not negative, each a number.
        made_of: what they are made of, in words.
    """
    largest = float(weight.max())
    if largest == 0:
        return Prior(np.ones_like(weight), f"1 for all, since all are 0: {made_of}", 0)
    least = largest / LARGEST_RATIO
    is_below = weight < least
    return Prior(np.where(is_below, least, weight), made_of, int(is_below.sum()))


def check_sizes(size: Floats, what: str) -> None:
    """Refuse what can be no weight.

    Raises:
        InputError: with how many are NaN, infinite or negative.
    """
    for is_wrong, words in (
        (~np.isfinite(size), "no finite number"),
        (size < 0, "below 0, and a prior is a size: take abs() of it"),
    ):
        wrong = int(is_wrong.sum())
        if wrong:
            raise InputError(f"{what}: is {words}, of {wrong:,} of {counted(size.size, 'alleles')}")

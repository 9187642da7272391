"""Scores of a run as prior weights of its alleles: which of them is likelier to be causal, before any association.

Weights are relative: programs that take them bring them to a sum of 1 for each locus. They are sizes, never signed, and
the largest is at most 100 times the smallest, as PolyFun has it (its `--q`). Does not know sumstats.
"""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float64

from enformer_core.dataset.largest_values import NO_EFFECT
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.stored_tables import stored_tables
from enformer_core.dataset.summary_tables import summary_receipts
from enformer_core.errors import InputError
from enformer_core.finemapping.run_alleles import RunAlleles
from enformer_core.variants.arrow import in_full
from enformer_core.words import agreeing, counted

Floats = Float64[np.ndarray, " alleles"]

_PERCENTILES = "percentiles"
"""The table beside a run that ranks its scores among those of common variants."""

LARGEST_RATIO = 100
"""Of the largest weight to the smallest: PolyFun's default, beyond which no annotation is believed."""


@dataclass(frozen=True)
class Prior:
    """Weights of a run's alleles.

    Attributes:
        weight: above 0, of each allele.
        made_of: what they are made of, in words.
        floored: alleles whose weight was below a hundredth of the largest, and is that.
        silent: alleles without an effect above rounding, where weights are ranks, which they have all the same.
        hint: how to have others, where these hang on what is beside the run.
    """

    weight: Floats
    made_of: str
    floored: int
    silent: int = 0
    hint: str = ""

    @property
    def least(self) -> float:
        """The smallest that a weight may be: what an allele has of which nothing is known."""
        return float(self.weight.max()) / LARGEST_RATIO

    def notes(self) -> list[str]:
        """What a user should know of the weights."""
        floored = f", {self.floored:,} of them raised to a hundredth of the largest"
        said = [
            f"prior weights of {counted(self.weight.size, 'alleles')} are {self.made_of}"
            f"{floored if self.floored else ''}{self.hint}"
        ]
        if self.silent:
            of_all = f"{self.silent:,} of {counted(self.weight.size, 'alleles')}"
            have, are = agreeing(self.silent, "has", "have"), agreeing(self.silent, "is", "are")
            said.append(
                f"{of_all} {have} no value above a millionth of the run's largest, and {are} ranked by what rounding "
                "leaves of nothing"
            )
        return said


def alleles_with_prior(
    ledger: Ledger,
    expression: str | None = None,
    option: str = "--prior",
) -> tuple[RunAlleles, Prior]:
    """The alleles of a run and their weights.

    By default these are PHRED-scaled tails of the largest effect over all tracks: among common variants, where the run
    has a table `percentiles` beside it, else among the run's own alleles.

    Args:
        ledger: of a run by `score`.
        expression: of SQL over the columns of `scores`, whose value is the weight.
        option: by which that was given, for messages.

    Raises:
        InputError: for a run of another kind, without scores, or with weights that are negative or no numbers.
        DatasetError: for a table that is missing or damaged.
    """
    if expression is not None:
        # here: it loads DuckDB
        from enformer_core.finemapping.prior_expression import numbers_of  # noqa: PLC0415

        alleles = RunAlleles.read(ledger)
        weight = numbers_of(ledger, alleles, expression, option)
        check_sizes(weight, f"{option} {expression!r}")
        return alleles, floored(weight, expression)
    statistic = main_statistic(ledger)
    column = f"max_{statistic}_phred"
    largest = f"max_abs_{statistic}"
    alleles = RunAlleles.read(ledger, largest)
    size = np.asarray(alleles.column(largest), dtype=np.float64)
    most = size.max(initial=0, where=np.isfinite(size))
    silent = int((size <= NO_EFFECT * most).sum())
    if has_percentiles(ledger, column):
        weight = _beside(ledger, alleles, column)
        check_sizes(weight, f"{alleles.location}: {column} of {_PERCENTILES}")
        of_table = floored(weight, f"{column} of {_PERCENTILES}, among common variants")
        hint = (
            f", since the run has this table beside it; ranks among the run's own alleles are {option} "
            f"'-10 * log10(cume_dist() OVER (ORDER BY {largest} DESC))'"
        )
        return alleles, replace(of_table, silent=silent, hint=hint)
    check_sizes(size, f"{alleles.location}: {largest}")
    made_of = f"-10 log10 of the part of the run's alleles whose {largest} is as large or larger"
    return alleles, replace(floored(phred_of_ranks(size), made_of), silent=silent)


def has_percentiles(
    ledger: Ledger,
    column: str,
) -> bool:
    """Whether the run has ranks among common variants beside it, of the statistic that is asked for."""
    # one that is not whole yet has no receipt
    if _PERCENTILES not in summary_receipts(ledger):
        return False
    first = next(stored_tables(ledger, _PERCENTILES), None)
    return first is not None and column in first[1].column_names


def _beside(
    ledger: Ledger,
    alleles: RunAlleles,
    column: str,
) -> Floats:
    """A column of the table `percentiles`, in the order of the alleles; NaN where it has none."""
    parts = [
        stored.select(["variant_id", column]) for _, stored in stored_tables(ledger, _PERCENTILES)
    ]
    table = pa.concat_tables(parts).combine_chunks()
    # repeats of an allele have its value, rows without scores none
    named = table.filter(pc.is_valid(table[column]))
    at = pc.index_in(alleles.column("variant_id"), value_set=in_full(named, "variant_id"))
    values = in_full(named, column).take(at)
    return np.asarray(pc.fill_null(values, np.nan), dtype=np.float64)


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


def floored(
    weight: Floats,
    made_of: str,
) -> Prior:
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


def check_sizes(
    size: Floats,
    what: str,
) -> None:
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

"""Names that programs write above the columns of statistics: effect, standard error, z, P, N.

Names of places and alleles are those of `variants.formats.headers`; here is what stands beside them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Int8

from enformer_core.errors import InputError
from enformer_core.variants.formats.column_search import HARMONISED
from enformer_core.variants.formats.headers import cleaned
from enformer_core.words import counted

Statistic = Literal[
    "beta",
    "odds_ratio",
    "se",
    "z",
    "p",
    "minus_log10_p",
    "n",
    "cases",
    "controls",
    "pip",
    "credible_set",
]

NAMES: Mapping[Statistic, tuple[str, ...]] = {
    "beta": (
        *("beta", "b", "effect", "effect_size", "effectsize", "effects"),
        *("log_odds", "logor", "log_or", "est", "estimate", "slope", "es"),
    ),
    "odds_ratio": ("or", "odds_ratio", "oddsratio", "or(a1)"),
    "se": (
        *("se", "standard_error", "stderr", "std_err", "sebeta", "se_beta", "beta_se"),
        *("log(or)_se", "logor_se", "standarderror", "stderrlogor", "slope_se", "std_error"),
    ),
    "z": ("z", "zscore", "z_score", "z-score", "zstat", "z_stat", "t_stat", "stat_z"),
    "p": (
        *("p", "pval", "pvalue", "p_value", "p-value", "p.value", "p_val", "p-val"),
        *("p_bolt_lmm", "p_bolt_lmm_inf", "pval_nominal", "gwas_p", "p.spa"),
    ),
    "minus_log10_p": (
        *("neg_log_10_p_value", "neglog10_pval", "neg_log10_p", "mlog10p", "mlogp", "nlog10p"),
        *("log10p", "-log10p", "logp", "minus_log10_p", "lp"),
    ),
    "n": (
        *("n", "n_total", "samplesize", "sample_size", "n_samples", "totalsamplesize", "obs_ct"),
        *("nmiss", "n_obs", "ntotal", "n_complete_samples", "neff", "n_eff", "effective_n"),
    ),
    "cases": ("n_cases", "n_cas", "ncas", "ncase", "n_case", "cases", "nca", "num_cases"),
    "controls": (
        *("n_controls", "n_con", "ncon", "ncontrol", "n_control", "controls", "nco"),
        "num_controls",
    ),
    # of our own finemap those without a prior: scores that stand beside them must not be in them already
    "pip": (
        *("pip", "pip_uniform", "susie_pip", "pip_susie"),
        *("posterior_prob", "posterior", "pp", "prob"),
    ),
    "credible_set": (
        *("cs_id", "cs", "credible_set", "credible_set_id", "cs_index"),
        *("set_uniform", "susie_cs"),
    ),
}
"""In small letters; of several columns of one meaning the first of this order counts.

regenie's LOG10P, and all like it, is -log10(P): no P is above 1. An `effect` is METAL's, beside `stderr`.
"""

_OF_AN_ALLELE = frozenset({"beta", "odds_ratio", "z"})
"""What changes its sign, or becomes its inverse, where the alleles change places."""


@dataclass(frozen=True)
class StatisticColumns:
    """Which column of a file holds which statistic.

    Attributes:
        names: as the file has them, without quotes and `#`, by meaning.
        header: all names of the file.
    """

    names: Mapping[Statistic, str]
    header: Sequence[str] = field(default=(), repr=False)

    def has(self, *statistics: Statistic) -> bool:
        """Whether the file has all of these."""
        return all(name in self.names for name in statistics)


def find_statistics(header: Sequence[str], *, harmonised: bool) -> StatisticColumns:
    """Find the columns of statistics by their names.

    Args:
        header: names of a file's columns, as written.
        harmonised: whether the alleles are those that the GWAS Catalog's harmonisation has added, `hm_effect_allele`:
            then only `hm_beta` and `hm_odds_ratio` are of them, and those of the author may be of the other allele.
    """
    own = [cleaned(name) for name in header]
    found: dict[Statistic, str] = {}
    for statistic, names in NAMES.items():
        begins = HARMONISED if harmonised and statistic in _OF_AN_ALLELE else ""
        at = next((own.index(begins + name) for name in names if begins + name in own), None)
        if at is not None:
            found[statistic] = header[at].strip().strip('"').removeprefix("#")
    return StatisticColumns(found, tuple(header))


def check_has_z(columns: StatisticColumns, file: str) -> None:
    """Refuse a file of whose columns no z can be made.

    Raises:
        InputError: naming the file, what it has, and what is needed.
    """
    if z_made_of(columns):
        return
    known = ", ".join(name.strip() for name in columns.header) or "no names"
    raise InputError(
        f"{file}: no z can be made of its columns: needs Z, or BETA and SE, or OR and SE, or BETA (or OR) and P; it "
        f"has {known}. Rename its columns so"
    )


def said_of_signs(
    columns: StatisticColumns,
    agreement: Int8[np.ndarray, " rows"],
    file: str,
) -> tuple[str, ...]:
    """A note where columns of effects contradict each other in their signs.

    Args:
        columns: of the file.
        agreement: of its rows: 1 for the same signs, −1 for contrary ones, 0 where there is nothing to compare.
        file: as its user calls it.

    Raises:
        InputError: where most do: then one column is of the other allele, or no effect at all.
    """
    contrary = int((agreement < 0).sum())
    if not contrary:
        return ()
    compared = int((agreement != 0).sum())
    of_effects: tuple[Statistic, ...] = ("z", "beta", "odds_ratio")
    used, *others = [columns.names[each] for each in of_effects if columns.has(each)]
    of_rows = f"{contrary:,} of {counted(compared, 'rows')}"
    said = f"{file}: in {of_rows} the sign of {used} is not that of {' or '.join(others)}"
    if contrary > compared / 2:
        raise InputError(
            f"{said}: one of them is of the other allele, or none of effects. Take the one that is wrong out, or "
            "rename it"
        )
    return (f"{said}; {used} counts",)


def z_made_of(columns: StatisticColumns) -> tuple[Statistic, ...]:
    """The statistics that z is made of, the first choice that the file has; none where it has none."""
    signs: tuple[Statistic, ...] = ("beta", "odds_ratio")
    sizes: tuple[Statistic, ...] = ("se", "minus_log10_p", "p")
    choices: list[tuple[Statistic, ...]] = [("z",)]
    choices += [(sign, size) for size in sizes for sign in signs]
    return next((choice for choice in choices if columns.has(*choice)), ())

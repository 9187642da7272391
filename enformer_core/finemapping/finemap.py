"""A locus fitted twice, with all variants alike and with a prior, and what the prior changed.

Also whether z and correlations can be of one sample at all. Does not know files, nor how results are shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float64

from enformer_core.errors import InputError, first_few
from enformer_core.finemapping.credible_sets import (
    COVERAGE,
    LEAST_PURITY,
    CredibleSet,
    sets_of_any_purity,
)
from enformer_core.finemapping.diagnostics import (
    LARGE_LAMBDA,
    SMALL_LAMBDA,
    Consistency,
    Spectrum,
    consistency,
)
from enformer_core.finemapping.ld_definite import check_definite, shrunk, tolerated_below_zero
from enformer_core.finemapping.locus import LocusData
from enformer_core.finemapping.shares import shares
from enformer_core.finemapping.susie import (
    WEAK_EVIDENCE,
    Correlations,
    SusieFit,
    SusieSettings,
    UnreasonableFitError,
    Variants,
    susie_rss,
)
from enformer_core.words import agreeing, counted

Diagnostics = Literal["full", "none"]

_LARGEST_RATIO = 100
"""Of the largest prior weight to the least above 0: beyond this a wrong prior outweighs most data (PolyFun's q)."""

_SHOWN_SUSPECTS = 5


@dataclass(frozen=True)
class FinemapSettings:
    """How a locus is fitted.

    Attributes:
        susie: what SuSiE assumes.
        coverage: of credible sets.
        least_purity: of credible sets.
        shrinkage: how much nearer to 0 each correlation is taken, from 0 to 1.
        diagnostics: whether λ and expected z are worked out: of thousands of variants they take longest.
    """

    susie: SusieSettings = field(default_factory=SusieSettings)
    coverage: float = COVERAGE
    least_purity: float = LEAST_PURITY
    shrinkage: float = 0.0
    diagnostics: Diagnostics = "full"


@dataclass(frozen=True)
class Fitted:
    """One fit and its credible sets.

    Attributes:
        fit: of the locus.
        sets: that are pure enough, the purest first.
        impure: the others.
    """

    fit: SusieFit
    sets: tuple[CredibleSet, ...]
    impure: tuple[CredibleSet, ...] = ()

    def set_of(
        self,
        variants: int,
    ) -> list[int | None]:
        """For each variant the number of its credible set, from 1; of several the first; None for none."""
        numbers: list[int | None] = [None] * variants
        for number, each in reversed([*enumerate(self.sets, 1)]):
            for member in each.members:
                numbers[member] = number
        return numbers


@dataclass(frozen=True)
class FinemapResult:
    """A locus with and without a prior.

    Attributes:
        data: the locus.
        settings: of the fits.
        uniform: all variants alike.
        prior: with the weights; None without any.
        weights: of each variant, which add up to 1; None without any.
        consistency: None where it was not asked for, or the locus is one variant.
        notes: what a user should know.
    """

    data: LocusData
    settings: FinemapSettings
    uniform: Fitted
    prior: Fitted | None
    weights: Float64[np.ndarray, " variants"] | None
    consistency: Consistency | None
    notes: tuple[str, ...]


def finemap(
    data: LocusData,
    panel_name: str,
    weights: Variants | None,
    settings: FinemapSettings,
) -> FinemapResult:
    """Fit a locus with all variants alike and, where there are weights, with them.

    Args:
        data: the locus; its correlations are shrunk in place where that is asked for.
        panel_name: where they come from, for messages.
        weights: a prior of any scale; None for none.
        settings: of the fits.

    Raises:
        InputError: for correlations that no genotypes have, and for z that contradict them.
    """
    if settings.shrinkage:
        shrunk(data.correlations, settings.shrinkage)
    found, notes = _diagnosed(data, panel_name, settings)
    share = None if weights is None else shares(weights)
    uniform = _fitted(data, panel_name, None, settings)
    with_prior = None if share is None else _fitted(data, panel_name, share, settings)
    notes += tuple(_said_of_residual(found, settings))
    notes += tuple(_said_of_convergence(uniform, "without a prior"))
    if share is not None and with_prior is not None:
        notes += tuple(_said_of_convergence(with_prior, "with the prior"))
        notes += tuple(_said_of_weights(share))
    return FinemapResult(data, settings, uniform, with_prior, share, found, notes)


def _diagnosed(
    data: LocusData,
    panel_name: str,
    settings: FinemapSettings,
) -> tuple[Consistency | None, tuple[str, ...]]:
    # one variant alone has no others that it could contradict
    if settings.diagnostics == "full" and data.z.size > 1:
        spectrum = Spectrum.of(data.correlations)
        said = check_definite(panel_name, spectrum.values, data.unit)
        found = consistency(data.panel_z, spectrum, data.study.people)
        return found, (*said, *_said_of_mismatch(found, data, panel_name))
    if _is_definite(data.correlations, tolerated_below_zero(data.unit, data.z.size)):
        return None, ()
    return None, check_definite(panel_name, np.linalg.eigvalsh(data.correlations), data.unit)


def _said_of_mismatch(
    found: Consistency,
    data: LocusData,
    panel_name: str,
) -> Iterator[str]:
    if found.mismatch > LARGE_LAMBDA:
        yield (
            f"z of {data.study.name} and LD of {panel_name} do not fit each other: lambda is {found.mismatch:.3f}, "
            f"where up to {SMALL_LAMBDA:g} is as of one sample. Results are not to be relied on"
        )


def _is_definite(
    correlations: Correlations,
    tolerated: float,
) -> bool:
    """Whether no eigenvalue is below what is tolerated; much quicker than working them out."""
    # one copy: the matrix is the large thing
    raised = correlations.copy()
    raised[np.diag_indices_from(raised)] += tolerated
    try:
        np.linalg.cholesky(raised)
    except np.linalg.LinAlgError:
        return False
    return True


def _fitted(
    data: LocusData,
    panel_name: str,
    prior: Variants | None,
    settings: FinemapSettings,
) -> Fitted:
    try:
        fit = susie_rss(data.panel_z, data.correlations, data.study.people, prior, settings.susie)
    except UnreasonableFitError as error:
        raise InputError(
            f"z of {data.study.name} and correlations of {panel_name} contradict each other: {error}. Are both of the "
            "same alleles and of people of one ancestry, and is N right?"
        ) from error
    # the purest first
    sets = sets_of_any_purity(fit, data.correlations, settings.coverage)
    pure = sum(each.purity >= settings.least_purity for each in sets)
    return Fitted(fit, tuple(sets[:pure]), tuple(sets[pure:]))


def _said_of_residual(
    found: Consistency | None,
    settings: FinemapSettings,
) -> Iterator[str]:
    if not settings.susie.estimates_residual_variance or found is None:
        return
    if found.mismatch > SMALL_LAMBDA:
        yield (
            f"the residual variance is estimated, and lambda is {found.mismatch:.3f}: with LD of other people than "
            "those studied it comes out wrong, and effects with it. Leave out --estimate-residual-variance"
        )


def _said_of_convergence(
    fitted: Fitted,
    which: str,
) -> Iterator[str]:
    fit = fitted.fit
    if not fit.has_converged:
        yield (
            f"the fit {which} has not converged after {counted(len(fit.elbo), 'rounds')}: more are given by "
            "--max-iterations, and z and LD that contradict each other are a common cause"
        )
    weak = int(fit.is_weak.sum())
    effects = fit.is_effect.size
    if weak:
        yield (
            f"{weak} of {counted(effects, 'effects')} of the fit {which} gain less than {WEAK_EVIDENCE} of log "
            f"evidence over none: they add the prior to PIPs (their sum is {fit.pip.sum():.2f}), not what data say. "
            f"--least-evidence {WEAK_EVIDENCE} leaves such effects out"
        )
    # who asks for one effect wants one
    elif fit.is_effect.all() and 1 < effects < fit.alpha.shape[1]:
        yield f"all {effects} effects are used by the fit {which}: there may be more, see --effects"


def _said_of_weights(share: Variants) -> Iterator[str]:
    zeros = int((share == 0).sum())
    if zeros:
        yield (
            f"{counted(zeros, 'variants')} {agreeing(zeros, 'has', 'have')} a prior of 0, which stands for 1.5e-8 "
            "here, as in susieR: strong data can overrule it"
        )
    ratio = float(share.max() / share[share > 0].min())
    if ratio > _LARGEST_RATIO * (1 + 1e-9):
        yield (
            f"the largest prior is {ratio:,.0f} times the least above 0; beyond {_LARGEST_RATIO} a prior that is wrong "
            "does harm that data rarely mend"
        )


def sentence_of(
    found: Consistency,
    *,
    seems_squared: bool = False,
) -> str:
    """What a locus's λ means, in words.

    Args:
        found: of the locus.
        seems_squared: whether no correlation is below 0: of r² a λ near 0 says nothing.
    """
    if found.mismatch > LARGE_LAMBDA:
        return (
            "z and LD do not fit each other: a panel of a few hundred people or of another ancestry, exchanged "
            "alleles, rows in another order, or a wrong N. PIPs and credible sets are not to be relied on"
        )
    if seems_squared:
        return "z and LD show no sign of misfit, which says nothing if these are r²: no correlation is below 0"
    if found.mismatch > SMALL_LAMBDA:
        return (
            "z and LD fit as those of a study and of a panel of some thousand people like it do: several credible sets "
            "beside each other are to be taken with care"
        )
    return "z and LD fit each other, as those of one sample do"


def suspects_of(result: FinemapResult) -> list[str]:
    """Variants whose alleles are likely exchanged, the surest first."""
    if result.consistency is None:
        return []
    rows = np.flatnonzero(result.consistency.is_suspect)
    order = np.argsort(-result.consistency.log_ratio[rows], kind="stable")
    return [result.data.labels[row] for row in rows[order]]


def said_of_suspects(result: FinemapResult) -> str | None:
    """Which variants these are, in words; None where there is none."""
    suspects = suspects_of(result)
    if not suspects:
        return None
    number = counted(len(suspects), "variants")
    has = agreeing(len(suspects), "has a z", "have z")
    their = agreeing(len(suspects), "its", "their")
    return (
        f"{number} {has} of the other sign than {their} neighbours make likely, as where alleles are exchanged: "
        f"{first_few(suspects, _SHOWN_SUSPECTS)}"
    )

"""SuSiE on summary statistics: a locus as a sum of a few single effects, each on one variant that is not known.

Wang, Sarkar, Carbonetto & Stephens 2020 (J R Stat Soc B 82:1273), by z and correlations as Zou, Carbonetto, Wang &
Stephens 2022 (PLoS Genet 18:e1010299), with the defaults of susieR 0.16: the numbers are those of its `susie_rss`.
Knows arrays in one order of variants. Does not know names, files or where a prior comes from.
"""

import math
import sys
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from enformer_core.finemapping.brent import minimum
from enformer_core.finemapping.shares import shares

Variants = Float64[np.ndarray, " variants"]
Correlations = Float64[np.ndarray, "variants variants"]
EffectsByVariants = Float64[np.ndarray, "effects variants"]

_SQRT_EPS = math.sqrt(sys.float_info.epsilon)
"""Added to priors before their logarithm, as susieR does: a weight of 0 is 1.5e-8, and data can overrule it."""

_LOG_VARIANCES = (-30.0, 15.0)
"""Logarithms of prior variances between which the best is looked for."""

_LEAST_VARIANCE = 1e-9
"""An effect whose prior variance is no larger is none: it counts neither for PIPs nor for credible sets."""

WEAK_EVIDENCE = 0.1
"""An effect that gains less log evidence than this over none says where the prior lies, not where the data point."""

_UNREASONABLE = 100
"""A prior variance of so many largest z², in standard errors², shows that z and R are not of one sample."""


class UnreasonableFitError(ValueError):
    """What was given cannot be of one sample: variances came out that no data have."""


@dataclass(frozen=True)
class SusieSettings:
    """What is assumed, and when the fit ends.

    Attributes:
        effects: the most causal variants (L).
        scaled_prior_variance: the prior variance of an effect at the start, in parts of the trait's variance.
        least_evidence: an effect is none that gains no more log evidence than this (susieR's `check_null_threshold`).
        estimates_residual_variance: whether the residual variance is estimated, beginning with 1; it stays 1 otherwise.
        tolerance: the fit ends when the evidence (ELBO) gains less than this in a round.
        most_rounds: the fit ends after so many rounds whatever it gains.
    """

    effects: int = 10
    scaled_prior_variance: float = 0.2
    least_evidence: float = 0.0
    estimates_residual_variance: bool = False
    tolerance: float = 1e-4
    most_rounds: int = 50


@dataclass(frozen=True)
class SusieFit:
    """The posterior of a locus.

    Attributes:
        alpha: of each effect the probability that it is this variant's.
        mean: of each effect its size if it is this variant's, in standard deviations of trait and genotype.
        prior_variance: of each effect, as estimated; 0 where the data do not need it.
        evidence: of each effect, the log evidence that it gains over none; 0 where there is none.
        residual_variance: 1, or as estimated.
        elbo: the evidence after each round.
        has_converged: whether the last gain was below the tolerance.
    """

    alpha: EffectsByVariants
    mean: EffectsByVariants
    prior_variance: Float64[np.ndarray, " effects"]
    evidence: Float64[np.ndarray, " effects"]
    residual_variance: float
    elbo: tuple[float, ...]
    has_converged: bool

    @property
    def is_effect(self) -> Bool[np.ndarray, " effects"]:
        """Which effects there are; of the others alpha is the prior, and means nothing."""
        return self.prior_variance > _LEAST_VARIANCE

    @property
    def is_weak(self) -> Bool[np.ndarray, " effects"]:
        """Which effects are kept though the data hardly ask for them: their alpha is little else than the prior."""
        return self.is_effect & (self.evidence < WEAK_EVIDENCE)

    @property
    def pip(self) -> Variants:
        """The posterior inclusion probability of each variant: that at least one effect is its own."""
        none_is_its = 1 - self.alpha[self.is_effect]
        return 1 - np.prod(none_is_its, axis=0)


def adjusted_z(
    z: Variants,
    people: float,
) -> Variants:
    """z on the scale on which the residual variance is 1: each is divided by what its own variant leaves unexplained.

    A variant with z = 10 in 102 people explains z² / (z² + n − 2) = 100 / 200 of the trait: 10 becomes 10 √(101 / 200).
    """
    unexplained = (people - 1) / (z**2 + people - 2)
    return z * np.sqrt(unexplained)


def susie_rss(
    z: Variants,
    correlations: Correlations,
    people: float,
    prior: Variants | None = None,
    settings: SusieSettings = SusieSettings(),
) -> SusieFit:
    """Fit a locus; the same arrays give the same numbers.

    Args:
        z: of each variant, not adjusted.
        correlations: between genotypes, in the same order, alleles turned as z's are; read only, and never copied.
        people: how many were studied.
        prior: of each variant a weight, any scale, none negative; None for all alike.
        settings: of the fit.

    Raises:
        UnreasonableFitError: where z and correlations contradict each other, so that variances run away.
    """
    return _Fit(z, correlations, people, prior, settings).run()


class _Fit:
    """A fit under way: X'X = (n − 1) R, X'y = √(n − 1) z, y'y = n − 1, as of a standardised trait and genotypes."""

    def __init__(
        self,
        z: Variants,
        correlations: Correlations,
        people: float,
        prior: Variants | None,
        settings: SusieSettings,
    ) -> None:
        weights = np.ones(z.size) if prior is None else prior
        share = shares(weights)
        effects = min(settings.effects, z.size)
        self._settings = settings
        self._correlations = correlations
        self._people = people
        self._scale = people - 1
        self._z = adjusted_z(z, people)
        self._log_prior = np.log(share + _SQRT_EPS)
        self._alpha = np.tile(share, (effects, 1))
        self._mean = np.zeros((effects, z.size))
        # R times what each effect explains: kept, since R is the large thing
        self._explained = np.zeros((effects, z.size))
        self._prior_variance = np.full(effects, settings.scaled_prior_variance)
        self._gain = np.zeros(effects)
        self._residual_variance = 1.0
        # of each effect, for the evidence: what its square is expected to be, and how far it is from its prior
        self._square = np.zeros(effects)
        self._divergence = np.zeros(effects)

    def run(self) -> SusieFit:
        """Rounds over all effects until the evidence gains little."""
        elbo: list[float] = []
        has_converged = False
        while not has_converged and len(elbo) < self._settings.most_rounds:
            for effect in range(self._alpha.shape[0]):
                self._update(effect)
            residual = self._expected_residual()
            elbo.append(self._evidence(residual))
            gain = elbo[-1] - elbo[-2] if len(elbo) > 1 else math.inf
            has_converged = gain < self._settings.tolerance
            if self._settings.estimates_residual_variance and not has_converged:
                self._residual_variance = self._estimated_variance(residual)
        return SusieFit(
            self._alpha,
            self._mean,
            self._prior_variance,
            self._gain,
            self._residual_variance,
            tuple(elbo),
            has_converged,
        )

    def _update(
        self,
        effect: int,
    ) -> None:
        """One effect anew, given all others: a regression on one variant, which of them unknown."""
        others = self._explained.sum(axis=0) - self._explained[effect]
        # of each variant alone: its estimate and the estimate's variance
        estimate = self._z / math.sqrt(self._scale) - others
        noise = self._residual_variance / self._scale
        single = _SingleEffect(estimate, noise, self._log_prior)
        before = self._prior_variance[effect]
        variance = single.best_variance(before, self._settings.least_evidence)
        self._check_variance(variance)
        alpha, log_evidence = single.posterior(variance)
        posterior_variance = variance * noise / (variance + noise)
        mean = posterior_variance / noise * estimate
        product = alpha * mean
        square = float(alpha @ (posterior_variance + mean**2))
        self._alpha[effect] = alpha
        self._mean[effect] = mean
        self._prior_variance[effect] = variance
        self._gain[effect] = log_evidence - single.evidence(0.0)
        # without an effect nothing is explained, which needs no product with R
        self._explained[effect] = self._correlations @ product if variance > 0 else 0.0
        self._square[effect] = square
        likelihood = (square - 2 * float(product @ estimate)) / (2 * noise)
        self._divergence[effect] = -log_evidence - likelihood

    def _expected_residual(self) -> float:
        """The expected sum of squares that is left, over n − 1 people."""
        products = self._alpha * self._mean
        total = products.sum(axis=0)
        explained = self._explained.sum(axis=0)
        left = 1 - 2 * float(total @ self._z) / math.sqrt(self._scale) + float(total @ explained)
        # squares of each effect's mean are replaced by the expected squares
        own = float(np.sum(products * self._explained))
        return self._scale * (left - own + float(self._square.sum()))

    def _evidence(
        self,
        residual: float,
    ) -> float:
        """The lower bound of the log evidence (ELBO)."""
        constant = self._people / 2 * math.log(2 * math.pi * self._residual_variance)
        fit = residual / (2 * self._residual_variance)
        return -constant - fit - float(self._divergence.sum())

    def _estimated_variance(
        self,
        residual: float,
    ) -> float:
        estimated = residual / self._people
        if estimated <= 0:
            raise UnreasonableFitError(
                f"the residual variance is estimated as {estimated:.3g}, and must be above 0"
            )
        return estimated

    def _check_variance(
        self,
        variance: float,
    ) -> None:
        largest = float(np.max(np.abs(self._z)))
        if variance > _UNREASONABLE * largest**2:
            raise UnreasonableFitError(
                f"the prior variance of an effect is estimated as {variance:.3g}, more than {_UNREASONABLE} times the "
                f"largest z² of {largest**2:.3g}"
            )


@dataclass(frozen=True)
class _SingleEffect:
    """A regression on one variant of which nobody knows which it is.

    Attributes:
        estimate: of each variant, its effect if it were the one.
        noise: the variance of these estimates.
        log_prior: of each variant, the logarithm of its prior.
    """

    estimate: Variants
    noise: float
    log_prior: Variants

    def posterior(
        self,
        variance: float,
    ) -> tuple[Variants, float]:
        """Which variant it is, and the log evidence against no effect, for effects of this prior variance.

        Log Bayes factors after Wakefield 2009: ½ log(s² / (V + s²)) + ½ b² V / (s² (V + s²)).
        """
        shrinkage = variance / (self.noise * (variance + self.noise))
        log_factor = -0.5 * math.log1p(variance / self.noise)
        log_weight = log_factor + 0.5 * shrinkage * self.estimate**2 + self.log_prior
        largest = float(log_weight.max())
        weight = np.exp(log_weight - largest)
        total = float(weight.sum())
        return weight / total, math.log(total) + largest

    def evidence(
        self,
        variance: float,
    ) -> float:
        """The log evidence of an effect of this prior variance; of none for 0."""
        return self.posterior(variance)[1]

    def best_variance(
        self,
        before: float,
        least_evidence: float,
    ) -> float:
        """The prior variance under which the estimates are most likely; 0 where no effect is as likely.

        Args:
            before: the variance of the last round, kept where nothing better is found.
            least_evidence: log evidence that an effect must gain over none, and more.
        """
        log_variance = minimum(self._surprise, *_LOG_VARIANCES)
        best = math.exp(log_variance)
        if before > 0 and self._surprise(log_variance) > self._surprise(math.log(before)):
            best = before
        without = self.evidence(0.0)
        return 0.0 if without + least_evidence >= self.evidence(best) else best

    def _surprise(
        self,
        log_variance: float,
    ) -> float:
        return -self.evidence(math.exp(log_variance))

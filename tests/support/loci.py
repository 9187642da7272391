"""Loci whose causal variants are known: genotypes with linkage, a trait, and what a study would report."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MadeUpLocus:
    """A locus, its people's genotypes, and a study of them.

    Attributes:
        genotypes: copies of the counted allele, people by variants.
        z: of each variant alone.
        correlations: between variants, in these people.
        people: how many they are.
        causal: which variants are.
    """

    genotypes: np.ndarray
    z: np.ndarray
    correlations: np.ndarray
    people: float
    causal: tuple[int, ...]


def made_up_genotypes(
    rng: np.random.Generator, people: int, thresholds: np.ndarray, linkage: np.ndarray
) -> np.ndarray:
    """Two haplotypes of each person, along which neighbours are alike.

    Args:
        rng: draws them.
        people: how many.
        thresholds: of each variant, below which a standard normal number is a copy.
        linkage: the correlation of each variant's number with the one before.
    """
    genotypes = np.zeros((people, thresholds.size))
    for _ in range(2):
        numbers = rng.normal(size=(people, thresholds.size))
        for at in range(1, thresholds.size):
            before = linkage[at] * numbers[:, at - 1]
            numbers[:, at] = before + np.sqrt(1 - linkage[at] ** 2) * numbers[:, at]
        genotypes += numbers < thresholds
    return genotypes


def study_of(
    rng: np.random.Generator,
    genotypes: np.ndarray,
    causal: tuple[int, ...],
    explained: float,
) -> tuple[np.ndarray, np.ndarray]:
    """z of each variant alone, and correlations, of a trait of which causal variants explain a part."""
    people = genotypes.shape[0]
    scaled = (genotypes - genotypes.mean(axis=0)) / genotypes.std(axis=0)
    signal = scaled[:, causal] @ rng.choice([-1.0, 1.0], len(causal))
    signal *= np.sqrt(explained) / signal.std()
    trait = signal + np.sqrt(1 - explained) * rng.normal(size=people)
    trait = (trait - trait.mean()) / trait.std()
    effect = scaled.T @ trait / people
    z = effect / np.sqrt((1 - effect**2) / (people - 2))
    return z, scaled.T @ scaled / people


def made_up_locus(
    *,
    seed: int,
    variants: int,
    causal: tuple[int, ...],
    people: int = 2_000,
    explained: float = 0.06,
) -> MadeUpLocus:
    """A locus of common variants in strong linkage."""
    rng = np.random.default_rng(seed)
    thresholds = rng.uniform(-1.0, 0.2, variants)
    linkage = rng.uniform(0.85, 0.99, variants)
    genotypes = made_up_genotypes(rng, people, thresholds, linkage)
    z, correlations = study_of(rng, genotypes, causal, explained)
    return MadeUpLocus(genotypes, z, correlations, float(people), causal)

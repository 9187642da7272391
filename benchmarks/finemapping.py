"""What a prior does to loci whose truth is known, what λ comes to, and how long loci of some sizes take.

    python -m benchmarks.finemapping --json benchmarks/results/finemapping.json [--seeds 200] [--sizes 1500,5000]

Truth: genotypes with linkage are made up for each seed, and a trait of which one variant explains 2 %, one that breaks
a site which the demonstration `motif` knows. The prior is that of one run of `score`; beside it stand the same weights
shuffled, and the worst that a ratio of 100 can be: a hundredfold weight for the variant most like the causal one.

λ: the same genotypes, in-sample and of other people of the same population, of another one, and with two variants'
alleles exchanged.

Sizes: each in a process of its own, so that its peak memory is its own, on a matrix of made-up correlations; those of
`--fits` without the diagnostics.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.circumstances import circumstances
from enformer_core.finemapping.credible_sets import credible_sets
from enformer_core.finemapping.diagnostics import Spectrum, consistency
from enformer_core.finemapping.susie import SusieFit, susie_rss
from jobs.cli import main as enformer_ray
from jobs.finished_run import open_ledger
from tests.support.loci import made_up_genotypes, study_of
from tests.support.motif_loci import KnownTruth, known_truth, write_motif_genome

VARIANTS = 400
"""Of the run; each locus has 40 of them."""

PRIORS = ("uniform", "run", "shuffled", "wrong")

PANELS = (5_000, 2_000, 500, 200)
"""People of reference panels."""

LAMBDA_SEEDS = 12


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--sizes", default="300,1500,3000", help="variants of loci that are timed")
    parser.add_argument("--fits", default="10000", help="variants of loci whose fit is timed alone")
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--fit-only", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.size:
        print(json.dumps(timed(options.size, fit_only=options.fit_only)))
        return
    figures: dict[str, Any] = {
        "truth": truth(options.seeds),
        "lambda": {name: spread(values) for name, values in lambdas().items()},
        "sizes": [
            *(timed_apart(size) for size in numbers(options.sizes)),
            *(timed_apart(size, "--fit-only") for size in numbers(options.fits)),
        ],
        **circumstances("numpy"),
    }
    print(json.dumps(figures, indent=1))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


def numbers(text: str) -> list[int]:
    """Whole numbers between commas."""
    return [int(word) for word in text.split(",") if word]


def truth(seeds: int) -> dict[str, Any]:
    """The causal variant's fate under each prior, over many seeds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        genome = write_motif_genome(folder, VARIANTS)
        out = str(folder / "run")
        words = ["score", str(genome.vcf), "--genome", str(genome.fasta), "--model", "motif"]
        words += ["--ray", "off", "--strands", "forward", "--max-offset-bp", "16384", "--out", out]
        if enformer_ray(words):
            raise SystemExit("the run of scores failed")
        ledger = open_ledger(out)
        loci = (known_truth(genome, ledger, folder, seed=seed) for seed in range(seeds))
        found = [dict(fates(locus, seed)) for seed, locus in enumerate(loci)]
    summary = {prior: summed([each[prior] for each in found]) for prior in PRIORS}
    pips = {prior: np.array([each[prior]["pip"] for each in found]) for prior in PRIORS}
    summary["harm"] = {
        "odds_fall_median": float(np.median(fall(pips["uniform"], pips["wrong"]))),
        "odds_fall_95": float(np.quantile(fall(pips["uniform"], pips["wrong"]), 0.95)),
    }
    for prior in PRIORS[1:]:
        summary[prior]["raised"] = float((pips[prior] > pips["uniform"]).mean())
    return {"seeds": seeds, **summary}


def fates(locus: KnownTruth, seed: int) -> Iterator[tuple[str, dict[str, float]]]:
    """What becomes of the causal variant under each prior."""
    rng = np.random.default_rng(seed)
    weights = {
        "run": locus.weights,
        "shuffled": locus.shuffled(rng),
        "wrong": locus.wrong(),
    }
    for prior, each in weights.items():
        result = locus.fitted(each)
        assert result.prior is not None
        if prior == "run":
            yield "uniform", fate(locus, result.uniform.fit)
        yield prior, fate(locus, result.prior.fit)


def fate(locus: KnownTruth, fit: SusieFit) -> dict[str, float]:
    """The causal variant's PIP, whether a set holds it, and how large that set is."""
    sets = credible_sets(fit, locus.data.correlations)
    sizes = [len(each.members) for each in sets if locus.causal in each.members]
    return {
        "pip": float(fit.pip[locus.causal]),
        "held": float(bool(sizes)),
        "size": float(min(sizes, default=0)),
        "sets": float(len(sets)),
    }


def summed(found: Sequence[dict[str, float]]) -> dict[str, float]:
    """Means over seeds; sizes over those sets that hold the causal variant."""
    pip = np.array([each["pip"] for each in found])
    sizes = np.array([each["size"] for each in found if each["held"]])
    sets = sum(each["sets"] for each in found)
    return {
        "mean_pip": float(pip.mean()),
        "pip_above_half": float((pip > 0.5).mean()),
        "pip_above_0.9": float((pip > 0.9).mean()),
        "held_by_a_set": float(np.mean([each["held"] for each in found])),
        "sets_that_hold_it": sum(each["held"] for each in found) / max(sets, 1.0),
        "mean_set_size": float(sizes.mean()) if sizes.size else 0.0,
    }


def fall(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """By which factor odds fall, of PIPs that say anything."""
    low, high = 1e-6, 1 - 1e-6
    odds = [np.clip(pip, low, high) / (1 - np.clip(pip, low, high)) for pip in (before, after)]
    return np.asarray(odds[0] / odds[1])


def lambdas() -> dict[str, list[float]]:
    """λ of a study of 3,000 people with 300 variants, beside several panels."""
    found: dict[str, list[float]] = {}
    for seed in range(LAMBDA_SEEDS):
        rng = np.random.default_rng(seed)
        population = [(rng.uniform(-1.2, 0.3, 300), rng.uniform(0.9, 0.999, 300)) for _ in "12"]
        people = made_up_genotypes(rng, 3_000, *population[0])
        z, correlations = study_of(rng, people, (70, 220), 0.03)
        found.setdefault("in-sample", []).append(mismatch(z, correlations))
        exchanged = z.copy()
        exchanged[np.argsort(-np.abs(z))[[2, 5]]] *= -1
        found.setdefault("in-sample, two exchanged", []).append(mismatch(exchanged, correlations))
        for size in PANELS:
            panel = np.corrcoef(made_up_genotypes(rng, size, *population[0]).T)
            found.setdefault(f"panel of {size}", []).append(mismatch(z, panel))
        other = np.corrcoef(made_up_genotypes(rng, 2_000, *population[1]).T)
        found.setdefault("another population, 2000", []).append(mismatch(z, other))
    return found


def mismatch(z: np.ndarray, correlations: np.ndarray) -> float:
    """λ of a study of 3,000 people."""
    return consistency(z, Spectrum.of(correlations), 3_000.0).mismatch


def spread(values: Sequence[float]) -> dict[str, float]:
    """Least, median and largest."""
    return {
        "least": float(np.min(values)),
        "median": float(np.median(values)),
        "largest": float(np.max(values)),
    }


def timed_apart(size: int, *more: str) -> dict[str, Any]:
    """One size in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.finemapping", "--size", str(size), *more]
    asked = subprocess.run(words, capture_output=True, text=True, check=True)
    return dict(json.loads(asked.stdout))


def timed(size: int, *, fit_only: bool) -> dict[str, Any]:
    """Seconds of one fit, and of the diagnostics, and the largest memory that either took."""
    rng = np.random.default_rng(size)
    shape = (rng.uniform(-1.2, 0.3, size), rng.uniform(0.85, 0.99, size))
    people = made_up_genotypes(rng, 1_500, *shape)
    z, correlations = study_of(rng, people, (size // 3, size // 2), 0.04)
    del people
    began = time.perf_counter(), time.process_time()
    fit = susie_rss(z, correlations, 1_500.0)
    fitted = time.perf_counter(), time.process_time()
    of_fit = peak_bytes()
    figures = {
        "variants": size,
        "rounds": len(fit.elbo),
        "fit_s": fitted[0] - began[0],
        "fit_cpu_s": fitted[1] - began[1],
        "matrix_bytes": correlations.nbytes,
        # with what made the matrix
        "fit_peak_bytes": of_fit,
    }
    if fit_only:
        return figures
    consistency(z, Spectrum.of(correlations), 1_500.0)
    return figures | {
        "diagnostics_s": time.perf_counter() - fitted[0],
        "diagnostics_cpu_s": time.process_time() - fitted[1],
        "peak_bytes": peak_bytes(),
    }


def peak_bytes() -> int:
    """The most memory that this process has held."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()

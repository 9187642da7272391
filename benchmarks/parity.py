"""How close our Enformer is to the original program's outputs, and how close the most used PyTorch port is.

    python -m benchmarks.parity --json benchmarks/results/parity.json --peer-python PEER/bin/python

The truth is a float64 run of the original's equations under seeded weights (`enformer_seed0.npz`), on real sequence.
Measures agreement of numbers only: nothing here says how fast anything is, or how well trained weights predict biology.
Holds no opinion on what is close enough; the tests do.
"""

import argparse
import datetime as dt
import json
import os
import platform
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import softplus

from enformer_core.errors import InputError
from enformer_core.genome.alphabet import reverse_complement
from enformer_core.genome.fasta import Genome
from enformer_core.models.enformer import Enformer
from enformer_core.models.geometry import ENFORMER
from enformer_core.models.layers import one_hot
from enformer_core.models.positional import relative_features
from enformer_core.models.weights.check import load_parameters
from enformer_core.scoring.statistics import Statistic, compute
from enformer_core.scoring.windows import Allele, Window, alternate_sequence, reference_sequence
from tests.support.seeded import our_names, seeded_state

HEADS = ("human", "mouse")
ORIGINAL_NAMES: dict[Statistic, str] = {
    "sad": "SAD",
    "log_sad": "logSAD",
    "log_d2": "logD2",
    "sax": "SAX",
}
CENTRE_INDEX = ENFORMER.window_bp // 2 - 1
PEER_VARIANTS = ("snv1", "snv2")
PEER_WAYS = ("default", "tf_gamma", "given")
PEER_SCRIPT = Path(__file__).parent / "peer_enformer_pytorch.py"

Codes = UInt8[np.ndarray, " length"]
Profile = Float[Tensor, "bins tracks"]
ByHead = dict[str, Profile]
Figures = dict[str, Any]


def relative_l2(found: np.ndarray, expected: np.ndarray) -> float:
    """‖found − expected‖ / ‖expected‖, in float64."""
    found, expected = found.astype(np.float64), expected.astype(np.float64)
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def centred(profile: np.ndarray) -> np.ndarray:
    """Each track less its mean over bins; constant offsets dominate the predictions otherwise."""
    return profile.astype(np.float64) - profile.mean(axis=0, dtype=np.float64)


def correlations(found: np.ndarray, expected: np.ndarray) -> Float[np.ndarray, " columns"]:
    """Pearson's r of each column."""
    a, b = centred(found), centred(expected)
    return (a * b).sum(axis=0) / (np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0))


def profile_errors(found: np.ndarray, expected: np.ndarray) -> Figures:
    """Distances of predictions [bins, tracks]; r is taken over bins, track by track."""
    r = correlations(found, expected)
    return {
        "relative_l2": relative_l2(found, expected),
        "max_abs": float(np.abs(found.astype(np.float64) - expected).max()),
        "centred_relative_l2": relative_l2(centred(found), centred(expected)),
        "pearson_median": float(np.median(r)),
        "pearson_min": float(r.min()),
    }


@dataclass(frozen=True)
class Original:
    """The original program's outputs (`enformer_seed0.npz`) and the variants that they belong to."""

    arrays: Mapping[str, np.ndarray]

    @property
    def variants(self) -> list[str]:
        """Names of the variants."""
        return [str(name) for name in self.arrays["variant_ids"]]

    @property
    def averaged_variants(self) -> list[str]:
        """Names of the variants that have scores averaged over both strands."""
        return [str(name) for name in self.arrays["rcavg_ids"]]

    def allele(self, variant: str) -> Allele:
        """The alternate allele, 0-based."""
        contig, position, ref, alt = (
            self.arrays[f"variant_{field}"][self.variants.index(variant)]
            for field in ("chrom", "pos", "ref", "alt")
        )
        return Allele(str(contig), int(position) - 1, str(ref), str(alt))

    def scores(
        self, statistic: Statistic, *, variant: str, run: str, averaged: bool = False
    ) -> np.ndarray:
        """One statistic per track; `run` is f64_human, f64_mouse, tf32_human or tf32_mouse."""
        prefix, names = ("rcavg_", self.averaged_variants) if averaged else ("", self.variants)
        return self.arrays[f"{prefix}{ORIGINAL_NAMES[statistic]}_{run}"][names.index(variant)]

    def check_weights(self, state: Mapping[str, Tensor]) -> None:
        """Refuse weights that are not the ones behind the outputs."""
        sums = zip(self.arrays["weight_check_keys"], self.arrays["weight_check_sum"], strict=True)
        for key, expected in sums:
            found = float(state[str(key)].sum(dtype=torch.float64))
            if not np.isclose(found, expected, rtol=1e-9, atol=1e-9):
                raise InputError(
                    f"{key}: the seeded weights sum to {found}, those of the original to {expected}"
                )


def score_error(statistic: Statistic, found: np.ndarray, expected: np.ndarray) -> float:
    """Relative L2 over tracks; of SAX's size, as its sign flips where the largest rise and fall are nearly equal."""
    if statistic == "sax":
        found, expected = np.abs(found), np.abs(expected)
    return relative_l2(found, expected)


def score_errors(
    reference: Profile, alternate: Profile, expected: Callable[[Statistic], np.ndarray]
) -> Figures:
    """Error of each statistic of a pair of predictions; differences and sums in float64."""
    reference, alternate = reference.double(), alternate.double()
    found = compute(reference, alternate - reference, tuple(ORIGINAL_NAMES))
    return {
        name: score_error(name, values.numpy(), expected(name)) for name, values in found.items()
    }


def window_pair(genome: Genome, allele: Allele) -> tuple[Codes, Codes]:
    """The sequences of both alleles, left flank fixed, as the original outputs have it."""
    window = Window(allele.start - CENTRE_INDEX)
    return (
        reference_sequence(genome, allele.contig, window, ENFORMER.window_bp),
        alternate_sequence(genome, allele, window, ENFORMER.window_bp),
    )


class Ours:
    """Our model under the seeded weights, in float32, one window at a time."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        with torch.device("meta"):
            self._model = Enformer()
        load_parameters(self._model, our_names(state), source="seeded weights")
        self._model.eval()
        self.passes = 0

    def embed(self, codes: Codes) -> Float[Tensor, "bins embedding"]:
        """What the heads read."""
        self.passes += 1
        print(f"ours: pass {self.passes}", flush=True)
        with torch.inference_mode():
            return self._model.embed(one_hot(torch.from_numpy(codes.copy())[None], torch.float32))[
                0
            ]

    def heads(self, embedding: Float[Tensor, "bins embedding"]) -> ByHead:
        """Both heads' predictions."""
        with torch.inference_mode():
            return {name: softplus(self._model.head(name)(embedding)) for name in HEADS}

    def predict(self, codes: Codes) -> ByHead:
        """Both heads' predictions of one window as it reads."""
        return self.heads(self.embed(codes))


def original_float32(original: Original) -> Figures:
    """The original program's own float32 run against the same truth: the distance that rounding alone makes."""
    arrays = original.arrays
    figures: Figures = {
        "embedding_relative_l2": relative_l2(arrays["embedding_tf32"], arrays["embedding_f64"]),
        "predictions": {
            name: profile_errors(arrays[f"pred_tf32_{name}"], arrays[f"pred_f64_{name}"])
            for name in HEADS
        },
    }
    figures["scores"] = {
        variant: {head: original_score_errors(original, variant, head) for head in HEADS}
        for variant in original.variants
    }
    return figures


def original_score_errors(original: Original, variant: str, head: str) -> Figures:
    """Error of each statistic of the original's float32 run."""
    return {
        name: score_error(
            name,
            original.scores(name, variant=variant, run=f"tf32_{head}"),
            original.scores(name, variant=variant, run=f"f64_{head}"),
        )
        for name in ORIGINAL_NAMES
    }


def our_profiles(model: Ours, original: Original, codes: Codes) -> tuple[ByHead, Figures]:
    """Predictions of the window whose profile the original stored, and their errors."""
    embedding = model.embed(codes)
    predictions, arrays = model.heads(embedding), original.arrays
    errors: Figures = {
        "embedding_relative_l2": relative_l2(
            embedding[:, arrays["channels_embedding"]].numpy(), arrays["embedding_f64"]
        ),
        "predictions": {
            name: profile_errors(
                prediction[:, arrays[f"tracks_{name}"]].numpy(), arrays[f"pred_f64_{name}"]
            )
            for name, prediction in predictions.items()
        },
    }
    return predictions, errors


def averaged_errors(
    model: Ours, original: Original, variant: str, pair: tuple[Codes, Codes], forward: list[ByHead]
) -> Figures:
    """Errors of scores averaged over both strands: with the bins of the reverse prediction turned back, and without."""
    reverse = [model.predict(reverse_complement(codes)) for codes in pair]
    figures: Figures = {}
    for head in HEADS:
        along = [prediction[head].double() for prediction in forward]
        against = [prediction[head].double() for prediction in reverse]
        turned = [(a + b.flip(0)) / 2 for a, b in zip(along, against, strict=True)]
        unturned = [(a + b) / 2 for a, b in zip(along, against, strict=True)]
        expected = partial(original.scores, variant=variant, run=f"f64_{head}", averaged=True)
        figures[head] = {
            "bins_turned": score_errors(turned[0], turned[1], expected),
            "bins_not_turned": score_errors(unturned[0], unturned[1], expected),
        }
    return figures


def measure_ours(
    model: Ours, original: Original, genome: Genome, variants: Iterable[str]
) -> Figures:
    """Every figure of our model; `snv1`, whose profile is stored, is always measured."""
    figures: Figures = {"scores": {}, "scores_of_both_strands": {}}
    for variant in dict.fromkeys(("snv1", *variants)):
        pair = window_pair(genome, original.allele(variant))
        if variant == "snv1":
            reference, profile = our_profiles(model, original, pair[0])
            figures.update(profile)
        else:
            reference = model.predict(pair[0])
        alternate = model.predict(pair[1])
        figures["scores"][variant] = {
            head: score_errors(
                reference[head],
                alternate[head],
                partial(original.scores, variant=variant, run=f"f64_{head}"),
            )
            for head in HEADS
        }
        if variant in original.averaged_variants:
            figures["scores_of_both_strands"][variant] = averaged_errors(
                model, original, variant, pair, [reference, alternate]
            )
    return figures


def run_peer(
    python: Path, state: Mapping[str, Tensor], windows: list[Codes], folder: Path
) -> Mapping[str, np.ndarray]:
    """Let the port predict the windows in its own environment; see its script for the arrays."""
    inputs, outputs = folder / "inputs.npz", folder / "outputs.npz"
    weights = {f"weight/{key}": tensor.numpy() for key, tensor in state.items()}
    features = relative_features(ENFORMER.tokens, 192, torch.float32, torch.device("cpu")).numpy()
    # numpy's stub takes every keyword for its own `allow_pickle`
    np.savez(inputs, codes=np.stack(windows), features=features, **weights)  # type: ignore[arg-type]
    subprocess.run([str(python), str(PEER_SCRIPT), str(inputs), str(outputs)], check=True)
    with np.load(outputs) as arrays:
        return {name: arrays[name] for name in arrays.files}


def peer_scores(
    predictions: Float[np.ndarray, "bins tracks"], original: Original, variant: str
) -> Figures:
    """Errors of one variant's scores from its two human predictions."""
    reference, alternate = (torch.from_numpy(prediction) for prediction in predictions)
    expected = partial(original.scores, variant=variant, run="f64_human")
    sad = (alternate.double() - reference.double()).sum(dim=0, keepdim=True).T.numpy()
    return {
        **score_errors(reference, alternate, expected),
        "sad_pearson_over_tracks": float(correlations(sad, expected("sad")[:, None])[0]),
    }


def measure_peer(outputs: Mapping[str, np.ndarray], original: Original) -> Figures:
    """Errors of the port's predictions and scores, for each kind of positional features."""
    arrays = original.arrays
    figures: Figures = {"versions": json.loads(str(outputs["versions"])), "features": {}}
    for way in PEER_WAYS:
        predictions = outputs[f"{way}/human"]
        distance = np.abs(outputs[f"{way}/features"] - outputs["given/features"]).reshape(
            -1, 2, 3, 32
        )
        families = zip(
            ("exponential", "mask", "gamma"), distance.max(axis=(0, 1, 3)).tolist(), strict=True
        )
        figures["features"][way] = {
            "max_abs_difference_from_ours": dict(families),
            "predictions": profile_errors(
                predictions[0][:, arrays["tracks_human"]], arrays["pred_f64_human"]
            ),
            "scores": {
                variant: peer_scores(predictions[2 * at : 2 * at + 2], original, variant)
                for at, variant in enumerate(PEER_VARIANTS)
            },
        }
    return figures


def environment() -> Figures:
    """Date, machine and versions."""
    cpu = Path("/proc/cpuinfo")
    fields = dict(
        [part.strip() for part in line.split(":", 1)]
        for line in (cpu.read_text().splitlines() if cpu.is_file() else [])
        if ":" in line
    )
    return {
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "cpu": fields.get("model name", platform.processor()),
        "cpu_family_and_model": [fields.get("cpu family"), fields.get("model")],
        "cpu_instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": version("numpy"),
    }


def arguments() -> argparse.Namespace:
    """The command line."""
    outside = Path(__file__).parent.parent.parent / "shared"
    parser = argparse.ArgumentParser(description="Agreement with the original Enformer, measured.")
    parser.add_argument("--json", type=Path, required=True, help="where the figures go")
    parser.add_argument(
        "--peer-python", type=Path, help="Python of an environment that has enformer-pytorch"
    )
    parser.add_argument(
        "--variants",
        nargs="+",
        help="only these of the golden variants (all; two to six passes each)",
    )
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("ENFORMER_RAY_DATA", outside / "data")
    )
    parser.add_argument(
        "--golden", type=Path, default=os.environ.get("ENFORMER_RAY_GOLDEN", outside / "golden")
    )
    return parser.parse_args()


def main() -> None:
    """Measure and write."""
    options = arguments()
    with np.load(Path(options.golden) / "enformer_seed0.npz") as arrays:
        original = Original({name: arrays[name] for name in arrays.files})
    variants = options.variants or original.variants
    if unknown := set(variants) - set(original.variants):
        raise InputError(f"--variants {sorted(unknown)}: the golden ones are {original.variants}")
    genome = Genome(Path(options.data) / "reference" / "grch38.chr20_and_21_10M.fa.gz")
    state = seeded_state(0)
    original.check_weights(state)
    figures: Figures = {
        "environment": environment(),
        "original_float32": original_float32(original),
    }
    if options.peer_python:
        windows = [
            codes
            for variant in PEER_VARIANTS
            for codes in window_pair(genome, original.allele(variant))
        ]
        with tempfile.TemporaryDirectory() as folder:
            outputs = run_peer(options.peer_python, state, windows, Path(folder))
        figures["enformer_pytorch"] = measure_peer(outputs, original)
    figures["ours_float32"] = measure_ours(Ours(state), original, genome, variants)
    options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()

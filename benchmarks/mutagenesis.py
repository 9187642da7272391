"""Saturation mutagenesis: SNVs a second beside tangermeme's and captum's, of one model, in one run.

    python -m benchmarks.mutagenesis --json benchmarks/results/mutagenesis.json [--rounds 2] [--cases delta,tangermeme]

The model is Enformer at full size with the seeded weights, the sequence real, one strand is read, and every case sums
the same prediction over its bins. Each case runs in a process of its own, so that its peak memory is its own, in turns
with the others. They score a few bases each, and seconds are told of one SNV: of the peers only what each further SNV
costs, without the reference or what they prepare once; of ours everything, the reference included. So the ratios are
what a long stretch gives to the peers, and what a short one gives to us.

tangermeme computes every edited sequence in full (`fast=False`), or, as it does by default where a model can be
captured, only the convolutions that the edit reaches (`fast=True`): here by its own classes, without the check of both
ways against each other that it begins with. captum has no mutagenesis: its FeatureAblation puts one other base in the
place of each, for one number; three of them are the mutagenesis. Needs tangermeme and captum
(`benchmarks/requirements.txt`).
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from benchmarks.circumstances import circumstances
from benchmarks.engine import CPU, Bench, conventions
from benchmarks.engine_figures import relative_error
from enformer_core.analyses.cost_notes import SHARED_OFFSET_BP
from enformer_core.models.base import SequenceModel
from enformer_core.models.geometry import ENFORMER
from enformer_core.models.layers import one_hot
from enformer_core.scoring.conventions import Policy
from enformer_core.scoring.delta.delta_model import delta_network
from enformer_core.scoring.delta.engine import DeltaScorer
from enformer_core.scoring.precision import choose_arithmetic
from enformer_core.scoring.windows import Allele, Window, reference_sequence, window_start
from tests.support.seeded import seeded_state

FIRST = 5_460_000
"""The first base that is changed, of chr20, 0-based."""

SHARED = conventions("forward", max_offset_bp=SHARED_OFFSET_BP)
"""As `score --mutagenesis` has it by default."""

WINDOW = Window(window_start(FIRST, SHARED, ENFORMER.bin_bp))
"""All SNVs lie in it, and all cases read it."""

CASES = {
    "delta": "`score --mutagenesis`, fast",
    "delta_exact": "`score --mutagenesis --precision exact`",
    "tangermeme": "tangermeme, fast=False",
    "tangermeme_fast": "tangermeme, fast=True, as prepared",
    "captum": "captum FeatureAblation, three baselines",
}

BATCH_ALTS = 24


@dataclass(frozen=True)
class Measured:
    """What a case took.

    Attributes:
        seconds_per_snv: wall-clock time.
        snvs: how many were scored.
        prepared_s: what was done once and is not counted.
        sad: sums of the difference over bins, of the SNVs of the first base in the order A, C, G, T.
    """

    seconds_per_snv: float
    snvs: int
    prepared_s: float = 0.0
    sad: np.ndarray | None = None


class SummedOverBins(nn.Module):
    """The model as the peers want it: one-hot [batch, 4, length] in, one number for each track out."""

    def __init__(self, model: SequenceModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """Sums of the human prediction over bins, [batch, tracks]."""
        return self.model(x.transpose(1, 2).contiguous(), "human", None).sum(dim=1)


class Stretch:
    """The sequence, and the bases of it that are changed.

    Args:
        bench: the model and the genome.
        bases: how many are changed.
    """

    def __init__(self, bench: Bench, bases: int) -> None:
        self.bench = bench
        self.bases = bases
        codes = reference_sequence(bench.genome, "chr20", WINDOW, ENFORMER.window_bp)
        self.codes = torch.from_numpy(np.array(codes))[None]
        self.first = FIRST - WINDOW.start

    @property
    def one_hot(self) -> Tensor:
        """[1, 4, length], as the peers read it."""
        return one_hot(self.codes, torch.float32).transpose(1, 2).contiguous()

    @property
    def alleles(self) -> list[Allele]:
        """Every other base at every base."""
        letters = ["ACGTN"[code] for code in self.codes[0, self.first : self.first + self.bases]]
        return [
            Allele("chr20", FIRST + at, ref, alt)
            for at, ref in enumerate(letters)
            for alt in "ACGT"
            if alt != ref
        ]


def run_delta(bench: Bench, policy: Policy, bases: int) -> Measured:
    """By differences, the window's reference included."""
    stretch = Stretch(bench, bases)
    network = delta_network(
        bench.model, "human", None, device=CPU, arithmetic=choose_arithmetic(policy, CPU)
    )
    scorer = DeltaScorer(network, bench.genome, SHARED, batch_alts=BATCH_ALTS)
    began = time.perf_counter()
    scores = scorer.score(stretch.alleles, WINDOW.start)
    seconds = time.perf_counter() - began
    first = np.stack([each["sad"] for each in scores[:3]])
    return Measured(seconds / len(scores), len(scores), sad=first)


def run_tangermeme(bench: Bench) -> Measured:
    """One base by tangermeme's public function: one pass for the reference, and one for each of three SNVs."""
    from tangermeme.saturation_mutagenesis import saturation_mutagenesis

    stretch = Stretch(bench, 1)
    model = SummedOverBins(bench.model).eval()
    began = time.perf_counter()
    y0, y_hat = saturation_mutagenesis(
        model,
        stretch.one_hot,
        start=stretch.first,
        end=stretch.first + 1,
        batch_size=1,
        raw_outputs=True,
        fast=False,
        device="cpu",
    )
    passes = 4
    seconds = (time.perf_counter() - began) / passes
    ref = int(stretch.codes[0, stretch.first])
    others = [code for code in range(4) if code != ref]
    return Measured(seconds, 3, sad=(y_hat[0, others, 0] - y0[0]).numpy())


def run_tangermeme_fast(bench: Bench) -> Measured:
    """Some bases by tangermeme's fast path, once the model is captured and the reference's activations are kept."""
    from tangermeme._fastism import _FastISM
    from tangermeme.saturation_mutagenesis import _single_edits

    bases = 2
    stretch = Stretch(bench, bases)
    model = SummedOverBins(bench.model).eval()
    x = stretch.one_hot
    start, end = stretch.first, stretch.first + bases
    began = time.perf_counter()
    with torch.no_grad():
        # features that the model keeps must be there, or the capture would keep its own stand-ins
        y0 = model(x)
        fast = _FastISM(model, x.to(torch.int8), None, start, end, CPU, torch.float32, False)
        _, letters, places = _single_edits(x[0], start, end)
        fast.predict_edits(0, letters[:1], places[:1], 1)
    prepared_s = time.perf_counter() - began
    began = time.perf_counter()
    edited = fast.predict_edits(0, letters, places, 3)
    seconds = time.perf_counter() - began
    of_first = edited[places == start] - y0[0]
    return Measured(seconds / len(letters), len(letters), prepared_s, of_first.numpy())


def run_captum(bench: Bench) -> Measured:
    """Two SNVs by captum, and a pass for the sequence as it is, and one for all other bases, which it changes too."""
    from captum.attr import FeatureAblation

    stretch = Stretch(bench, 2)
    model = SummedOverBins(bench.model).eval()
    x = stretch.one_hot
    following = x.roll(1, dims=1)  # C for A, G for C, and so on
    feature = torch.zeros(1, 1, x.shape[-1], dtype=torch.long)
    for at in range(stretch.bases):
        feature[..., stretch.first + at] = at + 1
    ablation = FeatureAblation(lambda sequence: model(sequence).mean(dim=1))
    began = time.perf_counter()
    ablation.attribute(x, baselines=following, feature_mask=feature)
    passes = 2 + stretch.bases
    return Measured((time.perf_counter() - began) / passes, stretch.bases)


def cases(bench: Bench, bases: int) -> dict[str, Callable[[], Measured]]:
    """What is measured."""
    return {
        "delta": lambda: run_delta(bench, "fast", bases),
        "delta_exact": lambda: run_delta(bench, "exact", bases),
        "tangermeme": lambda: run_tangermeme(bench),
        "tangermeme_fast": lambda: run_tangermeme_fast(bench),
        "captum": lambda: run_captum(bench),
    }


def print_case(case: str, weights: Path, bases: int) -> None:
    """Run one case in this process, and print what it took as JSON."""
    measured = cases(Bench(weights, "forward"), bases)[case]()
    print(
        json.dumps(
            {
                "seconds_per_snv": measured.seconds_per_snv,
                "snvs": measured.snvs,
                "prepared_s": measured.prepared_s,
                "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "sad": None if measured.sad is None else measured.sad.tolist(),
            }
        )
    )


def run_case(case: str, weights: Path, bases: int) -> dict[str, Any]:
    """Run one case in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.mutagenesis", "--case", case]
    command += ["--weights", str(weights), "--bases", str(bases)]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
    )
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"{case}: {figures['seconds_per_snv']:.2f} s per SNV", flush=True)
    return figures


def summarise(runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """The median of each case's rounds, and how far its scores are from tangermeme's own."""
    truth = runs["tangermeme"][0]["sad"] if "tangermeme" in runs else None
    figures = {}
    for case, rounds in runs.items():
        seconds = statistics.median(each["seconds_per_snv"] for each in rounds)
        sad = rounds[0]["sad"]
        error = None
        if truth is not None and sad is not None and case != "tangermeme":
            pairs = zip(np.array(sad), np.array(truth), strict=True)
            error = max(relative_error(ours, theirs) for ours, theirs in pairs)
        figures[case] = {
            "what": CASES[case],
            "seconds_per_snv": seconds,
            "snvs_per_second": 1 / seconds,
            "all_rounds": [each["seconds_per_snv"] for each in rounds],
            "snvs": rounds[0]["snvs"],
            "prepared_s": rounds[0]["prepared_s"],
            "peak_memory_bytes": max(each["peak_memory_bytes"] for each in rounds),
            "error_against_tangermeme": error,
        }
    return figures


def table(figures: dict[str, Any]) -> str:
    """For people."""
    lines = [f"{'':46}{'s/SNV':>9}{'SNVs/s':>9}{'× tangermeme':>14}{'peak GB':>9}{'error':>9}"]
    slowest_s = figures.get("tangermeme", next(iter(figures.values())))["seconds_per_snv"]
    for row in figures.values():
        seconds = row["seconds_per_snv"]
        error = row["error_against_tangermeme"]
        lines.append(
            f"{row['what']:46}{seconds:>9.2f}{1 / seconds:>9.3f}{slowest_s / seconds:>14.1f}"
            f"{row['peak_memory_bytes'] / 1e9:>9.2f}{'' if error is None else f'{error:.1e}':>9}"
        )
    return "\n".join(lines)


def main() -> None:
    """Parse, measure in turns, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--bases", type=int, default=16, help="that our own cases change")
    parser.add_argument("--cases", default=",".join(CASES), help="some of them")
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print_case(options.case, options.weights, options.bases)
        return
    runs: dict[str, list[dict[str, Any]]] = {case: [] for case in options.cases.split(",")}
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "seeded.safetensors"
        save_file(seeded_state(0), weights)
        for _ in range(options.rounds):
            for case, rounds in runs.items():
                rounds.append(run_case(case, weights, options.bases))
    figures = summarise(runs)
    print(table(figures))
    if options.json:
        # of what was found in this environment, before anything is written
        peers = [name for name in ("tangermeme", "captum") if any(name in case for case in runs)]
        text = {
            "cases": figures,
            "bases": options.bases,
            "strands": "forward",
            **circumstances(*peers),
        }
        options.json.write_text(json.dumps(text, indent=1) + "\n")


if __name__ == "__main__":
    main()

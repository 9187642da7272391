"""Saturation mutagenesis: SNVs a second beside tangermeme's and captum's, of one model, in one run.

    python -m benchmarks.mutagenesis --json benchmarks/results/mutagenesis.json [--rounds 2] [--cases delta,tangermeme]

The model is Enformer at full size with the seeded weights, the sequence real, one strand is read, and every case sums
the same prediction over its bins. Each case runs in a process of its own, so that its peak memory is its own, in turns
with the others. They score a few bases each, and what is told is the cost of each further SNV: what is done once for a
window (the reference, a captured model) stands beside it. Seconds are of the clock, and of the processor: with
`--threads 1` the latter say what a machine would take that had nothing else to do.

tangermeme computes every edited sequence in full (`fast=False`), or, as it does by default where a model can be
captured, only the convolutions that the edit reaches (`fast=True`): here by its own classes, without the check of both
ways against each other that it begins with. At this size that keeps more than 16 GB of activations, so the case is left
out unless `--cases` names it. captum has no mutagenesis: its FeatureAblation puts one other base in the
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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from benchmarks.circumstances import CPU, circumstances
from benchmarks.engine_figures import relative_error
from benchmarks.engine_material import Bench, conventions
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

WINDOW = Window(window_start(FIRST, SHARED))
"""All SNVs lie in it, and all cases read it."""

CASES = {
    "delta": "`score --mutagenesis`, fast",
    "delta_exact": "`score --mutagenesis --precision exact`",
    "tangermeme": "tangermeme, fast=False",
    "tangermeme_fast": "tangermeme, fast=True, as prepared",
    "captum": "captum FeatureAblation, three baselines",
}

BATCH_ALTS = 24


class Seconds(NamedTuple):
    """Of the clock, and of all processors together."""

    clock: float
    cpu: float

    @staticmethod
    def now() -> "Seconds":
        """Since some moment, the same for all of a process."""
        return Seconds(time.perf_counter(), time.process_time())

    def minus(self, other: "Seconds", times: float = 1) -> "Seconds":
        """Less so many times another."""
        return Seconds(self.clock - times * other.clock, self.cpu - times * other.cpu)

    def over(self, number: int) -> "Seconds":
        """One of so many parts."""
        return Seconds(self.clock / number, self.cpu / number)


@dataclass(frozen=True)
class Measured:
    """What a case took.

    Attributes:
        snv: of each further SNV.
        snvs: how many were scored.
        once: what was done once for all of them.
        sad: sums of the difference over bins, of the SNVs of the first base in the order A, C, G, T.
    """

    snv: Seconds
    snvs: int
    once: Seconds
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
    """By differences: one base, then more of them; each time the window's reference is computed."""
    stretch = Stretch(bench, bases)
    network = delta_network(
        bench.model, "human", None, device=CPU, arithmetic=choose_arithmetic(policy, CPU)
    )
    scorer = DeltaScorer(network, bench.genome, SHARED, batch_alts=BATCH_ALTS)
    alleles = stretch.alleles
    first = alleles[:3]
    scorer.score(
        first[:1], WINDOW.start
    )  # weights are read from their file when they are first used
    began = Seconds.now()
    scores = scorer.score(first, WINDOW.start)
    of_first = Seconds.now().minus(began)
    began = Seconds.now()
    scorer.score(alleles, WINDOW.start)
    of_all = Seconds.now().minus(began)
    snv = of_all.minus(of_first).over(len(alleles) - len(first))
    sad = np.stack([each["sad"] for each in scores])
    return Measured(snv, len(alleles), of_first.minus(snv, len(first)), sad)


def run_tangermeme(bench: Bench) -> Measured:
    """One base by tangermeme's public function: one pass for the reference, and one for each of three SNVs."""
    from tangermeme.saturation_mutagenesis import saturation_mutagenesis

    stretch = Stretch(bench, 1)
    model = SummedOverBins(bench.model).eval()
    began = Seconds.now()
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
    one = Seconds.now().minus(began).over(passes)
    ref = int(stretch.codes[0, stretch.first])
    others = [code for code in range(4) if code != ref]
    return Measured(one, 3, one, (y_hat[0, others, 0] - y0[0]).numpy())


def run_tangermeme_fast(bench: Bench) -> Measured:
    """Some bases by tangermeme's fast path, once the model is captured and the reference's activations are kept."""
    from tangermeme._fastism import _FastISM
    from tangermeme.saturation_mutagenesis import _single_edits

    stretch = Stretch(bench, 1)
    model = SummedOverBins(bench.model).eval()
    x = stretch.one_hot
    start = stretch.first
    end = start + stretch.bases
    began = Seconds.now()
    with torch.no_grad():
        # features that the model keeps must be there, or the capture would keep its own stand-ins
        y0 = model(x)
        fast = _FastISM(model, x.to(torch.int8), None, start, end, CPU, torch.float32, False)
        _, letters, places = _single_edits(x[0], start, end)
        fast.predict_edits(0, letters[:1], places[:1], 1)
        once = Seconds.now().minus(began)
        began = Seconds.now()
        edited = fast.predict_edits(0, letters, places, len(letters))
        snv = Seconds.now().minus(began).over(len(letters))
    of_first = edited[places == start] - y0[0]
    return Measured(snv, len(letters), once, of_first.numpy())


def run_captum(bench: Bench) -> Measured:
    """An SNV by captum, a pass for the sequence as it is, and one for all other bases, which it changes too."""
    from captum.attr import FeatureAblation

    stretch = Stretch(bench, 1)
    model = SummedOverBins(bench.model).eval()
    x = stretch.one_hot
    following = x.roll(1, dims=1)  # C for A, G for C, and so on
    feature = torch.zeros(1, 1, x.shape[-1], dtype=torch.long)
    for at in range(stretch.bases):
        feature[..., stretch.first + at] = at + 1
    ablation = FeatureAblation(lambda sequence: model(sequence).mean(dim=1))
    began = Seconds.now()
    ablation.attribute(x, baselines=following, feature_mask=feature)
    passes = 2 + stretch.bases
    one = Seconds.now().minus(began).over(passes)
    return Measured(one, stretch.bases, one)


def cases(bench: Bench, bases: int) -> dict[str, Callable[[], Measured]]:
    """What is measured."""
    return {
        "delta": lambda: run_delta(bench, "fast", bases),
        "delta_exact": lambda: run_delta(bench, "exact", bases),
        "tangermeme": lambda: run_tangermeme(bench),
        "tangermeme_fast": lambda: run_tangermeme_fast(bench),
        "captum": lambda: run_captum(bench),
    }


def print_case(case: str, weights: Path, bases: int, threads: int | None) -> None:
    """Run one case in this process, and print what it took as JSON."""
    if threads:
        torch.set_num_threads(threads)
    measured = cases(Bench(weights, "forward", CPU), bases)[case]()
    print(
        json.dumps(
            {
                "case": case,
                "snv_s": measured.snv.clock,
                "snv_cpu_s": measured.snv.cpu,
                "once_s": measured.once.clock,
                "once_cpu_s": measured.once.cpu,
                "snvs": measured.snvs,
                "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "sad": None if measured.sad is None else measured.sad.tolist(),
            }
        )
    )


def run_case(case: str, weights: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run one case in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.mutagenesis", "--case", case]
    command += ["--weights", str(weights), "--bases", str(options.bases)]
    if options.threads:
        command += ["--threads", str(options.threads)]
    done = subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
        start_new_session=True,  # Linux shares processors out by session
    )
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(
        f"{case}: {figures['snv_s']:.2f} s per SNV, {figures['snv_cpu_s']:.2f} of the processor; "
        f"once {figures['once_cpu_s']:.1f}",
        flush=True,
    )
    return figures


def summarise(runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """The median of each case's rounds, and how far its scores are from tangermeme's own."""
    truth = runs["tangermeme"][0]["sad"] if "tangermeme" in runs else None
    figures = {}
    for case, rounds in runs.items():
        medians = {
            name: statistics.median(each[name] for each in rounds)
            for name in ("snv_s", "snv_cpu_s", "once_s", "once_cpu_s")
        }
        sad = rounds[0]["sad"]
        error = None
        if truth is not None and sad is not None and case != "tangermeme":
            pairs = zip(np.array(sad), np.array(truth), strict=True)
            error = max(relative_error(ours, theirs) for ours, theirs in pairs)
        figures[case] = {
            "what": CASES[case],
            **medians,
            "snvs_per_second": 1 / medians["snv_s"],
            "snvs_per_cpu_second": 1 / medians["snv_cpu_s"],
            "all_rounds": [each["snv_cpu_s"] for each in rounds],
            "snvs": rounds[0]["snvs"],
            "peak_memory_bytes": max(each["peak_memory_bytes"] for each in rounds),
            "error_against_tangermeme": error,
        }
    return figures


def table(figures: dict[str, Any]) -> str:
    """For people: seconds of the processor, which other work on the machine does not lengthen."""
    first = figures.get("tangermeme", next(iter(figures.values())))
    lines = [f"{'CPU seconds':46}{'s/SNV':>9}{'SNVs/s':>9}{'x':>7}{'once':>8}{'GB':>7}{'error':>9}"]
    for row in figures.values():
        seconds = row["snv_cpu_s"]
        error = row["error_against_tangermeme"]
        lines.append(
            f"{row['what']:46}{seconds:>9.2f}{1 / seconds:>9.3f}{first['snv_cpu_s'] / seconds:>7.1f}"
            f"{row['once_cpu_s']:>8.1f}{row['peak_memory_bytes'] / 1e9:>7.1f}"
            f"{'' if error is None else f'{error:.1e}':>9}"
        )
    return "\n".join(lines)


def main() -> None:
    """Parse, measure in turns, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--bases", type=int, default=8, help="that our own cases change")
    parser.add_argument("--threads", type=int, help="of each case (default: one for each core)")
    parser.add_argument(
        "--together",
        action="store_true",
        help="all cases at once, on a machine that is busy anyway: only the processor's seconds count then",
    )
    usual = ",".join(case for case in CASES if case != "tangermeme_fast")
    parser.add_argument("--cases", default=usual, help="some of them")
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=Path, help="the seeded ones, if they are there")
    options = parser.parse_args()
    if options.case:
        print_case(options.case, options.weights, options.bases, options.threads)
        return
    runs: dict[str, list[dict[str, Any]]] = {case: [] for case in options.cases.split(",")}
    with tempfile.TemporaryDirectory() as folder:
        weights = options.weights or Path(folder) / "seeded.safetensors"
        if not options.weights:
            save_file(seeded_state(0), weights)
        at_once = len(runs) if options.together else 1
        with ThreadPoolExecutor(at_once) as pool:
            for _ in range(options.rounds):
                figures_of = pool.map(lambda case: run_case(case, weights, options), runs)
                for rounds, figures in zip(runs.values(), figures_of, strict=True):
                    rounds.append(figures)
    summary = summarise(runs)
    print(table(summary))
    if options.json:
        # of what was found in this environment, before anything is written
        peers = [name for name in ("tangermeme", "captum") if any(name in case for case in runs)]
        text = {
            "cases": summary,
            "together": options.together,
            "bases": options.bases,
            "threads": options.threads,
            "strands": "forward",
            **circumstances(*peers),
        }
        options.json.write_text(json.dumps(text, indent=1) + "\n")


if __name__ == "__main__":
    main()

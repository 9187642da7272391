"""How long a variant takes, how much memory, and how wrong it is: enformer-pytorch, two plain passes, differences.

    python -m benchmarks.engine --json benchmarks/results/engine.json [--chart docs/engine.svg] [--quick]
        [--strands forward] [--without-peer] [--compile-peer] [--without-memory] [--device cuda]

All cases run in one process, in turns, on real sequence with the seeded weights, over both strands as the program does
by default, or over one: (a) enformer-pytorch in float32, reference and alternate; (b) the same under bfloat16 autocast;
(c) `direct`; (d) `delta`, one centred SNV; (e) `delta`, all SNVs of a stretch that share a window, its reference,
tower and patches included; (f) saturation mutagenesis of 100 bp; (g) is (b) after `torch.compile`; (h) is (e) and its
indels; (i) is (e) with indels of 1 to 50 bp in the place of 13 % of the SNVs, and (j) are indels alone, in every
seventh place. Peak memory is that of a process of its own for each; on a GPU, what torch has taken of the device, and
the first round does not count, for it compiles kernels. Errors are of SAD over all human tracks against a float64 run
of the original's equations. Ratios hold within one run only. Without the peer, (a), (b) and (g) are left out, and an
environment without enformer-pytorch will do.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.chart import write_chart
from benchmarks.circumstances import circumstances
from benchmarks.engine_figures import (
    CASES,
    PEER_CASES,
    SAID_OF_STRANDS,
    relative_error,
    summarise,
    table,
)
from benchmarks.engine_material import CENTRE_INDEX, Bench, conventions, shared
from benchmarks.indel_sets import indels_at, with_indels
from enformer_core.genome.alphabet import Codes, reverse_complement
from enformer_core.models.geometry import ENFORMER
from enformer_core.scoring.conventions import Policy, Strands
from enformer_core.scoring.delta.delta_model import DeltaNetwork
from enformer_core.scoring.delta.engine import DeltaScorer
from enformer_core.scoring.delta.memory import MOST_ALTS, Allowance, choose_allowance
from enformer_core.scoring.direct import DirectScorer, SequencePredictor
from enformer_core.scoring.precision import choose_arithmetic
from enformer_core.scoring.windows import (
    Allele,
    Window,
    alternate_sequence,
    reference_sequence,
    window_start,
)
from tests.support.seeded import seeded_state

WORKER_BYTES = 4_000_000_000


@dataclass(frozen=True)
class Measured:
    """One run of a case.

    Attributes:
        seconds_per_variant: wall-clock time, everything included, over the variants scored.
        variants: how many.
        sad: SADs by golden SNV, where the case scored one.
    """

    seconds_per_variant: float
    variants: int
    sad: dict[str, np.ndarray]


def run_peer(bench: Bench, name: str, *, autocast: bool, compiled: bool = False) -> Measured:
    """One SNV by two passes of enformer-pytorch for each strand."""
    from enformer_pytorch.data import seq_indices_to_one_hot

    allele = bench.golden[name][0]
    window = Window(allele.start - CENTRE_INDEX)
    codes = (
        reference_sequence(bench.genome, "chr20", window, ENFORMER.window_bp),
        alternate_sequence(bench.genome, allele, window, ENFORMER.window_bp),
    )
    views: list[tuple[Codes, ...]] = [codes]
    if bench.strands == "both":
        views.append(tuple(reverse_complement(strand) for strand in codes))
    peer = bench.compiled_peer if compiled else bench.peer

    def one_hot_of(codes: Codes) -> Tensor:
        sent = torch.from_numpy(codes.copy()).to(bench.device)
        return seq_indices_to_one_hot(sent.long()[None])

    sads = []
    began = time.perf_counter()
    with (
        torch.inference_mode(),
        torch.autocast(bench.device.type, torch.bfloat16, enabled=autocast),
    ):
        for view in views:
            ref, alt = (peer(one_hot_of(c))["human"][0] for c in view)
            # A sum over bins does not see their order, so that the other strand's need not be turned back.
            sads.append((alt.double() - ref.double()).sum(dim=0).cpu().numpy())
    return Measured(time.perf_counter() - began, 1, {name: np.mean(sads, axis=0)})


def run_direct(bench: Bench, name: str) -> Measured:
    """One SNV by two passes of our model."""
    scorer = DirectScorer(
        SequencePredictor(bench.model, "human", None, conventions(bench.strands), bench.device),
        bench.genome,
    )
    allele = bench.golden[name][0]
    began = time.perf_counter()
    (scores,) = scorer.score([allele], allele.start - CENTRE_INDEX)
    return Measured(time.perf_counter() - began, 1, {name: scores["sad"]})


def run_centred(bench: Bench, name: str, network: DeltaNetwork) -> Measured:
    """One SNV in a window of its own."""
    scorer = DeltaScorer(network, bench.genome, conventions(bench.strands), batch_alts=1)
    allele = bench.golden[name][0]
    began = time.perf_counter()
    (scores,) = scorer.score([allele], allele.start - CENTRE_INDEX)
    return Measured(time.perf_counter() - began, 1, {name: scores["sad"]})


def run_shared(bench: Bench, alleles: Sequence[Allele]) -> Measured:
    """Many SNVs in the windows that they share, each reference and all patches made anew."""
    network = bench.fast
    sharing = shared(bench.strands)
    allowance = bench.allowance
    assert allowance is not None, "chosen before other cases' models share this process"
    windows: dict[int, list[Allele]] = {}
    for allele in alleles:
        windows.setdefault(window_start(allele.start, sharing), []).append(allele)
    began = time.perf_counter()
    scorer = DeltaScorer(
        network,
        bench.genome,
        sharing,
        batch_alts=allowance.batch_alts,
        kept_chunks=allowance.kept_chunks,
    )
    for start, members in windows.items():
        scorer.score(members, start)
    return Measured((time.perf_counter() - began) / len(alleles), len(alleles), {})


def cases(
    bench: Bench, *, quick: bool, with_peer: bool = True, compile_peer: bool = False
) -> dict[str, Callable[[str], Measured]]:
    """What is measured, each for a golden SNV where it scores one."""
    measured: dict[str, Callable[[str], Measured]] = {
        "a": lambda name: run_peer(bench, name, autocast=False),
        "b": lambda name: run_peer(bench, name, autocast=True),
        "c": lambda name: run_direct(bench, name),
        "d": lambda name: run_centred(bench, name, bench.fast),
        "e": lambda _: run_shared(bench, bench.stretch),
    }
    if not quick:
        measured["f"] = lambda _: run_shared(bench, bench.mutations)
        measured["h"] = lambda _: run_shared(bench, bench.mixed)
        measured["i"] = lambda _: run_shared(bench, with_indels(bench.genome, bench.stretch))
        measured["j"] = lambda _: run_shared(bench, indels_at(bench.genome, bench.stretch[::7]))
        if compile_peer:
            measured["g"] = lambda name: run_peer(bench, name, autocast=True, compiled=True)
    return {case: run for case, run in measured.items() if with_peer or case not in PEER_CASES}


def matmul_rate(dtype: torch.dtype, device: torch.device, seconds: float = 1.0) -> float:
    """FLOP/s of the machine's own matrix product at its best: [1536, 1536] by [1536, 3072]; 8192 each on a GPU."""
    rows, inner, columns = (1536, 1536, 3072) if device.type == "cpu" else (8192, 8192, 8192)
    left = torch.randn(rows, inner, device=device).to(dtype)
    right = torch.randn(inner, columns, device=device).to(dtype)
    best, ends = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < ends:
        began = time.perf_counter()
        left @ right
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - began)
    return 2 * rows * inner * columns / best


def peak_memory(bench: Bench, case: str) -> list[int]:
    """Peak resident bytes of a process that runs one case once; before it, what may be held at once where shared."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.engine",
        "--memory-of",
        case,
        "--weights",
        str(bench.weights),
        "--strands",
        bench.strands,
        "--device",
        bench.device.type,
    ]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
    )
    return [int(word) for word in done.stdout.split()]


def measure(
    bench: Bench,
    running: dict[str, Callable[[str], Measured]],
    *,
    quick: bool,
    rounds: int,
) -> dict[str, Any]:
    """All cases in turns; rates of the machine before every round."""
    names = list(bench.golden)[: 2 if quick else None]
    arithmetic = choose_arithmetic("fast", bench.device)
    seconds: dict[str, list[float]] = {case: [] for case in running}
    cpu_seconds: dict[str, list[float]] = {case: [] for case in running}
    errors: dict[str, dict[str, float]] = {case: {} for case in running}
    counts: dict[str, int] = {}
    rates: list[float] = []
    for number in range(rounds):
        for case, run in running.items():
            rates.append(matmul_rate(arithmetic.delta, bench.device))
            name = names[number % len(names)]
            began_s = time.process_time()
            measured = run(name)
            cpu_s = (time.process_time() - began_s) / measured.variants
            seconds[case].append(measured.seconds_per_variant)
            cpu_seconds[case].append(cpu_s)
            counts[case] = measured.variants
            errors[case] |= {
                n: relative_error(sad, bench.golden[n][1]) for n, sad in measured.sad.items()
            }
            print(
                f"round {number + 1} ({case}) {measured.seconds_per_variant:.3f} s per variant, "
                f"of {measured.variants}, {cpu_s:.3f} of CPU",
                flush=True,
            )
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "device": bench.device.type,
        "errors": errors,
        "variants": counts,
        "arithmetic": str(arithmetic),
        "views": conventions(bench.strands).views,
        "flops_per_s": rates,
        "fp32_flops_per_s": matmul_rate(torch.float32, bench.device),
        "errors_fast": {
            n: relative_error(run_centred(bench, n, bench.fast).sad[n], bench.golden[n][1])
            for n in names
        },
        "errors_exact": errors_exact(bench, names),
    }


def errors_exact(bench: Bench, names: Sequence[str]) -> dict[str, float]:
    """SAD errors of the exact policy."""
    network = bench.network("exact")
    return {
        name: relative_error(run_centred(bench, name, network).sad[name], bench.golden[name][1])
        for name in names
    }


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--chart", type=Path, help="and a chart of them here (SVG)")
    parser.add_argument(
        "--quick", action="store_true", help="one round, errors on two SNVs, within 15 minutes"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cases", help="these alone, by their letters")
    parser.add_argument("--stretch-bp", type=int, default=40_000, help="of shared windows")
    parser.add_argument("--every-bp", type=int, help="one SNV there in so many, on average")
    parser.add_argument("--policy", choices=get_args(Policy), default="fast")
    parser.add_argument("--strands", choices=get_args(Strands), default="both")
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--without-peer", action="store_true", help="leave enformer-pytorch out")
    parser.add_argument(
        "--compile-peer", action="store_true", help="the peer after torch.compile, too"
    )
    parser.add_argument(
        "--without-memory", action="store_true", help="no processes of their own for peak memory"
    )
    parser.add_argument("--memory-of", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.weights:
        print_memory(Bench(options.weights, options.strands, options.device), options.memory_of)
        return
    with tempfile.TemporaryDirectory() as directory:
        weights = Path(directory) / "seeded.safetensors"
        save_file(seeded_state(0), weights)
        report(options, Bench(weights, options.strands, options.device))


def print_memory(bench: Bench, case: str) -> None:
    """Run one case once and print this process's peak; before it what it may hold at once, for the shared window."""
    name = next(iter(bench.golden))
    if case == "e":
        bench.allowance = choose_allowance(bench.fast, 5313, WORKER_BYTES, shared(bench.strands))
        print(bench.allowance.batch_alts, bench.allowance.kept_chunks)
        run_shared(bench, bench.stretch[:MOST_ALTS])  # as many as are ever carried at once
    else:
        cases(bench, quick=True)[case](name)
    if bench.device.type == "cuda":
        print(torch.cuda.max_memory_reserved(bench.device))
    else:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def report(options: argparse.Namespace, bench: Bench) -> None:
    """Measure everything, print it, and write what is asked for."""
    with_peer = not options.without_peer
    bench.policy = options.policy
    bench.stretch_bp = options.stretch_bp
    bench.every_bp = options.every_bp
    memory: dict[str, int] = {}
    if options.without_memory:
        bench.allowance = choose_allowance(bench.fast, 5313, WORKER_BYTES, shared(bench.strands))
    else:
        *allowance, peak_shared = peak_memory(bench, "e")
        bench.allowance = Allowance(*allowance)
        alone = set(cases(bench, quick=True, with_peer=with_peer)) - {"e"}
        memory = {case: peak_memory(bench, case)[-1] for case in sorted(alone)}
        memory |= dict.fromkeys("efhij", peak_shared)
    running = cases(
        bench,
        quick=options.quick and not options.cases,
        with_peer=with_peer,
        compile_peer=options.compile_peer,
    )
    if options.cases:
        running = {case: running[case] for case in options.cases}
    measured = measure(
        bench,
        running,
        quick=options.quick,
        rounds=1 if options.quick else options.rounds,
    )
    peer_packages = ("enformer-pytorch", "transformers") if with_peer else ()
    figures = {
        **summarise(measured, memory),
        **circumstances("numpy", *peer_packages, device=bench.device),
        "strands": bench.strands,
        "batch_alts": bench.allowance and bench.allowance.batch_alts,
        "quick": options.quick,
        "stretch_bp": bench.stretch_bp,
        "every_bp": bench.every_bp,
    }
    print(table(figures))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    if options.chart:
        write_chart(
            options.chart,
            {row["what"]: row["seconds_per_variant"] for row in figures["cases"].values()},
            f"seconds per variant, {SAID_OF_STRANDS[bench.strands]}, logarithmic",
        )


if __name__ == "__main__":
    main()

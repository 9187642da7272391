"""How long a variant takes in Borzoi's window of 524,288 bp, how much memory, and how wrong it is; beside its port.

    python -m benchmarks.large_window --json benchmarks/results/large_window.json [--cases ace]

The published size with seeded weights, one strand, 7,611 tracks, chr20:4699605 A>G: (a) borzoi-pytorch in float32,
reference and alternate, all 16,352 bins; (c) `direct`; (d) `delta` in float32, centred; (e) the same in the default
policy; (f) is (e) with 8 real SNVs in one window. Each case runs in a process of its own, on one thread, one after the
other. Errors are of SAD over tracks against a float64 run of the original's equations. Ratios hold within one run only.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from benchmarks.circumstances import CPU, circumstances
from benchmarks.engine_figures import relative_error
from benchmarks.engine_material import data_dir, golden_dir
from enformer_core.freed_memory import keep_freed_memory
from enformer_core.genome.fasta import Genome
from enformer_core.models.base import HeadedNetwork
from enformer_core.models.borzoi_spec import SPEC, BorzoiConfig
from enformer_core.models.layers import one_hot
from enformer_core.models.registry import ModelSource
from enformer_core.scoring.conventions import Conventions, Policy
from enformer_core.scoring.delta.delta_model import delta_network
from enformer_core.scoring.delta.engine import DeltaScorer
from enformer_core.scoring.direct import DirectScorer, SequencePredictor
from enformer_core.scoring.precision import choose_arithmetic
from enformer_core.scoring.windows import (
    Allele,
    Window,
    alternate_sequence,
    reference_sequence,
)
from enformer_core.variants.source import open_source
from tests.support import seeded_borzoi

CASES = {
    "a": "borzoi-pytorch, float32, reference and alternate",
    "c": "direct, float32",
    "d": "delta exact, centred",
    "e": "delta fast, centred",
    "f": "delta fast, 8 SNVs in a shared window",
}
TOGETHER = 8
HEAD = "human"


def golden() -> dict[str, np.ndarray]:
    """The truth of the one variant."""
    with np.load(golden_dir() / "borzoi" / "full_seed0.npz") as arrays:
        return dict(arrays)


def variant(truth: dict[str, np.ndarray]) -> Allele:
    """The one whose score is known."""
    return Allele("chr20", int(truth["pos"]) - 1, str(truth["ref"]), str(truth["alt"]))


def genome() -> Genome:
    """GRCh38 chr20, its first 10 Mb."""
    return Genome(str(data_dir() / "reference" / "grch38.chr20_and_21_10M.fa.gz"))


def conventions(centre_index: int, most_bp: int = 0) -> Conventions:
    """SAD on one strand."""
    return Conventions(
        geometry=SPEC.config.geometry,
        statistics=("sad",),
        centre_index=centre_index,
        strands="forward",
        max_offset_bp=most_bp,
    )


def write_weights(path: Path) -> None:
    """The seeded ones under the port's names."""
    config = BorzoiConfig()
    spec = replace(SPEC, config=config)
    heads = {HEAD: config.output_tracks[HEAD]}
    layers = seeded_borzoi.keras_layers(seeded_borzoi.keras_arrays(config, HEAD))
    keras = spec.weights.keras
    assert keras is not None
    loaded = keras.load(layers, heads, lambda head: spec.empty_network({head: heads[head]}))
    published = spec.published_state(loaded.state)
    save_file({name: tensor.contiguous() for name, tensor in published.items()}, path)


def ours(weights: Path) -> HeadedNetwork:
    """Our model."""
    keep_freed_memory()
    model = ModelSource("borzoi", str(weights)).build(CPU)
    assert isinstance(model, HeadedNetwork)
    return model


def neighbours(place: Allele) -> list[Allele]:
    """Real SNVs around a place, the nearest."""
    source = open_source(data_dir() / "variants" / "grch38_chr20_1-10M_rsids.vcf.gz")
    columns = ["start", "input_ref", "input_alt"]
    rows = [row for batch in source.batches() for row in batch.select(columns).to_pylist()]
    found = [
        Allele(place.contig, row["start"], row["input_ref"], row["input_alt"])
        for row in rows
        if len(row["input_ref"]) == len(row["input_alt"]) == 1
    ]
    found.sort(key=lambda allele: abs(allele.start - place.start))
    return sorted(found[:TOGETHER], key=lambda allele: allele.start)


def run_peer(weights: Path) -> tuple[np.ndarray, int]:
    """SAD by two passes of borzoi-pytorch."""
    from borzoi_pytorch.config_borzoi import (
        BorzoiConfig as PeerConfig,
    )  # no dependency: see Makefile
    from borzoi_pytorch.pytorch_borzoi_model import Borzoi as Peer

    truth = golden()
    allele = variant(truth)
    # without it, 6,144 bins in the middle
    peer = Peer(PeerConfig(return_center_bins_only=False)).eval()
    shapes = {name: tensor.shape for name, tensor in peer.state_dict().items()}
    # its dense layers are convolutions of width 1
    state = {name: tensor.reshape(shapes[name]) for name, tensor in load_file(weights).items()}
    missing, unexpected = peer.load_state_dict(state, strict=False)
    if unexpected or any("num_batches_tracked" not in key for key in missing):
        sys.exit(f"borzoi-pytorch: missing {missing}, unexpected {unexpected}")
    window, length_bp = Window(int(truth["window_start0"])), SPEC.config.geometry.window_bp
    summed = []
    with torch.inference_mode():
        for codes in (
            reference_sequence(genome(), allele.contig, window, length_bp),
            alternate_sequence(genome(), allele, window, length_bp),
        ):
            letters = one_hot(torch.from_numpy(np.array(codes))[None], torch.float32)
            summed.append(peer(letters.mT)[0].double().sum(dim=-1).numpy())
    return summed[1] - summed[0], 1


def run_direct(weights: Path) -> tuple[np.ndarray, int]:
    """SAD by two passes of ours."""
    truth = golden()
    allele, start = variant(truth), int(truth["window_start0"])
    settings = conventions(allele.start - start)
    predictor = SequencePredictor(ours(weights), HEAD, None, settings, CPU)
    (scores,) = DirectScorer(predictor, genome()).score([allele], start)
    return scores["sad"], 1


def run_delta(weights: Path, policy: Policy, *, together: bool = False) -> tuple[np.ndarray, int]:
    """SAD by differences, of the one variant; in a shared window of the last."""
    truth = golden()
    allele, start = variant(truth), int(truth["window_start0"])
    arithmetic = choose_arithmetic(policy, CPU)
    network = delta_network(ours(weights), HEAD, None, device=CPU, arithmetic=arithmetic)
    alleles: Sequence[Allele] = neighbours(allele) if together else [allele]
    settings = conventions(allele.start - start, most_bp=65_536 if together else 0)
    scorer = DeltaScorer(network, genome(), settings, batch_alts=len(alleles))
    return scorer.score(alleles, start)[-1]["sad"], len(alleles)


def run(case: str, weights: Path) -> dict[str, Any]:
    """One case, in this process."""
    torch.set_num_threads(1)
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    if case == "a":
        sad, alleles = run_peer(weights)
    elif case == "c":
        sad, alleles = run_direct(weights)
    else:
        sad, alleles = run_delta(weights, "exact" if case == "d" else "fast", together=case == "f")
    seconds, cpu_seconds = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    known = None if case == "f" else relative_error(sad, golden()["SAD_f64"])
    return {
        "what": CASES[case],
        "alleles": alleles,
        "seconds_per_variant": seconds / alleles,
        "cpu_seconds_per_variant": cpu_seconds / alleles,
        "sad_error": known,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def in_its_own_process(case: str, weights: Path) -> dict[str, Any]:
    """One case, by a process that nothing else has used memory of."""
    command = [sys.executable, "-m", "benchmarks.large_window", "--cases", case]
    done = subprocess.run(
        [*command, "--weights", str(weights)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--cases", default="".join(CASES), help="these alone, by their letters")
    parser.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.weights:
        print(json.dumps(run(options.cases, options.weights)))
        return
    with tempfile.TemporaryDirectory() as directory:
        weights = Path(directory) / "seeded.safetensors"
        write_weights(weights)
        rows = {}
        for case in options.cases:
            rows[case] = in_its_own_process(case, weights)
            print(case, json.dumps(rows[case]), flush=True)
    figures = {
        "cases": rows,
        "arithmetic": str(choose_arithmetic("fast", CPU)),
        **circumstances("numpy", "borzoi-pytorch", device=CPU),
    }
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

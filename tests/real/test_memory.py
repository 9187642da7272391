"""What a worker holds: measured in a process of its own, because peaks never fall."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.full

_SCRIPT = """
import json, resource, sys
import torch
from enformer_core.models.geometry import ENFORMER
from enformer_core.scoring.conventions import Conventions
from enformer_core.genome.fasta import Genome
from enformer_core.models.registry import ModelSource
from enformer_core.scoring.direct import DirectScorer, SequencePredictor
from enformer_core.scoring.windows import Allele
from tests.support.memory import peak_bytes

name, weights, fasta, count = sys.argv[1], sys.argv[2] or None, sys.argv[3], int(sys.argv[4])
device = torch.device("cpu")
predictor = SequencePredictor(
    model=ModelSource(name, weights).build(device),
    head="human",
    tracks=None,
    conventions=Conventions(geometry=ENFORMER, statistics=("sad",), centre_index=98_303, strands="forward"),
    device=device,
)
genome = Genome(fasta)
scorer = DirectScorer(predictor, genome)

def resident():
    pages = int(open("/proc/self/statm").read().split()[1])
    return pages * resource.getpagesize()

held = []
for start in range(count):
    at = 1_000_000 + 7 * start
    ref = "ACGTN"[genome.codes("chr20")[at]]
    scorer.score([Allele("chr20", at, ref, "A" if ref != "A" else "C")], at - 98_303)
    held.append(resident())
print(json.dumps({"peak": peak_bytes(), "held": held}))
"""


def measure(name, weights, data_dir, count):
    fasta = data_dir / "reference" / "grch38.chr20_and_21_10M.fa.gz"
    finished = subprocess.run(
        [sys.executable, "-c", _SCRIPT, name, str(weights or ""), str(fasta), str(count)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    measured = json.loads(finished.stdout)
    growth = measured["held"][-1] - measured["held"][len(measured["held"]) // 4]
    print(
        f"{name}: peak {measured['peak'] / 1e9:.2f} GB, growth {growth / 1e6:.1f} MB over {count} variants"
    )
    return measured["peak"], growth


def test_200_variants_of_the_demonstration(data_dir):
    _, growth = measure("motif", None, data_dir, 200)
    assert growth < 50e6


def test_a_full_size_worker(seeded_weights, data_dir):
    # the allocator settles over the first two variants; what a leak holds goes on growing behind them
    peak, growth = measure("enformer", seeded_weights, data_dir, 8)
    assert peak < 5e9
    assert growth < 50e6

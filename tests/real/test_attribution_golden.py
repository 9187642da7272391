"""The published size: contributions agree with the original program's, in the memory of a small machine."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from enformer_core.api.run_tables import open_run
from jobs.cli import main
from tests.support.closeness import relative_l2

pytestmark = pytest.mark.full

# In a process of its own, because peaks never fall; one thread, as a worker of many has.
_ATTRIBUTE = """
import json, sys
import torch
from jobs.cli import main
from tests.support.memory import peak_bytes
code = main(sys.argv[1:])
peak = torch.cuda.max_memory_reserved() if torch.cuda.is_available() else peak_bytes()
print(json.dumps({"code": code, "peak": peak}), file=sys.stderr)
"""

CROP_BP = 40_960


@pytest.fixture(scope="module")
def attributed(tmp_path_factory, golden, seeded_weights, data_dir, device):
    """Three bins of the window of `snv1`, as BED: where it is stored, and the peak of the device's memory."""
    folder = tmp_path_factory.mktemp("attributed")
    row = golden["variant_ids"].tolist().index("snv1")
    first = int(golden["window_start0"][row]) + CROP_BP + 447 * 128
    bed = folder / "snv1.bed"
    bed.write_text(f"chr20\t{first}\t{first + 3 * 128}\tsnv1\n")
    out = folder / "run"
    fasta = data_dir / "reference" / "grch38.chr20_and_21_10M.fa.gz"
    words = [
        "attribute",
        bed,
        "--genome",
        fasta,
        "--model",
        "enformer",
        "--weights",
        seeded_weights,
    ]
    words += ["--group", "K562=4828,5111", "--group", "all=0-5312", "--strands", "forward"]
    words += ["--attention", "--hypothetical", "--ray", "off"]
    words += ["--device", device.type, "--out", out]
    finished = subprocess.run(
        [sys.executable, "-c", _ATTRIBUTE, *map(str, words)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(finished.stderr.splitlines()[-1])
    assert said["code"] == 0, finished.stderr
    return out, said["peak"]


def test_gradient_times_input_is_the_original_programs(attributed, golden):
    out, _ = attributed
    of_k562, of_all = open_run(out).table("contributions").sort("group").collect().to_dicts()
    assert (of_k562["group"], of_k562["chrom"], of_k562["start"]) == ("K562", "chr20", 4_601_301)
    error = relative_l2(of_k562["values"], golden["contrib_f64"])
    print(f"contributions of snv1: relative L2 {error:.1e}")
    assert error < 5e-3
    target = float(golden["contrib_target_f64"])
    assert abs(of_k562["prediction"] / target - 1) < 1e-5
    own = np.stack([of_k562[f"hypothetical_{letter}"] for letter in "acgt"])
    codes = np.array(["ACGT".find(letter) for letter in of_k562["sequence"]])
    np.testing.assert_array_equal(own[codes, np.arange(codes.size)], of_k562["values"])
    assert relative_l2(of_all["values"], of_k562["values"]) > 0.1
    assert main(["verify", str(out)]) == 0


def test_a_full_size_worker_fits_a_small_machine(attributed, device):
    _, peak = attributed
    print(f"attribute on {device.type}: peak {peak / 1e9:.2f} GB")
    # of a GPU of 16 GB, what its driver leaves
    assert peak < {"cpu": 6e9, "cuda": 15e9}[device.type]

"""The published size: gradients over elements are the original program's, mutagenesis is that of two plain passes."""

import json
import subprocess
import sys
from math import log2
from pathlib import Path

import numpy as np
import pytest
import torch

from enformer_core.api.run_tables import open_run
from enformer_core.genome.alphabet import N_CODE
from enformer_core.models.layers import one_hot
from jobs.cli import main

pytestmark = pytest.mark.full

# In a process of its own, because peaks never fall.
_LINKS = """
import json, sys
from jobs.cli import main
from tests.support.memory import peak_bytes
code = main(sys.argv[1:])
print(json.dumps({"code": code, "peak": peak_bytes()}), file=sys.stderr)
"""

WINDOW = 4_601_301  # of the golden contributions of snv1
TSS = WINDOW + 98_304
TRACKS = [4828, 5111]

ELEMENTS = {"promoter": (TSS - 300, TSS + 200), "near": (TSS + 9_000, TSS + 9_700)}


@pytest.fixture(scope="module")
def linked(tmp_path_factory, golden, seeded_weights, data_dir):
    """A gene whose window is that of the goldens, with two elements: where the run is, and the peak of memory."""
    folder = tmp_path_factory.mktemp("linked")
    (folder / "genes.bed").write_text(f"chr20\t{TSS}\t{TSS + 9}\tgene\t0\t+\n")
    rows = [f"chr20\t{start}\t{end}\t{name}\n" for name, (start, end) in ELEMENTS.items()]
    (folder / "elements.bed").write_text("".join(rows))
    words = ["links", "--genes", folder / "genes.bed", "--candidates", folder / "elements.bed"]
    words += ["--genome", data_dir / "reference" / "grch38.chr20_and_21_10M.fa.gz"]
    words += ["--model", "enformer", "--weights", seeded_weights, "--group", "K562=4828,5111"]
    words += ["--strands", "forward", "--shard-size", "2", "--ray", "off", "--out", folder / "run"]
    finished = subprocess.run(
        [sys.executable, "-c", _LINKS, *map(str, words)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(finished.stderr.splitlines()[-1])
    assert said["code"] == 0, finished.stderr
    return folder / "run", said["peak"]


def test_sums_of_gradients_are_the_original_programs(linked, golden):
    out, _ = linked
    found = {row["name"]: row for row in open_run(out).table("links").collect().to_dicts()}
    magnitudes = np.abs(golden["contrib_f64"])
    for name, (start, end) in ELEMENTS.items():
        row = found[name]
        expected = magnitudes[start - WINDOW : end - WINDOW].sum()
        assert row["gradient"] == pytest.approx(expected, rel=5e-3)
        middle = (start + end) // 2 - WINDOW
        expected = magnitudes[middle - 1_000 : middle + 1_000].sum()
        assert row["gradient_2kb"] == pytest.approx(expected, rel=5e-3)
        assert 0 < row["attention"] < 1
        print(f"{name}: {row['gradient']:.4g}, {row['attention']:.4g}, {row['mutagenesis']:.4g}")
    assert main(["verify", str(out)]) == 0


def test_mutagenesis_is_that_of_two_plain_passes(linked, enformer, chr20):
    out, _ = linked
    found = {row["name"]: row for row in open_run(out).table("links").collect().to_dicts()}
    codes = np.array(chr20.fetch("chr20", WINDOW, WINDOW + 196_608))
    start, end = ELEMENTS["promoter"]
    without = codes.copy()
    without[start - WINDOW : end - WINDOW] = N_CODE
    sums = []
    for sequence in (codes, without):
        letters = one_hot(torch.from_numpy(sequence)[None], torch.float32)
        with torch.inference_mode():
            prediction = enformer(letters, "human", torch.tensor(TRACKS))[0, 447:450]
        sums.append(float(prediction.double().mean(dim=1).sum()))
    expected = log2((1 + sums[1]) / (1 + sums[0]))
    assert abs(expected) > 1e-4
    assert found["promoter"]["mutagenesis"] == pytest.approx(expected, rel=1e-2)


def test_a_full_size_worker_stays_under_6_gb(linked):
    _, peak = linked
    print(f"links: peak {peak / 1e9:.2f} GB")
    assert peak < 6e9

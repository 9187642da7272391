"""Pages in a browser: no error, no request, no grave fault for screen readers, no wider than a phone, drawn soon.

`make browser` runs it: it needs Node.js, the packages beside this file, and a Chromium (ENFORMER_RAY_CHROMIUM).
"""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from enformer_core.report.page import page
from jobs.cli import main
from tests.report.test_page import HOSTILE, report_of
from tests.support.genomes import OTHER, random_letters, write_fasta
from tests.support.vcf import write_vcf
from tests.support.wide_runs import wide_run

pytestmark = pytest.mark.browser

HERE = Path(__file__).parent
CHROMIUM = Path(os.environ.get("ENFORMER_RAY_CHROMIUM", "/usr/bin/chromium"))

MOST_CPU_S = 3.0
"""Of the page's own thread, however busy the machine is."""


@pytest.fixture
def look(tmp_path):
    """Opens a page as phones, desks and printers do, and says what is amiss; screenshots lie in the folder."""
    if not CHROMIUM.exists():
        pytest.fail(f"there is no browser {CHROMIUM}: name a Chromium by ENFORMER_RAY_CHROMIUM")
    if not (HERE / "node_modules").exists():
        pytest.fail("tests/browser has no node_modules: `make browser` installs them")

    def call(file):
        words = ["node", HERE / "look.mjs", file, tmp_path / "shots"]
        seen = subprocess.run(words, capture_output=True, text=True, timeout=500, check=False)
        assert seen.stdout, seen.stderr
        found = json.loads(seen.stdout)
        assert found["faults"] == []
        assert max(found["cpu_seconds"].values()) < MOST_CPU_S, found
        return found

    return call


def test_the_report_of_a_run(look, tmp_path):
    letters = random_letters(4_000)
    genome = write_fasta(tmp_path / "g.fa", {"chr1": letters})
    snvs = [("chr1", at, letters[at - 1], OTHER[letters[at - 1]]) for at in range(1_000, 1_030)]
    vcf = write_vcf(tmp_path / "v.vcf", [*snvs, ("chr1", 1_500, letters[1_499], "<DEL>")])
    words = ["score", vcf, "--genome", genome, "--model", "motif", "--ray", "off"]
    words += ["--strands", "forward", "--statistics", "sad,js", "--out", tmp_path / "run"]
    assert main([*map(str, words), "--audit-fraction", "0.5"]) == 0
    out = tmp_path / "report.html"
    assert main(["report", str(tmp_path / "run"), "--out", str(out)]) == 0
    look(out)


def test_the_report_of_many_tracks(look, tmp_path):
    values = np.random.default_rng(1).normal(size=(300, 400)).astype("f")
    wide_run(tmp_path / "run", values)
    out = tmp_path / "report.html"
    assert main(["report", str(tmp_path / "run"), "--out", str(out)]) == 0
    look(out)


def test_names_that_are_code(look, tmp_path):
    names = "".join(HOSTILE)
    out = tmp_path / "hostile.html"
    out.write_text(page(report_of(names)))
    look(out)

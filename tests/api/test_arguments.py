"""What the Python interface is given by mistake is refused by name, without the checks of types that tests have."""

import subprocess
import sys

from tests.support.genomes import write_fasta

PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from enformer_core import InputError, Scorer, open_run

genome = sys.argv[1]

def refused(words, call):
    try:
        call()
    except InputError as error:
        assert words in str(error), error
        return
    raise AssertionError(words)

wrong = {
    "model": None, "genome": 5, "weights": 5, "head": None, "tracks": 1.5, "targets": 5, "statistics": 5,
    "shifts": "0", "centre_bin": "4", "central_bins": 1.5, "centre_mask_bp": b"", "max_offset_bp": None,
    "max_allele_bp": "5", "threads": "2", "strands": None, "engine": 5, "device": None, "precision": b"",
    "indel_rule": 1,
}
for setting, value in wrong.items():
    arguments = {"model": "motif", "genome": genome} | {setting: value}
    refused(f"{setting}={value!r}", lambda: Scorer(**arguments))

scorer = Scorer("motif", genome=Path(genome), tracks=np.array([0, 1]), threads=np.int64(1))
for name in (None, 5, b""):
    refused(f"{name!r} is no variant. Give text", lambda: scorer.variant(name))
    refused("variants takes a list of names", lambda: scorer.variants(name))
    refused(f"{name!r}: neither a region nor a sequence", lambda: scorer.predict(name))
refused("None is no variant", lambda: scorer.variants([None]))
refused("no run here: this is a file", lambda: open_run(genome))
for name in (None, 5):
    refused("must be a path", lambda: open_run(name))
"""


def test_arguments_of_a_wrong_type_are_named(tmp_path):
    genome = write_fasta(tmp_path / "g.fa", {"chr1": "ACGT" * 50})
    command = [sys.executable, "-c", PROGRAM, str(genome)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr

"""What computes nothing answers at once: neither torch nor Ray is loaded, which take seconds."""

import subprocess
import sys

import pytest

from enformer_core.models.registry import SPECS
from enformer_core.models.weights.check import state_sha256
from enformer_core.scoring.conventions import FLOAT32
from enformer_core.scoring.precision import Arithmetic
from jobs.cli import main
from tests.support.genomes import write_fasta
from tests.support.vcf import write_vcf

# Runs each command line of its arguments, in one process; says which of them loaded what, and what each came to.
ASKING = """
import sys
from jobs.cli import main
for line in sys.argv[1:]:
    try:
        code = main(line.split())
    except SystemExit as end:
        code = end.code
    slow = sorted({"torch", "ray"} & set(sys.modules))
    print(f"{line.split()[0]}: {code} {slow}", file=sys.stderr)
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The command of a run that is complete, and where it lies."""
    folder = tmp_path_factory.mktemp("fast")
    genome = write_fasta(folder / "g.fa", {"chr1": "ACGT" * 1000})
    vcf = write_vcf(folder / "v.vcf", [("chr1", 1001, "A", "C"), ("chr1", 2001, "ACGT", "A")])
    command = f"score {vcf} --genome {genome} --model motif --out {folder / 'run'}"
    assert main([*command.split(), "--ray", "off", "--strands", "forward"]) == 0
    return folder, f"{command} --strands forward"


def answers(*lines):
    """What each line came to, with what was loaded by then."""
    asked = subprocess.run(
        [sys.executable, "-c", ASKING, *lines], capture_output=True, text=True, check=True
    )
    return [line for line in asked.stderr.splitlines() if line.endswith("]")]


def test_neither_torch_nor_ray_is_loaded(finished):
    folder, score = finished
    run = folder / "run"
    lines = [
        "--help",
        "score --help",
        f"plan {folder / 'v.vcf'} --genome {folder / 'g.fa'}",
        f"plan {folder / 'v.vcf'} --genome {folder / 'g.fa'} --model basenji2 --tracks 1,3",
        f"query {run} FROM/**/top --json",
        f"status {run}",
        f"verify {run}",
        f"export {run} --tsv {folder / 'run.tsv'}",
        score,
        f"{score} --device cpu --workers 3 --ray auto",
    ]
    assert answers(*lines) == [f"{line.split()[0]}: 0 []" for line in lines]


@pytest.mark.parametrize("name", SPECS)
def test_what_specs_state_is_what_the_networks_come_to(name):
    spec = SPECS[name]
    for head in spec.config.output_tracks:
        for tracks in ([0], range(5)):
            assert spec.pass_operations(head, tracks) == spec.count_operations(head, tracks)
    if spec.demonstration is not None:
        parameters = spec.published_state(spec.demonstration.make().state_dict())
        assert spec.demonstration.weights_sha256 == state_sha256(parameters)


def test_arithmetic_is_called_as_the_report_knows_it():
    assert str(Arithmetic()) == FLOAT32

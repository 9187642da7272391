"""What computes nothing answers at once: it loads nothing that takes long and that it does not need."""

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

# All take from tens of milliseconds to seconds; some come with other packages, and some are not even installed.
SLOW = {
    *("torch", "ray", "triton", "sympy", "tensorflow"),
    *("numpy", "numpy.testing", "pyarrow", "polars", "pandas", "duckdb", "pysam", "h5py"),
    *("botocore", "boto3", "s3fs", "fsspec", "urllib3", "requests", "http.client"),
    *("pydantic", "jinja2", "huggingface_hub", "altair", "vl_convert"),
}

# Runs each command line of its arguments, in one process; says what each came to, and what slow it loaded first.
ASKING = f"""
import sys
from jobs.cli import main
loaded = set()
for line in sys.argv[1:]:
    try:
        code = main(line.split())
    except SystemExit as end:
        code = end.code
    slow = {SLOW} & set(sys.modules) - loaded
    loaded |= slow
    print(line.split()[0], code, *sorted(slow), "END", file=sys.stderr)
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
    """What each line came to, with what slow was loaded for it and for none before."""
    asked = subprocess.run(
        [sys.executable, "-c", ASKING, *lines], capture_output=True, text=True, check=True
    )
    return [line for line in asked.stderr.splitlines() if line.endswith("END")]


def test_what_is_slow_to_load_is_loaded_where_it_is_needed(finished):
    folder, score = finished
    run = folder / "run"
    plan = f"plan {folder / 'v.vcf'} --genome {folder / 'g.fa'}"
    lines = {
        "--help": (),
        "docs python": (),
        "score --help": ("numpy",),
        "attribute --help": (),
        "links --help": (),
        "evaluate links --help": (),
        "evaluate variants --help": (),
        "evaluate tracks --help": (),
        "finemap --help": (),
        "plot locus --help": (),
        "plot calibration --help": (),
        "report --help": (),
        "plot track --help": (),
        f"status {run}": ("pyarrow",),
        # the fence around a run is a file system of fsspec's kind
        f"lookup {run} chr1:1001": ("fsspec",),
        plan: (),
        f"{plan} --model basenji2 --tracks 1,3": (),
        score: (),
        f"{score} --device cpu --workers 3 --ray auto": (),
        f"repair {run} --dry-run": ("polars",),
        f"export {run} --tsv {folder / 'run.tsv'}": (),
        f"verify {run}": (),
        f"query {run} FROM/**/top --json": ("duckdb",),
        f"sql {run}": (),
        "pca fit --help": (),
        f"pca fit {run} --components 1 --out {folder / 'x.safetensors'}": (),
    }
    assert answers(*lines) == [
        " ".join([line.split()[0], "0", *loaded, "END"]) for line, loaded in lines.items()
    ]


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

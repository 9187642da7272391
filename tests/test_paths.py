"""How many files a reader must open to follow something through the program: measured, so that it stays few."""

import sys
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from cluster.scheduler import Scheduler
from jobs.cli import main
from jobs.settings import CommonSettings
from tests.support.genomes import random_letters, write_fasta
from tests.support.toy_backend import Behaviour, Part, ToyBackend, numbered
from tests.support.vcf import write_vcf

ROOT = Path(__file__).parents[1]
ROOMS = ("cluster", "enformer_core", "jobs")


@cache
def place_of(file):
    """A file of our rooms, as the repository names it; None for any other."""
    path = Path(file)
    if not path.is_relative_to(ROOT) or path.relative_to(ROOT).parts[0] not in ROOMS:
        return None
    return path.relative_to(ROOT).as_posix()


@contextmanager
def files_entered(is_followed):
    """The files of ours whose functions are called, where the call's frame is one to follow."""
    files = set()

    def see(frame, event, argument):
        if event == "call":
            place = place_of(frame.f_code.co_filename)
            if place is not None and place not in files and is_followed(frame):
                files.add(place)

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        yield files
    finally:
        sys.setprofile(before)


def takes_settings(frame):
    names = frame.f_code.co_varnames[: frame.f_code.co_argcount + frame.f_code.co_kwonlyargcount]
    return any(isinstance(frame.f_locals.get(name), CommonSettings) for name in names)


def test_settings_are_resolved_at_the_edge(tmp_path, capsys):
    letters = random_letters(4000)
    genome = write_fasta(tmp_path / "g.fa", {"chr1": letters})
    alt = "A" if letters[2000] != "A" else "C"
    vcf = write_vcf(tmp_path / "v.vcf", [("chr1", 2001, letters[2000], alt)])
    command = ["score", str(vcf), "--genome", str(genome), "--model", "motif", "--ray", "off"]
    command += ["--strands", "forward", "--audit-fraction", "0"]
    with files_entered(takes_settings) as files:
        assert main([*command, "--out", str(tmp_path / "run")]) == 0
    assert "jobs/score.py" in files
    assert all(file.startswith("jobs/") for file in files), files
    assert len(files) <= 8


@pytest.mark.parametrize(
    "deadly", [Behaviour(1.0, dies=True), Part(4, frozenset({2}), deadly=True)]
)
def test_a_shard_passes_few_files_after_its_workers_death(deadly):
    """Every file of the whole run, which has nothing to do but what follows from the deaths."""
    behaviour = (lambda payload, worker: payload.behaviour()) if isinstance(deadly, Part) else None
    backend = ToyBackend(*[behaviour] if behaviour else [], machines={"m": 2})
    everything = files_entered(lambda frame: True)
    with everything as files, Scheduler(backend, workers=2, seed=1) as pool:
        assert list(pool.run(numbered(deadly)))
    # What a task is, and the events: every room of the program knows these.
    way = files - {"cluster/pool.py", "cluster/worker_process.py", "cluster/backend.py"}
    print(sorted(way))
    assert len(way) + 1 <= 8  # and the backend itself, a toy here

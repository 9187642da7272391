"""The command as a process: it ends with the code that it came to, whatever libraries do at their end."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from enformer_core.analyses import variant_input
from enformer_core.variants.harmonise import harmonise_alleles

ROOT = Path(__file__).parents[2]
SMALL = [*("--model", "motif", "--ray", "off", "--strands", "forward", "--tracks", "0")]
SMALL += ["--audit-fraction", "0"]

ABORTS = """
import ctypes, sys
system = ctypes.CDLL(None)
# As a thread of a library does now and then, when the process is taken apart.
system["__cxa_atexit"](system.abort, None, None)
from jobs.console import run
run()
"""


@pytest.fixture
def shell(finished):
    """Give a command to a shell in which OUT is a finished run; gives its exit code and all that it said."""
    out = finished("run", *SMALL)

    def call(command, **variables):
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OUT": str(out)} | variables
        program = command.replace("enformer-ray", f"{sys.executable} -m jobs.cli")
        ended = subprocess.run(
            ["bash", "-c", program], capture_output=True, env=environment, check=False, cwd=ROOT
        )
        return ended.returncode, ended.stdout.decode(), ended.stderr.decode()

    return call


def test_a_library_that_aborts_at_the_end_changes_no_code(shell):
    code, said, complained = shell(f"{sys.executable} -c '{ABORTS}' verify $OUT")
    assert said.startswith("verified: ")
    assert (code, complained) == (0, "")


@pytest.mark.parametrize("module", ["jobs.cli", "jobs.console"])
def test_either_module_is_the_command(module):
    command = [sys.executable, "-m", module, "--version"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert ended.returncode == 0
    assert ended.stdout.strip()


@pytest.mark.full
@pytest.mark.parametrize("command", ["verify $OUT", "status $OUT"])
def test_two_hundred_calls_end_alike(shell, command):
    times = f"for time in $(seq 200); do enformer-ray {command} > /dev/null; echo $?; done"
    assert shell(times)[1].split() == ["0"] * 200


@pytest.mark.parametrize("command", ["status $OUT", "verify $OUT"])
def test_a_reader_that_leaves_changes_no_code(shell, command):
    assert shell(f"enformer-ray {command} | true; echo ${{PIPESTATUS[0]}}") == (0, "0\n", "")


@pytest.mark.parametrize("lost", [">&-", "2>&- >&-"])
def test_an_answer_that_nobody_can_get_is_none(shell, lost):
    code, said, complained = shell(f"enformer-ray status $OUT {lost}; echo $?")
    assert (code, said) == (0, "2\n")
    assert ("closed" in complained) == (lost == ">&-")


# Signals outside the pool.


@pytest.fixture
def hangups_count():
    """As in a terminal, though the tests themselves may run under `nohup`, which children inherit."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.usefixtures("hangups_count")
def test_a_signal_while_planning_leaves_nothing_and_says_how_to_go_on(
    vcf, genome, tmp_path, run, monkeypatch, number, times
):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    met = []

    def place(*batch, **rules):
        met.append(list(scratch.iterdir()))
        for _ in range(times):  # who presses Ctrl-C twice wants no scratch files either
            os.kill(os.getpid(), number)
        return harmonise_alleles(*batch, **rules)

    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.setattr(variant_input, "harmonise_alleles", place)
    handlers = {each: signal.getsignal(each) for each in signal.Signals}
    code, _, complained = run(
        *("score", vcf, "--genome", genome, "--out", tmp_path / "run", *SMALL)
    )
    assert code == 128 + number
    assert met[0], "it was not planning"
    assert not list(scratch.iterdir())
    assert f"stopped by {number.name}; run the same command again to continue" in complained
    assert "Traceback" not in complained
    assert {each: signal.getsignal(each) for each in signal.Signals} == handlers


def test_who_asked_for_it_by_nohup_is_not_hung_up(vcf, genome, tmp_path, run, monkeypatch):
    def place(*batch, **rules):
        os.kill(os.getpid(), signal.SIGHUP)
        return harmonise_alleles(*batch, **rules)

    monkeypatch.setattr(variant_input, "harmonise_alleles", place)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        code, *_ = run(*("score", vcf, "--genome", genome, "--out", tmp_path / "run", *SMALL))
    finally:
        signal.signal(signal.SIGHUP, before)
    assert code == 0

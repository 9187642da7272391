"""Blocks of shell on pages run as a reader's shell would run them."""

import os
import shlex
import subprocess
import sys

import pytest

from tests.support.page_blocks import ROOT


@pytest.fixture
def shell(tmp_path):
    """What runs a block where the shell finds the program, and the folder in which it does."""
    binaries = tmp_path / "bin"
    binaries.mkdir()
    program = binaries / "enformer-ray"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m jobs.console "$@"\n')
    program.chmod(0o755)
    folder = tmp_path / "hour"
    folder.mkdir()
    environment = os.environ | {
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "200",
    }

    def run(text):
        done = subprocess.run(
            ["sh", "-e", "-c", text],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run, folder

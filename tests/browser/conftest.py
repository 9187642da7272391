"""A browser that looks at pages, and what it took, told at the end."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CHROMIUM = Path(os.environ.get("ENFORMER_RAY_CHROMIUM", "/usr/bin/chromium"))

MOST_CPU_S = 3.0
"""Of the page's own thread, however busy the machine is."""

_FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture
def look(pytestconfig, request) -> Callable[[Path], dict]:
    """Opens a page as phones, desks and printers do, and says what is amiss.

    Screenshots lie in the folder that ENFORMER_RAY_SHOTS names; without it none are made, which takes a third less.
    """
    if not CHROMIUM.exists():
        pytest.fail(f"there is no browser {CHROMIUM}: name a Chromium by ENFORMER_RAY_CHROMIUM")
    if not (HERE / "node_modules").exists():
        pytest.fail("tests/browser has no node_modules: `make browser` installs them")
    shots = os.environ.get("ENFORMER_RAY_SHOTS")

    def call(file):
        folder = [] if shots is None else [Path(shots) / file.stem]
        words = ["node", HERE / "look.mjs", file, *folder]
        seen = subprocess.run(words, capture_output=True, text=True, timeout=500, check=False)
        assert seen.stdout, seen.stderr
        found = json.loads(seen.stdout)
        pytestconfig.stash.setdefault(_FIGURES, []).append(_in_words(file.stem, found))
        assert found["faults"] == []
        assert max(view["task"] for view in found["cpu_seconds"].values()) < MOST_CPU_S, found
        return found

    return call


def _in_words(name, found):
    most = {
        what: max(view[what] for view in found["cpu_seconds"].values())
        for what in ("task", "script", "style", "layout")
    }
    spent = ", ".join(f"{what} {seconds:.2f} s" for what, seconds in most.items())
    size = found["bytes"] / 1e6
    return f"{name}: {size:.2f} MB; at most {spent}; browser {found['browser_cpu_seconds']:.1f} s"


def pytest_terminal_summary(terminalreporter, config):
    """What each page took of CPU until it was drawn, in the slowest view."""
    for line in config.stash.get(_FIGURES, []):
        terminalreporter.write_line(line)

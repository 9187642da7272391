"""`run.report()`: the page of `enformer-ray report`, in a notebook or as a file."""

from html import unescape

import numpy as np
import pytest

import enformer_core
from tests.support.pages import Page, check_sound
from tests.support.wide_runs import begun_wide_run, wide_run

VALUES = np.random.default_rng(4).normal(size=(6, 3)).astype(np.float32)


@pytest.fixture
def reported(tmp_path):
    wide_run(tmp_path / "run", VALUES)
    return enformer_core.open_run(tmp_path / "run").report()


def test_it_is_the_commands_page(reported, tmp_path):
    page = Page(reported.html)
    check_sound(page)
    strongest = f"{np.abs(VALUES).max():.4g}"
    assert strongest in reported.html
    assert f"enformer-ray query {tmp_path / 'run'}" in unescape(reported.html)
    assert repr(reported).startswith(f"RunReport of {tmp_path / 'run'}: ")


def test_it_is_saved_whole(reported, tmp_path):
    reported.save(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text() == reported.html
    with pytest.raises(enformer_core.InputError, match="nowhere"):
        reported.save(tmp_path / "nowhere" / "report.html")


def test_a_notebook_shows_it_in_a_frame_that_reaches_nothing(reported):
    shown = reported._repr_html_()
    tag, _, page = shown.partition(' srcdoc="')
    assert tag.startswith("<iframe ")
    assert 'sandbox="allow-scripts"' in tag
    assert page.count('"') == 1
    assert unescape(page.partition('"')[0]) == reported.html


def test_an_unfinished_run_says_so(tmp_path):
    begun_wide_run(tmp_path / "run", VALUES)
    report = enformer_core.open_run(tmp_path / "run").report()
    assert "This run is not complete: 0 of 6" in report.html

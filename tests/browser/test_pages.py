"""Pages in a browser: no error, no request, no grave fault for screen readers, no wider than a phone, drawn soon.

`make browser` runs it: it needs Node.js, the packages beside this file, and a Chromium (ENFORMER_RAY_CHROMIUM).
"""

import pytest

from enformer_core.report.page import page
from jobs import exit_codes
from jobs.cli import main
from tests.browser.runs import Runs
from tests.report.test_page import HOSTILE, report_of

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def runs(tmp_path_factory, data_dir):
    return Runs(tmp_path_factory.mktemp("runs"), data_dir)


@pytest.fixture
def reported(tmp_path):
    """Write the report of a run; its page has the run's name."""

    def call(place, *more, code=exit_codes.DONE):
        out = tmp_path / f"{place.name}.html"
        assert main(["report", str(place), "--out", str(out), *more]) == code
        return out

    return call


@pytest.mark.parametrize(
    "name",
    [
        *("demo", "cohort", "none_scorable", "one_variant", "all_failed"),
        *("many_tracks", "many_alleles"),
    ],
)
def test_the_report_of_a_run(look, reported, runs, name):
    look(reported(getattr(runs, name)()))


@pytest.mark.parametrize("name", ["under_way", "planned_only"])
def test_the_report_of_a_run_that_is_not_finished(look, reported, runs, name):
    look(reported(getattr(runs, name)(), code=exit_codes.INCOMPLETE))


def test_a_report_with_a_locus(look, reported, runs):
    run, words = runs.with_locus()
    look(reported(run, *words))


def test_a_report_of_names_that_are_code(look, reported, runs):
    look(reported(runs.hostile()))


def test_names_that_are_code_in_every_place(look, tmp_path):
    out = tmp_path / "hostile_everywhere.html"
    out.write_text(page(report_of("".join(HOSTILE))))
    look(out)

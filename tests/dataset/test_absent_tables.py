"""Why a table is not there: the run is under way, was complete once, or is of another kind."""

import shutil
from pathlib import Path

import pytest

from enformer_core.dataset.absent_tables import why_absent
from enformer_core.dataset.keys import TRACKS_KEY
from enformer_core.storage.local import LocalStore
from tests.support.toy_runs import begun_toy_run


@pytest.fixture
def ledger(tmp_path):
    """A run that is complete, but for its tracks."""
    run = begun_toy_run(LocalStore(tmp_path / "run"))
    run.commit_all()
    run.ledger.finish(run.plan)
    (tmp_path / "run" / TRACKS_KEY).unlink()
    return run.ledger


def test_what_a_complete_run_has_lost_is_repaired(ledger):
    shutil.rmtree(Path(ledger.store.location, "commits"))
    said = why_absent(ledger, "scores", "out")
    assert "has its receipt any more, though the run was complete" in said
    assert "enformer-ray repair out" in said
    assert "enformer-ray repair out" in why_absent(ledger, "tracks", "out")


def test_what_a_run_under_way_has_not_yet_comes_by_its_own_command(ledger):
    root = Path(ledger.store.location)
    (root / "manifest.json").unlink()
    assert f"{TRACKS_KEY} is missing, the table of the run's tracks. Run its own" in why_absent(
        ledger, "tracks", "out"
    )
    shutil.rmtree(root / "commits")
    assert "stopped before it was planned" in why_absent(ledger, "tracks", "out")
    said = why_absent(ledger, "effects", "out")
    assert "there are no effects yet" in said
    assert "enformer-ray status out" in said
    assert "repair" not in said

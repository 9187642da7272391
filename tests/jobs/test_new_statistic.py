"""A statistic is added in one file: its formula under its name. All that a command does with it follows."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from enformer_core.scoring import statistics

TOY = '''
"""A statistic that no published program has."""

from enformer_core.scoring.statistics import statistic


@statistic("mean_rise")
def mean_rise(r, d):
    """Mean over bins of alt − ref where it is above 0."""
    return d.clamp(min=0).double().mean(dim=0)
'''

SMALL = ["--model", "motif", "--ray", "off", "--tracks", "0,1", "--strands", "forward"]
SMALL += ["--audit-fraction", "0"]


@pytest.fixture
def toy(tmp_path):
    """A file that adds a statistic, as a line in scoring/statistics.py would."""
    path = tmp_path / "toy_statistic.py"
    path.write_text(TOY)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield "mean_rise"
    del statistics._FORMULAS["mean_rise"]


def test_a_statistic_of_ones_own_is_scored_stored_and_ranked(toy, run, vcf, genome, tmp_path, rows):
    out = tmp_path / "run"
    names = f"sad,d1,{toy}"
    code, _, error = run(
        "score", vcf, "--genome", genome, "--out", out, *SMALL, "--statistics", names
    )
    assert code == 0, error
    assert run("verify", out)[0] == 0
    scored = rows(out, f"FROM scores SELECT sad, d1, {toy}, max_abs_{toy} WHERE status = 'ok'")
    assert len(scored) == 5
    for row in scored:
        # the rises are half of |alt − ref| and (alt − ref) together, and there are 896 bins
        expected = (np.array(row["d1"]) + np.array(row["sad"])) / 2 / 896
        np.testing.assert_allclose(row[toy], expected, rtol=5e-3, atol=1e-9)
        assert row[f"max_abs_{toy}"] == max(row[toy])
    effects = rows(out, f"FROM effects SELECT track, value WHERE statistic = '{toy}'")
    assert len(effects) == 5 * 2
    assert sorted(effect["value"] for effect in effects) == sorted(
        value for row in scored for value in row[toy]
    )


def test_the_identity_of_a_run_records_the_choices_and_not_the_models_geometry(
    toy, run, vcf, genome, tmp_path
):
    out = tmp_path / "run"
    run("score", vcf, "--genome", genome, "--out", out, *SMALL, "--statistics", toy)
    identity = json.loads((out / "run.json").read_text())["identity"]
    assert identity["conventions"] == {
        "statistics": [toy],
        "centre_index": 98_303,
        "indel_rule": "left-fixed",
        "strands": "forward",
        "shifts": [0],
        "central_bins": None,
        "centre_mask_bp": None,
        "max_offset_bp": 0,
    }


def test_a_name_that_is_taken_or_could_be_no_column_is_refused():
    with pytest.raises(ValueError, match="there is a statistic 'sad' already"):
        statistics.statistic("sad")
    with pytest.raises(ValueError, match="cannot be called 'mean rise'"):
        statistics.statistic("mean rise")


def test_help_names_every_statistic_and_does_not_load_torch():
    script = (
        "import sys; sys.modules['torch'] = None\n"
        "from jobs.cli import main\n"
        "main(['score', '--help'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"COLUMNS": "300"},  # so that no line is broken
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert ", ".join(statistics.STATISTICS) in done.stdout

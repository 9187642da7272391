"""`enformer-ray plot calibration`: the null and the run in the picture are those of the files."""

import json
import re

import numpy as np
import pytest

from enformer_core import open_run
from jobs import calibration_tracks
from jobs.calibrate import CalibrateSettings, calibrate_run
from jobs.percentiles import PercentilesSettings, rank
from tests.support.summaries import given_run
from tests.support.wide_runs import wide_run

BACKGROUND = [[-1, 0.5, 0], [0, 1, 0], [0, 1.5, 0], [2, 2, 0]]
ASKED = [[-5, 0.5, 0], [0, 0.75, 1], [9, 2, -1]]


@pytest.fixture
def null(tmp_path):
    path = tmp_path / "null.parquet"
    background = given_run(tmp_path / "background", BACKGROUND)
    assert calibrate_run(CalibrateSettings(str(background.store.root), out=str(path))) == 0
    return path


@pytest.fixture
def asked(tmp_path):
    return given_run(tmp_path / "asked", ASKED).store.root


@pytest.fixture
def plotted(run, tmp_path):
    """Each half's layers as rows of data, and what was said."""

    def call(*words):
        out = tmp_path / "picture.html"
        code, _, error = run("plot", "calibration", *words, "--out", out)
        assert code == 0, error
        (spec,) = re.findall(r'class="chart-spec">(.*?)</script>', out.read_text())
        chart = json.loads(spec)
        sets = chart["datasets"]
        halves = [
            [sets[layer["data"]["name"]] for layer in half["layer"]] for half in chart["hconcat"]
        ]
        return halves, error

    return call


def test_the_null_in_the_picture_is_that_of_the_file(null, plotted):
    (half,), error = plotted(null, "--statistic", "sad")
    lines, ends = half
    first = [(row["size"], row["share"], row["end"]) for row in lines if row["track"] == "track 0"]
    # of -1 0 0 2 two are as large as 1, and one as 2
    assert {row[:2] for row in first if row[2] is None} == {(1, 0.5), (2, 0.25)}
    assert [row for row in first if row[2]] == [(1, 0.5, "downwards"), (2, 0.25, "upwards")]
    assert {row["end"] for row in ends if row["track"] == "track 5"} == {"upwards"}
    assert "track 7: all scores of the null are 0; its line is left out" in error


def test_ranks_in_the_picture_are_those_of_percentiles(null, asked, plotted):
    (_, half), _ = plotted(null, asked, "--statistic", "sad")
    assert rank(PercentilesSettings(str(asked), null=str(null))) == 0
    table = open_run(asked).table("percentiles").sort("variant_id").collect()
    for place, track in enumerate(("track 0", "track 5", "track 7")):
        drawn = sorted(
            (row for row in half[1] if row["track"] == track), key=lambda row: row["name"]
        )
        phred = [values[place] for values in table["sad_phred"].to_list()]
        assert [row["observed"] for row in drawn] == pytest.approx(np.array(phred) / 10)
        index = int(track.split()[1])
        beyond = [index in listed for listed in table["sad_beyond_null"].to_list()]
        assert [row["is_beyond"] for row in drawn] == beyond


def test_percentiles_are_drawn_without_a_null(null, asked, plotted):
    assert rank(PercentilesSettings(str(asked), null=str(null), name="ours")) == 0
    (with_null, half), _ = plotted(null, asked, "--statistic", "sad")
    ((diagonal, points, named),), _ = plotted("--run", asked, "--percentiles", "ours")
    assert points == half[1]
    assert [len(with_null), len(diagonal), len(named)] == [2, 2, 1]


def test_many_tracks_are_too_many(null, run, tmp_path):
    out = tmp_path / "a.svg"
    code, _, error = run("plot", "calibration", "--out", out)
    assert code == 2
    assert "nothing to draw: give NULL" in error
    code, _, error = run("plot", "calibration", null, "--statistic", "sat", "--out", out)
    assert code == 2
    assert "--statistic sat" in error
    code, _, error = run("plot", "calibration", null, "--tracks", "7", "--out", out)
    assert code == 2
    assert "nothing to draw; track 7: all scores of the null are 0" in error


def test_a_run_without_percentiles_says_what_makes_them(asked, run, tmp_path):
    code, _, error = run("plot", "calibration", "--run", asked, "--out", tmp_path / "a.svg")
    assert code == 2
    assert "enformer-ray percentiles" in error


def test_the_statistic_is_by_default_one_that_both_have(null, run, tmp_path):
    """The null has `d1` too, whose name comes first, though its run was asked for `sad` first."""
    wide_run(tmp_path / "only-sad", np.array(ASKED, "f"), indices=(0, 5, 7))
    out = tmp_path / "a.html"
    words = ("plot", "calibration", null, tmp_path / "only-sad", "--out", out)
    code, _, error = run(*words)
    assert code == 0, error
    assert f"sad of {tmp_path / 'only-sad'} against the null" in error
    code, _, error = run("plot", "calibration", null, "--out", out)
    assert f"Null of sad, {null}" in error
    code, _, error = run(*words, "--statistic", "d1")
    assert code == 2
    assert "only-sad has no such statistic" in error


def test_where_both_share_no_statistic_it_is_said_what_each_has(run, tmp_path):
    background = given_run(tmp_path / "background", BACKGROUND).store.root
    null = tmp_path / "d1.parquet"
    assert calibrate_run(CalibrateSettings(str(background), out=str(null), statistics=("d1",))) == 0
    wide_run(tmp_path / "only-sad", np.array(ASKED, "f"), indices=(0, 5, 7))
    words = (null, tmp_path / "only-sad", "--out", tmp_path / "a.svg")
    code, _, error = run("plot", "calibration", *words)
    assert code == 2
    assert "no statistic that both have" in error
    assert "only-sad has sad; " in error
    assert "d1.parquet has d1." in error


@pytest.mark.parametrize("most", [2, 6])
def test_tracks_are_by_default_those_of_the_largest_scores(most, tmp_path, monkeypatch):
    """Of two the table of each allele's strongest says it, which has two of each; of six the scores do."""
    monkeypatch.setattr(calibration_tracks, "MOST_TRACKS", most)
    values = np.random.default_rng(7).normal(size=(40, 9)).astype("f") * np.arange(1, 10)[::-1]
    wide_run(tmp_path / "run", values)
    shown = calibration_tracks.tracks_of_run(open_run(tmp_path / "run"), "sad", None)
    largest = np.sort(np.argsort(-np.abs(values).max(axis=0))[:most])
    assert [track.index for track in shown.by_name.values()] == largest.tolist()
    assert shown.notes == (f"of 9 tracks the {most} of the largest scores are drawn",)
    assert shown.hints == ("--tracks chooses others",)


def test_rounding_is_not_drawn_unasked_and_said_where_it_is(tmp_path, run):
    values = np.ones((4, 8), "f") * np.array([9, 9e-7, 9, 9, 9e-7, 9, 9, 9e-7])
    values[2:] = 0
    wide_run(tmp_path / "run", values)
    null = tmp_path / "null.parquet"
    assert calibrate_run(CalibrateSettings(str(tmp_path / "run"), out=str(null))) == 0
    shown = calibration_tracks.tracks_of_run(open_run(tmp_path / "run"), "sad", None)
    assert [track.index for track in shown.by_name.values()] == [0, 2, 3, 5, 6]
    words = ("--tracks", "1,2", "--out", tmp_path / "a.html")
    code, _, error = run("plot", "calibration", null, tmp_path / "run", *words)
    assert code == 0
    assert "id-1: no sad of the null and the run above a millionth of the largest" in error
    assert "2 of 4 rows have no value above a millionth" in error
    # of a demonstration the picture says so
    assert "only a test" in (tmp_path / "a.html").read_text()


def test_of_a_null_alone_columns_are_those_of_its_head(null, run, tmp_path):
    words = ("plot", "calibration", null, "--out", tmp_path / "a.svg", "--tracks")
    code, _, error = run(*words, "99")
    assert code == 2
    assert "the human head has 8 tracks" in error
    code, _, error = run(*words, "CTCF")
    assert code == 2
    assert "has no names of tracks" in error

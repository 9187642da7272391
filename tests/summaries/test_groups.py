"""Sums over groups of tracks, counted by hand and against plain sums; groups that are none are refused."""

import numpy as np
import polars as pl
import pytest

from enformer_core import open_run
from enformer_core.errors import InputError
from enformer_core.models.tracks.table import described_track
from enformer_core.summaries.groups import groups_by
from jobs.exit_codes import DONE
from jobs.query import run_query
from jobs.summarise import SummariseSettings, summarise
from tests.support.summaries import given_run, stored_run
from tests.support.toy_runs import TRACKS

NAMES = ("CAGE:liver", "DNASE:liver", "CAGE:K562")


@pytest.fixture
def named():
    """Tracks 0, 5 and 7, two of them of CAGE, two of liver."""
    return [
        described_track(index, f"T{index}", name) for index, name in zip(TRACKS, NAMES, strict=True)
    ]


def groups(run, by, **options):
    settings = SummariseSettings(str(run.store.root), by=by, **options)
    assert summarise(settings) == DONE
    return open_run(run.store.root).table(settings.name).collect()


def test_two_assays_by_hand(tmp_path, named, capsys):
    run = given_run(tmp_path / "run", [[-3, 2, 1], [0, 0, 0]], tracks=named)
    table = groups(run, ("assay",), statistics=("sad",))
    assert table["variant_id"].to_list() == ["chr1:1:A:G"] * 2 + ["chr1:2:A:G"] * 2
    columns = ["statistic", "assay", "track_count", "max_abs", "max_abs_value", "max_abs_track"]
    assert table.select(columns).rows() == [
        ("sad", "CAGE", 2, 3, -3, 0),
        ("sad", "DNASE", 1, 2, 2, 5),
        ("sad", "CAGE", 2, 0, 0, 0),
        ("sad", "DNASE", 1, 0, 0, 5),
    ]
    assert table["l2"].to_list() == pytest.approx([np.sqrt(10), 2, 0, 0])
    assert table["mean"].to_list() == [-1, 2, 0, 0]
    assert table["mean_abs"].to_list() == [2, 2, 0, 0]
    question = capsys.readouterr().out.split("'")[1]
    answer = run_query(str(run.store.root), question)
    assert answer[0] == ("chr1:1:A:G", "sad", "CAGE", -3.0, pytest.approx(np.sqrt(10)))


def test_several_columns_and_all_statistics(tmp_path, named):
    run = given_run(tmp_path / "run", [[-3, 2, 1]], tracks=named)
    table = groups(run, ("biosample", "assay"))
    keys = table.select("statistic", "biosample", "assay", "max_abs_value").rows()
    assert keys == [
        ("sad", "liver", "CAGE", -3),
        ("sad", "liver", "DNASE", 2),
        ("sad", "K562", "CAGE", 1),
        ("d1", "liver", "CAGE", 3),
        ("d1", "liver", "DNASE", 2),
        ("d1", "K562", "CAGE", 1),
    ]


def test_sums_are_those_of_numpy_and_the_same_for_any_shards(tmp_path, named):
    values = np.random.default_rng(3).standard_t(2, (23, 3)).astype(np.float32)
    runs = [
        given_run(tmp_path / f"{size}", values, shard_size=size, tracks=named)
        for size in (1, 5, 23)
    ]
    first, *others = [groups(run, ("assay",), statistics=("sad",)) for run in runs]
    for other in others:
        assert other.equals(first)
    cage = first.filter(pl.col("assay") == "CAGE")
    both = values[:, [0, 2]].astype(np.float64)
    np.testing.assert_allclose(cage["l2"], np.linalg.norm(both, axis=1), rtol=1e-7)
    np.testing.assert_allclose(cage["mean"], both.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(cage["mean_abs"], np.abs(both).mean(axis=1), rtol=1e-7)
    strongest = np.abs(both).argmax(axis=1)
    assert cage["max_abs_track"].to_list() == np.array([0, 7])[strongest].tolist()
    assert cage["max_abs_value"].to_list() == both[np.arange(23), strongest].tolist()


def test_rows_without_scores_have_no_groups_and_nan_is_no_largest_value(tmp_path):
    run = stored_run(tmp_path, [[np.nan, 1, -2], [np.nan] * 3])
    # of tracks without names, each its own group by what all have
    with pytest.raises(InputError, match=r"say nothing of it(.|\n)*--targets"):
        groups(run, ("assay",))
    named = [described_track(index, None, "CAGE:liver") for index in TRACKS]
    of_one_assay = stored_run(tmp_path / "named", [[np.nan, 1, -2], [np.nan] * 3], tracks=named)
    table = groups(of_one_assay, ("assay",), statistics=("sad",))
    assert table.select("max_abs", "max_abs_value", "max_abs_track").rows() == [
        (2, -2, 7),
        (None, None, None),
    ]
    assert table["l2"].is_nan().all()


def test_a_track_that_says_nothing_is_a_group_of_its_own(tmp_path):
    tracks = [
        described_track(0, "a", "CHIP:CTCF:K562"),
        described_track(5, "b", "CAGE:K562"),
        described_track(7, "c", "CAGE:liver"),
    ]
    run = given_run(tmp_path / "run", [[1, 2, 3]], tracks=tracks)
    table = groups(run, ("target",), statistics=("sad",))
    assert table.select("target", "track_count", "max_abs").rows() == [("CTCF", 1, 1), (None, 2, 3)]


@pytest.mark.parametrize(
    ("by", "told"),
    [
        (("assays",), "no such column; did you mean assay"),
        (("index",), "no such column"),
        ((), "give columns of the run's tracks, of identifier"),
        (("target",), "say nothing of it"),
    ],
)
def test_columns_that_make_no_groups_are_refused(tmp_path, named, by, told):
    run = given_run(tmp_path / "run", [[1, 2, 3]], tracks=named)
    with pytest.raises(InputError, match=told):
        summarise(SummariseSettings(str(run.store.root), by=by))


def test_other_groups_need_another_name(tmp_path, named):
    run = given_run(tmp_path / "run", [[1, 2, 3]], tracks=named)
    groups_by(run.ledger, ("assay",)).write(run.ledger)
    biosamples = groups_by(run.ledger, ("biosample",))
    with pytest.raises(
        InputError, match=r"by\[0\]: there \"assay\", now \"biosample\"(.|\n)*--name"
    ):
        biosamples.write(run.ledger)
    assert biosamples.write(run.ledger, "by_biosample").rows == 4

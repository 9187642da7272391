"""Nulls and ranks as pictures: shares and expected ranks counted by hand."""

import numpy as np
import polars as pl

from enformer_core.pictures.calibration import calibration_picture, expected_ranks, tail_of


def test_shares_of_a_null_that_are_as_large():
    sizes = np.array([4.0, 2.0, 1.0, 2.0])
    size, share = tail_of(sizes, np.array([1, 1, 1, 1]), 8)
    assert size.tolist() == [1, 2, 4]
    assert share.tolist() == [4 / 8, 3 / 8, 1 / 8]


def test_a_long_tail_keeps_both_ends():
    sizes = np.arange(1.0, 5001.0)
    size, share = tail_of(sizes, np.ones(5000), 5000)
    assert size[[0, -1]].tolist() == [1, 5000]
    assert share[[0, -1]].tolist() == [1, 1 / 5000]
    assert size.size <= 160
    assert np.allclose(share, (5001 - size) / 5000)


def test_expected_ranks_of_four_scores():
    expected = expected_ranks(np.array([0.1, 3.0, 0.1, 2.0]))
    eighths = np.array([5, 1, 7, 3]) / 8
    assert np.allclose(expected, -np.log10(eighths))


def ranks(scores, track="t"):
    observed = np.linspace(0.01, 4, scores)
    return pl.DataFrame(
        {
            "track": [track] * scores,
            "name": [f"v{number}" for number in range(scores)],
            "expected": expected_ranks(observed),
            "observed": observed,
            "is_beyond": observed > 3.9,
        }
    )


def picture(tails=None, ranked=None):
    return calibration_picture(statistic="sad", title="t", tails=tails, ranks=ranked, notes=())


def test_of_many_scores_the_strongest_of_each_track_are_drawn():
    both = pl.concat([ranks(2_000), ranks(10, "few")])
    drawn = picture(ranked=both)
    (half,) = drawn.chart.to_dict()["hconcat"]
    rows = drawn.chart.to_dict()["datasets"][half["layer"][1]["data"]["name"]]
    names = [row["name"] for row in rows if row["track"] == "t"]
    assert names[:300] == [f"v{number}" for number in range(1999, 1699, -1)]
    assert len(names) <= 500
    assert sum(row["track"] == "few" for row in rows) == 10
    assert "of 2,010 scores" in drawn.notes[0]
    assert drawn.table.height == 2_010
    assert "t: 2,000 scores" in drawn.description


def test_the_end_of_a_null_is_told_in_words_and_marked():
    tails = pl.DataFrame(
        {
            "track": ["t"] * 4,
            "size": [0.1, 1.0, 1.5, 0.75],
            "share": [1.0, 0.1, 0.01, 0.2],
            "end": [None, None, "upwards", "downwards"],
        }
    )
    drawn = picture(tails)
    assert "which ends at: t +1.5, −0.75." in drawn.description
    (half,) = drawn.chart.to_dict()["hconcat"]
    line, ends = half["layer"]
    sizes = [row["size"] for row in drawn.chart.to_dict()["datasets"][ends["data"]["name"]]]
    assert sizes == [1.5, 0.75]
    # what nearly all of the null reaches is left out of sight
    assert line["encoding"]["x"]["scale"]["domain"][0] > 0.5

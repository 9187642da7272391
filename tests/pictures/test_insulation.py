"""Maps of attention: pixels by place, means of pixels, and profiles that are the table's."""

import numpy as np
import polars as pl

from enformer_core.pictures.insulation import insulation_picture, log_ratio, map_cells


def layers(*names):
    rows = [
        {
            "layer": name,
            "statistic": statistic,
            "pairs": 12,
            "boundaries": -1.0,
            "controls": 0.5,
            "difference": -1.5,
            "low": -2.0,
            "high": -1.0,
        }
        for name in names
        for statistic in ("across", "at")
    ]
    return pl.DataFrame(rows)


def test_many_pixels_become_means_of_four():
    one = np.ones((96, 96))
    one[0, :2] = 3
    found = log_ratio(one)
    assert found.shape == (48, 48)
    assert (found[0, 0], found[1, 1]) == (1, 0)  # mean of 3 3 1 1 is 2


def test_few_pixels_stay_and_what_nothing_looks_at_is_the_least():
    found = log_ratio(np.array([[1.0, 0.25], [0.0, 4.0]]))
    assert found.tolist() == [[0, -2], [-2, 2]]


def test_rows_look_and_columns_are_seen():
    cells = map_cells(np.array([[1.0, 2.0], [3.0, 4.0]]), 200_000)
    row = cells.filter(log2=2.0).row(0, named=True)
    assert (row["looks_from"], row["looks_to"]) == (-100, 0)
    assert (row["seen_from"], row["seen_to"]) == (0, 100)


def test_numbers_in_the_picture_are_those_of_the_table():
    maps = {"boundaries": np.full((4, 4), 2.0), "controls": np.ones((4, 4))}
    picture = insulation_picture(
        maps=maps, window_bp=1000, layers=layers("mean", "1"), title="t", notes=()
    )
    spec = picture.chart.to_dict()
    above, below = (each["hconcat"] for each in spec["vconcat"])
    assert [each["title"]["text"] for each in above] == [
        *("boundaries", "controls", "boundaries over controls"),
    ]
    ratio = spec["datasets"][above[2]["data"]["name"]]
    assert {cell["log2"] for cell in ratio} == {1.0}
    points = spec["datasets"][below[0]["layer"][2]["data"]["name"]]
    assert [(each["layer"], each["difference"]) for each in points] == [("mean", -1.5), ("1", -1.5)]
    assert "across -1.000 at boundaries and 0.500 at controls" in picture.description


def test_without_maps_the_profiles_are_drawn():
    picture = insulation_picture(
        maps={}, window_bp=1000, layers=layers("mean"), title="t", notes=()
    )
    assert len(picture.chart.to_dict()["vconcat"]) == 1
    assert "Mean maps of attention: none." in picture.description

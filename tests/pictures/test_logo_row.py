"""Logos: each letter as high as its value, upside down below 0, piles in order, and nothing where there is none."""

import polars as pl
import pytest

from enformer_core.pictures.letters import LETTERS, outlines
from enformer_core.pictures.logo_row import extent, logo_row, piled
from enformer_core.pictures.stack import Stretch, stacked


def letters(*rows):
    return pl.DataFrame(rows, schema=("pos", "letter", "value"), orient="row")


def row_of(table):
    return logo_row(table, name="n", heading="h", title="contribution", domain=extent(table))


@pytest.mark.parametrize("letter", LETTERS)
def test_a_letter_fills_its_place(letter):
    placed = pl.DataFrame({"letter": [letter], "pos": [10], "from": [1.0], "to": [4.0]})
    corners = outlines(placed)
    assert (corners["y"].min(), corners["y"].max()) == pytest.approx((1, 4))
    assert 9.5 < corners["x"].min() < 9.6
    assert 10.4 < corners["x"].max() < 10.5


def test_below_zero_letters_hang_upside_down():
    placed = pl.DataFrame(
        {"letter": ["T"] * 2, "pos": [1, 2], "from": [0.0, 0.0], "to": [1.0, -1.0]}
    )
    corners = outlines(placed)
    up, down = (corners.filter(pl.col("x").is_between(a, a + 1))["y"] for a in (0.5, 1.5))
    assert up.to_list() == [-y for y in down.to_list()]


def test_letters_of_one_base_are_piled_the_largest_outermost():
    table = letters((5, "A", 3.0), (5, "C", 1.0), (5, "G", -2.0), (6, "T", 0.5))
    places = {row["letter"]: (row["from"], row["to"]) for row in piled(table).to_dicts()}
    assert places == {"C": (0, 1), "A": (1, 4), "G": (0, -2), "T": (0, 0.5)}
    assert extent(table) == (-2, 4)


def test_letters_without_a_value_and_n_are_left_out():
    table = letters((1, "N", 3.0), (2, "A", float("nan")), (3, "C", 1.0))
    assert piled(table)["letter"].to_list() == ["C"]
    assert extent(letters((1, "N", 3.0))) == (0, 0)


def test_the_tip_of_each_letter_is_its_value_and_the_sequence_stands_below():
    table = letters((1, "A", 0.25), (2, "C", -1.0), (3, "G", 0.0))
    spec = stacked(Stretch("chr1", 1, 3), [row_of(table)], title="t").chart.to_dict()
    layers = spec["vconcat"][0]["layer"]
    data = [spec["datasets"][each["data"]["name"]] for each in layers]
    a, c, g, t = (rows for rows in data[:4])
    assert max(corner["y"] for corner in a) == 0.25
    assert min(corner["y"] for corner in c) == -1
    assert (g, t) == ([], [])  # a letter of no height is none
    assert [each["letter"] for each in data[-1]] == ["A", "C", "G"]
    styles = [each["mark"]["style"] for each in layers[:4]]
    assert styles == ["base_a", "base_c", "base_g", "base_t"]


def test_nothing_but_zeros_is_said():
    row = row_of(letters((1, "A", 0.0), (2, "C", 0.0)))
    picture = stacked(Stretch("chr1", 1, 2), [row], title="t")
    assert picture.chart.to_dict()["vconcat"][0]["title"]["text"] == "h: all are 0 here"
    assert "2 bases, all 0." in picture.description

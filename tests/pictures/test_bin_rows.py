"""Rows of bins: steps stand where bins do, gaps stay gaps, and marks hold the numbers they were given."""

import polars as pl

from enformer_core.pictures.bin_rows import allele_rows, prediction_row, signed, stepped
from enformer_core.pictures.stack import Stretch, stacked

STRETCH = Stretch("chr1", 1, 512)


def bins(*starts, **values):
    return pl.DataFrame({"start": starts, "end": [start + 128 for start in starts], **values})


def data_of(picture, row, layer):
    """The rows behind a layer."""
    spec = picture.chart.to_dict()
    return spec["datasets"][spec["vconcat"][row]["layer"][layer]["data"]["name"]]


def test_steps_go_from_the_first_base_of_a_bin_to_its_last():
    table = stepped(bins(0, 128, value=[3, 5]), ["value"])
    # base 1 reaches from 0.5 to 1.5
    assert table.rows() == [(0.5, 3), (128.5, 5), (256.5, 5), (256.5, None)]


def test_between_bins_that_do_not_touch_there_is_nothing():
    table = stepped(bins(0, 256, value=[3, 5]), ["value"])
    at = [(0.5, 3), (128.5, 3), (128.5, None), (256.5, 5), (384.5, 5), (384.5, None)]
    assert table.rows() == at


def test_a_prediction_is_drawn_as_it_is():
    row = prediction_row(bins(0, 128, value=[3.0, None]), name="liver", bin_bp=128)
    picture = stacked(STRETCH, [row], title="t")
    assert [each["value"] for each in data_of(picture, 0, 0)] == [3, None, None, None]
    assert "the largest 3 in the bin 1-128" in picture.description


def test_without_a_value_that_is_said():
    row = prediction_row(
        bins(0, value=[None]).cast({"value": pl.Float32}), name="liver", bin_bp=128
    )
    assert "liver: no bin has a value." in stacked(STRETCH, [row], title="t").description


def test_gain_and_loss_have_colours_of_their_own():
    table = bins(0, 128, reference=[3.0, 1], alternate=[1.0, 2], difference=[-2.0, 1])
    both = allele_rows(table, name="liver", heading="liver: sad", at=7, is_first=True)
    picture = stacked(STRETCH, both, title="t")
    assert [each["value"] for each in data_of(picture, 0, 1)][:2] == [3, 1]
    assert [each["value"] for each in data_of(picture, 0, 2)][:2] == [1, 2]
    assert data_of(picture, 1, 0) == [{"variant": 7}]
    areas = picture.chart.to_dict()["vconcat"][1]["layer"][1:3]
    drawn = [(each["mark"]["style"], each["encoding"]["y"]["field"]) for each in areas]
    assert drawn == [("accent", "gain"), ("second", "loss")]
    changes = [(each["gain"], each["loss"]) for each in data_of(picture, 1, 1)]
    assert changes[:2] == [(0, -2), (1, 0)]
    assert "largest in the bin 1-128: −2." in picture.description
    assert picture.table["alternate"].to_list() == [1, 2]


def test_numbers_have_a_true_minus():
    assert (signed(-10.0), signed(2.5)) == ("−10", "+2.5")


def test_a_weak_row_below_a_strong_one_is_low():
    """0.0003 everywhere is no block as tall as the row of 10."""
    weak = bins(0, 128, value=[0.0003, 0.0003])
    row = prediction_row(weak, name="weak", bin_bp=128, tallest=10.0)
    spec = stacked(STRETCH, [row], title="t").chart.to_dict()
    axis = spec["vconcat"][0]["layer"][0]["encoding"]["y"]
    assert axis["scale"]["domain"][1] > 0.1
    assert axis["axis"]["title"] == ["counts", "per 128 bp"]

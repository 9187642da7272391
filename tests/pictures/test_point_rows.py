"""Rows of points: the numbers that are drawn are those that were given, the strongest always among them."""

import numpy as np
import polars as pl
import pytest

from enformer_core.pictures.marks import MOST_POINTS, thinned
from enformer_core.pictures.point_rows import (
    LD_CLASSES,
    association_row,
    probability_row,
    score_row,
)
from enformer_core.pictures.stack import Stretch, stacked

STRETCH = Stretch("chr1", 1, 100)


def drawn(*rows):
    """Each row's layers as dictionaries, in the one picture of all, and the rows of data by name of the set."""
    spec = stacked(STRETCH, rows, title="t").chart.to_dict()
    return spec["vconcat"], spec["datasets"]


def data_of(layer, datasets):
    return datasets[layer["data"]["name"]]


def flat(chart):
    """The marks of a chart, however deep."""
    if "layer" not in chart:
        return [chart]
    return [mark for layer in chart["layer"] for mark in flat(layer)]


def study(variants=4, **more):
    numbers = range(1, variants + 1)
    table = {
        "name": [f"rs{each}" for each in numbers],
        "pos": [10 * each % 97 + 1 for each in numbers],
        "minus_log10_p": [float(each) for each in numbers],
    }
    return pl.DataFrame(table | more)


def test_association_is_drawn_as_it_was_given():
    table = study()
    (chart,), datasets = drawn(association_row(table, source="gwas.tsv", lead=None))
    threshold, said, points, diamond, label = flat(chart)
    assert said["mark"]["text"] == "P = 5e-8"
    assert data_of(diamond, datasets)[0]["sign"] == "strongest"
    assert data_of(points, datasets) == table.to_dicts()
    assert [row["name"] for row in data_of(diamond, datasets)] == ["rs4"]
    assert label["encoding"]["text"]["field"] == "name"
    # 5e-8 is in sight though no variant reaches it
    low, high = points["encoding"]["y"]["scale"]["domain"]
    assert low < 0
    assert high > 7.31
    assert data_of(threshold, datasets)[0]["minus_log10_p"] == pytest.approx(7.30103)


def test_axes_do_not_begin_at_0():
    stretch = Stretch("chr1", 4_600_001, 4_600_001)
    row = association_row(study(1), source="g", lead=None)
    spec = stacked(stretch, [row], title="t").chart.to_dict()
    x = flat(spec["vconcat"][0])[2]["encoding"]["x"]
    assert x["scale"] == {"domain": [4_600_000.5, 4_600_001.5], "nice": False, "zero": False}


def test_points_have_the_class_of_their_r2():
    r2 = [0.1, 0.2, None, 1.0]
    (chart,), datasets = drawn(association_row(study(r2=r2), source="g", lead="rs4"))
    _, _, unknown, known, _, _ = flat(chart)
    assert [row["name"] for row in data_of(unknown, datasets)] == ["rs3"]
    found = {row["name"]: row["ld"] for row in data_of(known, datasets)}
    assert found == {"rs1": LD_CLASSES[0], "rs2": LD_CLASSES[1], "rs4": LD_CLASSES[4]}
    assert known["encoding"]["color"]["scale"]["domain"] == list(LD_CLASSES)


def test_credible_sets_are_told_apart_in_the_order_of_their_numbers():
    table = pl.DataFrame(
        {
            "name": ["a", "b", "c", "d"],
            "pos": [1, 2, 3, 4],
            "pip": [0.9, 0.5, 0.01, 0.4],
            "credible_set": ["10", "2", None, "2"],
        }
    )
    row = probability_row(table, name="PIP", source="fm.tsv")
    (chart,), datasets = drawn(row)
    others, members, _ = flat(chart)
    assert [each["name"] for each in data_of(others, datasets)] == ["c"]
    assert members["encoding"]["color"]["scale"]["domain"] == ["2", "10"]
    assert "credible sets: 2 of 2 variants, 10 of 1 variant" in row.description


def test_a_score_below_0_has_its_name_below_it():
    table = pl.DataFrame(
        {"name": ["a", "b"], "pos": [1, 2], "score": [0.5, -2.0], "track": ["t", "t"]}
    )
    row = score_row(table, name="liver", statistic="sad", axis="sad (counts)")
    (chart,), datasets = drawn(row)
    *_, points, above, below = flat(chart)
    assert [each["score"] for each in data_of(points, datasets)] == [0.5, -2.0]
    assert [each["name"] for each in data_of(above, datasets)] == ["a"]
    assert [each["name"] for each in data_of(below, datasets)] == ["b"]
    assert above["mark"]["dy"] < 0 < below["mark"]["dy"]
    # the whole name of the track, and the unit
    assert chart["title"]["text"] == "liver"
    assert points["encoding"]["y"]["axis"]["title"] == "sad (counts)"
    assert "the largest -2 of b at 2" in row.description


def test_of_many_points_the_strongest_are_all_drawn_and_the_caption_says_so():
    rng = np.random.default_rng(0)
    table = pl.DataFrame({"place": range(20_000), "value": rng.normal(size=20_000)})
    kept, notes = thinned(table, "value", "association")
    assert kept.height == MOST_POINTS
    assert kept["place"].is_sorted()
    assert kept["place"].n_unique() == MOST_POINTS
    strongest = table.sort("value", descending=True).head(MOST_POINTS // 2)
    assert set(strongest["place"]) <= set(kept["place"])
    # what else is drawn lies all along
    assert kept["place"].to_numpy()[[0, -1]] == pytest.approx([0, 19_999], abs=20)
    assert notes == (
        "association: of 20,000 points 5,000 are drawn: all of the 2,500 strongest, and of the others 2,500 of 17,500",
    )
    assert thinned(kept, "value", "association") == (kept, ())


def test_many_points_are_not_read_one_by_one():
    (chart,), _ = drawn(association_row(study(201), source="g", lead=None))
    assert flat(chart)[2]["mark"]["aria"] is False
    (chart,), _ = drawn(association_row(study(200), source="g", lead=None))
    assert "aria" not in flat(chart)[2]["mark"]


def test_the_table_of_a_picture_has_the_rows_of_all():
    association = association_row(study(), source="g", lead=None)
    table = pl.DataFrame({"name": ["a"], "pos": [1], "score": [0.5], "track": ["t"]})
    picture = stacked(
        STRETCH,
        [association, score_row(table, name="liver", statistic="sad", axis="sad (counts)")],
        title="t",
    )
    assert picture.table["row"].to_list() == ["association"] * 4 + ["liver"]
    assert picture.table["score"].to_list() == [None] * 4 + [0.5]
    assert picture.description.startswith("chr1:1-100, in rows from above: association, liver.")


def test_more_sets_than_colours_share_one_and_it_is_said():
    sets = 40
    table = pl.DataFrame(
        {
            "name": [f"rs{each}" for each in range(sets)],
            "pos": range(1, sets + 1),
            "pip": [each / sets for each in range(sets)],
            "credible_set": [str(each + 1) for each in range(sets)],
        }
    )
    row = probability_row(table, name="PIP", source="fm.tsv")
    (chart,), datasets = drawn(row)
    members, _ = flat(chart)
    likely = [str(each) for each in range(35, 41)]
    assert members["encoding"]["color"]["scale"]["domain"] == [*likely, "34 others"]
    colours = {each["name"]: each["set_colour"] for each in data_of(members, datasets)}
    assert colours["rs0"] == colours["rs33"] == "34 others"
    assert colours["rs39"] == "40"
    (note,) = row.notes
    assert "40 credible sets" in note


def test_rings_and_diamond_are_told_in_words():
    fine_mapped = pl.DataFrame({"name": ["rs2"], "pos": [21], "credible_set": ["1"]})
    row = association_row(study(), source="g", lead="rs4", sets=("PIP with prior", fine_mapped))
    (chart,), datasets = drawn(row)
    *_, ring, diamond, _ = flat(chart)
    signs = [
        (mark["encoding"]["shape"]["scale"]["range"], data_of(mark, datasets)[0]["sign"])
        for mark in (ring, diamond)
    ]
    assert signs == [
        (["circle"], "in a credible set (PIP with prior)"),
        (["diamond"], "strongest"),
    ]
    assert [each["name"] for each in data_of(ring, datasets)] == ["rs2"]


def test_the_variant_that_a_picture_is_about_has_its_name_and_a_line_through_all_rows():
    scores = pl.DataFrame(
        {
            "name": ["own", "far", "near", "low"],
            "pos": [20, 90, 22, 60],
            "score": [8.0, 7.0, 9.0, 0.1],
            "track": ["t"] * 4,
        }
    )
    row = score_row(scores, name="liver", statistic="sad", axis="sad", marked=20)
    spec = stacked(Stretch("chr1", 1, 100, 20), [row], title="t").chart.to_dict()
    *_, names, line = flat(spec["vconcat"][0])
    # the strongest lies so near that its name would cover this one
    assert [each["name"] for each in data_of(names, spec["datasets"])] == ["own"]
    assert data_of(line, spec["datasets"]) == [{"variant": 20}]
    far = score_row(scores, name="liver", statistic="sad", axis="sad", marked=60)
    (chart,), datasets = drawn(far)
    assert [each["name"] for each in data_of(flat(chart)[-1], datasets)] == ["low", "near"]


def test_where_all_are_0_none_stands_out():
    table = pl.DataFrame({"name": ["a", "b"], "pos": [1, 2], "minus_log10_p": [0.0, 0.0]})
    (chart,), datasets = drawn(association_row(table, source="gwas.tsv", lead=None))
    *_, diamond, name = flat(chart)
    assert data_of(diamond, datasets) == data_of(name, datasets) == []
    scores = pl.DataFrame({"name": ["a"], "pos": [1], "score": [0.0], "track": [None]})
    (chart,), datasets = drawn(score_row(scores, name="all", statistic="sad", axis="sad"))
    assert "text" not in [each["mark"]["type"] for each in flat(chart)]


def test_a_name_near_an_end_of_the_axis_stands_off_the_numbers_beside_it():
    table = pl.DataFrame({"name": ["rs1"], "pos": [2], "minus_log10_p": [9.0]})
    row = association_row(table, source="gwas.tsv", lead=None)
    spec = stacked(Stretch("chr1", 1, 100), [row], title="t").chart.to_dict()
    *_, name = flat(spec["vconcat"][0])
    assert name["mark"]["align"]["expr"].startswith("datum.pos < 7.5 ? 'left'")

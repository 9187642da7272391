"""Arcs: from an element's middle to the TSS, as high as the score."""

import polars as pl
import pytest

from enformer_core.pictures.link_rows import arc_row, curves, element_row, named_tops
from enformer_core.pictures.stack import Stretch, stacked


def links(*scores):
    return pl.DataFrame(
        {
            "name": [f"e{number}" for number in range(len(scores))],
            "class": [None] * len(scores),
            "first": [101 + 1000 * number for number in range(len(scores))],
            "last": [200 + 1000 * number for number in range(len(scores))],
            "middle": [150.5 + 1000 * number for number in range(len(scores))],
            "tss": [501] * len(scores),
            "distance": [350.0] * len(scores),
            "score": list(scores),
        },
        schema_overrides={"class": pl.String},
    )


def test_an_arc_reaches_from_middle_to_tss_and_its_top_is_the_score():
    arcs = curves(links(2.0, -1.0))
    first, second = arcs.partition_by("link", maintain_order=True)
    assert (first["x"][0], first["x"][-1]) == (150.5, 501)
    assert (first["y"][0], first["y"].max(), first["y"][-1]) == (0, 2, 0)
    assert second["y"].min() == -1
    assert second["sign"].unique().to_list() == ["below 0"]
    top = first.sort("y").row(-1, named=True)
    assert top["x"] == pytest.approx((150.5 + 501) / 2)


def test_the_strongest_are_named_others_are_not():
    tops = named_tops(links(4.0, 3.0, 2.0, 1.0))
    assert tops["label"].to_list() == ["e0", "e1", "e2"]
    long = links(1.0).with_columns(name=pl.lit("x" * 50))
    assert named_tops(long)["label"].to_list() == ["x" * 43 + "…"]
    # as the names of candidates are
    place = "intergenic|chr22:119730542-119731042"
    assert named_tops(links(1.0).with_columns(name=pl.lit(place)))["label"].to_list() == [place]


def test_one_link_and_links_of_zero_are_drawn():
    for scores in ((1.0,), (0.0, 0.0), (-1.0, 2.0)):
        table = links(*scores)
        rows = [arc_row(table, score="abc", gene="G"), element_row(table)]
        picture = stacked(Stretch("chr1", 1, 3000), rows, title="t")
        spec = picture.chart.to_dict()
        low, high = spec["vconcat"][0]["layer"][1]["encoding"]["y"]["scale"]["domain"]
        assert low < high
        assert low <= min(scores)
        assert high >= max(scores)
        assert picture.table["score"].to_list() == list(scores)

"""The row of genes: neither lines nor names lie over one another, and what has no room is counted."""

import polars as pl

from enformer_core.pictures.gene_row import MOST_LANES, gene_row, packed
from enformer_core.pictures.stack import Stretch, stacked

STRETCH = Stretch("chr1", 1, 10_000)


def genes(*spans, strand="+"):
    return pl.DataFrame(
        {
            "name": [f"G{number}" for number in range(len(spans))],
            "strand": [strand] * len(spans),
            "first": [first for first, _ in spans],
            "last": [last for _, last in spans],
            "exons": [[[first, last]] for first, last in spans],
        },
        schema_overrides={"exons": pl.List(pl.List(pl.Int64))},
    )


def test_genes_share_a_lane_where_there_is_room():
    assert packed(genes((1, 3000), (6000, 9000)), STRETCH)["lane"].to_list() == [0, 0]
    assert packed(genes((1, 3000), (2000, 9000)), STRETCH)["lane"].to_list() == [1, 0]


def test_short_genes_side_by_side_have_names_that_are_longer_than_they():
    # 10,000 bases on 860 dots: the label `G0 →` takes some 340 bases
    assert packed(genes((5000, 5010), (5100, 5110)), STRETCH)["lane"].to_list() == [0, 1]
    assert packed(genes((5000, 5010), (5700, 5710)), STRETCH)["lane"].to_list() == [0, 0]


def test_a_gene_beyond_the_ends_is_cut_and_named_within():
    row = packed(genes((9990, 99_999)), STRETCH).row(0, named=True)
    assert (row["from"], row["to"]) == (9989.5, 10_000.5)
    assert row["label_at"] < 9900


def test_arrows_show_the_strand():
    assert packed(genes((1, 9), strand="-"), STRETCH)["label"].to_list() == ["G0 ←"]
    assert packed(genes((1, 9)), STRETCH)["label"].to_list() == ["G0 →"]


def test_genes_without_room_are_counted_the_longest_are_drawn():
    many = genes(*[(1, 9000 + number) for number in range(MOST_LANES + 3)])
    row = gene_row(many, STRETCH, source="g.gtf")
    assert row.notes == ("g.gtf: 3 genes are not drawn: there is room for the longest alone",)
    assert row.table.height == many.height
    lanes = packed(many, STRETCH)["lane"]
    assert lanes.null_count() == 3
    assert lanes[-1] == 0


def test_exons_are_cut_at_the_stretch():
    table = genes((1, 20_000)).with_columns(
        exons=pl.Series([[[1, 10], [9_995, 12_000], [15_000, 20_000]]])
    )
    spec = stacked(STRETCH, [gene_row(table, STRETCH, source="g")], title="t").chart.to_dict()
    exons = spec["vconcat"][0]["layer"][1]
    assert spec["datasets"][exons["data"]["name"]] == [
        {"lane": 0, "from": 0.5, "to": 10.5},
        {"lane": 0, "from": 9994.5, "to": 10_000.5},
    ]


def test_a_gene_of_one_base_has_a_mark():
    """As of a file of TSSs: a line of one base is not seen."""
    both = genes((5_000, 5_000), (7_000, 8_000))
    spec = stacked(STRETCH, [gene_row(both, STRETCH, source="g")], title="t").chart.to_dict()
    *_, ticks = spec["vconcat"][0]["layer"]
    assert ticks["mark"]["type"] == "tick"
    assert [row["name"] for row in spec["datasets"][ticks["data"]["name"]]] == ["G0"]

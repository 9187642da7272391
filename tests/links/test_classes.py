"""Promoters, genic and intergenic elements, by hand and by a slow reading of the same rule."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from enformer_core.links.classes import element_classes, reaches_tss

GENES = pl.DataFrame(
    {
        "chrom": ["1", "1"],
        "tss": [10_000, 50_000],
        "start": [10_000, 40_000],
        "end": [20_000, 50_000],
    }
)


def classes(*elements, genes=GENES):
    frame = pl.DataFrame(elements, schema=["chrom", "start", "end"], orient="row")
    return element_classes(frame, genes).to_list()


def test_classes_by_hand():
    assert classes(
        ("1", 10_400, 10_600),  # 400 bp behind the first TSS
        ("1", 10_500, 10_700),  # 500 bp behind it: not less
        ("1", 9_000, 9_500),  # ends 500 bp before it, and before the gene
        ("1", 9_000, 9_501),
        ("1", 19_999, 25_000),  # over the first gene's end
        ("1", 20_000, 40_000),  # between the genes, touching both
        ("1", 49_000, 49_100),
        ("2", 10_000, 10_500),
    ) == [
        *("promoter", "genic", "intergenic", "promoter"),
        *("genic", "intergenic", "genic", "intergenic"),
    ]


def test_without_bodies_of_genes_there_are_promoters_alone():
    unknown = GENES.with_columns(start=pl.lit(None, pl.Int64), end=pl.lit(None, pl.Int64))
    elements = (("1", 10_400, 10_600), ("1", 15_000, 15_500))
    assert classes(*elements, genes=unknown) == ["promoter", "intergenic"]


INTERVALS = st.tuples(st.integers(0, 5_000), st.integers(1, 1_500))


@given(st.lists(INTERVALS, min_size=1, max_size=8), st.lists(INTERVALS, min_size=1, max_size=8))
def test_classes_are_those_of_a_slow_reading(genes, elements):
    bodies = [(start, start + length) for start, length in genes]
    frame = pl.DataFrame(
        [("1", start, start, end) for start, end in bodies],
        schema=["chrom", "tss", "start", "end"],
        orient="row",
    )
    places = [("1", start, start + length) for start, length in elements]
    for (_, start, end), found in zip(places, classes(*places, genes=frame), strict=True):
        near = [
            bool(reaches_tss(*(np.array([place]) for place in (start, end, tss)))[0])
            for tss, _ in bodies
        ]
        inside = [start < behind and end > first for first, behind in bodies]
        slow = "promoter" if any(near) else "genic" if any(inside) else "intergenic"
        assert found == slow

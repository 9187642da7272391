"""Scores of links that are no numbers, or no shares, are named; those that are not there are counted."""

import polars as pl
import pytest

from enformer_core.errors import InputError
from jobs.link_scores import check_places, with_score


def links(**columns):
    return pl.DataFrame(
        {"gene": "G", "chrom": "chr1", "tss": 1, "start": [10, 20, 30], "end": [11, 21, 31]}
        | columns,
        strict=False,
    )


def test_missing_cells_make_no_column_text():
    rows, name = with_score(links(abc=["0.5", "NA", "0.25"]), None, "x.tsv")
    assert name == "abc"
    assert rows["abc"].to_list()[0] == 0.5
    assert rows["abc"].is_nan().to_list() == [False, True, False]


@pytest.mark.parametrize("wanted", [None, "abc"])
def test_a_word_is_named_with_its_element(wanted):
    with pytest.raises(InputError, match=r"abc of the element chr1:21-21 is 'high'"):
        with_score(links(abc=["0.5", "high", "0.25"]), wanted, "x.tsv")


def test_a_share_above_1_is_named():
    with pytest.raises(InputError, match=r"chr1:31-31 is 5000, and is a share, from 0 to 1"):
        with_score(links(abc=[0.5, None, 5000.0]), None, "x.tsv")
    rows, _ = with_score(links(gradient=[0.5, None, 5000.0]), None, "x.tsv")
    assert rows["gradient"].max() == 5000


def test_places_that_are_words_are_named():
    with pytest.raises(InputError, match="its column end holds other things"):
        check_places(links().with_columns(end=pl.lit("far")).schema, "x.tsv")

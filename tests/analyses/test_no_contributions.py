"""Targets that rest on nothing are told, and those that rest on anything are not."""

import pyarrow as pa

from enformer_core.analyses.no_contributions import contributing


def bins(*rows):
    columns = ("target", "group", "allele", "value")
    return pa.table(dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True)))


def test_what_is_0_everywhere_is_counted_and_named():
    acts = bins(("a", "x", "ref", 0.0), ("a", "x", "ref", -1e-9), ("a", "y", "ref", 2.0))
    assert contributing([acts]).said() is None
    silent = bins(("b", "x", "ref", 0.0), ("b", "x", "ref", -0.0), ("b", "y", "ref", 1.0))
    said = contributing([acts, silent]).said()
    assert said.startswith("1 of 4 rows of contributions is 0 at every base, that of b for group x")
    assert said.endswith("This is no effect")


def test_of_one_row_it_is_that_row_which_is_0():
    said = contributing([bins(("GP1BB", "x", "ref", 0.0))]).said()
    assert said.startswith("the contributions to GP1BB for group x are 0 at every base: no base")


def test_the_first_of_several_is_named():
    silent = bins(("b", "x", "ref", 0.0), ("b", "x", "alt", 0.0))
    assert (
        contributing([silent, silent])
        .said()
        .startswith("4 of 4 rows of contributions are 0 at every base, such as b")
    )


def test_a_shard_without_values_has_no_bins():
    none = bins(("b", "x", "ref", 0.0)).slice(0, 0)
    assert contributing([none]).said() is None

"""Scores of links that rounding explains are counted, by each score's own floor."""

import pyarrow as pa

from enformer_core.analyses.silent_scores import silent_scores


def links(**scores):
    return pa.table({name: pa.array(values, pa.float32()) for name, values in scores.items()})


def test_what_acts_is_not_told():
    table = links(gradient=[1.0, 2e-6], mutagenesis=[-0.5, 2e-6])
    assert silent_scores([table], ("gradient", "mutagenesis")) is None
    assert silent_scores([], ("gradient",)) is None
    assert silent_scores([links(gradient=[None])], ("gradient",)) is None


def test_rows_within_rounding_of_0_are_counted_for_each_score():
    first = links(
        gradient=[5.0, 0.0, None], mutagenesis=[1e-6, 0.0, None], attention=[0.1, 0.2, None]
    )
    second = links(gradient=[4e-6], mutagenesis=[-1.2e-6], attention=[0.3])
    said = silent_scores([first, second], ("gradient", "mutagenesis", "attention"))
    assert said == (
        "gradient is 5e-06 or less in size in 2 of 3 rows, mutagenesis is 1.4e-06 or less in size in all 3 rows: "
        "this is what rounding leaves of 0, and no effect"
    )

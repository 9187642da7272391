"""Ticks of logarithmic axes: never one alone, never a crowd, and written in one way."""

import pytest

from enformer_core.pictures.power_axis import power_axis, power_ticks


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.02, 300.0, [0.1, 1, 10, 100]),
        (0.02, 30.0, [0.1, 1, 10]),
        (0.002, 0.07, [0.002, 0.005, 0.01, 0.02, 0.05]),
        (0.06, 0.09, [0.06, 0.09]),
        (2.0, 2.0, [2]),
        (1e-15, 30.0, [1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 1]),
    ],
)
def test_ticks_by_hand(low, high, ticks):
    assert power_ticks(low, high) == ticks


def test_labels_of_an_axis_are_written_in_one_way():
    assert power_axis("size", 1e-4, 1e3).format == ".3~g"
    # one way for 1e-7 and 0.00001
    assert power_axis("size", 1e-8, 1.0).format == ".2~e"
    assert power_axis("share", 1e-8, 1.0, "~%").format == "~%"

"""One rule says which rows are windows around TSSs, and where in them a TSS lies."""

import pytest

from enformer_core.genome.tss_windows import TssWindows, window_middle

FEW = [(10 + at, 510 + at) for at in range(19)]
ENOUGH = [*FEW, (900, 1_400)]
LONG = [(at, at + 5_000) for at in range(1, 21)]


@pytest.mark.parametrize(
    ("rows", "told", "length_bp"),
    [
        (ENOUGH, {}, 500),
        (FEW, {}, None),
        (FEW[:2], {"has_strands": False}, 500),
        (FEW[:1], {"has_strands": False}, None),
        (ENOUGH, {"has_blocks": True}, None),
        (LONG, {}, 5_000),
        ([(start, end + 1) for start, end in LONG], {}, None),
        # cut at a contig's start, with the middle still there, and without it
        ([*ENOUGH, (0, 251)], {}, 500),
        ([*ENOUGH, (0, 250)], {}, None),
        ([*ENOUGH, (5, 504)], {}, None),
        ([(7, 8)], {}, 1),
        ([], {}, None),
    ],
)
def test_which_rows_are_windows(rows, told, length_bp):
    windows = TssWindows()
    for row in rows:
        windows.add(*row)
    assert windows.length_bp(**told) == length_bp


def test_what_they_were_taken_for_is_said():
    windows = TssWindows()
    said = []
    for row in ENOUGH:
        windows.add(*row)
        said.append(windows.said())
    assert said[:2] == [None, None]
    assert "all 19 genes are 500 bp long" in said[-2]
    assert "all 20 intervals are 500 bp long, and taken for windows" in said[-1]


def test_the_middle_is_counted_from_the_end():
    # 5 to 15: the bases 9 and 10 are in the middle
    assert window_middle(15, 10, is_minus=False) == 10
    assert window_middle(15, 10, is_minus=True) == 9
    assert window_middle(16, 11, is_minus=False) == window_middle(16, 11, is_minus=True) == 10

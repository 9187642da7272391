"""Where shards are cut: windows of which the rows cost less together are kept whole, as far as that is possible."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enformer_core.dataset.order import Boundaries
from enformer_core.dataset.sharding import Sharder, shard_firsts


def boundaries(windows):
    """Of one contig with windows of so many rows each."""
    ends = np.cumsum(windows)
    rows = int(ends[-1])
    new_window = np.zeros(rows, dtype=bool)
    new_window[ends - windows] = True
    new_contig = np.zeros(rows, dtype=bool)
    new_contig[0] = True
    return Boundaries(new_contig, new_window, np.ones(rows, dtype=bool))


@pytest.mark.parametrize(
    ("windows", "size", "window_rows", "firsts"),
    [
        # of size 1 no window of 3 is whole
        ([3, 3], 1, None, [0, 1, 2, 3, 4, 5]),
        ([3, 3], 1, 6, [0, 3]),
        # small windows share a shard until it has its size
        ([2, 2, 2, 2], 3, 6, [0, 4]),
        # where the next window would make it too large, it ends before that
        ([2, 5, 1], 3, 6, [0, 2, 7]),
        # of a window that is too large the rest is a shard
        ([8, 2], 1, 6, [0, 6, 8]),
        ([20, 2], 1, 6, [0, 6, 12, 18, 20]),
        # who asks for larger shards has them
        ([3, 3, 3], 6, 2, [0, 6]),
    ],
)
def test_windows_are_kept_whole(windows, size, window_rows, firsts):
    assert shard_firsts(boundaries(windows), size, window_rows=window_rows) == firsts


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=12),
    st.integers(1, 6),
    st.integers(1, 12),
    st.lists(st.integers(0, 80), max_size=4),
)
def test_no_window_that_fits_is_cut_however_rows_come(windows, size, window_rows, ends):
    window = np.repeat(np.arange(len(windows)), windows)
    table = pa.table({"chrom": ["chr1"] * window.size, "window": window})

    def cut_between(rows):
        found = np.diff(rows["window"].to_numpy(), prepend=-1) != 0
        first = np.arange(rows.num_rows) == 0
        return Boundaries(first, found, np.ones(rows.num_rows, dtype=bool))

    def shards(edges):
        sharder = Sharder(size, cut_between, window_rows=window_rows)
        parts = [
            part
            for begin, end in pairwise(edges)
            for part in sharder.add(table.slice(begin, end - begin))
        ]
        parts += sharder.finish()
        return pa.concat_tables(parts)["shard"].to_pylist()

    whole = shards([0, window.size])
    edges = sorted({min(end, window.size) for end in ends} | {0, window.size})
    assert shards(edges) == whole
    shard = np.array(whole)
    assert np.bincount(shard).max() <= max(size, window_rows)
    fits = max(size, window_rows)
    assert all(
        len(set(shard[window == number])) == 1
        for number, rows in enumerate(windows)
        if rows <= fits
    )

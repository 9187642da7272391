"""Which columns are computed for tracks of one strand, and where each track is read."""

import pytest
import torch

from enformer_core.scoring.delta.strand_columns import StrandColumns

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("tracks", "pairs", "computed", "forwards", "backwards"),
    [
        # columns of a head of six as their own numbers
        (None, None, None, [0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5]),
        (None, (0, 1, 2, 3, 4, 5), None, [0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5]),
        (None, (1, 0, 2, 3, 5, 4), None, [0, 1, 2, 3, 4, 5], [1, 0, 2, 3, 5, 4]),
        ((2, 3), None, (2, 3), [2, 3], [2, 3]),
        ((2, 3), (2, 3), (2, 3), [2, 3], [2, 3]),
        ((0, 1, 3), (1, 0, 3), (0, 1, 3), [0, 1, 3], [1, 0, 3]),
        ((5, 0, 3), (4, 1, 3), (5, 0, 3, 1, 4), [5, 0, 3], [4, 1, 3]),
    ],
)
def test_columns(tracks, pairs, computed, forwards, backwards):
    columns = StrandColumns.of(tracks, pairs, CPU)
    assert columns.computed == computed
    of_head = range(6) if computed is None else computed
    assert columns.count(6) == len(of_head)
    # two bins, the second of which has 10 more
    profile = torch.tensor([[track, track + 10] for track in of_head]).T.double().contiguous()
    along = columns.along_chromosome(profile, reverse=False)
    assert along.tolist() == [forwards, [one + 10 for one in forwards]]
    turned = columns.along_chromosome(profile, reverse=True)
    assert turned.tolist() == [[one + 10 for one in backwards], backwards]
    # nothing is copied where nothing changes places
    assert along.data_ptr() == profile.data_ptr()

import pytest

from enformer_core.models.geometry import ENFORMER, Geometry


def test_enformer_predicts_the_central_114688_bases():
    assert ENFORMER.tokens == 1536
    assert ENFORMER.crop_tokens == 320
    assert ENFORMER.crop_bp == 40_960
    assert ENFORMER.output_bp == 114_688


@pytest.mark.parametrize(
    ("index", "output_bin"),
    [(40_959, -1), (40_960, 0), (98_303, 447), (98_304, 448), (155_647, 895), (155_648, 896)],
)
def test_the_middle_is_the_edge_between_bins_447_and_448(index, output_bin):
    assert ENFORMER.output_bin(index) == output_bin


@pytest.mark.parametrize("sizes", [(1000, 128, 2), (1024, 128, 9), (1024, 128, 3)])
def test_impossible_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match=r"whole number|cannot be cut"):
        Geometry(*sizes)


def test_bins_lie_in_tokens_that_may_hold_others():
    assert ENFORMER.tokens_of(range(447, 450)) == range(767, 770)
    # of 32 bins in 8 tokens 3 are cropped: output bin 0 is the last of token 0
    finer = Geometry(1024, 32, 26, bins_per_token=4)
    assert finer.tokens_of(range(1)) == range(1)
    assert finer.tokens_of(range(2)) == range(2)
    assert finer.tokens_of(range(1, 6)) == range(1, 3)
    assert finer.tokens_of(range(26)) == range(8)

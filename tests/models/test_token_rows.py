"""Rows of tokens and their skips, by numbers that tell where they stand."""

import pytest
import torch

from enformer_core.models.token_rows import RowLayout, SkipPart

LAYOUT = RowLayout(3, (SkipPart(2, 1), SkipPart(4, 2)))


def positions(first, count, channels):
    numbers = torch.arange(count * channels, dtype=torch.float64) + first
    return numbers.view(count, channels)


def parts(tokens=2):
    """100 and above are tokens, 200 and above the first skip, 300 and above the second."""
    return (
        positions(100, tokens, 3),
        [positions(200, 2 * tokens, 1), positions(300, 4 * tokens, 2)],
    )


def test_a_row_holds_its_token_and_the_positions_of_each_skip():
    tokens, skips = parts()
    rows = LAYOUT.joined(tokens, skips)
    assert LAYOUT.width == 3 + 2 * 1 + 4 * 2
    assert rows.tolist() == [
        [100, 101, 102, 200, 201, *range(300, 308)],
        [103, 104, 105, 202, 203, *range(308, 316)],
    ]


@pytest.mark.parametrize("alts", [(), (5,), (2, 3)])
def test_what_is_joined_is_found_again_in_any_run_of_rows(alts):
    of_one, skips_of_one = parts(7)
    tokens = of_one.expand(*alts, -1, -1)
    skips = [skip.expand(*alts, -1, -1) for skip in skips_of_one]
    rows = LAYOUT.joined(tokens, skips)
    assert torch.equal(LAYOUT.tokens(rows), tokens)
    some = rows[..., 2:5, :]
    assert torch.equal(LAYOUT.tokens(some), tokens[..., 2:5, :])
    assert torch.equal(LAYOUT.skip(some, 0), skips[0][..., 4:10, :])
    assert torch.equal(LAYOUT.skip(some, 1), skips[1][..., 8:20, :])
    # a view: what is written to the tokens is written to their rows
    assert LAYOUT.tokens(rows).data_ptr() == rows.data_ptr()


def test_without_skips_rows_are_the_tokens_and_nothing_is_copied():
    alone = RowLayout(3)
    tokens, _ = parts()
    assert alone.width == 3
    assert alone.joined(tokens, []) is tokens
    assert torch.equal(alone.tokens(tokens), tokens)


def test_what_does_not_fit_a_row_is_refused():
    tokens, skips = parts()
    with pytest.raises(ValueError, match="1 skips for rows that hold 2"):
        LAYOUT.joined(tokens, skips[:1])
    with pytest.raises(
        ValueError, match="skip 1 has 6 positions for 2 tokens, expected 4 for each"
    ):
        LAYOUT.joined(tokens, [skips[0], skips[1][:6]])

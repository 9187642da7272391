"""Towers that pool by any number, with skips for the trunk: parts, phases and changes against the whole window."""

import numpy as np
import pytest
import torch

from enformer_core.models.layers import one_hot
from enformer_core.models.token_rows import SkipPart
from enformer_core.scoring.delta import max_pooled_convolution
from enformer_core.scoring.delta import tower as tower_module
from enformer_core.scoring.delta.alternate_tokens import (
    SMALL_CHANGE_BP,
    Alternate,
    fill_differences,
)
from enformer_core.scoring.delta.tower import small_differences, trace_reference
from tests.support.pooled_towers import (
    read_plainly,
    rows_of,
    small_borzoi,
    tower_blocks,
    tower_of,
    tower_of_model,
)

TOWERS = {
    "pairs": {"pools": (2, 2, 2, 2)},
    "pools of any size": {"pools": (2, 8, 4)},
    "wide kernels": {"pools": (8, 2), "width": 11, "activated": True, "norm_after": True},
    "skips": {"pools": (2, 8, 4), "skips": (2, 1)},
    "the stem skips": {"pools": (4, 2), "skips": (0, 1), "activated": True},
    "residuals": {"pools": (2, 2, 4, 2), "skips": (3, 2), "residual": 2, "norm_after": True},
    "one residual": {"pools": (8, 1, 4), "skips": (1,), "residual": 1, "width": 7},
}

TOKENS = 40


def close(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.fixture(params=TOWERS.values(), ids=TOWERS)
def blocks(request):
    return tower_blocks(**request.param)


@pytest.fixture
def tower(blocks):
    with torch.inference_mode():
        return tower_of(blocks)


def window(tower, tokens=TOKENS, seed=0):
    """Base codes with an N here and there."""
    return np.random.default_rng(seed).integers(0, 5, tokens * tower.token_bp, dtype=np.uint8)


@torch.inference_mode()
def whole(blocks, tower, codes):
    return rows_of(tower.layout, *read_plainly(blocks, codes))


def test_rows_and_halo_are_counted_by_pools():
    tower = tower_of(tower_blocks((2, 8, 4), (2, 1)))
    # 7 channels of the tokens; 4 positions of 7 channels before the last pooling, 8 · 4 of 6 before that
    assert (tower.token_bp, tower.layout.width) == (64, 7 + 4 * 7 + 32 * 6)
    assert tower.layout.skips == (SkipPart(4, 7), SkipPart(32, 6))
    # 3 + 2 · 2 + 2 · 16 = 39 bp are a token
    assert tower.halo_tokens == 1
    # 3 + 5 · 8 = 43 bp are three tokens of 16 bp
    assert tower_of(tower_blocks((8, 2), width=11)).halo_tokens == 3


@torch.inference_mode()
def test_any_run_of_tokens_is_the_whole_windows(blocks, tower):
    codes = window(tower)
    expected = whole(blocks, tower, codes)
    close(tower.run(codes), expected)
    for first, last in ((0, TOKENS), (0, 5), (1, 2), (7, 31), (TOKENS - 2, TOKENS)):
        close(tower.tokens(codes, first, last), expected[first:last])


@torch.inference_mode()
def test_phases_are_pieces_that_begin_there(tower):
    token_bp = tower.token_bp
    codes = window(tower, TOKENS + 1)
    wanted = sorted({0, 1, 2, 5, token_bp // 2, token_bp - 1})
    found = tower.phases(codes, wanted)
    assert sorted(found) == wanted
    inner = slice(tower.halo_tokens, TOKENS - tower.halo_tokens)
    for begin in wanted:
        piece = codes[begin : begin + TOKENS * token_bp]
        assert found[begin].shape == (TOKENS, tower.layout.width)
        # at its ends a piece sees what it is cut from
        close(found[begin][inner], tower.run(piece)[inner])
        assert torch.equal(tower.phases(codes, [begin])[begin], found[begin])


def changes(tower):
    """Where the window is changed, and how many bases, from its first to its last."""
    end = TOKENS * tower.token_bp
    middle = end // 2
    for count in (1, 2, SMALL_CHANGE_BP, SMALL_CHANGE_BP + 9):
        yield from ((begin, count) for begin in (0, middle, middle + 3, end - count))
    yield tower.halo_tokens * tower.token_bp, 1
    yield end - 2 * tower.halo_tokens * tower.token_bp - 1, 1
    yield 0, end


@torch.inference_mode()
def test_differences_are_those_of_whole_windows(blocks, tower):
    reference = window(tower)
    x = tower.tokens(reference, 0, TOKENS)
    expected, alternates = [], []
    for begin, count in changes(tower):
        codes = reference.copy()
        # each letter becomes another one, and some become an N
        codes[begin : begin + count] = (codes[begin : begin + count] + 1 + begin % 4) % 5
        expected.append(whole(blocks, tower, codes) - whole(blocks, tower, reference))
        alternates.append(Alternate(begin, codes[begin : begin + count]))
    d = x.new_full((len(alternates), *x.shape), 7.0)
    fill_differences(tower, x, reference, alternates, d)
    close(d, torch.stack(expected))
    assert (d.abs().amax(dim=(1, 2)) > 1e-3).all()


@torch.inference_mode()
def test_changes_carried_together_equal_each_alone(tower):
    codes = window(tower)
    middle = TOKENS // 2 * tower.token_bp
    trace = trace_reference(tower, codes, TOKENS // 2 - 6, TOKENS // 2 + 6)
    moved = [
        (at, (codes[at : at + 3] + 1) % 5) for at in (middle - 9, middle, middle + 1, middle + 6)
    ]
    together = small_differences(tower, trace, moved)
    for change, (first, rows) in zip(moved, together, strict=True):
        ((alone_first, alone),) = small_differences(tower, trace, [change])
        d = rows.new_zeros(TOKENS, tower.layout.width)
        d_alone = d.clone()
        d[first : first + len(rows)] = rows
        d_alone[alone_first : alone_first + len(alone)] = alone
        close(d, d_alone)


@torch.inference_mode()
def test_in_float32_routines_of_its_own_give_the_same():
    """Where a maximum changes hands, a difference is as exact as the lead, which is that of the activations."""
    model = small_borzoi().float()
    tower = tower_of_model(model)
    tokens = model.geometry.tokens
    codes = window(tower, tokens)
    other = codes.copy()
    other[1000] = (codes[1000] + 1) % 4
    x = tower.tokens(codes, 0, tokens)
    d = torch.empty(1, *x.shape)
    fill_differences(tower, x, codes, [Alternate(0, other)], d)
    exact = tower_of_model(model.double())
    before, after = exact.run(codes), exact.run(other)
    assert (x - before).norm() < 1e-6 * before.norm()
    assert (d[0] - (after - before)).norm() < 1e-5 * (after - before).norm()


@torch.inference_mode()
def test_without_skips_rows_are_tokens_and_nothing_is_copied():
    alone, skipping = (tower_of(tower_blocks((2, 4, 2), skips)) for skips in ((), (1,)))
    codes = window(alone)
    rows = alone.run(codes)
    assert rows.shape == (TOKENS, 7)
    # as a level leaves them, the channels of each token together
    assert rows.untyped_storage().nbytes() == rows.numel() * rows.element_size()
    assert torch.equal(skipping.layout.tokens(skipping.run(codes)), rows)


@torch.inference_mode()
def test_rows_of_a_model_are_its_tokens_and_skips():
    model = small_borzoi()
    geometry = model.geometry
    tower = tower_of_model(model)
    codes = window(tower, geometry.tokens)
    letters = one_hot(torch.from_numpy(codes)[None], torch.float64)
    tokens, skips = model._read(letters)
    rows = tower.tokens(codes, 0, geometry.tokens)
    assert tower.layout.skips == (SkipPart(2, 10), SkipPart(4, 9))
    close(tower.layout.tokens(rows), tokens[0])
    for number, skip in enumerate(skips):
        close(tower.layout.skip(rows, number), skip[0].T)
    # an SNV's differences too, in the form in which the trunk reads them
    other = codes.copy()
    other[1000] = (codes[1000] + 2) % 4
    d = torch.empty(1, *rows.shape, dtype=torch.float64)
    fill_differences(tower, rows, codes, [Alternate(0, other)], d)
    alternate, alternate_skips = model._read(one_hot(torch.from_numpy(other)[None], torch.float64))
    close(tower.layout.tokens(d), alternate - tokens)
    for number, (moved, skip) in enumerate(zip(alternate_skips, skips, strict=True)):
        close(tower.layout.skip(d, number), (moved - skip).mT)


SLIPS = {
    "GELUs are the identity": (max_pooled_convolution, "tanh_gelu_difference", lambda x, d: d),
    "maxima forget who leads": (
        max_pooled_convolution,
        "max_pool_difference",
        lambda x, d, pool: d.unflatten(-1, (-1, pool)).amax(dim=-1),
    ),
    "norms do not shift": (
        max_pooled_convolution,
        "norm_shift",
        lambda norm, scale: torch.zeros_like(scale),
    ),
    "runs are aligned to pairs": (
        tower_module,
        "_pad_to_pools",
        lambda starts, d, pool, right=tower_module._pad_to_pools: right(starts, d, 2),
    ),
    "skips begin with their tokens": (
        tower_module,
        "_rows_of_runs",
        lambda tower, starts, d, skips, right=tower_module._rows_of_runs: right(
            tower,
            starts,
            d,
            {
                number: (starts * part.per_token, moved)
                for (number, (_, moved)), part in zip(
                    sorted(skips.items(), reverse=True), tower.layout.skips, strict=True
                )
            },
        ),
    ),
}


@pytest.mark.parametrize("slip", SLIPS.values(), ids=SLIPS)
def test_a_slip_in_a_rule_is_caught(slip, monkeypatch):
    blocks = tower_blocks((2, 8, 4), (2, 1), residual=1, norm_after=True)
    test_differences_are_those_of_whole_windows(blocks, tower_of(blocks))
    monkeypatch.setattr(*slip)
    # a run that does not fit stops torch
    with pytest.raises((AssertionError, RuntimeError)):
        test_differences_are_those_of_whole_windows(blocks, tower_of(blocks))

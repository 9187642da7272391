"""Differences through attention with rotary positions and shared keys, against two passes in float64."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from enformer_core.models.rotary_attention import RotaryAttention
from enformer_core.scoring.delta import attention
from enformer_core.scoring.delta.rotary_block import RotaryBlock

pytestmark = pytest.mark.usefixtures("one_thread")

TOKENS, CHANNELS = 40, 48
ROUNDED = 1e-12
"""Of two passes, of activations of order 10."""
SIZES = {"heads": 4, "key_heads": 2, "rotated_channels": 8, "base": 300.0}


def relative(found, expected):
    return ((found.double() - expected).norm() / expected.norm()).item()


def assert_close(found, expected, bound=1e-9):
    """Beside what two passes themselves round off."""
    error = (found.double() - expected).norm().item()
    assert error < bound * expected.norm().item() + ROUNDED


def layer_of(*, seed=0, gain=1.0, **sizes):
    """A LayerNorm and an attention of one layer, in float64."""
    torch.manual_seed(seed)
    norm, layer = nn.LayerNorm(CHANNELS, eps=1e-3), RotaryAttention(CHANNELS, **SIZES | sizes)
    for module in (norm, layer):
        module.double().requires_grad_(False)
        for value in module.parameters():
            scale = 1.5 * gain / value.shape[-1] ** 0.5 if value.ndim > 1 else 0.5
            value.normal_(0.0, scale)
    norm.weight += 1.0
    return norm, layer


def two_passes(norm, layer, x, d):
    """The block's output after x + d, less that after x, both with their residuals."""
    return d + (layer(norm(x + d)[None]) - layer(norm(x)[None]))[0]


def carried(norm, layer, x, d, delta, *, queries=range(TOKENS), near=None, dtype=torch.float64):
    """By differences; of the queries."""
    block = RotaryBlock.of(
        copy.deepcopy(norm).to(dtype), copy.deepcopy(layer).to(dtype), TOKENS, delta
    )
    moved = d[None].to(dtype).clone()
    reference = block.propagate(
        x.to(dtype), moved, [near or range(0)], queries, first=near is not None
    )
    return reference, moved[0, queries.start : queries.stop]


def tokens(size, seed=1):
    torch.manual_seed(seed)
    x = 3 * torch.randn(TOKENS, CHANNELS, dtype=torch.float64)
    return x, size * torch.randn(TOKENS, CHANNELS, dtype=torch.float64)


@given(
    heads=st.sampled_from([(1, 1), (2, 1), (4, 2), (4, 4), (6, 2), (8, 4)]),
    rotated=st.sampled_from([0.0, 0.4, 1.0]),
    base=st.sampled_from([1.0, 30.0, 20_000.0]),
    size=st.sampled_from([1e-4, 1e-2, 1.0, 30.0]),
    gain=st.sampled_from([0.3, 1.0, 3.0]),
    first=st.integers(0, TOKENS - 1),
    length=st.integers(1, TOKENS),
    seed=st.integers(0, 2**20),
)
@settings(max_examples=25)
def test_differences_of_every_token_are_those_of_two_passes(
    heads, rotated, base, size, gain, first, length, seed
):
    narrow = CHANNELS // heads[0]
    sizes = {"heads": heads[0], "key_heads": heads[1], "base": base}
    sizes["rotated_channels"] = 2 * round(rotated * narrow / 2)
    norm, layer = layer_of(seed=seed, gain=gain, **sizes)
    x, d = tokens(size, seed)
    queries = range(first, min(first + length, TOKENS))
    rows = slice(queries.start, queries.stop)
    reference, found = carried(norm, layer, x, d, torch.float64, queries=queries)
    assert_close(found, two_passes(norm, layer, x, d)[rows])
    assert relative(reference, (x + layer(norm(x)[None])[0])[rows]) < 1e-12


@pytest.mark.parametrize("size", [1e-3, 1.0, 30.0])
@pytest.mark.parametrize("near", [range(1), range(17, 22), range(TOKENS - 3, TOKENS)])
def test_a_change_of_few_tokens_is_that_of_two_passes(size, near):
    norm, layer = layer_of(gain=2.0)
    x, dense = tokens(size)
    d = torch.zeros_like(dense)
    d[near.start : near.stop] = dense[near.start : near.stop]
    expected = two_passes(norm, layer, x, d)
    _, found = carried(norm, layer, x, d, torch.float64, near=near)
    assert_close(found, expected)
    _, in_part = carried(norm, layer, x, d, torch.float64, near=near, queries=range(15, 25))
    assert_close(in_part, expected[15:25])


def test_blocks_of_queries_make_no_difference(monkeypatch):
    norm, layer = layer_of()
    x, d = tokens(0.1)
    _, whole = carried(norm, layer, x, d, torch.float64)
    monkeypatch.setattr(attention, "BLOCK_QUERIES", 7)
    _, in_blocks = carried(norm, layer, x, d, torch.float64)
    assert relative(in_blocks, whole) < 1e-13


@pytest.mark.parametrize("size", [1e-2, 1e-4, 1e-6])
def test_in_float32_a_small_difference_keeps_its_digits(size):
    norm, layer = layer_of()
    x, d = tokens(size)
    _, found = carried(norm, layer, x, d, torch.float32, dtype=torch.float32)
    assert relative(found - d, two_passes(norm, layer, x, d) - d) < 3e-6
    near = range(17, 22)
    few = torch.zeros_like(d)
    few[17:22] = d[17:22]
    _, found = carried(norm, layer, x, few, torch.float32, near=near, dtype=torch.float32)
    assert relative(found - few, two_passes(norm, layer, x, few) - few) < 3e-6


def test_in_float32_a_difference_beyond_all_digits_of_the_reference_is_linear():
    norm, layer = layer_of()
    x, d = tokens(2.0**-20)
    one = carried(norm, layer, x, d, torch.float32, dtype=torch.float32)[1].double()
    other = carried(norm, layer, x, d * 2.0**-60, torch.float32, dtype=torch.float32)[1].double()
    assert relative(other * 2.0**60, one) < 1e-5


IN_16_BITS = {torch.bfloat16: 0.01, torch.float16: 0.0015}
"""Bounds of relative errors, by number formats."""


@pytest.mark.parametrize("delta", IN_16_BITS, ids=str)
@pytest.mark.parametrize("size", [1e-6, 1e-2, 1.0])
def test_errors_of_16_bits_are_those_of_their_rounding(delta, size):
    norm, layer = layer_of()
    x, d = tokens(size)
    _, found = carried(norm, layer, x, d, delta, dtype=torch.float32)
    error = relative(found - d, two_passes(norm, layer, x, d) - d)
    print(f"{delta}, a change of {size}: relative L2 {error:.1e}")
    assert error < IN_16_BITS[delta]


@pytest.mark.parametrize("delta", IN_16_BITS, ids=str)
def test_what_values_and_keys_that_stay_have_in_common_costs_no_digits(delta):
    norm, layer = layer_of()
    x, d = tokens(1e-2)
    _, keys, values = layer.to_qkv.bias.split(layer.widths)
    # no difference sees it: all values, and those channels of keys that are not turned
    values += 100.0
    keys.view(layer.key_heads, -1)[:, layer.rotated_channels :] += 30.0
    _, found = carried(norm, layer, x, d, delta, dtype=torch.float32)
    assert relative(found - d, two_passes(norm, layer, x, d) - d) < IN_16_BITS[delta]


@pytest.mark.parametrize("change", [-40.0, 40.0])
def test_where_a_key_falls_or_rises_much_rows_are_computed_plainly(change):
    norm, layer = layer_of(gain=3.0)
    x, d = tokens(0.0)
    d[11] = change * x[11].sign()
    _, found = carried(norm, layer, x, d, torch.float64)
    assert_close(found, two_passes(norm, layer, x, d))
    _, narrow = carried(norm, layer, x, d, torch.bfloat16, dtype=torch.float32)
    assert relative(narrow, two_passes(norm, layer, x, d)) < 0.01

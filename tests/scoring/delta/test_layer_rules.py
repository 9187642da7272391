"""Each rule by which a difference passes a layer, against plain subtraction in float64, for small and large changes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from enformer_core.models.layers import gelu, one_hot
from enformer_core.scoring.delta import attention, layer_rules
from enformer_core.scoring.delta.alternate_tokens import (
    SMALL_CHANGE_BP,
    Alternate,
    fill_differences,
)
from enformer_core.scoring.delta.attention import attention_difference
from enformer_core.scoring.delta.attention_reference import reference_attention, relative_keys
from enformer_core.scoring.delta.tower import Tower, small_differences, trace_reference
from enformer_core.scoring.delta.tower_levels import levels_of
from enformer_core.scoring.delta.transformer import DeltaTransformer
from enformer_core.scoring.precision import Arithmetic, choose_arithmetic
from tests.support.small_models import ENFORMER, attention_of, small_basenji2, small_enformer

CPU = torch.device("cpu")


def relative(found, expected):
    return ((found - expected).norm() / expected.norm()).item()


def pairs(scale, shape=(40, 24), seed=0):
    torch.manual_seed(seed)
    return torch.randn(shape, dtype=torch.float64) * 3, torch.randn(
        shape, dtype=torch.float64
    ) * scale


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e-2, 1.0, 30.0])
def test_softplus_in_float32_keeps_the_digits_of_a_small_change_and_survives_a_large_one(scale):
    x, d = pairs(scale)
    exact = torch.log1p(torch.sigmoid(x) * torch.expm1(d))
    found = layer_rules.softplus_difference(x.float(), d.float()).double()
    assert relative(found, exact) < 1e-6


@pytest.mark.parametrize(
    ("x", "d"), [(20.0, -17.0), (500.0, -400.0), (500.0, -510.0), (-500.0, 520.0), (0.0, 90.0)]
)
def test_softplus_where_a_peak_goes_or_comes(x, d):
    one, other = torch.tensor([x]), torch.tensor([d])
    expected = functional.softplus((one + other).double()) - functional.softplus(one.double())
    found = layer_rules.softplus_difference(one, other)
    assert found.isfinite().all()
    torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=1e-6)


def test_of_a_peak_that_vanishes_the_difference_leaves_what_is_left():
    x = torch.tensor([100.0, 100.0, -3.0, 5.0])
    d = torch.tensor([-116.0, -1.0, -4.0, 1e-5])
    before = functional.softplus(x)
    rounded = layer_rules.softplus_difference(x, d)
    assert before[0] + rounded[0] == 0
    found = layer_rules.exact_where_it_vanishes(before, x, d, rounded)
    left = (before.double() + found)[0].item()
    assert left == pytest.approx(np.log1p(np.exp(-16.0)), rel=1e-6)
    assert torch.equal(found[1:].float(), rounded[1:])
    kept = layer_rules.exact_where_it_vanishes(before[1:], x[1:], d[1:], rounded[1:])
    assert torch.equal(kept, rounded[1:])
    assert kept.dtype == torch.float32


@given(st.floats(-5, 5), st.floats(-1e-4, 1e-4))
def test_relu_gives_the_change_itself_where_both_are_positive(x, d):
    x, d = torch.tensor([x]), torch.tensor([d])
    found = layer_rules.relu_difference(x.clamp(max=0), -x.clamp(min=0), d)
    if (x > 0) and (x.double() + d.double() > 0):
        assert found == d
    expected = (x.double() + d.double()).clamp(min=0) - x.double().clamp(min=0)
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_elementwise_and_norms(scale):
    x, d = pairs(scale)
    assert relative(layer_rules.gelu_difference(x, d), gelu(x + d) - gelu(x)) < 1e-12
    norm = torch.nn.LayerNorm(24).double()
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    norm_input = layer_rules.NormInput.of(norm, x)
    assert relative(norm_input.normed(norm), norm(x)) < 1e-14
    found = layer_rules.layer_norm_difference(norm, norm_input, d, torch.float64)
    assert relative(found, norm(x + d) - norm(x)) < 1e-12
    batch = torch.nn.BatchNorm1d(24).double().eval()
    batch.running_var.uniform_(0.1, 2)
    batch.running_mean.normal_()
    wide, change = x.T[None], d.T[None]
    assert (
        relative(
            layer_rules.batch_norm_difference(batch, change), batch(wide + change) - batch(wide)
        )
        < 1e-10
    )
    plain = functional.max_pool1d(wide + change, 2) - functional.max_pool1d(wide, 2)
    assert relative(layer_rules.max_pool_difference(wide, change), plain) < 1e-12


class Heads:
    """An attention in float64 whose logits and changes are made to order."""

    def __init__(self, *, gain=1.0, tokens=48):
        torch.manual_seed(1)
        self.layer = attention_of(ENFORMER).double().requires_grad_(False)
        for value in self.layer.parameters():
            value.normal_(0, gain * value.shape[-1] ** -0.5)
        self.tokens = tokens
        self.x = torch.randn(tokens, ENFORMER.channels, dtype=torch.float64)
        relative_k = relative_keys(self.layer, tokens)
        self.reference = reference_attention(
            self.layer, self.x, (relative_k, relative_k), range(5, 41)
        )

    def plain(self, d):
        def gathered(x):
            weights = self.layer.logits(x[None])[0].softmax(dim=-1)
            return (weights @ self.layer.split(self.layer.to_v(x)))[:, 5:41]

        return (gathered(self.x + d) - gathered(self.x)).transpose(0, 1)

    def difference(self, d, near=range(0)):
        split = self.layer.split
        dq = split(self.layer.to_q(d)) * self.layer.key_channels**-0.5
        return attention_difference(
            self.reference, dq, split(self.layer.to_k(d)), split(self.layer.to_v(d)).mT, near
        )


@pytest.mark.parametrize("scale", [1e-6, 1e-2, 0.3, 3.0, 100.0])
@pytest.mark.parametrize("gain", [1.0, 5.0])
def test_attention_for_changes_of_every_size(scale, gain, monkeypatch):
    monkeypatch.setattr(attention, "BLOCK_QUERIES", 10)
    heads = Heads(gain=gain)
    d = torch.randn_like(heads.x) * scale
    assert relative(heads.difference(d), heads.plain(d)) < 1e-9


@pytest.mark.parametrize("change", [-12.0, -25.0, -90.0, 12.0, 90.0])
def test_attention_where_one_key_dominates_and_falls_or_one_rises(change):
    """The logit gap is 30: without the plain rows, 1 + z is 0 or the weights overflow."""
    heads = Heads()
    key = 17
    content = heads.reference.content
    dk = torch.zeros(heads.layer.heads, heads.tokens, heads.layer.key_channels, dtype=torch.float64)
    direction = torch.linalg.pinv(content) @ torch.ones(content.shape[1], 1, dtype=torch.float64)
    k = heads.reference.k.clone()
    k[:, key] += 30 * direction[..., 0]  # of all queries, as far as a few channels can
    dk[:, key] = change * direction[..., 0]
    logits = content[:, 5:41] @ k.mT
    weights = logits.softmax(-1)
    v = heads.reference.v.mT
    reference = type(heads.reference)(
        **{
            **vars(heads.reference),
            "k": k,
            "low_k": k,
            "relative": heads.reference.relative * 0,
            "low_relative": heads.reference.low_relative * 0,
            "weights": weights,
            "low_weights": weights,
            "attended": weights @ v,
        }
    )
    zero = torch.zeros_like(dk)
    found = attention_difference(reference, zero, dk, torch.zeros_like(heads.reference.v), range(0))
    plain = ((content[:, 5:41] @ (k + dk).mT).softmax(-1) - weights) @ v
    assert found.isfinite().all()
    assert (found - plain.transpose(0, 1)).abs().max() < 3e-6
    assert relative(found, plain.transpose(0, 1)) < 1e-9


def test_short_series_serve_in_16_bits_and_large_columns_are_exact():
    torch.manual_seed(0)
    near = range(20, 26)
    for bound, error in ((0.02, 1e-4), (0.1, 2e-3), (0.3, 2e-3), (0.5, 1e-6)):
        dl = (torch.rand(16, 48) * 2 - 1) * bound
        dl[:, 20:26] *= 10
        expected = torch.expm1(dl.double())
        found = dl.clone()
        rise = attention._expm1_by_series(found, near, range(10, 26))
        assert (rise >= dl.amax(dim=-1)).all()
        assert rise.amax() == dl.amax()
        assert relative(found.double(), expected) < error
        torch.testing.assert_close(
            found[:, 20:26].double(), expected[:, 20:26], rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize("make", [small_enformer, small_basenji2])
@pytest.mark.parametrize("changed", [1, 3, SMALL_CHANGE_BP, SMALL_CHANGE_BP + 1, 700])
@pytest.mark.parametrize("begin_bp", [0, 900, 2047, 2048, 2900, 4095])
def test_a_spliced_tower_is_the_full_tower(make, changed, begin_bp):
    model = make()
    geometry = model.geometry
    random = np.random.default_rng(begin_bp + changed)
    reference = random.integers(0, 5, geometry.window_bp, dtype=np.uint8)
    alternate = reference.copy()
    begin_bp = min(begin_bp, geometry.window_bp - 1)
    alternate[begin_bp : begin_bp + changed] = (alternate[begin_bp : begin_bp + changed] + 1) % 5
    with torch.inference_mode():
        tower = Tower(levels_of(model), geometry.bin_bp, CPU, torch.float64)
        x = tower.tokens(reference, 0, geometry.tokens)
        full = [
            model.tokens(one_hot(torch.from_numpy(codes)[None], torch.float64))[0]
            for codes in (reference, alternate)
        ]
        d = torch.full((2, *x.shape), 7.0, dtype=torch.float64)
        letters = alternate[begin_bp : begin_bp + changed]
        alternates = [Alternate(0, alternate), Alternate(begin_bp, letters)]
        fill_differences(tower, x, reference, alternates, d)
    assert relative(x, full[0]) < 1e-12
    assert relative(d[0], full[1] - full[0]) < 1e-9
    assert torch.equal(d[0], d[1])
    assert tower.halo_tokens == 3


def test_small_changes_carried_together_equal_each_alone():
    model = small_enformer()
    tower = Tower(levels_of(model), 128, CPU, torch.float64)
    codes = np.random.default_rng(0).integers(0, 4, model.geometry.window_bp, dtype=np.uint8)
    with torch.inference_mode():
        trace = trace_reference(tower, codes, 10, 30)
        changes = [(at, (codes[at : at + 2] + 1) % 4) for at in (2000, 2001, 2559, 2560, 3000)]
        for change, (first, together) in zip(
            changes, small_differences(tower, trace, changes), strict=True
        ):
            ((alone_first, alone),) = small_differences(tower, trace, [change])
            assert alone_first >= first
            kept = slice(alone_first - first, alone_first - first + len(alone))
            torch.testing.assert_close(together[kept], alone, rtol=1e-9, atol=1e-12)
            assert together.norm() == pytest.approx(alone.norm().item())


def test_a_trace_whose_halo_leaves_the_window_is_refused():
    model = small_enformer()
    tower = Tower(levels_of(model), 128, CPU, torch.float64)
    codes = np.zeros(model.geometry.window_bp, dtype=np.uint8)
    with pytest.raises(ValueError, match="leave the window"):
        trace_reference(tower, codes, 2, 9)


def test_differences_in_16_bits_beat_subtraction_in_16_bits_by_far():
    """The measured claim of the design, on a small network: 1 % or so against 100 % or so."""
    model = small_enformer()
    torch.manual_seed(0)
    x = torch.randn(48, 24, dtype=torch.float64)
    d = torch.zeros(1, 48, 24, dtype=torch.float64)
    d[0, 22:27] = torch.randn(5, 24, dtype=torch.float64) * 1e-2

    def predict(net, tokens):
        bins = net.transformer(tokens[None])[:, 14:34]
        embedding = gelu(net.final(bins.mT)).mT
        return torch.nn.functional.softplus(net.head("human")(embedding))[0]

    with torch.inference_mode():
        exact = predict(model, x + d[0]) - predict(model, x)
        low = small_enformer().bfloat16()
        subtracted = (
            predict(low, (x + d[0]).bfloat16()).double() - predict(low, x.bfloat16()).double()
        )
        single = small_enformer().float()
        trunk = DeltaTransformer(
            single.blocks().trunk, "human", None, Arithmetic(torch.float32, torch.bfloat16)
        )
        _, differences = trunk.propagate(x.float(), d.float(), range(20))
        found = next(differences).double()
    assert relative(found, exact) < 0.02
    assert relative(subtracted, exact) > 0.3


def test_fast_says_what_it_comes_to():
    exact = choose_arithmetic("exact", CPU)
    assert str(exact) == "reference float32, differences float32"
    fast = choose_arithmetic("fast", CPU)
    assert fast.reference == torch.float32
    assert fast.delta in (torch.bfloat16, torch.float32)

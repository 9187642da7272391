"""The network's parts against the published equations, written out again in NumPy; and its large-scale properties."""

from math import lgamma, log

import numpy as np
import pytest
import torch

from enformer_core.models.enformer import Enformer, EnformerConfig
from enformer_core.models.geometry import Geometry
from enformer_core.models.layers import SoftmaxPool, gelu, one_hot
from enformer_core.models.positional import gamma_basis, relative_features, relative_shift
from tests.support.small_models import attention_of

SMALL = EnformerConfig(
    geometry=Geometry(window_bp=2048, bin_bp=128, bins=8),
    stem_channels=12,
    tower_channels=(12, 12, 16, 16, 16, 24),
    layers=2,
    heads=2,
    key_channels=4,
    positional_features=12,
    output_tracks={"human": 5, "mouse": 3},
)


def small_model(seed=0):
    torch.manual_seed(seed)
    model = Enformer(SMALL).double().eval()
    for value in model.parameters():
        value.data.normal_(0.0, 0.4 if value.ndim > 1 else 0.2)
    for name, value in model.named_buffers():
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
    return model


def random_codes(length_bp=2048, seed=0):
    """Base codes of one sequence, a fifth of them N."""
    random = np.random.default_rng(seed)
    return torch.from_numpy(random.integers(0, 5, (1, length_bp), dtype=np.uint8))


def random_letters(seed=0):
    return one_hot(random_codes(seed=seed), torch.float64)


def test_n_is_no_letter_at_all():
    codes = torch.tensor([[0, 1, 2, 3, 4]], dtype=torch.uint8)
    assert one_hot(codes, torch.float32).tolist() == [
        [
            [1, 0, 0, 0],
            [0, 1, 0, 0],
            [0, 0, 1, 0],
            [0, 0, 0, 1],
            [0, 0, 0, 0],
        ]
    ]


def test_gelu_is_the_sigmoid_form():
    x = torch.linspace(-4, 4, 33, dtype=torch.float64)
    torch.testing.assert_close(gelu(x), x / (1 + torch.exp(-1.702 * x)))
    assert not torch.allclose(gelu(x), torch.nn.functional.gelu(x), atol=1e-3)


def test_softmax_pool_weighs_pairs_by_a_softmax_per_channel():
    torch.manual_seed(0)
    pool = SoftmaxPool(3).double()
    x = torch.randn(2, 3, 8, dtype=torch.float64)
    matrix = pool.to_attn_logits.weight[..., 0, 0]
    logits = torch.einsum("oi,bil->bol", matrix, x)
    pairs = (2, 3, 4, 2)
    weights = logits.reshape(pairs).softmax(-1)
    weighted = x.reshape(pairs) * weights
    torch.testing.assert_close(pool(x), weighted.sum(-1))


def test_relative_shift_reads_row_i_from_column_t_minus_1_minus_i():
    tokens = 5
    by_distance = torch.randn(2, 3, tokens, 2 * tokens - 1)
    shifted = relative_shift(by_distance)
    for i in range(tokens):
        for j in range(tokens):
            assert torch.equal(shifted[:, :, i, j], by_distance[:, :, i, tokens - 1 - i + j])


def test_positional_features_follow_the_published_formulas():
    tokens, count = 1536, 192
    features = relative_features(tokens, count, torch.float64, torch.device("cpu")).numpy()
    assert features.shape == (2 * tokens - 1, count)
    distance = np.abs(np.arange(-(tokens - 1), tokens))
    half_life = 2 ** np.linspace(3, np.log2(tokens), 32)
    decay = np.exp(-np.log(2) / half_life * distance[:, None])
    np.testing.assert_allclose(features[:, :32], decay, atol=1e-12)
    mask = np.array([[2**i - 1 > d for i in range(1, 33)] for d in distance])
    assert np.array_equal(features[:, 32:64], mask)
    sign = np.sign(np.arange(-(tokens - 1), tokens))
    np.testing.assert_array_equal(features[:, 96:], sign[:, None] * features[:, :96])


def test_gamma_features_have_their_maximum_over_positions():
    """The trap of the most used port: dividing by the maximum over basis functions instead."""
    tokens = 1536
    distance = torch.arange(tokens, dtype=torch.float64)
    basis = gamma_basis(distance, 32, tokens)
    torch.testing.assert_close(basis.amax(dim=0), torch.ones(32, dtype=torch.float64))
    means = np.linspace(48, tokens, 32)
    for number in (0, 13, 31):
        # The densities' deviation is 24 tokens.
        shape = (means[number] / 24) ** 2
        rate = means[number] / 24**2
        log_normaliser = lgamma(shape) - shape * log(rate)
        density = [1e-8]  # at distance 0
        for d in range(1, tokens):
            log_density = (shape - 1) * log(d) - rate * d - log_normaliser
            density.append(np.exp(log_density) + 1e-8)
        expected = np.array(density) / max(density)
        np.testing.assert_allclose(basis[:, number], expected, rtol=1e-9)


def test_attention_is_the_sum_over_keys():
    torch.manual_seed(1)
    attention = attention_of(SMALL).double()
    for parameter in attention.parameters():
        parameter.data.normal_(0, 0.5)
    tokens = 6
    x = torch.randn(1, tokens, SMALL.channels, dtype=torch.float64)
    features = relative_features(
        tokens, SMALL.positional_features, torch.float64, torch.device("cpu")
    )
    gathered = torch.zeros(tokens, SMALL.channels, dtype=torch.float64)
    value_channels = SMALL.channels // SMALL.heads
    for head in range(SMALL.heads):
        content_bias = attention.rel_content_bias[0, head, 0]
        position_bias = attention.rel_pos_bias[0, head, 0]
        of_keys = slice(4 * head, 4 * head + 4)
        q = x[0] @ attention.to_q.weight[of_keys].T / 4**0.5
        k = x[0] @ attention.to_k.weight[of_keys].T
        r = features @ attention.to_rel_k.weight[of_keys].T
        of_values = slice(value_channels * head, value_channels * (head + 1))
        v = x[0] @ attention.to_v.weight[of_values].T
        for i in range(tokens):
            logits = []
            for j in range(tokens):
                content = (q[i] + content_bias) @ k[j]
                position = (q[i] + position_bias) @ r[tokens - 1 + (j - i)]
                logits.append(content + position)
            gathered[i, of_values] = torch.stack(logits).softmax(0) @ v
    expected = gathered @ attention.to_out.weight.T + attention.to_out.bias
    torch.testing.assert_close(attention(x)[0], expected)


def test_a_changed_base_changes_at_most_six_tower_tokens():
    model = small_model()
    codes = random_codes()
    changed = codes.clone()
    changed[0, 1024] = (codes[0, 1024] + 1) % 4
    with torch.no_grad():
        reference = model.tokens(one_hot(codes, torch.float64))
        alternate = model.tokens(one_hot(changed, torch.float64))
    by_token = (alternate - reference).abs().amax(dim=(0, 2))
    touched = by_token.nonzero().flatten().tolist()
    assert touched
    assert set(touched) <= set(range(8 - 3, 8 + 3))


def test_tracks_are_columns_of_the_whole_head():
    model = small_model()
    x = random_letters()
    with torch.no_grad():
        every = model(x, "human")
        some = model(x, "human", torch.tensor([4, 0]))
    assert every.shape == (1, 8, 5)
    torch.testing.assert_close(some, every[..., [4, 0]])
    assert model(x, "mouse").shape == (1, 8, 3)
    assert (every > 0).all()


def test_a_batch_predicts_what_each_sequence_predicts_alone():
    model = small_model()
    x = torch.cat([random_letters(seed) for seed in range(3)])
    with torch.no_grad():
        together = model(x, "human")
        alone = torch.cat([model(row[None], "human") for row in x])
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)


def test_the_gradient_reaches_every_base():
    model = small_model()
    codes = random_codes().clamp(max=3)
    x = one_hot(codes, torch.float64).requires_grad_()
    model(x, "human")[0, 3:5, 1].sum().backward()
    assert x.grad is not None
    assert (x.grad.abs().sum(dim=-1) > 0).all()


def test_the_published_sizes():
    with torch.device("meta"):
        model = Enformer()
    numbers = {name: parameter.numel() for name, parameter in model.named_parameters()}
    assert sum(numbers.values()) == 251_221_292
    trunk = [number for name, number in numbers.items() if not name.startswith("heads.")]
    assert sum(trunk) == 229_845_504
    names = model.state_dict().keys()
    assert len(names) == 287
    counters = [name for name in names if name.endswith("num_batches_tracked")]
    assert len(names) - len(counters) == 273


def test_a_geometry_that_does_not_fit_the_tower_is_refused():
    with pytest.raises(ValueError, match="pool 64 bp to a token, the geometry 128"):
        EnformerConfig(tower_channels=(8, 8, 8, 8, 8))

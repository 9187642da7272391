"""Basenji2 against hand counts and an independent NumPy network; its Keras files back and forth, whole and broken."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from enformer_core.models.basenji2 import Basenji2, Basenji2Config, ConvBlock
from enformer_core.models.geometry import BASENJI2, Geometry
from tests.support import seeded_basenji2 as seeded

TINY = Basenji2Config(
    geometry=Geometry(window_bp=256, bin_bp=8, bins=24),
    stem_channels=3,
    tower_channels=(4, 5),
    dilated_channels=2,
    dilations=(1, 2, 3, 4),
    final_channels=6,
    output_tracks={"human": 7},
)


pytestmark = pytest.mark.usefixtures("one_thread")


# ---------------------------------------------------------------------------------------------------------------------
# An independent network: NumPy, [length, channels], Keras' weights as they are
# ---------------------------------------------------------------------------------------------------------------------


def np_gelu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-1.702 * x))


def np_convolve(x: np.ndarray, kernel: np.ndarray, dilation: int) -> np.ndarray:
    reach = dilation * (len(kernel) - 1) // 2
    padded = np.pad(x, ((reach, reach), (0, 0)))
    return sum(
        padded[tap * dilation : tap * dilation + len(x)] @ weight
        for tap, weight in enumerate(kernel)
    )


def np_network(
    arrays: dict[str, np.ndarray], config: Basenji2Config, x: np.ndarray, *, gelu_last: bool
) -> np.ndarray:
    """The whole network; `gelu_last` puts convolution and BatchNorm before the activation, which is wrong."""
    values = [array.astype(float) for array in arrays.values()]

    def block(x: np.ndarray, dilation: int = 1) -> np.ndarray:
        kernel, gamma, beta, mean, variance = (values.pop(0) for _ in range(5))
        made = np_convolve(x if gelu_last else np_gelu(x), kernel, dilation)
        made = gamma * (made - mean) / np.sqrt(variance + 1e-3) + beta
        return np_gelu(made) if gelu_last else made

    for _ in range(1 + len(config.tower_channels)):
        made = block(x)
        x = np.maximum(made[0::2], made[1::2])
    for dilation in config.dilations:
        x = x + block(block(x, dilation))
    crop = config.geometry.crop_tokens
    x = np_gelu(block(x[crop:-crop]))
    kernel, bias = values
    return np.log1p(np.exp(x @ kernel + bias))


def test_agrees_with_an_independent_network_and_only_in_this_order():
    x, arrays = seeded.random_one_hot(256), seeded.keras_arrays(TINY)
    with torch.no_grad():
        ours = seeded.seeded_model(TINY)(x, "human")[0].numpy()
    assert ours.shape == (24, 7)
    np.testing.assert_allclose(
        ours, np_network(arrays, TINY, x[0].numpy(), gelu_last=False), rtol=0, atol=1e-13
    )
    assert np.abs(ours - np_network(arrays, TINY, x[0].numpy(), gelu_last=True)).max() > 1e-2


# ---------------------------------------------------------------------------------------------------------------------
# Hand counts
# ---------------------------------------------------------------------------------------------------------------------


def single_channel(kernel: list[float], *, dilation: int = 1, pool: int = 1) -> ConvBlock:
    block = ConvBlock(1, 1, width=len(kernel), dilation=dilation, pool=pool).eval().double()
    block.norm.running_var.fill_(1 - 1e-3)  # with Keras' epsilon, a BatchNorm that changes nothing
    with torch.no_grad():
        block.conv.weight.copy_(torch.tensor(kernel)[None, None])
    return block


def run_block(block: nn.Module, values: list[float]) -> list[float]:
    with torch.no_grad():
        return block(torch.tensor(values, dtype=torch.float64)[None, None])[0, 0].tolist()


def gelu_of(x: float) -> float:
    return x / (1 + math.exp(-1.702 * x))


def test_activation_then_convolution_then_norm():
    block = single_channel([-3.0])
    with torch.no_grad():
        block.norm.bias.fill_(-5.0)
    # -3 gelu(1) - 5; an activation after the convolution or the norm would bring this near 0
    assert run_block(block, [1.0]) == pytest.approx([-3 * gelu_of(1) - 5])


def test_norm_has_the_epsilon_of_keras():
    block = single_channel([1.0])
    block.norm.running_var.fill_(0.003)
    block.norm.running_mean.fill_(0.5)
    assert run_block(block, [2.0]) == pytest.approx([(gelu_of(2) - 0.5) / math.sqrt(0.003 + 0.001)])


def test_dilated_convolution_reaches_both_sides_alike():
    one = gelu_of(1)
    impulse = [0.0] * 4 + [1.0] + [0.0] * 4
    # out[i] = sum over taps of kernel[tap] in[i + (tap - 1) dilation]
    expected = [0, 30 * one, 0, 0, 20 * one, 0, 0, 10 * one, 0]
    assert run_block(single_channel([10.0, 20.0, 30.0], dilation=3), impulse) == pytest.approx(
        expected
    )


def test_pooling_takes_the_larger_of_each_pair():
    assert run_block(single_channel([1.0], pool=2), [1, 3, -2, 0, 5, 4]) == pytest.approx(
        [gelu_of(3), gelu_of(0), gelu_of(5)]
    )


def test_published_sizes_follow_from_their_rules():
    config = Basenji2Config()
    assert config.tower_channels == tuple(round(339 * 1.1776**i) for i in range(6))
    dilations = [1.0]
    while len(dilations) < 11:
        dilations.append(float(np.round(dilations[-1] * 1.5)))
    assert list(config.dilations) == dilations == [1, 2, 3, 4, 6, 9, 14, 21, 32, 48, 72]
    assert (BASENJI2.tokens, BASENJI2.crop_tokens, BASENJI2.output_bp) == (1024, 64, 114_688)


def test_layers_are_dilated_as_configured_and_no_convolution_has_a_bias():
    with torch.device("meta"):
        model = Basenji2()
    blocks = [module for module in model.modules() if isinstance(module, ConvBlock)]
    assert [block.conv.dilation for block in blocks if block.conv.kernel_size == (3,)] == [
        (rate,) for rate in (1, 2, 3, 4, 6, 9, 14, 21, 32, 48, 72)
    ]
    assert len(blocks) == 30
    assert all(block.conv.bias is None and block.norm.eps == 1e-3 for block in blocks)


@pytest.mark.parametrize(("head", "tracks"), [("human", 5313), ("mouse", 1643)])
def test_parameter_count(head: str, tracks: int):
    with torch.device("meta"):
        model = Basenji2(Basenji2Config(output_tracks={head: tracks}))
    kernels = 15 * 4 * 288 + 5 * (
        288 * 339 + 339 * 399 + 399 * 470 + 470 * 554 + 554 * 652 + 652 * 768
    )
    kernels += 11 * (3 * 768 * 384 + 384 * 768) + 768 * 1536
    norms = 2 * (288 + 339 + 399 + 470 + 554 + 652 + 768 + 11 * (384 + 768) + 1536)
    assert kernels + norms == 21_922_147
    assert sum(p.numel() for p in model.parameters()) == 21_922_147 + 1537 * tracks
    assert 21_922_147 + 1537 * 5313 == 30_088_228


# ---------------------------------------------------------------------------------------------------------------------
# What can see what
# ---------------------------------------------------------------------------------------------------------------------


def test_a_base_changes_no_bin_beyond_its_receptive_field():
    """Stem 7 bp, tower 2 (2 + 4 + … + 64) bp and dilated blocks 212 tokens to each side of a bin: 27,395 bp."""
    reach_bp = 7 + 2 * 126 + 128 * 212
    narrow = Basenji2Config(
        stem_channels=4,
        tower_channels=(4, 4, 4, 4, 4, 4),
        dilated_channels=4,
        final_channels=4,
        output_tracks={"human": 3},
    )
    model, x = seeded.seeded_model(narrow), seeded.random_one_hot(BASENJI2.window_bp)
    index = 65_535
    x[0, index] = torch.eye(4, dtype=x.dtype)[0]
    changed = x.clone()
    changed[0, index] = torch.eye(4, dtype=x.dtype)[2]
    with torch.no_grad():
        difference = (model(x, "human") - model(changed, "human"))[0].abs().amax(dim=-1)
    starts_bp = BASENJI2.crop_bp + BASENJI2.bin_bp * np.arange(BASENJI2.bins)
    distance_bp = np.maximum(np.maximum(starts_bp - index, index - (starts_bp + 127)), 0)
    assert reach_bp == 27_395
    seen = difference.numpy() > 0
    assert not seen[distance_bp > reach_bp].any()
    assert distance_bp[seen].max() > 26_000


def test_tokens_are_cropped_last_so_flanks_are_seen():
    model, x = seeded.seeded_model(TINY), seeded.random_one_hot(256)
    flank = x.clone()
    flank[0, :32] = 0  # the 4 cropped tokens of one side
    with torch.no_grad():
        difference = (model(x, "human") - model(flank, "human"))[0].abs().amax(dim=-1)
    assert difference[0] > 0
    assert difference[-1] == 0


def test_tracks_are_picked_in_the_order_asked_for():
    model, x = seeded.seeded_model(TINY), seeded.random_one_hot(256)
    with torch.no_grad():
        torch.testing.assert_close(
            model(x, "human", torch.tensor([5, 0, 5])),
            model(x, "human")[..., [5, 0, 5]],
            rtol=0,
            atol=1e-15,
        )
        assert model.embed(x).shape == (1, 24, 6)


def test_each_sequence_of_a_batch_is_predicted_alone():
    model = seeded.seeded_model(TINY)
    batch = torch.cat([seeded.random_one_hot(256, seed=seed) for seed in (1, 2, 3)])
    with torch.no_grad():
        alone = torch.cat([model(x[None], "human") for x in batch])
        torch.testing.assert_close(model(batch, "human"), alone, rtol=0, atol=1e-14)


def test_gradient_is_that_of_finite_differences():
    model, x = seeded.seeded_model(TINY), seeded.random_one_hot(256).requires_grad_()
    model(x, "human")[0, 11:13, 2].sum().backward()
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=x.dtype)
    step = 1e-6
    with torch.no_grad():
        up, down = (
            model(x + sign * step * direction, "human")[0, 11:13, 2].sum() for sign in (1, -1)
        )
    assert float((x.grad * direction).sum()) == pytest.approx(
        float((up - down) / (2 * step)), rel=1e-6
    )


def test_a_sequence_of_broken_tokens_is_refused():
    with pytest.raises(ValueError, match="252 bp is not a whole number of 8-bp tokens"):
        seeded.seeded_model(TINY).embed(seeded.random_one_hot(252))


def test_pooling_must_make_the_tokens_of_the_geometry():
    with pytest.raises(ValueError, match="pool 4 bp to a token, the geometry 8"):
        Basenji2Config(geometry=TINY.geometry, tower_channels=(4,))

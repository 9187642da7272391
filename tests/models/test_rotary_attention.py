"""Attention with rotary positions, against a formulation by complex numbers, and by hand."""

import numpy as np
import pytest
import torch

from enformer_core.models.rotary_attention import RotaryAttention, Rotation, rotation

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")

SIZES = {
    "as published": {"heads": 4, "key_heads": 2, "rotated_channels": 4, "base": 20_000.0},
    "one key for all": {"heads": 4, "key_heads": 1, "rotated_channels": 6, "base": 7.0},
    "a key for each": {"heads": 2, "key_heads": 2, "rotated_channels": 2, "base": 100.0},
}


def made(channels: int = 24, **sizes) -> RotaryAttention:
    torch.manual_seed(0)
    return RotaryAttention(channels, **sizes).double().eval().requires_grad_(False)


def by_complex_numbers(layer: RotaryAttention, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits of each head, and the output, of tokens [n, channels]: a pair of channels is a complex number.

    A query's number times the conjugate of a key's, turned by the difference of their angles.
    """
    parameters = {name: tensor.numpy() for name, tensor in layer.state_dict().items()}
    tokens, channels = x.shape
    narrow = channels // layer.heads
    pairs = layer.rotated_channels // 2
    rows = x @ parameters["to_qkv.weight"].T + parameters["to_qkv.bias"]
    heads = rows.reshape(tokens, -1, narrow)
    speed = np.float32(layer.base ** (-np.arange(pairs) / pairs))
    # angles are float32, as the weights were trained
    angle = np.arange(tokens, dtype=np.float32)[:, None] * speed
    between = np.exp(1j * (angle.astype(np.float64)[:, None] - angle.astype(np.float64)[None]))
    logits = np.empty((layer.heads, tokens, tokens))
    gathered = np.empty((tokens, layer.heads, narrow))
    for head in range(layer.heads):
        shared = head * layer.key_heads // layer.heads
        q, k = heads[:, head], heads[:, layer.heads + shared]
        v = heads[:, layer.heads + layer.key_heads + shared]
        number_q = q[:, :pairs] + 1j * q[:, pairs : 2 * pairs]
        number_k = k[:, :pairs] + 1j * k[:, pairs : 2 * pairs]
        turned = np.einsum("ip,jp,ijp->ij", number_q, number_k.conj(), between).real
        rest = q[:, 2 * pairs :] @ k[:, 2 * pairs :].T
        logits[head] = (turned + rest) / np.sqrt(narrow)
        weights = np.exp(logits[head] - logits[head].max(axis=1, keepdims=True))
        gathered[:, head] = weights / weights.sum(axis=1, keepdims=True) @ v
    out = gathered.reshape(tokens, channels) @ parameters["to_out.weight"].T
    return logits, out + parameters["to_out.bias"]


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_logits_and_output_are_those_of_complex_numbers(sizes):
    layer = made(**sizes)
    x = 3 * torch.randn(2, 31, 24, dtype=torch.float64)
    for number in range(2):
        logits, out = by_complex_numbers(layer, x[number].numpy())
        assert np.abs(layer.logits(x)[number].numpy() - logits).max() < 1e-13 * np.abs(logits).max()
        assert np.abs(layer(x)[number].numpy() - out).max() < 1e-13 * np.abs(out).max()


def test_a_pair_is_turned_by_its_position_times_its_speed():
    # of 4 channels: speeds 1 and 100^(-1/2) = 0.1
    cosine, sine = rotation(3, 4, 100.0, torch.float64, CPU)
    assert cosine.numpy() == pytest.approx(np.cos([[0, 0], [1, 0.1], [2, 0.2]]), abs=1e-8)
    assert sine.numpy() == pytest.approx(np.sin([[0, 0], [1, 0.1], [2, 0.2]]), abs=1e-8)
    quarter = Rotation(torch.tensor([[0.0]]), torch.tensor([[1.0]]))
    # channels 0 and 1 are a pair, the others stay
    assert quarter.turn(torch.tensor([[[3.0, 4.0, 5.0, 6.0]]])).tolist() == [[[-4, 3, 5, 6]]]


def test_angles_are_float32_in_every_number_format():
    wide = rotation(4096, 128, 20_000.0, torch.float64, CPU)
    narrow = rotation(4096, 128, 20_000.0, torch.float32, CPU)
    speed = np.float32(20_000.0 ** (-1 / 64))
    assert float(wide.cosine[4095, 1]) == np.cos(np.float64(np.float32(4095) * speed))
    # a float64 angle is another one
    assert abs(4095 * 20_000.0 ** (-1 / 64) - float(np.float32(4095) * speed)) > 1e-5
    assert torch.equal(wide.cosine.float(), narrow.cosine)


def test_tokens_that_are_alike_are_told_apart_by_distance_alone():
    layer = made(**SIZES["as published"])
    alike = torch.randn(24, dtype=torch.float64).expand(1, 9, 24)
    logits = layer.logits(alike)[0]
    assert torch.allclose(logits[:, 1:, 1:], logits[:, :-1, :-1], rtol=0, atol=1e-7)
    assert (logits[:, 0, 1] - logits[:, 0, 2]).abs().min() > 1e-3
    # and what lies to the left is not what lies to the right
    assert (logits[:, 4, 5] - logits[:, 4, 3]).abs().min() > 1e-3


def test_heads_that_share_keys_share_them_in_order():
    layer = made(**SIZES["as published"])
    x = torch.randn(1, 5, 24, dtype=torch.float64)
    before = layer.logits(x)
    # the second head of keys, behind 4 of queries and 1 of keys, each 6 wide
    layer.to_qkv.weight[30:36] += 1.0
    moved = (layer.logits(x) - before).abs().amax(dim=(0, 2, 3))
    assert [value > 0 for value in moved.tolist()] == [False, False, True, True]


def test_gradients_pass_after_inference():
    layer = made(**SIZES["as published"])
    with torch.inference_mode():
        layer(torch.zeros(1, 13, 24, dtype=torch.float64))
    x = torch.randn(1, 13, 24, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (x,))


@pytest.mark.parametrize(
    ("sizes", "refusal"),
    [
        ({"heads": 5}, "24 channels, 5 heads and 2 heads of keys"),
        ({"key_heads": 3}, "4 heads and 3 heads of keys do not go into one another"),
        ({"rotated_channels": 3}, "3 rotated channels are no pairs of a head's 6"),
        ({"rotated_channels": 8}, "8 rotated channels are no pairs of a head's 6"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes, refusal):
    with pytest.raises(ValueError, match=refusal):
        made(**SIZES["as published"] | sizes)

"""`motif`, a demonstration: an Enformer whose weights are set by hand, so that its answers can be worked out on paper.

Its first tracks count the sites of one textbook motif each, on either strand, in every 128-bp bin; the last two gather
the sites of several motifs from far away through attention, as expression gathers enhancers. With n sites of its motif
in a bin, an occupancy track reads softplus(18 n − 8): 0.0003 without a site, 10.0 with one. So a variant that makes or
breaks one site has a SAD of ±10.0 on that track.

An expression track reads softplus(60 c − 3), c = Σ_j P_ij m_j over the 1,536 tokens j, where m_j is the number of sites
of its motifs and P_ij ∝ 2^(−α ⌊log2(|i − j| + 1)⌋) falls with distance as polymer contacts do; its rows sum to 1.

How the graph comes to this: see `_set_*`. It is no trained model and knows nothing of biology but these words.
"""

from collections.abc import Iterable, Sequence
from math import log
from typing import cast

import torch
from torch import Tensor, nn

from enformer_core.models.attention import Attention
from enformer_core.models.enformer import Enformer, TowerLevel
from enformer_core.models.motif_spec import (
    EXPRESSIONS,
    IUPAC,
    MASKS,
    MOTIFS,
    TOKEN_CHANNELS,
    TRACKS,
    Motif,
    motif_config,
)
from enformer_core.models.transformer import TransformerLayer

# of the stem's convolution
_KERNEL_WIDTH = 15

# activation of a site: gelu(±20) is ±20 or 0 to 1e-13
_SITE = 20.0
# of two channels ±64 that make LayerNorm linear in the counts to 1e-4
_CONSTANT = 64.0

# Channels of a token: the 6 counts, the constant with both signs, 2 that attention gathers into, 2 empty ones.
_COUNT = len(MOTIFS)
_PLUS = _COUNT
_MINUS = _COUNT + 1
_GATHERED = _COUNT + 2
_EMPTY = _COUNT + 4


@torch.no_grad()
def motif_model(motifs: Sequence[Motif] = MOTIFS) -> Enformer:
    """The model with its parameters set, for inference.

    Args:
        motifs: what it counts, six in the order of `MOTIFS` and of their names; `motif_core` reads shorter ones.
    """
    assert [motif.name for motif in motifs] == [motif.name for motif in MOTIFS]
    model = Enformer(motif_config()).eval()
    for parameter in model.parameters():
        parameter.zero_()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            _set_norm(module, scale=1.0, shift=0.0)
        elif isinstance(module, nn.LayerNorm):
            module.weight.fill_(1.0)
    _set_stem(model, motifs)
    _set_tower(model, motifs)
    _set_attention(model)
    _set_heads(model)
    return model


def _set_norm(
    norm: nn.BatchNorm1d,
    *,
    scale: float | Tensor,
    shift: float | Tensor,
) -> None:
    """scale · x + shift: statistics are 0 and 1, less the epsilon that inference adds."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.zero_()
    norm.running_var.fill_(1.0 - norm.eps)
    norm.weight.copy_(torch.as_tensor(scale).expand_as(norm.weight))
    norm.bias.copy_(torch.as_tensor(shift).expand_as(norm.bias))


def _set_stem(model: Enformer, motifs: Sequence[Motif]) -> None:
    """Match each consensus: +20 for a site, −20 or less otherwise, N included; then rectify.

    A kernel and its mirror image see the two strands, and are placed so that a sequence and its reverse complement give
    mirrored activations. The residual block adds gelu(−x) to x, which is gelu(x). A last channel is constant.
    """
    kernels = model.stem.conv.weight
    bias = _bias(model.stem.conv)
    for number, motif in enumerate(motifs):
        width = len(motif.consensus)
        begin = (_KERNEL_WIDTH - width) // 2
        plus = 2 * number
        minus = plus + 1
        forward = kernels[plus]
        for offset, letters in enumerate(motif.consensus):
            for letter in IUPAC[letters]:
                row = "ACGT".index(letter)
                forward[row, begin + offset] = 2 * _SITE
        # rows A C G T from the end are T G C A: the complements, and places from the end
        kernels[minus] = forward.flip(0, 1)
        # A site of w letters sums to 40 w, one wrong letter leaves 40 (w − 1): ±20 around the threshold between.
        bias[plus : minus + 1] = -2 * _SITE * (width - 0.5)
    bias[-1] = _CONSTANT
    pointwise = model.stem.pointwise
    _set_norm(pointwise.norm, scale=-1.0, shift=0.0)
    pointwise.conv.weight[..., 0] = torch.eye(2 * _COUNT + 1)


def _bias(conv: nn.Conv1d) -> Tensor:
    assert conv.bias is not None
    return conv.bias


def _set_tower(model: Enformer, motifs: Sequence[Motif]) -> None:
    """Add up the sites: pooling without logits takes the mean of two, the next BatchNorm doubles it.

    The first level adds the strands, each by half where the motif is a palindrome. The last gives 1 for each site, and
    the constant with both signs.
    """
    levels = list(cast("Iterable[TowerLevel]", model.tower))
    for level in levels:
        # The first level reads two channels a motif, one for each strand; the others one.
        is_first = level is levels[0]
        is_last = level is levels[-1]
        # the stem has it as its last channel
        constant = -1 if is_first else _PLUS
        norm = level.conv_block.norm
        scale = torch.full_like(norm.weight, 2.0)
        scale[constant] = 1.0
        _set_norm(norm, scale=scale, shift=0.0)
        # of a kernel of width 5
        middle = level.conv_block.conv.weight[..., 2]
        of_each_site = 2.0 / _SITE if is_last else 1.0
        for number, motif in enumerate(motifs):
            # a palindrome's site is one on both strands, and counts once
            share = 0.5 if motif.palindromic and is_first else 1.0
            strands = [2 * number, 2 * number + 1] if is_first else [number]
            middle[number, strands] = share * of_each_site
        middle[_PLUS, constant] = 1.0
        if is_last:
            middle[_MINUS, _PLUS] = -1.0


def _set_attention(model: Enformer) -> None:
    """Weights by distance alone; values are counts, put back in scale after LayerNorm.

    A logit is α ln 2 times the number of central masks that the distance lies in, 12 − ⌊log2(|d| + 1)⌋. LayerNorm
    divides by nearly 64/√6; subtracting an empty channel removes its mean.
    """
    (layer,) = cast("Iterable[TransformerLayer]", model.transformer)
    attention = cast("Attention", layer.attention)
    deviation = _CONSTANT * (2.0 / TOKEN_CHANNELS) ** 0.5
    value_channels = TOKEN_CHANNELS // len(EXPRESSIONS)
    # the second of six families of positional features
    masks = slice(MASKS, 2 * MASKS)
    for head, expression in enumerate(EXPRESSIONS):
        attention.rel_pos_bias[0, head, 0, 0] = 1.0
        key = head * attention.key_channels
        attention.to_rel_k.weight[key, masks] = expression.decay * log(2.0)
        value = head * value_channels
        for number, motif in enumerate(MOTIFS):
            if motif.name in expression.motifs:
                attention.to_v.weight[value, number] += deviation
                attention.to_v.weight[value, _EMPTY] -= deviation
        attention.to_out.weight[_GATHERED + head, value] = 1.0


def _set_heads(model: Enformer) -> None:
    """softplus(18 n − 8) and softplus(60 c − 3); an offset of 20 keeps both GELUs where they are the identity."""
    # The gains are slopes; the biases below take the offset back and set where a track begins to rise.
    gain = torch.zeros(TOKEN_CHANNELS)
    gain[:_COUNT] = 18.0
    gain[_GATHERED : _GATHERED + len(EXPRESSIONS)] = 60.0
    _set_norm(model.final.norm, scale=gain, shift=_SITE)
    model.final.conv.weight[:TOKEN_CHANNELS, :, 0] = torch.eye(TOKEN_CHANNELS)
    for name in model.config.output_tracks:
        head = model.head(name)
        for track in range(TRACKS):
            is_occupancy = track < _COUNT
            channel = track if is_occupancy else _GATHERED + track - _COUNT
            threshold = 8.0 if is_occupancy else 3.0
            head.weight[track, channel] = 1.0
            head.bias[track] = -_SITE - threshold

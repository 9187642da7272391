"""`motif`, a demonstration: an Enformer whose weights are set by hand, so that its answers can be worked out on paper.

Its first tracks count the sites of one textbook motif each, on either strand, in every 128-bp bin; the last two gather
the sites of several motifs from far away through attention, as expression gathers enhancers. With n sites of its motif
in a bin, an occupancy track reads softplus(18 n − 8): 0.0003 without a site, 10.0 with one. So a variant that makes or
breaks one site has a SAD of ±10.0 on that track.

An expression track reads softplus(60 c − 3), c = Σ_j P_ij m_j over the 1,536 tokens j, where m_j is the number of sites
of its motifs and P_ij ∝ 2^(−α ⌊log2(|i − j| + 1)⌋) falls with distance as polymer contacts do; its rows sum to 1.

How the graph comes to this: see `_set_*`. It is no trained model and knows nothing of biology but these words.
"""

from dataclasses import dataclass
from math import log
from typing import cast

import torch
from torch import Tensor, nn

from enformer_core.models.enformer import Attention, Enformer, EnformerConfig
from enformer_core.models.tracks.table import Tracks, described_track

IUPAC = {
    "A": "A",
    "C": "C",
    "G": "G",
    "T": "T",
    "R": "AG",
    "Y": "CT",
    "S": "CG",
    "W": "AT",
    "K": "GT",
    "M": "AC",
}
"""The letters that a letter of a consensus stands for."""
_COMPLEMENT = str.maketrans("ACGTRYSWKM", "TGCAYRSWMK")


@dataclass(frozen=True)
class Motif:
    """A transcription factor and its consensus in IUPAC letters, 15 at most."""

    name: str
    consensus: str

    @property
    def reverse_complement(self) -> str:
        """The consensus as it reads on the other strand."""
        return self.consensus.translate(_COMPLEMENT)[::-1]

    @property
    def palindromic(self) -> bool:
        """Whether every site is a site on both strands; such a site still counts once."""
        return self.consensus == self.reverse_complement


MOTIFS = (
    Motif("CTCF", "CCASYAGRKGGC"),
    Motif("GATA1", "AGATAAGR"),
    Motif("AP-1", "RTGASTCAY"),
    Motif("SPI1", "AGAGGAAGT"),
    Motif("CEBP", "RTTGCGCAAY"),
    Motif("HNF4A", "CAAAGTCCA"),
)


@dataclass(frozen=True)
class Expression:
    """A track that gathers sites: of which motifs, and the exponent α by which contact falls with distance."""

    name: str
    motifs: tuple[str, ...]
    decay: float


EXPRESSIONS = (
    Expression("blood", ("GATA1", "AP-1", "SPI1"), 1.0),
    Expression("liver", ("CEBP", "HNF4A"), 0.75),
)

_SITE = 20.0  # activation of a site: gelu(±20) is ±20 or 0 to 1e-13
_CONSTANT = 64.0  # of two channels ±64 that make LayerNorm linear in the counts to 1e-4
_MASKS = 12  # central masks of 2^1 − 1 … 2^12 − 1 tokens cover all distances
_COUNT = len(MOTIFS)
_TOKEN_CHANNELS = 12  # 6 counts, ±64, 2 gathered, 2 empty
_PLUS, _MINUS, _GATHERED, _EMPTY = _COUNT, _COUNT + 1, _COUNT + 2, _COUNT + 4
_TRACKS = _COUNT + len(EXPRESSIONS)


def motif_config() -> EnformerConfig:
    """A narrow Enformer over the published window: 13 channels in the stem, 8 in the tower, one layer of two heads."""
    return EnformerConfig(
        stem_channels=2 * _COUNT + 1,
        tower_channels=(8, 8, 8, 8, 8, _TOKEN_CHANNELS),
        layers=1,
        heads=len(EXPRESSIONS),
        key_channels=4,
        positional_features=6 * _MASKS,
        output_tracks={"human": _TRACKS, "mouse": _TRACKS},
    )


def motif_tracks(head: str) -> Tracks:
    """Names of the tracks; both heads have the same."""
    rows = [
        (
            f"motif-{motif.name}",
            f"DEMO:{motif.name} motif occupancy (demonstration, not a trained model)",
        )
        for motif in MOTIFS
    ] + [
        (
            f"expression-{expression.name}",
            f"DEMO:{expression.name} expression, {'+'.join(expression.motifs)} (demonstration, not a trained model)",
        )
        for expression in EXPRESSIONS
    ]
    return Tracks(
        head, _TRACKS, tuple(described_track(index, *names) for index, names in enumerate(rows))
    )


@torch.no_grad()
def motif_model() -> Enformer:
    """The model, for inference."""
    model = Enformer(motif_config()).eval()
    for parameter in model.parameters():
        parameter.zero_()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            _set_norm(module, scale=1.0, shift=0.0)
        elif isinstance(module, nn.LayerNorm):
            module.weight.fill_(1.0)
    _set_stem(model)
    _set_tower(model)
    _set_attention(model)
    _set_heads(model)
    return model


def _batch_norm(model: Enformer, name: str) -> nn.BatchNorm1d:
    return cast(nn.BatchNorm1d, model.get_submodule(name))


def _set_norm(norm: nn.BatchNorm1d, *, scale: float | Tensor, shift: float | Tensor) -> None:
    """scale · x + shift: statistics are 0 and 1, less the epsilon that inference adds."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.zero_()
    norm.running_var.fill_(1.0 - norm.eps)
    norm.weight.copy_(torch.as_tensor(scale).expand_as(norm.weight))
    norm.bias.copy_(torch.as_tensor(shift).expand_as(norm.bias))


def _set_stem(model: Enformer) -> None:
    """Match each consensus: +20 for a site, −20 or less otherwise, N included; then rectify.

    A kernel and its mirror image see the two strands, and are placed so that a sequence and its reverse complement give
    mirrored activations. The residual block adds gelu(−x) to x, which is gelu(x). A last channel is constant.
    """
    kernels, bias = model.get_parameter("stem.0.weight"), model.get_parameter("stem.0.bias")
    for number, motif in enumerate(MOTIFS):
        width = len(motif.consensus)
        begin = (15 - width) // 2
        for offset, letters in enumerate(motif.consensus):
            for letter in IUPAC[letters]:
                kernels[2 * number, "ACGT".index(letter), begin + offset] = 2 * _SITE
        kernels[2 * number + 1] = kernels[2 * number].flip(0, 1)
        bias[2 * number : 2 * number + 2] = -2 * _SITE * (width - 0.5)
    bias[-1] = _CONSTANT
    _set_norm(_batch_norm(model, "stem.1.fn.0"), scale=-1.0, shift=0.0)
    model.get_parameter("stem.1.fn.2.weight")[..., 0] = torch.eye(2 * _COUNT + 1)


def _set_tower(model: Enformer) -> None:
    """Add up the sites: pooling without logits takes the mean of two, the next BatchNorm doubles it.

    The first level adds the strands, each by half where the motif is a palindrome. The last gives 1 for each site, and
    the constant with both signs.
    """
    for level in range(len(model.conv_tower)):
        norm = _batch_norm(model, f"conv_tower.{level}.0.0")
        scale = torch.full_like(norm.weight, 2.0)
        scale[-1 if level == 0 else _PLUS] = 1.0
        _set_norm(norm, scale=scale, shift=0.0)
        middle = model.get_parameter(f"conv_tower.{level}.0.2.weight")[..., 2]
        last = level == len(model.conv_tower) - 1
        for number, motif in enumerate(MOTIFS):
            share = 0.5 if motif.palindromic and level == 0 else 1.0
            sources = (2 * number, 2 * number + 1) if level == 0 else (number,)
            middle[number, list(sources)] = share * (2.0 / _SITE if last else 1.0)
        middle[_PLUS, -1 if level == 0 else _PLUS] = 1.0
        if last:
            middle[_MINUS, _PLUS] = -1.0


def _set_attention(model: Enformer) -> None:
    """Weights by distance alone; values are counts, put back in scale after LayerNorm.

    A logit is α ln 2 times the number of central masks that the distance lies in, 12 − ⌊log2(|d| + 1)⌋. LayerNorm
    divides by nearly 64/√6; subtracting an empty channel removes its mean.
    """
    attention = cast(Attention, model.get_submodule("transformer.0.0.fn.1"))
    deviation = _CONSTANT * (2.0 / _TOKEN_CHANNELS) ** 0.5
    values = _TOKEN_CHANNELS // len(EXPRESSIONS)
    for head, expression in enumerate(EXPRESSIONS):
        attention.rel_pos_bias[0, head, 0, 0] = 1.0
        masks = slice(_MASKS, 2 * _MASKS)
        attention.to_rel_k.weight[head * attention.key_channels, masks] = expression.decay * log(
            2.0
        )
        for number, motif in enumerate(MOTIFS):
            if motif.name in expression.motifs:
                attention.to_v.weight[head * values, number] += deviation
                attention.to_v.weight[head * values, _EMPTY] -= deviation
        attention.to_out.weight[_GATHERED + head, head * values] = 1.0


def _set_heads(model: Enformer) -> None:
    """softplus(18 n − 8) and softplus(60 c − 3); an offset of 20 keeps both GELUs where they are the identity."""
    gain = torch.zeros(_TOKEN_CHANNELS)
    gain[:_COUNT], gain[_GATHERED : _GATHERED + len(EXPRESSIONS)] = 18.0, 60.0
    _set_norm(_batch_norm(model, "final_pointwise.1.0"), scale=gain, shift=_SITE)
    model.get_parameter("final_pointwise.1.2.weight")[:_TOKEN_CHANNELS, :, 0] = torch.eye(
        _TOKEN_CHANNELS
    )
    for head in model.config.output_tracks:
        weight, bias = (
            model.get_parameter(f"_heads.{head}.0.{name}") for name in ("weight", "bias")
        )
        for track in range(_TRACKS):
            occupancy = track < _COUNT
            weight[track, track if occupancy else _GATHERED + track - _COUNT] = 1.0
            bias[track] = -_SITE - (8.0 if occupancy else 3.0)

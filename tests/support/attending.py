"""`motif` with attention that sees content: tokens with sites of one factor look at one another, all look at CTCF.

A logit of `motif` depends on distance alone. Here n_i n_j KIND is added for the numbers of sites of GATA1 that both
tokens have, the same for HNF4A, and n_j STRIPE for CTCF. So an enhancer far away is looked at, and attention stops
between a stretch that is full of GATA1 and one that is full of HNF4A.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch

from enformer_core.models import registry
from enformer_core.models.enformer import Enformer
from enformer_core.models.motif import motif_model
from enformer_core.models.motif_spec import MOTIFS, SPEC

NAME = "attending"

KIND = 6.0
STRIPE = 3.0

_DEVIATION = 64.0 * (2 / 12) ** 0.5  # that LayerNorm divides by, as in `motif`
_EMPTY = 10  # a channel of nothing, by which its mean is taken away
_KINDS = ("GATA1", "HNF4A")


@torch.no_grad()
def attending_model() -> Enformer:
    """The network, for inference."""
    model = motif_model()
    attention = model.transformer[0].attention
    names = [motif.name for motif in MOTIFS]
    for head in range(attention.heads):
        first = head * attention.key_channels
        for key, name in enumerate(_KINDS, first + 1):
            site = names.index(name)
            # queries are divided by √4
            _set(attention.to_q, key, site, 2 * KIND)
            _set(attention.to_k, key, site, 1.0)
        key = first + 3
        _set(attention.to_k, key, names.index("CTCF"), 1.0)
        attention.rel_content_bias[0, head, 0, 3] = STRIPE
    return model


def _set(linear: torch.nn.Linear, row: int, channel: int, value: float) -> None:
    linear.weight[row, channel] = value * _DEVIATION
    linear.weight[row, _EMPTY] = -value * _DEVIATION


@contextmanager
def registered() -> Iterator[str]:
    """Let this process know the model; gives its name."""
    demonstration = replace(SPEC.demonstration, make=attending_model, weights_sha256=None)
    registry.register(replace(SPEC, name=NAME, demonstration=demonstration))
    try:
        yield NAME
    finally:
        del registry.SPECS[NAME]

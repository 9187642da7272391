"""What tokens attend to, noted while a network is run. Does not know why."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor

from enformer_core.models.attention import Attention
from enformer_core.models.base import Network
from enformer_core.models.rotary_attention import RotaryAttention
from enformer_core.scoring.delta.spans import as_slice

Weights = Float[Tensor, "heads queries tokens"]
"""Of one layer; the weights of each query sum to 1."""


@contextmanager
def watched_attention(
    network: Network | None,
    queries: range,
    keep: Callable[[Weights], Tensor],
) -> Iterator[list[Tensor]]:
    """Note what some queries attend to in each layer, while the network is run.

    Args:
        network: is run within the block, one window at a time; None where nothing is to be noted.
        queries: tokens whose attention is noted.
        keep: what of a layer's weights is kept.

    Yields:
        A list that the run fills, layer after layer.
    """
    kept: list[Tensor] = []

    def look(attention: Attention | RotaryAttention, inputs: tuple[Tensor]) -> None:
        # a second time, beside the graph: of all queries only these are looked at
        with torch.no_grad():
            logits = attention.logits(inputs[0])
            of_queries = logits[0, :, as_slice(queries)]
            kept.append(keep(of_queries.softmax(dim=-1)))

    modules = [] if network is None else network.modules()
    layers = [module for module in modules if isinstance(module, Attention | RotaryAttention)]
    hooks = [layer.register_forward_pre_hook(look) for layer in layers]
    # whatever happens in the block: a hook that stays would be run by whoever uses the network next
    try:
        yield kept
    finally:
        for hook in hooks:
            hook.remove()

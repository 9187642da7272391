"""What the fused kernels need of a layer's attention on the reference, prepared once for all alts.

See `fused_attention` for the algorithm.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from enformer_core.errors import InputError
from enformer_core.scoring.delta.scaling import is_scaled
from enformer_core.scoring.delta.spans import as_slice

BLOCK_DISTANCES = 128
"""Queries of a run whose products by distance are made together: 1,663 of the 3,071 distances are theirs."""
DISTANCES_MULTIPLE = 8
"""Rows of the products by distance begin at multiples of so many numbers, 16 bytes of 16 bits."""
FORMATS = frozenset((torch.float32, torch.bfloat16, torch.float16))
"""Number formats of differences that the kernel multiplies."""
SCALE = {torch.float32: 1.0, torch.bfloat16: 2.0**15, torch.float16: 2.0**15}
"""Weights and their changes are multiplied by this: in 16 bits both are, and float16 ends at 6e-8."""
WEIGHTS = {
    torch.float32: torch.float32,
    torch.bfloat16: torch.float16,
    torch.float16: torch.float16,
}
"""Number format in which weights are read: half of what float32 takes, and with more digits than their changes keep."""


@dataclass(frozen=True)
class Longest:
    """The lengths of each head's longest vectors, by which no logit changes more: |q · k| ≤ |q| |k|.

    Attributes:
        content: of q / √key + content bias.
        keys: of the keys and of those of the relative distances, added.
    """

    content: Float[Tensor, " heads"]
    keys: Float[Tensor, " heads"]


@dataclass(frozen=True)
class FusedReference:
    """What the kernel needs of a layer's attention on the reference, shared by all alts; made by `fused_reference`.

    It is `ReferenceAttention` for another reader: logarithms of the weights, of which few underflow; `content` of the
    queries alone; values as they are, for the kernel loads them key by key; and all of it in one piece of memory.

    Attributes:
        content: q / √key + content bias of the queries, in float32.
        weights: attention weights of the queries, times `SCALE`, in the format of `WEIGHTS`.
        log_weights: their logarithms, in float32.
        low_weights: the weights in the number format of differences.
        attended: weights · v of the queries, in float32.
        k: keys, in the number format of differences, as are the next two.
        v: values, a token's heads together.
        relative: for each run of 128 queries the keys of the distances from them to all tokens, the last run first, and
            zeros where it has fewer and up to a multiple of 8: of an odd number, products are made by slower routines.
        queries: which queries, a run of tokens.
        longest: what bounds the changes of logits, where differences are scaled.
    """

    content: Float[Tensor, "heads queries keys"]
    weights: Float[Tensor, "heads queries tokens"]
    log_weights: Float[Tensor, "heads queries tokens"]
    low_weights: Float[Tensor, "heads queries tokens"]
    attended: Float[Tensor, "heads queries values"]
    k: Float[Tensor, "heads tokens keys"]
    v: Float[Tensor, "tokens heads values"]
    relative: Float[Tensor, "heads runs distances keys"]
    queries: range
    longest: Longest | None = None


def fused_reference(
    *,
    content: Float[Tensor, "heads tokens keys"],
    k: Float[Tensor, "heads tokens keys"],
    v: Float[Tensor, "heads tokens values"],
    relative: Float[Tensor, "heads distances keys"],
    logits: Float[Tensor, "heads queries tokens"],
    attended: Float[Tensor, "heads queries values"],
    queries: range,
    delta: torch.dtype,
) -> FusedReference:
    """Prepare a layer's attention on the reference for the kernel; once for all alts.

    Args:
        content: q / √key + content bias, of every token.
        k: keys.
        v: values.
        relative: keys of the relative distances −(tokens − 1) … tokens − 1.
        logits: attention logits of the queries.
        attended: their softmax · v.
        queries: which queries, a run of tokens.
        delta: number format of the products' operands: float32, bfloat16 or float16.

    Raises:
        InputError: on another number format.
    """
    if delta not in FORMATS:
        raise InputError(
            f"the fused attention cannot multiply {delta}: use float32, bfloat16 or float16"
        )
    tokens = k.shape[1]
    distances = range(tokens - queries.stop, 2 * tokens - 1 - queries.start)
    log_weights = logits.float().log_softmax(dim=-1).contiguous()
    weights = log_weights.exp()
    longest = None
    if is_scaled(delta):
        longest = Longest(longest_vector(content), longest_vector(k) + longest_vector(relative))
    return FusedReference(
        content=content[:, as_slice(queries)].float().contiguous(),
        weights=(weights * SCALE[delta]).to(WEIGHTS[delta]),
        log_weights=log_weights,
        low_weights=weights.to(delta),
        attended=attended.float().contiguous(),
        k=k.to(delta).contiguous(),
        v=v.to(delta).transpose(0, 1).contiguous(),
        relative=_of_runs(relative[:, as_slice(distances)].to(delta), len(queries)),
        queries=queries,
        longest=longest,
    )


def longest_vector(vectors: Float[Tensor, "*heads count keys"]) -> Float[Tensor, "*heads"]:
    """The length of each head's longest vector, in float32."""
    return torch.linalg.vector_norm(vectors, dim=-1, dtype=torch.float32).amax(dim=-1)


def _of_runs(
    relative: Float[Tensor, "heads distances keys"], queries: int
) -> Float[Tensor, "heads runs padded keys"]:
    """The keys of the distances that each run of queries needs, in the order of runs.

    In runs of two, three queries 0 1 | 2 and three tokens, with the distances −2 … 2 between them, of which a run's
    last query has its first: run 0 needs those from query 1 on, −1 … 2, and run 1 a zero for the query that it lacks,
    then −2 … 0.
    """
    tokens = relative.shape[1] + 1 - queries
    runs = -(-queries // BLOCK_DISTANCES)
    missing = runs * BLOCK_DISTANCES - queries
    width = tokens + BLOCK_DISTANCES - 1
    width += -width % DISTANCES_MULTIPLE
    padded = functional.pad(relative, (0, 0, missing, DISTANCES_MULTIPLE))
    firsts = range((runs - 1) * BLOCK_DISTANCES, -1, -BLOCK_DISTANCES)
    of_runs = [padded[:, first : first + width] for first in firsts]
    if not of_runs:
        return relative.new_empty(len(relative), 0, width, relative.shape[-1])
    return torch.stack(of_runs, dim=1)

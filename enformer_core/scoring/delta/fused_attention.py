"""How attention changes when queries, keys and values do: one fused kernel, for CUDA devices, over all alts.

The meaning is that of `attention.attention_difference`. Written out step by step, it moves several matrices of
[heads, queries, tokens] through the device's memory for each alt; here a block of queries of one head of one alt stays
on the chip and streams over blocks of keys.

With P the reference's attention weights, O = P v what they gather and dl the change of their logits,

    e = P · expm1(dl − c)       where |dl − c| ≤ 1/2, by a series
    e = P · exp(dl − c) − P     elsewhere, P · exp(dl − c) as exp(log P + dl − c)
    z = Σ e
    dO = (Σ e v + Σ (P + e) dv − z O) / (1 + z)

for any number c that a row's logits share. Where no logit of a row changes by more than 1/2, c = 0. Elsewhere c is the
change of the row's log-sum-exp, so that P + e are the new weights and z is what rounding left: 1 + z keeps its digits
and z O cancels nothing when the dominant key falls by 90. It is all the switch that large changes need, is made key by
key, and one sum over the values serves every row.

A block of queries is summed with c = 0 in one pass over the keys, and the largest change is noted on the way. Where it
turns out to be above 1/2, which is seldom, what was summed is forgotten: one pass finds c, with a running maximum, and
another sums. To compute dl again costs less than to keep more sums, and far fewer registers.

Two keys, P = (1 − 1e-13, 1e-13), and the first one's logit falls by 90. With c = 0 it were e = (−1, 0) and z = −1, and
1 + z had no digit left. With c = log(1e-13 + exp(−90)) = −29.9, P · exp(dl − c) = (8e-27, 1) are the new weights, and
z is 0.

There, log P is read instead of P: P underflows where a logit is 90 below the others, and such a key may rise. The term
dq · relative keys of dl comes from a plain product over all distances, read shifted, as in
`attention_reference.relative_logits`: the last query's row from its first column on, the one before it from its second.
Operands of products have the number format of differences, all sums and exponentials are in float32.

Does not know layers or models, and imports Triton only when the kernel is called: CPU installations lack it.
"""

import importlib.util
import os
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from enformer_core.errors import InputError
from enformer_core.machine import CACHE_VARIABLE, cache_directory
from enformer_core.scoring.delta.matmul import products
from enformer_core.scoring.delta.spans import as_slice


@dataclass(frozen=True)
class Blocks:
    """How the work is cut.

    Attributes:
        queries: rows that a program holds.
        keys: columns that it takes at a time.
        warps: groups of 32 threads that share them.
        stages: blocks of keys in flight.
    """

    queries: int
    keys: int
    warps: int
    stages: int


BLOCKS_16_BIT = Blocks(queries=128, keys=32, warps=8, stages=2)
"""At Enformer's sizes: 120 KiB of shared memory on compute capability 9.0, 88 KiB on 8.0 and 8.9."""
BLOCKS_FLOAT32 = Blocks(queries=32, keys=16, warps=4, stages=2)
"""Products in plain float32 hold their operands in registers, which larger blocks would spill."""
PRECISION = "ieee"
"""Products of float32 are products of float32, not of TF32."""
DISTANCES_MULTIPLE = 8
"""Rows of the product by distance begin at multiples of so many numbers, 16 bytes of 16 bits."""
LEAST_WIDTH = 16
"""Products on tensor cores need at least so many channels; narrower ones are padded with zeros, on the chip."""
MOST_RUNS = 3
"""Sums over the values are kept in at most so many runs of a power of two: 192 = 3 · 64."""
TERMS = {torch.float32: 9, torch.bfloat16: 5, torch.float16: 5}
"""Terms of the series for expm1 below 1/2: what they leave out is below the rounding of the format."""
FORMATS = frozenset(TERMS)
"""Number formats of differences that the kernel multiplies."""
FLOAT16_SCALE = 2.0**15
"""Changes of weights are small, float16 ends at 6e-8: they are multiplied by this before they are rounded."""


@dataclass(frozen=True)
class FusedReference:
    """What the kernel needs of a layer's attention on the reference, shared by all alts; made by `fused_reference`.

    It is `ReferenceAttention` for another reader: logarithms of the weights, of which few underflow; `content` of the
    queries alone; values as they are, for the kernel loads them key by key; and all of it in one piece of memory.

    Attributes:
        content: q / √key + content bias of the queries, in float32.
        weights: attention weights of the queries, in float32.
        log_weights: their logarithms, in float32.
        attended: weights · v of the queries, in float32.
        k: keys, in the number format of differences, as are the next two.
        v: values.
        relative: keys of the relative distances between the queries and all tokens, and zeros up to a multiple of 8:
            of an odd number of them, products are made by slower routines.
        queries: which queries, a run of tokens.
    """

    content: Float[Tensor, "heads queries keys"]
    weights: Float[Tensor, "heads queries tokens"]
    log_weights: Float[Tensor, "heads queries tokens"]
    attended: Float[Tensor, "heads queries values"]
    k: Float[Tensor, "heads tokens keys"]
    v: Float[Tensor, "heads tokens values"]
    relative: Float[Tensor, "heads distances keys"]
    queries: range


def fused_attention_available(device: torch.device) -> bool:
    """Whether the kernel runs on a device: CUDA with Triton; anything where Triton interprets (TRITON_INTERPRET=1)."""
    if importlib.util.find_spec("triton") is None:
        return False
    if os.environ.get(CACHE_VARIABLE):
        # compiled kernels go where all that can be made again goes: the home may be read-only
        os.environ.setdefault("TRITON_CACHE_DIR", str(cache_directory("triton")))
    return device.type == "cuda" or os.environ.get("TRITON_INTERPRET") == "1"


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
    return FusedReference(
        content=content[:, as_slice(queries)].float().contiguous(),
        weights=log_weights.exp(),
        log_weights=log_weights,
        attended=attended.float().contiguous(),
        k=k.to(delta).contiguous(),
        v=v.to(delta).contiguous(),
        relative=_padded_distances(relative[:, as_slice(distances)].to(delta)),
        queries=queries,
    )


def fused_attention_difference(
    reference: FusedReference,
    dq: Float[Tensor, "alts heads tokens keys"],
    dk: Float[Tensor, "alts heads tokens keys"],
    dv: Float[Tensor, "alts heads tokens values"],
    *,
    blocks: Blocks | None = None,
) -> Float[Tensor, "alts heads queries values"]:
    """Change of weights · v, before the output projection.

    Beside the result, it needs alts · heads · queries · (tokens + queries − 1) numbers of the device's memory.

    Args:
        reference: the layer's attention on the reference.
        dq: change of q / √key, in the number format of `reference.k`, as are the next two; any strides.
        dk: change of the keys.
        dv: change of the values.
        blocks: how the work is cut; None for what suits the number format. Results depend on it in their last digits.

    Returns:
        In that format; a view of memory that lies [alts, queries, heads, values], as the output projection reads it.

    Raises:
        InputError: where the kernel cannot run, and on other number formats.
    """
    _check(reference, dq, dk, dv)
    alts, heads, _, values = dv.shape
    of_queries = dq[:, :, as_slice(reference.queries)]
    out = dv.new_empty(alts, len(reference.queries), heads, values)
    if out.numel():
        if blocks is None:
            blocks = BLOCKS_FLOAT32 if out.dtype == torch.float32 else BLOCKS_16_BIT
        by_distance = _by_distance(reference, of_queries)
        with torch.cuda.device_of(out):  # Triton launches on the current device
            _launch(reference, (of_queries, dk, dv), by_distance, out, blocks)
    return out.transpose(1, 2)


def _check(
    reference: FusedReference,
    dq: Tensor,
    dk: Tensor,
    dv: Tensor,
) -> None:
    if not fused_attention_available(dq.device):
        raise InputError(
            f"the fused attention runs on CUDA devices with Triton, not on {dq.device}: use attention_difference"
        )
    for name, change in (("dq", dq), ("dk", dk), ("dv", dv)):
        if change.dtype != reference.k.dtype:
            raise InputError(
                f"{name} is {change.dtype}, the reference is prepared for {reference.k.dtype}: convert it"
            )


def _by_distance(
    reference: FusedReference, dq: Float[Tensor, "alts heads queries keys"]
) -> Float[Tensor, "heads alts queries distances"]:
    """dq · relative keys, of the distances between the queries and all tokens."""
    # one product a head: the queries of all alts are its rows
    product = products(dq.transpose(0, 1).flatten(1, 2), reference.relative)
    return product.unflatten(1, (len(dq), len(reference.queries)))


def _padded_distances(
    relative: Float[Tensor, "heads distances keys"],
) -> Float[Tensor, "heads padded keys"]:
    """With zeros up to a multiple of 8 distances."""
    missing = -relative.shape[1] % DISTANCES_MULTIPLE
    return functional.pad(relative, (0, 0, 0, missing)).contiguous()


def _launch(
    reference: FusedReference,
    changes: tuple[Tensor, Tensor, Tensor],
    by_distance: Float[Tensor, "heads alts queries distances"],
    out: Float[Tensor, "alts queries heads values"],
    blocks: Blocks,
) -> None:
    # Triton exists on GPU installations only
    from enformer_core.scoring.delta.fused_attention_kernel import attention_difference_kernel  # noqa: PLC0415

    _, tokens, keys = reference.k.shape
    alts, rows, heads, values = out.shape
    runs, width = _runs(values)
    # alts first: programs of neighbouring numbers run together, and those of one head and block share what they read
    grid = (alts, -(-rows // blocks.queries), heads)
    attention_difference_kernel[grid](
        reference.content,
        reference.k,
        reference.v,
        reference.weights,
        reference.log_weights,
        reference.attended,
        by_distance,
        *changes,
        out,
        *(stride for change in changes for stride in change.stride()),
        rows,
        tokens,
        by_distance.shape[-1],
        keys,
        values,
        BLOCK_QUERIES=blocks.queries,
        BLOCK_KEYS=blocks.keys,
        KEYS=_padded(keys),
        VALUES=width,
        RUNS=runs,
        SCALE=FLOAT16_SCALE if out.dtype == torch.float16 else 1.0,
        TERMS=TERMS[out.dtype],
        PRECISION=PRECISION,
        num_warps=blocks.warps,
        num_stages=blocks.stages,
    )


def _padded(channels: int) -> int:
    """Channels that a block of so many is padded to: the next power of two, 16 at least."""
    return max(LEAST_WIDTH, 1 << (channels - 1).bit_length())


def _runs(values: int) -> tuple[int, int]:
    """How many runs of which width hold the values with the least padding."""
    # 192 values: one run of 256, two of 128 (256 in all), or three of 64 (192): the last
    choices = []
    for runs in range(1, MOST_RUNS + 1):
        width = _padded(-(-values // runs))
        choices.append((runs, width))
    return min(choices, key=lambda choice: choice[0] * choice[1])

"""How attention changes when queries, keys and values do: one fused kernel, for CUDA devices, over all alts.

The meaning is that of `attention.attention_difference`. Written out step by step, it moves several matrices of
[heads, queries, tokens] through the device's memory for each alt; here a block of queries of one head of one alt stays
on the chip and streams over blocks of keys.

With P the reference's attention weights, O = P v what they gather and dl the change of their logits,

    e = P · expm1(dl − c)       where |dl − c| ≤ 1/2, by a series
    e = P · exp(dl − c) − P     elsewhere
    z = Σ e
    dO = (Σ e (v + dv) + P dv − z O) / (1 + z)

for any number c that a row's logits share. Where no logit of a row rises by more than 4 and −1/2 ≤ z ≤ 1, c = 0.
Elsewhere c is the change of the row's log-sum-exp, so that P + e are the new weights and z is what rounding left:
1 + z keeps its digits and z O cancels nothing when the dominant key falls by 90. It is all the switch that large
changes need, and one sum over the values serves every row. P dv is a plain product, made before.

A block of queries is summed with c = 0 in one pass over the keys, and the largest rise is noted on the way. Where a
row then turns out to need another c, which is seldom, what was summed is forgotten: one pass finds c, with a running
maximum, and another sums, P · exp(dl − c) as exp(log P + dl − c). To compute dl again costs less than to keep more
sums, and far fewer registers.

Two keys, P = (1 − 1e-13, 1e-13), and the first one's logit falls by 90. With c = 0 it were e = (−1, 0) and z = −1, and
1 + z had no digit left. With c = log(1e-13 + exp(−90)) = −29.9, P · exp(dl − c) = (8e-27, 1) are the new weights, and
z is 0.

There, log P is read instead of P: P underflows where a logit is 90 below the others, and such a key may rise. The term
dq · relative keys of dl comes from plain products, one for each run of 128 queries with the distances from them to all
tokens, read shifted as in `attention_reference.relative_logits`: the run's last query from its first column on, the one
before it from its second. Operands of products have the number format of differences, all sums and exponentials are in
float32. In float16 the changes come times a power of two for each alt, see `scaling`, and so does what is made of them;
those of weights are multiplied by another for each alt and head, by as much as a bound on their logits' changes allows.

Does not know layers or models, and imports Triton only when the kernel is called: CPU installations lack it.
"""

import importlib.util
import os
from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from enformer_core.errors import InputError
from enformer_core.machine import CACHE_VARIABLE, cache_directory
from enformer_core.scoring.delta.fused_reference import (
    BLOCK_DISTANCES,
    SCALE,
    FusedReference,
    longest_vector,
)
from enformer_core.scoring.delta.scaling import Scale, is_scaled
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


BLOCKS_16_BIT = Blocks(queries=64, keys=32, warps=4, stages=3)
"""At Enformer's sizes: 96 KiB of shared memory on compute capability 9.0, so that two share a processor."""
BLOCKS_FLOAT32 = Blocks(queries=32, keys=16, warps=4, stages=2)
"""Products of float32, plain or in three, hold their operands in registers, which larger blocks would spill."""
DATA_CENTRE = frozenset({(8, 0), (9, 0)})
"""Capabilities on which three products on tensor cores take less time than one in float32: A100, H100 and H200."""
LEAST_WIDTH = 16
"""Products on tensor cores need at least so many channels; narrower ones are padded with zeros, on the chip."""
MOST_RUNS = 3
"""Sums over the values are kept in at most so many runs of a power of two: 192 = 3 · 64."""
TERMS = {torch.float32: 9, torch.bfloat16: 5, torch.float16: 5}
"""Terms of the series for expm1 below 1/2: what they leave out is below the rounding of the format."""
MOST_RISE = {torch.float32: 4.0, torch.bfloat16: 4.0, torch.float16: 1.0}
"""Rise of a logit above which a row needs another c; changed weights times 2^15 must stay within float16."""


def fused_attention_available(device: torch.device) -> bool:
    """Whether the kernel runs on a device: CUDA with Triton; anything where Triton interprets (TRITON_INTERPRET=1)."""
    if importlib.util.find_spec("triton") is None:
        return False
    if os.environ.get(CACHE_VARIABLE):
        # compiled kernels go where all that can be made again goes: the home may be read-only
        os.environ.setdefault("TRITON_CACHE_DIR", str(cache_directory("triton")))
    return device.type == "cuda" or os.environ.get("TRITON_INTERPRET") == "1"


def fused_attention_difference(
    reference: FusedReference,
    dq: Float[Tensor, "alts heads tokens keys"],
    dk: Float[Tensor, "alts heads tokens keys"],
    dv: Float[Tensor, "alts heads tokens values"],
    *,
    scale: Scale | None = None,
    blocks: Blocks | None = None,
) -> Float[Tensor, "alts heads queries values"]:
    """Change of weights · v, before the output projection.

    Beside the result, it needs alts · heads · queries · (tokens + 127) numbers of the device's memory, and thrice the
    result's.

    Args:
        reference: the layer's attention on the reference.
        dq: change of q / √key, in the number format of `reference.k`, as are the next two; any strides.
        dk: change of the keys.
        dv: change of the values.
        scale: in float16, what each alt's changes are multiplied by, and so the result; None for 1.
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
        if scale is None:
            scale = Scale.none(alts, out.device)
        products = _Products(
            _by_distance(reference, of_queries),
            _carried(reference, dv),
            _changed_v(reference, dv, scale),
            (scale.factor, scale.inverse, _growth(reference, dq, dk, scale)),
        )
        with torch.cuda.device_of(out):  # Triton launches on the current device
            _launch(reference, (of_queries, dk), products, out, blocks)
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


@dataclass(frozen=True)
class _Products:
    """What is made of the changes before the kernel runs, in their number format.

    Attributes:
        by_distance: dq · relative keys, of each run of queries and the distances from them to all tokens.
        carried: weights · dv.
        changed_v: v + dv.
        scales: each alt's factor and its inverse, and the growth of changes of weights of each alt and head.
    """

    by_distance: Float[Tensor, "heads runs alts in_run distances"]
    carried: Float[Tensor, "alts heads queries values"]
    changed_v: Float[Tensor, "alts heads tokens values"]
    scales: tuple[Tensor, Tensor, Tensor]


def _by_distance(
    reference: FusedReference, dq: Float[Tensor, "alts heads queries keys"]
) -> Float[Tensor, "heads runs alts in_run distances"]:
    """dq · relative keys, of each run of queries and the distances from them to all tokens."""
    alts, heads, queries, keys = dq.shape
    runs = reference.relative.shape[1]
    whole = functional.pad(dq, (0, 0, 0, runs * BLOCK_DISTANCES - queries))
    of_runs = whole.unflatten(2, (runs, BLOCK_DISTANCES)).permute(1, 2, 0, 3, 4)
    # one product a head and run: the queries of all alts are its rows
    rows = of_runs.reshape(heads * runs, alts * BLOCK_DISTANCES, keys)
    product = rows @ reference.relative.flatten(0, 1).mT
    return product.view(heads, runs, alts, BLOCK_DISTANCES, -1)


def _carried(
    reference: FusedReference, dv: Float[Tensor, "alts heads tokens values"]
) -> Float[Tensor, "alts heads queries values"]:
    """weights · dv, alt by alt: all at once, the weights would be copied for each."""
    alts, heads, _, values = dv.shape
    carried = dv.new_empty(alts, heads, len(reference.queries), values)
    for of_alt, result in zip(dv, carried, strict=True):
        torch.bmm(reference.low_weights, of_alt, out=result)
    return carried


def _changed_v(
    reference: FusedReference, dv: Float[Tensor, "alts heads tokens values"], scale: Scale
) -> Float[Tensor, "alts heads tokens values"]:
    """v + dv."""
    of_tokens = dv.transpose(1, 2)
    if not is_scaled(dv.dtype):
        return (reference.v + of_tokens).transpose(1, 2)
    # in float32, and rounded as it is written
    changed = torch.empty_like(of_tokens, memory_format=torch.contiguous_format)
    inverse = scale.inverse[:, None, None, None]
    torch.addcmul(reference.v, of_tokens, inverse, out=changed)
    return changed.transpose(1, 2)


def _growth(
    reference: FusedReference,
    dq: Float[Tensor, "alts heads tokens keys"],
    dk: Float[Tensor, "alts heads tokens keys"],
    scale: Scale,
) -> Float[Tensor, "alts heads"]:
    """Powers of two by which changes of weights, times 2^15, may be multiplied and stay within float16.

    1 where a logit may change by 1, 2^10 where none changes by more than 2^-10.
    """
    longest = reference.longest
    if longest is None:
        return dq.new_ones(dq.shape[:2], dtype=torch.float32)
    inverse = scale.inverse[:, None]
    of_q, of_k = longest_vector(dq) * inverse, longest_vector(dk) * inverse
    # (content + dq) · dk + dq · (k + relative keys)
    most = (longest.content + of_q) * of_k + of_q * longest.keys
    return Scale.of(most, top_exponent=-1).factor.clamp(min=1)


def _launch(
    reference: FusedReference,
    changes: tuple[Tensor, Tensor],
    products: _Products,
    out: Float[Tensor, "alts queries heads values"],
    blocks: Blocks,
) -> None:
    # Triton exists on GPU installations only
    from enformer_core.scoring.delta.fused_attention_kernel import attention_difference_kernel  # noqa: PLC0415

    _, tokens, keys = reference.k.shape
    alts, rows, heads, values = out.shape
    runs, width = _runs(values)
    read = (*changes, products.changed_v)
    # alts first: programs of neighbouring numbers run together, and those of one head and block share what they read
    grid = (alts, -(-rows // blocks.queries), heads)
    attention_difference_kernel[grid](
        reference.content,
        reference.k,
        reference.weights,
        reference.log_weights,
        reference.attended,
        products.by_distance,
        products.carried,
        *read,
        out,
        *products.scales,
        *(stride for tensor in read for stride in tensor.stride()),
        rows,
        tokens,
        products.by_distance.shape[-1],
        keys,
        values,
        BLOCK_QUERIES=blocks.queries,
        BLOCK_KEYS=blocks.keys,
        BLOCK_DISTANCES=BLOCK_DISTANCES,
        KEYS=_padded(keys),
        VALUES=width,
        RUNS=runs,
        SCALE=SCALE[out.dtype],
        SCALED=is_scaled(out.dtype),
        MOST_RISE=MOST_RISE[out.dtype],
        TERMS=TERMS[out.dtype],
        PRECISION=_precision(out.device),
        num_warps=blocks.warps,
        num_stages=blocks.stages,
    )


@cache
def _precision(device: torch.device) -> str:
    """How products of float32 are made: each number as two of TF32, of 22 bits together, or plainly; never as one."""
    if device.type == "cuda" and torch.cuda.get_device_capability(device) in DATA_CENTRE:
        return "tf32x3"
    return "ieee"


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

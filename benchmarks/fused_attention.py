"""Time of the fused attention difference against the same rule written out in PyTorch, on one CUDA device.

    python -m benchmarks.fused_attention --alts 16 --json benchmarks/results/fused_attention.json

Random numbers at Enformer's sizes: 8 heads, 1,536 tokens, 64 keys and 192 values a head. Small changes, so that the
written-out rule, which knows no large ones, is exact too. Errors are those of the first alt against float64.
"""

import argparse
import json
import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from enformer_core.errors import InputError
from enformer_core.models.positional import relative_shift
from enformer_core.scoring.delta.fused_attention import (
    BLOCKS_16_BIT,
    BLOCKS_FLOAT32,
    Blocks,
    fused_attention_available,
    fused_attention_difference,
)
from enformer_core.scoring.delta.fused_reference import FusedReference, fused_reference

HEADS, TOKENS, KEYS, VALUES = 8, 1536, 64, 192
CHANGE = 1e-3
CANDIDATES = {
    torch.float32: (
        BLOCKS_FLOAT32,
        Blocks(32, 16, 4, 1),
        Blocks(64, 16, 8, 1),
    ),
    torch.float16: (
        BLOCKS_16_BIT,
        Blocks(64, 32, 4, 4),
        Blocks(64, 64, 4, 3),
        Blocks(128, 64, 8, 2),
    ),
    torch.bfloat16: (
        BLOCKS_16_BIT,
        Blocks(128, 32, 8, 2),
        Blocks(128, 32, 8, 3),
        Blocks(128, 64, 8, 2),
        Blocks(64, 32, 4, 2),
        Blocks(64, 64, 4, 2),
    ),
}
Changes = tuple[Tensor, Tensor, Tensor]


def random_attention(
    delta: torch.dtype, alts: int
) -> tuple[FusedReference, dict[str, Tensor], Changes]:
    """What the kernel reads: the reference as prepared for it and as it was, and the changes."""
    torch.manual_seed(0)
    given = {
        name: torch.randn(HEADS, rows, width, device="cuda")
        for name, rows, width in (
            ("content", TOKENS, KEYS),
            ("k", TOKENS, KEYS),
            ("v", TOKENS, VALUES),
            ("relative", 2 * TOKENS - 1, KEYS),
            ("logits", TOKENS, TOKENS),
        )
    }
    given["attended"] = given["logits"].softmax(dim=-1) @ given["v"]
    dq, dk, dv = (
        (CHANGE * torch.randn(alts, HEADS, TOKENS, width, device="cuda")).to(delta)
        for width in (KEYS, KEYS, VALUES)
    )
    return fused_reference(**given, queries=range(TOKENS), delta=delta), given, (dq, dk, dv)


def unfused(
    reference: FusedReference, given: dict[str, Tensor], weights: Tensor, changes: Changes
) -> Tensor:
    """The rule for small changes, one alt at a time; its matrices pass through the device's memory."""
    low, out = reference.low_weights, []
    relative, v = (given[name].to(low.dtype) for name in ("relative", "v"))
    for dq, dk, dv in zip(*changes, strict=True):
        dl = (reference.content + dq).to(dq.dtype) @ dk.mT + dq @ reference.k.mT
        dl += relative_shift((dq @ relative.mT)[None])[0]
        e = dl.float().expm1_().mul_(weights)
        z = e.sum(dim=-1, keepdim=True)
        carried = (low @ dv).float()
        moved = (e.to(dq.dtype) @ (v + dv)).float()
        out.append(((moved - z * (reference.attended + carried)) / (1 + z) + carried).to(dq.dtype))
    return torch.stack(out)


def truth(given: dict[str, Tensor], changes: Changes) -> Tensor:
    """Both softmaxes of the first alt, subtracted, in float64."""
    content, k, v, relative, logits = (
        given[name].double() for name in ("content", "k", "v", "relative", "logits")
    )
    dq, dk, dv = (change[0].double() for change in changes)
    dl = (content + dq) @ dk.mT + dq @ k.mT + relative_shift((dq @ relative.mT)[None])[0]
    return (logits + dl).softmax(dim=-1) @ (v + dv) - logits.softmax(dim=-1) @ v


def milliseconds(work: Callable[[], object], repeats: int) -> float:
    """Median time on the device, after two runs that compile and warm up."""
    work(), work()
    times = []
    for _ in range(repeats):
        before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        before.record()
        work()
        after.record()
        after.synchronize()
        times.append(before.elapsed_time(after))
    return statistics.median(times)


def relative_error(found: Tensor, expected: Tensor) -> float:
    """‖found − expected‖ / ‖expected‖."""
    return float((found.double() - expected).norm() / expected.norm())


def measure(delta: torch.dtype, alts: int, repeats: int) -> Iterator[dict[str, Any]]:
    """A row for the written-out rule and one for each way to cut the fused kernel's work."""
    from triton.runtime.errors import OutOfResources

    reference, given, changes = random_attention(delta, alts)
    weights = reference.log_weights.exp()
    expected = truth(given, changes)
    ways: dict[str, tuple[Blocks | None, Callable[[], Tensor]]] = {
        "unfused": (None, lambda: unfused(reference, given, weights, changes))
    }
    for blocks in CANDIDATES[delta]:
        name = f"fused {blocks.queries}x{blocks.keys}, {blocks.warps} warps, {blocks.stages} stages"
        ways[name] = (
            blocks,
            partial(fused_attention_difference, reference, *changes, blocks=blocks),
        )
    for name, (way_blocks, work) in ways.items():
        row: dict[str, Any] = {
            "way": name,
            "delta": str(delta).removeprefix("torch."),
            "alts": alts,
        }
        row["blocks"] = way_blocks and asdict(way_blocks)
        try:
            row["error"] = relative_error(work()[0], expected)
            row["ms_per_alt"] = milliseconds(work, repeats) / alts
        except OutOfResources as problem:  # a block that does not fit this device
            row["failed"] = str(problem).splitlines()[0]
        yield row


def main() -> None:
    """Measure, print and, if asked, write JSON."""
    parser = argparse.ArgumentParser(description="fused against unfused attention difference")
    parser.add_argument("--alts", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if not torch.cuda.is_available() or not fused_attention_available(torch.device("cuda")):
        raise InputError("there is no CUDA device with Triton: run this on a GPU machine")
    rows = [
        row for delta in CANDIDATES for row in measure(delta, arguments.alts, arguments.repeats)
    ]
    device = torch.cuda.get_device_name()
    text = json.dumps(
        {"device": device, "torch": torch.__version__, "triton": version("triton"), "rows": rows},
        indent=2,
    )
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")


if __name__ == "__main__":
    main()

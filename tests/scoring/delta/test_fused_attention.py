"""The fused attention difference against both softmaxes in float64.

Run as a script, the file works out all small cases in Triton's interpreter and prints their errors: Triton reads
TRITON_INTERPRET when it is imported, so they need a process of their own.
"""

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch

from enformer_core.errors import InputError
from enformer_core.models.positional import relative_shift
from enformer_core.scoring.delta import fused_reference as references
from enformer_core.scoring.delta.fused_attention import (
    BLOCKS_16_BIT,
    BLOCKS_FLOAT32,
    _padded,
    _runs,
    fused_attention_available,
    fused_attention_difference,
)
from enformer_core.scoring.delta.fused_reference import BLOCK_DISTANCES, fused_reference
from enformer_core.scoring.delta.scaling import Scale

KEY = 7  # the key whose logits and changes a case sets

NEEDS_TRITON = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None,
    reason="Triton is not installed: pip install -e '.[dev]'",
)


@dataclass(frozen=True)
class Case:
    """A random attention and its changes.

    Every logit of key j changes by `rise.get(j, rise_of_all)` beside what the random changes of size `small` do: the
    first channel of all queries is 1, and that of the keys' changes is the rise.
    """

    tokens: int = 50
    keys: int = 10
    values: int = 20
    alts: int = 1
    heads: int = 2
    queries: range | None = None
    delta: torch.dtype = torch.float32
    small: float = 1e-3
    gap: float = 2.0  # standard deviation of logits
    of_key: float | None = None  # its logits
    rise: dict[int, float] = field(default_factory=dict)
    rise_of_all: float = 0.0
    transposed: bool = False  # changes of the values lie [alts, heads, values, tokens]
    scale: float | None = None  # what changes are multiplied by before they are rounded
    tolerance: float = (
        1e-5  # the interpreter cuts bfloat16 off where devices round, which doubles its errors
    )


SMALL = {
    "smallest": Case(tokens=40, keys=8, values=8),
    "many runs of values": Case(tokens=70, keys=16, values=24, transposed=True),
    "three alts": Case(alts=3, tokens=67),
    "tiny changes": Case(small=1e-6),
    "cropped queries": Case(tokens=70, queries=range(13, 51), alts=2),
    "one query": Case(tokens=41, queries=range(40, 41)),
    "no queries": Case(tokens=41, queries=range(5, 5)),
    "three runs": Case(tokens=40, values=40, heads=1),
    "bfloat16": Case(delta=torch.bfloat16, tokens=70, alts=2, tolerance=1e-2),
    "bfloat16, cropped": Case(
        delta=torch.bfloat16, tokens=45, queries=range(10, 30), tolerance=1e-2
    ),
    "bfloat16, tiny changes": Case(delta=torch.bfloat16, small=1e-9, tolerance=1e-2),
    "float16, tiny changes": Case(delta=torch.float16, tokens=70, small=1e-4, tolerance=8e-4),
    "float16, the tiniest changes": Case(
        delta=torch.float16, tokens=70, alts=2, small=1e-9, scale=2.0**31, tolerance=8e-4
    ),
    "float16, large changes": Case(
        delta=torch.float16, tokens=70, small=2.0, scale=0.25, tolerance=2e-3
    ),
    "float16": Case(delta=torch.float16, tokens=70, small=1e-2, tolerance=8e-4),
}

LARGE = {
    "changes of order 1": Case(small=0.3),
    "a logit rises by 3": Case(rise={KEY: 3.0}),
    "changes of order 10": Case(small=2.0, tokens=60),
    "gaps of 30": Case(gap=15.0, small=0.1),
    "changes of 90": Case(gap=10.0, rise={1: 90.0, 5: -90.0, 33: 90.0, 34: -90.0, 49: 90.0}),
    "dominant key falls by 12": Case(of_key=30.0, rise={KEY: -12.0}),
    "dominant key falls by 25": Case(of_key=30.0, rise={KEY: -25.0}),
    "dominant key falls by 90": Case(of_key=30.0, rise={KEY: -90.0}),
    "dominant key rises by 90": Case(of_key=30.0, rise={KEY: 90.0}),
    "all fall by 90": Case(
        rise_of_all=-90.0, small=0.1, tolerance=5e-5
    ),  # float32 rounds 90 + 0.1 to 4e-6
    "dead key rises and stays dead": Case(of_key=-40.0, rise={KEY: 10.0}),
    "dead key takes all": Case(of_key=-200.0, rise={KEY: 250.0}),
    "bfloat16, dominant key falls by 90": Case(
        delta=torch.bfloat16, of_key=30.0, rise={KEY: -90.0}, small=1e-4, tolerance=1e-2
    ),
    "bfloat16, dead key rises and stays dead": Case(
        delta=torch.bfloat16, of_key=-40.0, rise={KEY: 10.0}, tolerance=1e-2
    ),
}

CASES = SMALL | LARGE


def tensors(case, device):
    """Reference and changes in float32, the changes as the number format of differences holds them."""
    torch.manual_seed(0)
    heads, tokens, keys, values = case.heads, case.tokens, case.keys, case.values
    queries = case.queries if case.queries is not None else range(tokens)
    reference = {
        "content": torch.randn(heads, tokens, keys),
        "k": torch.randn(heads, tokens, keys),
        "v": torch.randn(heads, tokens, values),
        "relative": torch.randn(heads, 2 * tokens - 1, keys),
        "logits": case.gap * torch.randn(heads, len(queries), tokens),
    }
    reference["content"][..., 0] = 1.0
    if case.of_key is not None:
        reference["logits"][..., KEY] = case.of_key
    reference["attended"] = (
        reference["logits"].double().softmax(dim=-1) @ reference["v"].double()
    ).float()
    dq, dk, dv = (
        case.small * torch.randn(case.alts, heads, tokens, width) for width in (keys, keys, values)
    )
    dq[..., 0] = 0.0
    dk[..., 0] = case.rise_of_all
    for key, rise in case.rise.items():
        dk[:, :, key, 0] = rise
    if case.transposed:
        dv = dv.mT.contiguous().mT
    factor = case.scale or 1.0
    changes = tuple((factor * change).to(device, case.delta) for change in (dq, dk, dv))
    return {name: tensor.to(device) for name, tensor in reference.items()}, queries, changes


def truth(reference, queries, changes, factor=1.0):
    """Both softmaxes, subtracted, in float64."""
    content, k, v, relative, logits = (
        reference[name].double() for name in ("content", "k", "v", "relative", "logits")
    )
    dq, dk, dv = (change.double() / factor for change in changes)
    dl = (content + dq) @ dk.mT + dq @ k.mT + relative_shift(dq @ relative.mT)
    dl = dl[:, :, queries.start : queries.stop]
    return (logits + dl).softmax(dim=-1) @ (v + dv) - logits.softmax(dim=-1) @ v


def error(case, device="cpu"):
    """Relative L2 error of the fused difference."""
    reference, queries, changes = tensors(case, device)
    factors = torch.full((case.alts,), case.scale or 1.0, device=device)
    found = fused_attention_difference(
        fused_reference(**reference, queries=queries, delta=case.delta),
        *changes,
        scale=None if case.scale is None else Scale(factors, 1 / factors),
    )
    assert found.dtype == case.delta
    found = found.double() * (1 / factors[:, None, None, None])
    expected = truth(reference, queries, changes, case.scale or 1.0)
    assert found.shape == expected.shape
    return ((found - expected).norm() / expected.norm().clamp(min=1e-300)).item()


@pytest.fixture(scope="module")
def interpreted():
    """Errors of all cases in Triton's interpreter."""
    root = Path(__file__).parents[3]
    environment = os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, __file__], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@NEEDS_TRITON
@pytest.mark.parametrize("name", CASES)
def test_difference_is_that_of_two_softmaxes(interpreted, name):
    assert interpreted[name] <= CASES[name].tolerance  # false for NaN


def full_size(case):
    """The same case at Enformer's sizes."""
    return replace(
        case,
        tokens=1536,
        keys=64,
        values=192,
        heads=8,
        small=case.small
        / 2.5,  # sums over 64 channels instead of 10: changes of logits stay as large
        queries=case.queries and range(320, 1216),
        tolerance=max(
            case.tolerance, 3e-5
        ),  # the device's exponential is less exact than the processor's
    )


@pytest.mark.gpu
@pytest.mark.parametrize("name", CASES)
def test_compiled_kernel_at_full_size(name):
    if not fused_attention_available(torch.device("cuda")) or not torch.cuda.is_available():
        pytest.skip("there is no CUDA device with Triton")
    case = full_size(CASES[name])
    assert error(case, "cuda") <= case.tolerance


@NEEDS_TRITON
@pytest.mark.parametrize(
    ("capability", "dtype", "precision", "instruction", "shared_kib"),
    [
        (80, "bf16", "ieee", "mma.sync", 163),
        (89, "fp16", "ieee", "mma.sync", 99),
        (90, "fp16", "ieee", "wgmma", 227),
        (89, "fp32", "ieee", "fma", 99),
        (90, "fp32", "tf32x3", "mma.sync", 227),
    ],
)
def test_kernel_compiles_and_fits(
    monkeypatch, tmp_path, capability, dtype, precision, instruction, shared_kib
):
    """At Enformer's sizes, for devices that need not be there; onto tensor cores but for plain float32."""
    blocks = BLOCKS_FLOAT32 if dtype == "fp32" else BLOCKS_16_BIT
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    import triton  # noqa: PLC0415
    from triton.backends.compiler import GPUTarget  # noqa: PLC0415
    from triton.compiler import ASTSource  # noqa: PLC0415

    from enformer_core.scoring.delta.fused_attention_kernel import (  # noqa: PLC0415
        attention_difference_kernel as kernel,
    )

    constants = {
        "BLOCK_QUERIES": blocks.queries,
        "BLOCK_KEYS": blocks.keys,
        "BLOCK_DISTANCES": BLOCK_DISTANCES,
        "KEYS": 64,
        "VALUES": 64,
        "RUNS": 3,
        "SCALE": 1.0,
        "SCALED": dtype == "fp16",
        "MOST_RISE": 4.0,
        "TERMS": 9,
        "PRECISION": precision,
        "dq_channel": 1,
        "dk_channel": 1,
        "v_channel": 1,
    }
    low = ("k", "by_distance", "carried", "dq", "dk", "changed_v", "out")
    pointers = dict.fromkeys(low, f"*{dtype}")
    pointers |= dict.fromkeys(
        ("content", "log_weights", "attended", "factors", "inverses", "growths"), "*fp32"
    )
    pointers["weights"] = "*fp32" if dtype == "fp32" else "*fp16"
    names = kernel.arg_names
    signature = {
        name: pointers.get(name, "constexpr" if name in constants else "i32") for name in names
    }
    aligned = {
        (at,): [["tt.divisibility", 16]] for at, name in enumerate(names) if name not in constants
    }
    source = ASTSource(
        kernel,
        signature,
        {(names.index(name),): value for name, value in constants.items()},
        aligned,
    )
    options = {"num_warps": blocks.warps, "num_stages": blocks.stages}
    compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
    assert compiled.metadata.shared <= shared_kib * 1024
    assert instruction in compiled.asm["ptx"]


def test_values_are_held_with_the_least_padding():
    assert _runs(192) == (3, 64)
    assert _runs(128) == (1, 128)
    assert _runs(8) == (1, 16)
    assert _runs(300) == (3, 128)
    assert [_padded(keys) for keys in (1, 16, 17, 64)] == [16, 16, 32, 64]


def test_each_run_of_queries_has_the_distances_that_it_needs(monkeypatch):
    monkeypatch.setattr(references, "BLOCK_DISTANCES", 2)
    # three queries and three tokens
    relative = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0])[None, :, None]
    of_runs = references._of_runs(relative, 3)[0, :, :, 0]
    assert of_runs[0, :4].tolist() == [-1.0, 0.0, 1.0, 2.0]
    # nothing for the query that the last run lacks
    assert of_runs[1, :4].tolist() == [0.0, -2.0, -1.0, 0.0]
    assert of_runs.shape == (2, 8)


def test_processor_is_refused_by_name(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    assert not fused_attention_available(torch.device("cpu"))
    reference, queries, changes = tensors(Case(), "cpu")
    prepared = fused_reference(**reference, queries=queries, delta=torch.float32)
    with pytest.raises(
        InputError, match=r"runs on CUDA devices with Triton, not on cpu: use attention_difference"
    ):
        fused_attention_difference(prepared, changes[0], changes[1], changes[2])


@NEEDS_TRITON
def test_other_number_formats_are_refused_by_name(monkeypatch):
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    reference, queries, changes = tensors(Case(), "cpu")
    with pytest.raises(InputError, match=r"cannot multiply torch\.float64"):
        fused_reference(**reference, queries=queries, delta=torch.float64)
    prepared = fused_reference(**reference, queries=queries, delta=torch.bfloat16)
    with pytest.raises(
        InputError, match=r"dq is torch\.float32, the reference is prepared for torch\.bfloat16"
    ):
        fused_attention_difference(prepared, changes[0], changes[1], changes[2])


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps({name: error(case) for name, case in CASES.items()}))

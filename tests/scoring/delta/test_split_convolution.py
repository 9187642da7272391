"""Convolutions and products of numbers in two parts, in Triton's interpreter and on a GPU, against float64.

Run as a script, the file prints the errors: Triton reads TRITON_INTERPRET when it is imported.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from enformer_core.scoring.delta import matmul
from enformer_core.scoring.delta.split_convolution import (
    BLOCK_INPUTS,
    BLOCK_OUTPUTS,
    BLOCK_POSITIONS,
    LEAST_POSITIONS,
    STAGES,
    WARPS,
    _parts,
    split_convolution,
    split_convolution_serves,
    split_products,
    split_products_serve,
)

CASES = {
    "as in the tower": {"width": 5, "padding": 2, "has_bias": True},
    "pointwise": {"width": 1, "padding": 0, "has_bias": True},
    "without bias": {"width": 5, "padding": 2, "has_bias": False},
    "longer at the ends": {"width": 5, "padding": 4, "has_bias": False},
    "shorter": {"width": 5, "padding": 0, "has_bias": True},
    "positive": {"width": 5, "padding": 2, "has_bias": False, "positive": True},
}


def operands(*, width, has_bias, padding, positive=False, length=150, inputs=64, outputs=140):
    """More than a block of positions and of outputs."""
    torch.manual_seed(0)
    x = torch.randn(1, inputs, length)
    kernel = torch.randn(outputs, inputs, width)
    bias = torch.randn(outputs) if has_bias else None
    if positive:
        x, kernel = x.abs(), kernel.abs()
    return x, kernel, bias, padding


def relative_error(found, x, kernel, bias, padding):
    wide = None if bias is None else bias.double()
    expected = functional.conv1d(x.double(), kernel.double(), wide, padding=padding)
    assert found.shape == expected.shape
    return float((found.double() - expected).norm() / expected.norm())


def error(case, device):
    x, kernel, bias, padding = operands(**case)
    there = None if bias is None else bias.to(device)
    found = split_convolution(x.to(device), kernel.to(device), there, padding).cpu()
    return relative_error(found, x, kernel, bias, padding)


def products_error(device):
    """Of two heads' rows and outputs, some of which are a millionth of others."""
    torch.manual_seed(2)
    x = torch.randn(2, 150, 96) * torch.logspace(-6, 0, 150)[:, None]
    y = torch.randn(2, 40, 96) * torch.logspace(-3, 3, 40)[:, None]
    found = split_products(x.to(device), y.to(device)).cpu()
    expected = x.double() @ y.double().mT
    # of each row and each output by itself: one of those of the smallest numbers may be next to nothing
    error = (found.double() - expected).abs() / (
        x.double().norm(dim=-1)[..., None] * y.double().norm(dim=-1)[:, None]
    )
    return float(error.max())


def largest_rest(device):
    """Of what numbers down to an 8,000th of their group's largest are more than their parts, relative to them."""
    torch.manual_seed(1)
    x = (torch.rand(3, 5000) + 1) * torch.logspace(-3.6, 0, 5000)
    x *= torch.tensor([1e-20, 1.0, 1e20])[:, None]
    parts, inverse = _parts(x.to(device))
    whole = parts.cpu().double().sum(dim=0) * inverse.cpu()[:, None]
    return float((whole / x.double() - 1).abs().max())


def errors(device):
    found = {name: error(case, device) for name, case in CASES.items()}
    return found | {"products": products_error(device), "rest": largest_rest(device)}


def check(found):
    assert found.keys() == {*CASES, "products", "rest"}
    for name, value in found.items():
        # half of the last of 22 bits; false for NaN
        assert value <= (2.0**-22 if name == "rest" else 3e-7), name


@pytest.mark.skipif(
    importlib.util.find_spec("triton") is None,
    reason="Triton is not installed: pip install -e '.[dev]'",
)
def test_two_parts_are_as_exact_as_float32():
    root = Path(__file__).parents[3]
    environment = os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, __file__], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    check(json.loads(done.stdout))


@pytest.mark.skipif(
    importlib.util.find_spec("triton") is None,
    reason="Triton is not installed: pip install -e '.[dev]'",
)
@pytest.mark.parametrize(("capability", "shared_kib"), [(80, 163), (90, 227)])
def test_kernel_compiles_and_fits(monkeypatch, tmp_path, capability, shared_kib):
    """For devices that need not be there."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    import triton  # noqa: PLC0415
    from triton.backends.compiler import GPUTarget  # noqa: PLC0415
    from triton.compiler import ASTSource  # noqa: PLC0415

    from enformer_core.scoring.delta.split_convolution_kernel import (  # noqa: PLC0415
        split_convolution_kernel as kernel,
    )

    constants = {
        "BY_ROW": False,
        "WIDTH": 5,
        "HAS_BIAS": True,
        "BLOCK_POSITIONS": BLOCK_POSITIONS,
        "BLOCK_OUTPUTS": BLOCK_OUTPUTS,
        "BLOCK_INPUTS": BLOCK_INPUTS,
    }
    pointers = {"x": "*fp16", "kernel": "*fp16"}
    pointers |= dict.fromkeys(("bias", "of_x", "of_kernel", "out"), "*fp32")
    names = kernel.arg_names
    signature = {
        name: pointers.get(name, "constexpr" if name in constants else "i32") for name in names
    }
    numbers = ("padding", "positions", "length")
    aligned = {
        (at,): [["tt.divisibility", 16]]
        for at, name in enumerate(names)
        if name not in constants and name not in numbers
    }
    values = {(names.index(name),): value for name, value in constants.items()}
    compiled = triton.compile(
        ASTSource(kernel, signature, values, aligned),
        target=GPUTarget("cuda", capability, 32),
        options={"num_warps": WARPS, "num_stages": STAGES},
    )
    assert compiled.metadata.shared <= shared_kib * 1024
    assert ("wgmma" if capability == 90 else "mma.sync") in compiled.asm["ptx"]


def test_processors_have_their_own_way():
    x, kernel, _, _ = operands(width=5, has_bias=False, padding=2, length=LEAST_POSITIONS)
    assert not split_convolution_serves(x, kernel)
    assert not split_products_serve(x.mT, kernel[None, :, :, 0])


@pytest.mark.gpu
def test_compiled_at_the_tower_s_sizes():
    """Closer to float64 than cuDNN's float32, and a position's numbers are the same wherever it lies."""
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    check(errors("cuda"))
    case = {"width": 5, "padding": 2, "has_bias": True, "positive": True}
    x, kernel, bias, padding = operands(**case, length=2000, inputs=768, outputs=896)
    there = [tensor.cuda() for tensor in (x, kernel, bias)]
    assert split_convolution_serves(there[0], there[1])
    found = matmul.convolve(*there, padding=padding)
    assert relative_error(found.cpu(), x, kernel, bias, padding) < 3e-7
    moved = matmul.convolve(there[0][..., 100:1900], *there[1:], padding=padding)
    assert torch.equal(moved[..., 2:-2], found[..., 102:1898])


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(errors("cpu")))

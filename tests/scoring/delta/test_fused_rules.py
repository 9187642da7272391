"""Rules in one pass over memory, in Triton's interpreter and on a GPU, against plain subtraction in float64.

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
from torch import nn
from torch.nn import functional

from enformer_core.models.layers import gelu
from enformer_core.scoring.delta.fused_rules import (
    BLOCK,
    ROW_BLOCK,
    fused_gelu_difference,
    fused_layer_norm_difference,
    fused_relu_difference,
    fused_softplus_difference,
)
from enformer_core.scoring.delta.layer_rules import NormInput, layer_norm_difference

TOLERANCES = {torch.float32: 2e-6, torch.bfloat16: 4e-3}

SIZES = [1e-8, 1e-6, 1e-3, 1.0, 1e3]
"""Of changes, beside activations of order 1."""


def error(found, expected):
    return float((found.double() - expected).norm() / expected.norm())


def norm_of(channels):
    torch.manual_seed(0)
    norm = nn.LayerNorm(channels)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm


def plain(norm, x, d):
    """norm(x + d) − norm(x) by the rule of `layer_rules` in float64, on the processor."""
    wide = norm.to("cpu", torch.float64)
    return layer_norm_difference(wide, NormInput.of(wide, x.double()), d.double(), torch.float64)


def layer_norm_error(size, delta, device, channels=24):
    """Relative L2 error; d is a view with gaps, as the rows of the bins are in the last layer."""
    norm = norm_of(channels)
    x = torch.randn(5, channels)
    d = (size * torch.randn(3, 9, channels))[:, 2:7]
    found = fused_layer_norm_difference(norm.to(device), x.to(device), d.to(device), delta)
    assert found.dtype == delta
    return error(found.cpu(), plain(norm, x, d))


def vanishing_error(device):
    """Of a change that takes nearly all of the variance away."""
    norm = norm_of(24)
    x = torch.randn(5, 24)
    d = -(1 - 1e-3) * x[None]
    found = fused_layer_norm_difference(
        norm.to(device), x.to(device), d.to(device), torch.float32
    ).cpu()
    return error(found, plain(norm, x, d))


def relu_error(size, delta, device):
    """Over more numbers than a step of the kernel takes."""
    torch.manual_seed(1)
    x = torch.randn(7, BLOCK // 4)
    d = (size * torch.randn(2, 7, BLOCK // 4)).to(delta)
    # a clone, for it is written over
    found = fused_relu_difference(x.to(device), d.clone().to(device)).cpu()
    assert found.dtype == delta
    expected = functional.relu(x.double() + d.double()) - functional.relu(x.double())
    return error(found, expected)


def along_bins(size, delta, columns=ROW_BLOCK + 40):
    """Activations of order 1 and 30, beyond which exponentials are infinite or nothing, and changes with gaps."""
    torch.manual_seed(2)
    x = torch.randn(6, columns)
    x[3:] *= 30.0
    d = (size * torch.randn(6, columns + 3)).to(delta)[:, :columns]
    return x, d


def gelu_error(size, delta, device, *, scaled):
    x, d = along_bins(size, delta)
    scale = torch.rand(x.shape[1]) + 0.5 if scaled else None
    found = fused_gelu_difference(
        x.to(device), d.to(device), delta, scale=scale.to(device) if scaled else None
    )
    assert found.dtype == delta
    moved = d.double() * scale.double() if scaled else d.double()
    return error(found.cpu(), gelu(x.double() + moved) - gelu(x.double()))


def softplus_error(size, delta, device):
    x, d = along_bins(size, delta)
    found = fused_softplus_difference(x.to(device), d.to(device)).cpu()
    assert found.dtype == torch.float32
    return error(found, softplus(x.double() + d.double()) - softplus(x.double()))


def softplus(x):
    # torch's own takes x itself above 20
    return torch.logaddexp(x, torch.zeros_like(x))


@torch.no_grad()
def errors(device):
    """Of all rules, sizes and number formats."""
    found = {"vanishing": vanishing_error(device)}
    for delta in TOLERANCES:
        for size in SIZES:
            found[f"layer norm {delta} {size}"] = layer_norm_error(size, delta, device)
            found[f"relu {delta} {size}"] = relu_error(size, delta, device)
            for scaled in (False, True):
                name = f"gelu {delta} {size} {scaled}"
                found[name] = gelu_error(size, delta, device, scaled=scaled)
            found[f"softplus {delta} {size}"] = softplus_error(size, delta, device)
    return found


def check(found):
    assert len(found) == 1 + 2 * 5 * len(SIZES)
    for name, value in found.items():
        tolerance = TOLERANCES[torch.bfloat16 if "bfloat16" in name else torch.float32]
        # of what is left, a thousandth of the variance, float32 keeps three digits less
        assert value <= (1e-4 if name == "vanishing" else tolerance), name  # false for NaN


@pytest.mark.skipif(
    importlib.util.find_spec("triton") is None,
    reason="Triton is not installed: pip install -e '.[dev]'",
)
def test_rules_are_plain_subtraction():
    root = Path(__file__).parents[3]
    environment = os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, __file__], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    check(json.loads(done.stdout))


@pytest.mark.gpu
def test_compiled_rules_are_plain_subtraction():
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    check(errors("cuda"))


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(errors("cpu")))

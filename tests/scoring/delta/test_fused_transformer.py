"""The transformer with the fused kernels, in Triton's interpreter and on a GPU, against the one without, in float64.

Run as a script, the file prints relative errors: Triton reads TRITON_INTERPRET when it is imported.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from enformer_core.scoring.delta import transformer
from enformer_core.scoring.delta.fused_reference import FORMATS
from enformer_core.scoring.delta.kernel_trial import try_kernels
from enformer_core.scoring.precision import Arithmetic
from tests.support.small_models import small_enformer

BINS = range(3, 17)

CASES = {
    "of order 1": (1.0, 1.0, torch.float32),
    # float16 ends at 65,504, and below 6e-5 it has fewer digits
    "tiny": (1.0, 1e-7, torch.float16),
    "huge": (500.0, 400.0, torch.float16),
    "common part": (1.0, 0.1, torch.bfloat16),
}
"""Sizes of the reference's tokens and of changes, and the number format of these."""

ALTS = 1

TOLERANCES = {torch.float32: 5e-5, torch.float16: 4e-3, torch.bfloat16: 0.03}


def model_of(case):
    """A small model; one whose keys and values have much in common over all tokens, where that is the case."""
    model = small_enformer()
    if case == "common part":
        torch.manual_seed(1)
        for layer in model.transformer:
            layer.attention_norm.bias.normal_(0, 20)
            # which queries see little of, lest one key take all of them
            layer.attention.to_q.weight.mul_(0.1)
    return model


def operands(case):
    """Some alts, each with changes a tenth of those of the one before."""
    torch.manual_seed(0)
    of_reference, of_change, _ = CASES[case]
    x = of_reference * torch.randn(48, 24)
    d = torch.zeros(ALTS, 48, 24)
    for alt in range(ALTS):
        changed = slice(20 + alt, 24 + alt)
        d[alt, changed] = of_change * torch.randn(4, 24) * 0.1**alt
    return x, d


def differences(case, arithmetic, device="cpu"):
    """Differences of the prediction, in float64 on the processor."""
    x, d = operands(case)
    model = model_of(case).to(device, arithmetic.reference)
    x = x.to(device, arithmetic.reference)
    d = d.to(device, arithmetic.reference)
    with torch.inference_mode():
        trunk = transformer.DeltaTransformer(model.blocks().trunk, "human", None, arithmetic)
        _, found = trunk.propagate(x, d, BINS)
        return torch.stack([profile.double().cpu() for profile in found])


def errors(device):
    """Relative L2 errors of the worst alt of each case."""
    found = {}
    for case, (_, _, delta) in CASES.items():
        truth = differences(case, Arithmetic(torch.float64, torch.float64))
        moved = differences(case, Arithmetic(delta=delta), device)
        error = (moved - truth).flatten(1).norm(dim=1) / truth.flatten(1).norm(dim=1)
        found[case] = float(error.max())
    return found


def check(found):
    assert found.keys() == CASES.keys()
    for case, value in found.items():
        assert value < TOLERANCES[CASES[case][2]], case  # false for NaN


@pytest.mark.skipif(
    importlib.util.find_spec("triton") is None,
    reason="Triton is not installed: pip install -e '.[dev]'",
)
def test_the_fused_kernels_change_nothing():
    root = Path(__file__).parents[3]
    environment = os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, __file__], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    check(json.loads(done.stdout))


@pytest.mark.gpu
def test_compiled_kernels_change_nothing():
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    check(errors("cuda"))


if __name__ == "__main__":
    torch.set_num_threads(1)
    # what is tried on a device before it is used must be right, or it would never be used
    for delta in FORMATS:
        try_kernels(delta, torch.device("cpu"))
    print(json.dumps(errors("cpu")))

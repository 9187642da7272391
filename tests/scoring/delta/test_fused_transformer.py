"""The transformer with the fused kernel, in Triton's interpreter, against the one without.

Run as a script, the file prints the largest relative error: Triton reads TRITON_INTERPRET when it is imported.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from enformer_core.scoring.delta import fused_rules, transformer
from enformer_core.scoring.precision import Arithmetic
from tests.support.small_models import small_enformer


def differences(*, fused):
    """Differences of ten alts, more than one call of the kernel serves."""
    fused_rules.fused_attention_available = lambda device: fused
    torch.manual_seed(0)
    x = torch.randn(48, 24)
    d = torch.zeros(10, 48, 24)
    for alt in range(10):
        d[alt, 20 + alt : 24 + alt] = torch.randn(4, 24) * 10.0 ** (alt % 3 - 1)
    with torch.inference_mode():
        blocks = small_enformer().float().blocks()
        trunk = transformer.DeltaTransformer(blocks.trunk, "human", None, Arithmetic())
        _, found = trunk.propagate(x, d, range(3, 17))
        return torch.stack([profile.double() for profile in found])


@pytest.mark.skipif(
    importlib.util.find_spec("triton") is None,
    reason="Triton is not installed: pip install -e '.[dev]'",
)
def test_the_fused_kernel_changes_nothing():
    root = Path(__file__).parents[3]
    environment = os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, __file__], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 5e-5


if __name__ == "__main__":
    plain, fused = differences(fused=False), differences(fused=True)
    print(max(((f - p).norm() / p.norm()).item() for f, p in zip(fused, plain, strict=True)))

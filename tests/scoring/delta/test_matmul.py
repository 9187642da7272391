"""Products in float32 made of three in TF32: their parts on any machine, the products themselves where a GPU is."""

import numpy as np
import pytest
import torch

from enformer_core.scoring.delta import matmul

TF32_STEP = 2.0**-10


def as_tf32(x):
    """What tensor cores read: the leading 11 bits, the rest cut off."""
    return (x.view(torch.int32) & -(1 << 13)).view(torch.float32)


def test_the_parts_of_a_number_are_all_of_it():
    torch.manual_seed(0)
    x = torch.randn(200, 30) * 10.0 ** torch.randint(-20, 20, (200, 30))
    high, again, low = matmul._split(x, -1).split(30, dim=-1)
    torch.testing.assert_close(high + low, x, rtol=0, atol=0)
    torch.testing.assert_close(high, again, rtol=0, atol=0)
    torch.testing.assert_close(as_tf32(high), high, rtol=0, atol=0)
    assert (low.abs() <= TF32_STEP / 2 * x.abs()).all()


@pytest.mark.parametrize("axis", [-1, 0])
def test_three_products_are_one_in_float32(axis):
    torch.manual_seed(1)
    x, weight = torch.randn(64, 500), torch.randn(40, 500)
    if axis == 0:
        x, weight = x.mT.contiguous(), weight.mT.contiguous()
    parts = as_tf32(matmul._split(x, axis))
    weights = as_tf32(matmul._split(weight, axis, as_weight=True))
    if axis == 0:
        x, weight, parts, weights = x.mT, weight.mT, parts.mT, weights.mT
    found = (parts.double() @ weights.double().mT).numpy()
    truth = (x.double() @ weight.double().mT).numpy()
    one = (as_tf32(x).double() @ as_tf32(weight).double().mT).numpy()
    error, of_tf32 = (np.linalg.norm(each - truth) / np.linalg.norm(truth) for each in (found, one))
    assert error < 1e-6
    assert of_tf32 > 1e-4


@pytest.mark.gpu
@pytest.mark.parametrize("width", [1, 5])
def test_products_on_a_gpu_are_those_of_float32(width):
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    torch.manual_seed(2)
    x, kernel = torch.randn(1, 700, 900), torch.randn(300, 700, width)
    there = matmul.convolve(x.cuda(), kernel.cuda(), padding=width // 2).cpu().double()
    truth = torch.nn.functional.conv1d(x.double(), kernel.double(), padding=width // 2)
    assert ((there - truth).norm() / truth.norm()).item() < 2e-6
    rows = torch.randn(3, 50, 700)
    of_heads = matmul.products(rows.cuda(), rows.cuda()).cpu().double()
    expected = rows.double() @ rows.double().mT
    assert ((of_heads - expected).norm() / expected.norm()).item() < 2e-6

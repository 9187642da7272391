"""The rules of GELUs with a tanh and of maxima over any number, against arithmetic of 60 digits."""

import mpmath
import pytest
import torch
from torch.nn import functional

from enformer_core.scoring.delta.layer_rules import max_pool_difference, tanh_gelu_difference


def exact_gelu(x):
    slope = mpmath.sqrt(2 / mpmath.pi)
    return x / 2 * (1 + mpmath.tanh(slope * (x + mpmath.mpf("0.044715") * x**3)))


def exact_differences(x, d):
    with mpmath.workdps(60):
        return torch.tensor(
            [
                float(exact_gelu(mpmath.mpf(one) + mpmath.mpf(by)) - exact_gelu(mpmath.mpf(one)))
                for one, by in zip(x.tolist(), d.tolist(), strict=True)
            ],
            dtype=torch.float64,
        )


@pytest.mark.parametrize(("dtype", "digits"), [(torch.float32, 2e-7), (torch.float64, 4e-16)])
@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e-2, 1.0, 30.0, 1e4])
def test_a_gelus_change_keeps_its_digits_at_any_size(dtype, digits, scale):
    torch.manual_seed(0)
    x = (3 * torch.randn(120, dtype=torch.float64)).to(dtype)
    d = (scale * torch.randn(120, dtype=torch.float64)).to(dtype)
    found = tanh_gelu_difference(x, d)
    assert found.dtype == dtype
    expected = exact_differences(x, d)
    # of each by itself; where the slope passes through 0 what is left of d is as exact as d
    error = (found.double() - expected).abs()
    least = torch.minimum(expected.abs(), d.double().abs())
    assert (error <= 8 * digits * torch.maximum(least, 0.2 * d.double().abs().clamp(max=1))).all()
    assert error.norm() <= 2 * digits * expected.norm()


@pytest.mark.parametrize(
    ("x", "d"), [(3.0, -1e3), (-1e3, 1003.0), (-1e3, 997.0), (-3.0, -1e3), (1e4, 1e-3), (4.0, 1e-9)]
)
def test_where_a_large_change_meets_a_large_number(x, d):
    one, by = torch.tensor([x]), torch.tensor([d])
    (expected,) = exact_differences(one, by).tolist()
    assert tanh_gelu_difference(one, by).item() == pytest.approx(expected, rel=2e-6)


def test_no_change_is_none():
    x = torch.linspace(-40, 40, 200)
    assert not tanh_gelu_difference(x, torch.zeros_like(x)).any()


@pytest.mark.parametrize("pool", [1, 2, 3, 8])
@pytest.mark.parametrize("scale", [1e-9, 1e-2, 3.0])
def test_maxima_over_any_number(pool, scale):
    torch.manual_seed(1)
    x = torch.randn(2, 3, 24, dtype=torch.float64)
    d = scale * torch.randn(2, 3, 24, dtype=torch.float64)
    found = max_pool_difference(x, d, pool)
    plain = functional.max_pool1d(x + d, pool) - functional.max_pool1d(x, pool)
    assert (found - plain).abs().max() < 1e-14
    # where one leads by far, its change is the maximum's, to the last bit
    leads = torch.full_like(x, -100.0)
    leads[..., ::pool] = 1.1
    assert torch.equal(max_pool_difference(leads.float(), d.float(), pool), d.float()[..., ::pool])

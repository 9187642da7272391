"""The routines of a tower's reference against the definition of a convolution."""

import pytest
import torch
from torch.nn import functional

from enformer_core.scoring.delta.minimal_filter import FEWEST_POSITIONS, TILES, MinimalFilter
from enformer_core.scoring.delta.packed_product import PackedProduct
from enformer_core.scoring.delta.reference_convolution import ReferenceConvolution


def by_definition(x, kernel, bias):
    """The convolution in float64, of rows that are positions."""
    result = functional.conv1d(x.double().T, kernel.double(), padding=kernel.shape[-1] // 2)
    return result.T if bias is None else result.T + bias.double()


# less than a tile, tiles that are not full, and more than one block of them
@pytest.mark.parametrize("length", [1, 3, 4, 5, 66, 4 * TILES + 7])
@pytest.mark.parametrize("has_bias", [True, False])
def test_minimal_filter_is_the_convolution(length, has_bias):
    torch.manual_seed(0)
    x = torch.randn(length, 6, dtype=torch.float64)
    kernel = torch.randn(7, 6, 5, dtype=torch.float64)
    bias = torch.randn(7, dtype=torch.float64) if has_bias else None
    filtered = MinimalFilter(kernel)(x, bias)
    torch.testing.assert_close(filtered, by_definition(x, kernel, bias), rtol=1e-12, atol=1e-12)


def test_minimal_filter_in_float32_loses_little():
    torch.manual_seed(1)
    x = torch.randn(512, 256)
    kernel = torch.randn(256, 256, 5)
    expected = by_definition(x, kernel, None)
    error = MinimalFilter(kernel)(x, None) - expected
    assert error.norm() < 1e-6 * expected.norm()


def test_minimal_filter_of_nothing_is_nothing():
    """An N is all zeros, and so must be what the kernel makes of it: without a bias, exactly."""
    kernel = torch.randn(8, 8, 5)
    assert not MinimalFilter(kernel)(torch.zeros(100, 8), None).any()


def test_packed_products_of_any_number_of_rows():
    torch.manual_seed(2)
    weight = torch.randn(48, 33)
    product = PackedProduct(weight)
    for rows in (1, 7, 300):
        # every second row: not together in memory
        x = torch.randn(2 * rows, 33)[::2]
        torch.testing.assert_close(product(x), x @ weight.T)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("width", [1, 5, 7, 11, 15])
@pytest.mark.parametrize("length", [FEWEST_POSITIONS - 1, FEWEST_POSITIONS + 1])
def test_reference_convolutions_of_any_width(dtype, width, length):
    torch.manual_seed(3)
    x = torch.randn(2, 6, length, dtype=dtype)
    kernel = torch.randn(8, 6, width, dtype=dtype)
    for bias in (None, torch.randn(8, dtype=dtype)):
        convolution = ReferenceConvolution(kernel, bias)
        expected = functional.conv1d(x, kernel, bias, padding=width // 2)
        torch.testing.assert_close(convolution(x), expected, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(convolution(x[:1]), expected[:1], rtol=1e-4, atol=1e-4)

"""Two ways of one product."""

import pytest
import torch

from enformer_core.scoring.delta import matmul


@pytest.fixture
def threads():
    """Sets the number of threads, which is put back at the end."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize(("width", "padding"), [(1, 0), (5, 2), (5, 4), (15, 7)])
@pytest.mark.parametrize("has_bias", [True, False])
def test_a_convolution_of_few_positions_is_that_of_many(width, padding, has_bias):
    torch.manual_seed(0)
    x = torch.randn(3, 7, 20, dtype=torch.float64)
    kernel = torch.randn(11, 7, width, dtype=torch.float64)
    bias = torch.randn(11, dtype=torch.float64) if has_bias else None
    few = matmul._convolve_few(x, kernel, bias, padding)
    torch.testing.assert_close(few, matmul.convolve(x, kernel, bias, padding=padding))


def test_products_of_heads():
    torch.manual_seed(1)
    x = torch.randn(2, 5, 4, dtype=torch.float64)
    y = torch.randn(2, 6, 4, dtype=torch.float64)
    torch.testing.assert_close(matmul.products(x, y), x @ y.mT)
    torch.testing.assert_close(matmul.products(x[:1], y[:1]), x[:1] @ y[:1].mT)


@pytest.mark.parametrize("outputs", [16, 17])
@pytest.mark.parametrize("has_bias", [True, False])
def test_linear_on_one_thread_and_on_several(outputs, has_bias, threads):
    torch.manual_seed(2)
    x = torch.randn(5, 4, dtype=torch.float64)
    weight = torch.randn(outputs, 4, dtype=torch.float64)
    bias = torch.randn(outputs, dtype=torch.float64) if has_bias else None
    expected = torch.nn.functional.linear(x, weight, bias)
    for count in (1, 2):
        threads(count)
        torch.testing.assert_close(matmul.linear(x, weight, bias), expected)

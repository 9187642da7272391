"""Convolutions of width 5 with 8 products for 4 outputs, where the definition takes 20.

This is minimal filtering, F(4, 5) (Winograd, Arithmetic Complexity of Computations, 1980; for networks: Lavin and Gray,
CVPR 2016). Eight inputs x₀ … x₇ and a kernel k₀ … k₄ give four outputs y_i = Σ_j x_{i+j} k_j. As polynomials are
multiplied by their values at points, so here: with the points p of `POINTS` and infinity as the eighth,

    v = Bᵀ x,  u = G k,  y = Aᵀ (u ∘ v)

Bᵀ has in row p the coefficients of Π (t − q) over the other points q, and in the last those over all; G has in row p
the powers of p divided by Π (p − q), and in the last (0, 0, 0, 0, 1); Aᵀ has in column p the powers of p, in the last
(0, 0, 0, 1). All numbers of Bᵀ and Aᵀ are exact in binary; u is made in float64 and rounded once. Of random numbers the
error in float32 is 8e-7 of the result, as is that of oneDNN's convolution; three products of bfloat16 leave 3e-6.

With channels, u ∘ v becomes eight matrix products. Does not know layers.
"""

from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from enformer_core.scoring.delta.packed_product import PackedProduct

WIDTH = 5
OUTPUTS = 4
"""Outputs of a tile; the next tile begins as many positions further right."""
POINTS = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5)
"""Where the polynomials are evaluated, beside infinity. Numbers near 1 keep the rounding small."""
INPUTS = OUTPUTS + WIDTH - 1

TILES = 256
"""Tiles of a block: with 768 channels, v and u ∘ v are 6 MB each, which a cache shared by cores holds."""

FEWEST_POSITIONS = 64
"""Of fewer positions, eight small products take as long as one convolution."""


class MinimalFilter:
    """A convolution of width 5 whose kernel is prepared once.

    Args:
        kernel: as `torch.nn.functional.conv1d` takes it, 5 wide.
    """

    def __init__(self, kernel: Float[Tensor, "outputs inputs 5"]) -> None:
        _, to_products, _ = _matrices()
        exact = kernel.double()
        u = torch.einsum("pj,oij->poi", to_products.to(kernel.device), exact)
        self._products = [PackedProduct(of_point) for of_point in u.to(kernel.dtype)]
        self._outputs = len(kernel)

    def __call__(
        self,
        x: Float[Tensor, "length inputs"],
        bias: Float[Tensor, " outputs"] | None,
    ) -> Float[Tensor, "length outputs"]:
        """As many positions as x has, with zeros beyond its ends; each channel is a column."""
        length, channels = x.shape
        tiles = -(-length // OUTPUTS)
        # two zeros for the kernel's reach on the left; on the right these and what fills the last tile
        filled = functional.pad(x, (0, 0, 2, tiles * OUTPUTS - length + 2))
        # tile t's inputs are the positions from 4 t on; they overlap, and nothing is copied
        inputs = filled.as_strided((tiles, INPUTS, channels), (OUTPUTS * channels, channels, 1))
        result = x.new_empty(tiles, OUTPUTS, self._outputs)
        for first in range(0, tiles, TILES):
            block = slice(first, first + TILES)
            self._write(inputs[block], bias, result[block])
        return result.flatten(0, 1)[:length]

    def _write(
        self,
        inputs: Float[Tensor, "tiles 8 inputs"],
        bias: Float[Tensor, " outputs"] | None,
        result: Float[Tensor, "tiles 4 outputs"],
    ) -> None:
        to_inputs, _, to_outputs = (matrix.to(inputs.dtype) for matrix in _matrices())
        tiles = len(inputs)
        v = to_inputs.expand(tiles, INPUTS, INPUTS) @ inputs
        multiplied = inputs.new_empty(tiles, INPUTS, self._outputs)
        for point, product in enumerate(self._products):
            multiplied[:, point] = product(v[:, point])
        every = to_outputs.expand(tiles, OUTPUTS, INPUTS)
        if bias is None:
            torch.bmm(every, multiplied, out=result)
        else:
            torch.baddbmm(bias, every, multiplied, out=result)


@cache
def _matrices() -> tuple[
    Float[Tensor, "8 8"],
    Float[Tensor, "8 5"],
    Float[Tensor, "4 8"],
]:
    """Bᵀ, G and Aᵀ, in float64."""
    inputs = np.zeros((INPUTS, INPUTS))
    kernel = np.zeros((INPUTS, WIDTH))
    outputs = np.zeros((OUTPUTS, INPUTS))
    for row, point in enumerate(POINTS):
        others = POINTS[:row] + POINTS[row + 1 :]
        # np.poly begins with the highest power
        inputs[row, : len(POINTS)] = np.poly(others)[::-1]
        kernel[row] = point ** np.arange(WIDTH) / np.prod(np.subtract(point, others))
        outputs[:, row] = point ** np.arange(OUTPUTS)
    # the point at infinity sees the highest power alone
    inputs[-1] = np.poly(POINTS)[::-1]
    kernel[-1, -1] = 1
    outputs[-1, -1] = 1
    return torch.from_numpy(inputs), torch.from_numpy(kernel), torch.from_numpy(outputs)

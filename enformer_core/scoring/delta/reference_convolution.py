"""The convolutions of a tower's reference: most of what a variant with a window of its own costs.

Each kernel is prepared once for the routine that is the fastest on this hardware and as exact as float32. Does not know
levels.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from enformer_core.scoring.delta import minimal_filter
from enformer_core.scoring.delta.matmul import convolve
from enformer_core.scoring.delta.minimal_filter import MinimalFilter
from enformer_core.scoring.delta.packed_product import PackedProduct

Wide = Float[Tensor, "batch channels length"]

Kernel = Float[Tensor, "outputs inputs width"]

Bias = Float[Tensor, " outputs"]


class ReferenceConvolution:
    """A convolution that keeps the length, with zeros beyond the ends.

    On CPUs kernels of width 5 take 8 products in place of 20 (`minimal_filter`), and those of width 1 are one product
    with a packed weight; all others, and those on GPUs, go to `convolve`.

    Args:
        kernel: of odd width.
        bias: what is added to each output.

    Attributes:
        kernel: as given.
        bias: as given.
    """

    def __init__(self, kernel: Kernel, bias: Bias | None) -> None:
        self.kernel = kernel
        self.bias = bias
        self._filter: MinimalFilter | None = None
        self._product: PackedProduct | None = None
        if kernel.device.type == "cpu":
            width = kernel.shape[-1]
            if width == minimal_filter.WIDTH:
                self._filter = MinimalFilter(kernel)
            if width == 1:
                self._product = PackedProduct(kernel[..., 0])

    @property
    def reach(self) -> int:
        """How far it sees to either side."""
        return self.kernel.shape[-1] // 2

    def __call__(self, x: Wide) -> Float[Tensor, "batch outputs length"]:
        """The convolution of each sequence; in the result channels lie together in memory."""
        if self._product is not None:
            product = self._product(x.mT.flatten(0, 1))
            if self.bias is not None:
                product += self.bias
            return product.unflatten(0, (len(x), -1)).mT
        if self._filter is not None and x.shape[-1] >= minimal_filter.FEWEST_POSITIONS:
            # of one sequence, which is the usual case, nothing is copied
            if len(x) == 1:
                return self._filter(x[0].T, self.bias).T[None]
            return torch.stack([self._filter(sequence.T, self.bias) for sequence in x]).mT
        return convolve(x, self.kernel, self.bias, padding=self.reach)


def inputs_together(kernel: Kernel) -> Kernel:
    """The kernel with its inputs together in memory, as convolutions of such sequences read it."""
    return kernel.mT.contiguous().mT

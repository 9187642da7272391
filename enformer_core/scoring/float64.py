"""A model of float32 that computes in float64 for a while, one layer's weights at a time.

Its weights are the same numbers, widened when a layer begins and let go of when it ends: a whole copy of a model would
take twice the memory of its weights. Does not know what is predicted.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def in_float64(model: object) -> Iterator[None]:
    """Let a model on a float64 input compute in float64 to the end.

    Its parameters and buffers are replaced while their module runs, not changed: whoever shares them sees nothing of
    it. One thread at a time may use the model meanwhile.

    Args:
        model: of modules with weights in float32; one that is no module is left as it is.
    """
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    handles = []
    for module in modules:
        widened = _Widened(module)
        if widened.has_any:
            handles.append(module.register_forward_pre_hook(widened.begin))
            # also after an error, so that nothing of it stays
            handles.append(module.register_forward_hook(widened.end, always_call=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Widened:
    """The tensors that one module reads while it runs, and that nothing around it has widened yet."""

    def __init__(self, module: nn.Module) -> None:
        self._readers = [module, *_leaves_read_by(module)]
        self._kept: list[tuple[dict[str, Any], str, Tensor]] = []

    @property
    def has_any(self) -> bool:
        return any(True for _ in self._narrow())

    def _narrow(self) -> Iterator[tuple[dict[str, Any], str, Tensor]]:
        for module in self._readers:
            for tensors in (module._parameters, module._buffers):
                for name, tensor in tensors.items():
                    if tensor is not None and tensor.dtype == torch.float32:
                        yield tensors, name, tensor

    def begin(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        del module, inputs
        self._kept = list(self._narrow())
        for tensors, name, tensor in self._kept:
            wide = tensor.detach().double()
            is_parameter = isinstance(tensor, nn.Parameter)
            tensors[name] = nn.Parameter(wide, requires_grad=False) if is_parameter else wide

    def end(self, module: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
        del module, inputs, output
        for tensors, name, tensor in self._kept:
            tensors[name] = tensor
        self._kept = []


def _leaves_read_by(module: nn.Module) -> Iterator[nn.Module]:
    """Children without children: a module may read their weights without running them, as a head's are."""
    for child in module.children():
        is_list = isinstance(child, nn.ModuleList | nn.ModuleDict)
        if is_list:
            yield from _leaves_read_by(child)
        elif not any(True for _ in child.children()):
            yield child

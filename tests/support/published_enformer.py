"""A small Enformer whose tensors bear the published names, as files of weights hold them."""

from pathlib import Path

import torch
from torch import Tensor

from enformer_core.models.enformer import Enformer
from enformer_core.models.weights.check import load_parameters
from enformer_core.models.weights.huggingface import ENFORMER_NAMES, load_named
from enformer_core.models.weights.tensor_files import read_tensors
from tests.support.seeded import our_names, tiny_config

TRUNK = {
    "stem": "_trunk.1",
    "conv_tower": "_trunk.2",
    "transformer": "_trunk.4",
    "final_pointwise": "_trunk.6",
}


COUNTER = "num_batches_tracked"


def read(source: Path | str) -> dict[str, Tensor]:
    """Parameters of a source under our names."""
    return load_named(read_tensors(source), ENFORMER_NAMES).state


def parameters(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """What is to be read from files with `state`."""
    return our_names({name: tensor for name, tensor in state.items() if COUNTER not in name})


def alias(name: str) -> str:
    room, _, rest = name.partition(".")
    return f"{TRUNK[room]}.{rest}" if room in TRUNK else name


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def meta_model() -> Enformer:
    with torch.device("meta"):
        return Enformer(tiny_config())


def load(state: dict[str, Tensor]) -> Enformer:
    """A model with tensors that a file names as published."""
    model = meta_model()
    load_parameters(model, our_names(state), source="w.bin", published=ENFORMER_NAMES.published)
    return model

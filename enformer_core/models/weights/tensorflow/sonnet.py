"""DeepMind's Sonnet checkpoint of Enformer: which of its variables is which of our parameters.

Variables are found by their object paths: the names of the variables do not tell a mean from a variance. Sonnet keeps
channels last, PyTorch keeps outputs first. Source: google-deepmind/deepmind-research, enformer/enformer.py, restored by
`tf.train.Checkpoint(module=enformer.Enformer())`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from enformer_core.errors import InputError, first_few
from enformer_core.models.weights.loaded import TRAINING, LoadedWeights
from enformer_core.models.weights.tensorflow.tensor_bundle import TensorBundle
from enformer_core.words import counted

if TYPE_CHECKING:
    from torch import Tensor
else:
    Tensor = Any  # whoever only plans or reads runs needs no torch

Transform = Callable[[np.ndarray], np.ndarray]


class Rule(NamedTuple):
    """One parameter: our name, its object path, and the function from Sonnet's values to ours."""

    ours: str
    path: str
    transform: Transform


@dataclass(frozen=True)
class SonnetTree:
    """A model's tree of Sonnet modules.

    Attributes:
        rules: from all names of a checkpoint to a rule for each parameter; blocks and layers are counted in the names,
            and whether there are as many as the model has is checked later.
        mark: what only this model's names begin with.
    """

    rules: Callable[[Iterable[str]], Iterator[Rule]]
    mark: re.Pattern[str]

    def load(self, bundle: TensorBundle) -> LoadedWeights:
        """Read every variable that is a parameter, as a float32 tensor.

        Sonnet has no counters of batches, so that no `num_batches_tracked` is among them.

        Raises:
            InputError: A file is truncated or damaged; an object path is unknown or missing.
        """
        rules = tuple(self.rules(bundle.entries))
        _check_paths(bundle, {rule.path + _SUFFIX for rule in rules})
        ignored = [name for name in bundle.entries if _IGNORED.fullmatch(name)]
        return LoadedWeights(
            state={
                rule.ours: _tensor(rule.transform(bundle.read(rule.path + _SUFFIX)))
                for rule in rules
            },
            names={rule.path: rule.ours for rule in rules},
            left_out={name.removesuffix(_SUFFIX): TRAINING for name in ignored},
        )


_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"

# What training needs and inference does not: the running sums behind a moving average, the object graph (a string),
# and the number of times that the checkpoint was saved.
_IGNORED = re.compile(
    rf".*/moving_(mean|variance)/_(counter|hidden){_SUFFIX}|_CHECKPOINTABLE_OBJECT_GRAPH|save_counter{_SUFFIX}"
)


def _check_paths(bundle: TensorBundle, wanted: set[str]) -> None:
    present = {name for name in bundle.entries if not _IGNORED.fullmatch(name)}
    parts = [
        f"{what} {counted(len(paths), 'object paths')} ({_listed(paths)})"
        for what, paths in (("lacks", wanted - present), ("has the unknown", present - wanted))
        if paths
    ]
    if parts:
        index = bundle.files[0]
        raise InputError(
            f"{index}: {' and '.join(parts)}. Is it tf.train.Checkpoint(module=Enformer()).save(…)?"
        )


def _listed(paths: set[str]) -> str:
    return first_few([path.removesuffix(_SUFFIX) for path in sorted(paths)])


def _tensor(values: np.ndarray) -> Tensor:
    import torch  # noqa: PLC0415

    return torch.from_numpy(np.array(values, order="C"))  # a copy: what was read is read-only


# Enformer, from its letters to its heads: our names on the left, theirs on the right.

_TRUNK = "module/_trunk/_layers"

_TOWER_BLOCK = re.compile(rf"{_TRUNK}/1/_layers/(\d+)/")

_LAYER = re.compile(rf"{_TRUNK}/2/_layers/(\d+)/")

_HEAD = re.compile(r"module/_heads/(\w+)/")


def _enformer_rules(names: Iterable[str]) -> Iterator[Rule]:
    yield from _convolution("stem.conv", f"{_TRUNK}/0/_layers/0")
    yield from _pointwise_and_pool("stem", f"{_TRUNK}/0/_layers")
    for number in _numbers(_TOWER_BLOCK, names):
        level = f"{_TRUNK}/1/_layers/{number}/_layers"
        yield from _conv_block(f"tower.{number}.conv_block", f"{level}/0/_layers")
        yield from _pointwise_and_pool(f"tower.{number}", level)
    for number in _numbers(_LAYER, names):
        yield from _transformer_layer(
            f"transformer.{number}", f"{_TRUNK}/2/_layers/{number}/_layers"
        )
    yield from _conv_block("final", f"{_TRUNK}/4/_layers/0/_layers")
    for head in sorted({match[1] for match in map(_HEAD.match, names) if match}):
        yield from _linear(f"heads.{head}", f"module/_heads/{head}/_layers/0")


def _numbers(pattern: re.Pattern[str], names: Iterable[str]) -> range:
    """0 to the highest number in use: a gap between is missing."""
    used = [int(match[1]) for match in map(pattern.match, names) if match]
    return range(max(used, default=-1) + 1)


def _transformer_layer(ours: str, theirs: str) -> Iterator[Rule]:
    attention = f"{theirs}/0/_module/_layers"
    yield from _norm(f"{ours}.attention_norm", f"{attention}/0")
    yield from _attention(f"{ours}.attention", f"{attention}/1")
    perceptron = f"{theirs}/1/_module/_layers"
    yield from _norm(f"{ours}.mlp_norm", f"{perceptron}/0")
    yield from _linear(f"{ours}.mlp.up", f"{perceptron}/1")
    yield from _linear(f"{ours}.mlp.down", f"{perceptron}/4")


def _attention(ours: str, theirs: str) -> Iterator[Rule]:
    yield Rule(f"{ours}.to_q.weight", f"{theirs}/_q_layer/w", np.transpose)
    yield Rule(f"{ours}.to_k.weight", f"{theirs}/_k_layer/w", np.transpose)
    yield Rule(f"{ours}.to_v.weight", f"{theirs}/_v_layer/w", np.transpose)
    yield Rule(f"{ours}.to_rel_k.weight", f"{theirs}/_r_k_layer/w", np.transpose)
    yield from _linear(f"{ours}.to_out", f"{theirs}/_embedding_layer")
    yield Rule(f"{ours}.rel_content_bias", f"{theirs}/_r_w_bias", _unchanged)
    yield Rule(f"{ours}.rel_pos_bias", f"{theirs}/_r_r_bias", _unchanged)


def _pointwise_and_pool(ours: str, theirs: str) -> Iterator[Rule]:
    yield from _conv_block(f"{ours}.pointwise", f"{theirs}/1/_module/_layers")
    yield Rule(
        f"{ours}.pool.to_attn_logits.weight", f"{theirs}/2/_logit_linear/w", _pointwise_kernel
    )


def _conv_block(ours: str, theirs: str) -> Iterator[Rule]:
    yield from _norm(f"{ours}.norm", f"{theirs}/0")
    # The averages have the shape (1, 1, channels).
    yield Rule(f"{ours}.norm.running_mean", f"{theirs}/0/moving_mean/average", np.ravel)
    yield Rule(f"{ours}.norm.running_var", f"{theirs}/0/moving_variance/average", np.ravel)
    yield from _convolution(f"{ours}.conv", f"{theirs}/2")


def _norm(ours: str, theirs: str) -> Iterator[Rule]:
    yield Rule(f"{ours}.weight", f"{theirs}/scale", _unchanged)
    yield Rule(f"{ours}.bias", f"{theirs}/offset", _unchanged)


def _linear(ours: str, theirs: str) -> Iterator[Rule]:
    # (inputs, outputs) to (outputs, inputs)
    yield Rule(f"{ours}.weight", f"{theirs}/w", np.transpose)
    yield Rule(f"{ours}.bias", f"{theirs}/b", _unchanged)


_convolution = _linear  # (width, inputs, outputs): the reverse of PyTorch's order too


def _pointwise_kernel(values: np.ndarray) -> np.ndarray:
    """(inputs, outputs) to (outputs, inputs, 1, 1), the kernel of a convolution in two dimensions."""
    return values.T[:, :, None, None]


def _unchanged(values: np.ndarray) -> np.ndarray:
    return values


ENFORMER_TREE = SonnetTree(
    rules=_enformer_rules, mark=re.compile(rf"{_TRUNK}/[12]/_layers/\d+/_layers/\d+/")
)

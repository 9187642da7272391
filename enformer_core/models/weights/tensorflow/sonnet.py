"""DeepMind's Sonnet checkpoint of Enformer as tensors under our parameter names.

Variables are found by their object paths: the names of the variables do not tell a mean from a variance. Sonnet keeps
channels last, PyTorch keeps outputs first. Knows paths and transpositions; the file format is `tensor_bundle`'s, and
whether the tensors fit a model is `check`'s. Source: google-deepmind/deepmind-research, enformer/enformer.py, restored
by `tf.train.Checkpoint(module=enformer.Enformer())`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from enformer_core.errors import InputError
from enformer_core.models.weights.check import TRAINING, Reading
from enformer_core.models.weights.tensorflow.tensor_bundle import TensorBundle, open_bundle

Transform = Callable[[np.ndarray], np.ndarray]

Rule = tuple[str, str, Transform]  # our name, object path, Sonnet's values to ours

_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"

_TRUNK = "module/_trunk/_layers"

_CONV, _TOWER_BLOCK, _LAYER, _HEAD = (
    re.compile(pattern)
    for pattern in (
        rf"{_TRUNK}/0/",
        rf"{_TRUNK}/1/_layers/(\d+)/",
        rf"{_TRUNK}/2/_layers/(\d+)/",
        r"module/_heads/(\w+)/",
    )
)

# What training needs and inference does not: the running sums behind a moving average, the object graph (a string),
# and the number of times that the checkpoint was saved.
_IGNORED = re.compile(
    rf".*/moving_(mean|variance)/_(counter|hidden){_SUFFIX}|_CHECKPOINTABLE_OBJECT_GRAPH|save_counter{_SUFFIX}"
)

_CONTENT = re.compile(r'^model_checkpoint_path:\s*"([^"]+)"', re.MULTILINE)


def read_sonnet(prefix: Path) -> dict[str, Tensor]:
    """Read a checkpoint.

    Args:
        prefix: What stands before `.index` and `.data-00000-of-00001`; or the path of the index; or a directory with
            the file `checkpoint`, which names the prefix.

    Returns:
        Float32 tensors on the CPU by our parameter names. `num_batches_tracked` is not among them: Sonnet has no such
        counters. How many blocks and layers there are is taken from the file, not checked against a model.

    Raises:
        InputError: A file is missing, truncated or damaged; an object path is unknown or missing.
    """
    return sonnet_reading(prefix).state


def sonnet_reading(prefix: Path) -> Reading:
    """As `read_sonnet`, with the object paths.

    Raises:
        InputError: As `read_sonnet`.
    """
    bundle = open_bundle(_prefix(prefix))
    rules = tuple(_rules(bundle))
    _check_paths(bundle, {path + _SUFFIX for _, path, _ in rules})
    return Reading(
        state={
            name: _tensor(transform(bundle.read(path + _SUFFIX))) for name, path, transform in rules
        },
        names={path: name for name, path, _ in rules},
        left_out={
            path.removesuffix(_SUFFIX): TRAINING
            for path in bundle.entries
            if _IGNORED.fullmatch(path)
        },
    )


def sonnet_files(prefix: Path) -> tuple[Path, ...]:
    """The index and the data files that `read_sonnet(prefix)` reads, for digests.

    Raises:
        InputError: The index is missing or damaged.
    """
    return open_bundle(_prefix(prefix)).files


def _prefix(path: Path) -> Path:
    if not path.is_dir():
        return path.with_suffix("") if path.suffix == ".index" else path
    try:
        named = _CONTENT.search((path / "checkpoint").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: has no readable file `checkpoint`. Name the prefix of the checkpoint."
        ) from error
    if named is None:
        raise InputError(
            f"{path / 'checkpoint'}: names no model_checkpoint_path. Name the prefix of the checkpoint."
        )
    return path / named[1]


def _check_paths(bundle: TensorBundle, wanted: set[str]) -> None:
    found = {name for name in bundle.entries if not _IGNORED.fullmatch(name)}
    missing, unknown = sorted(wanted - found), sorted(found - wanted)
    if missing or unknown:
        parts = [
            f"{what} {len(paths)} object paths ({', '.join(path.removesuffix(_SUFFIX) for path in paths[:5])})"
            for what, paths in (("lacks", missing), ("has the unknown", unknown))
            if paths
        ]
        index = bundle.files[0]
        raise InputError(
            f"{index}: {' and '.join(parts)}. Is it tf.train.Checkpoint(module=Enformer()).save(…)?"
        )


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(values, order="C"))  # a copy: what was read is read-only


# Layers: our names on the left, theirs on the right


def _rules(bundle: TensorBundle) -> Iterator[Rule]:
    names = bundle.entries
    yield from _convolution("stem.0", f"{_TRUNK}/0/_layers/0")
    yield from _pointwise_and_pool("stem", f"{_TRUNK}/0")
    for block in sorted(_numbers(_TOWER_BLOCK, names)):
        ours, theirs = f"conv_tower.{block}", f"{_TRUNK}/1/_layers/{block}"
        yield from _conv_block(f"{ours}.0", f"{theirs}/_layers/0")
        yield from _pointwise_and_pool(ours, theirs)
    for layer in sorted(_numbers(_LAYER, names)):
        yield from _transformer_layer(f"transformer.{layer}", f"{_TRUNK}/2/_layers/{layer}")
    yield from _conv_block("final_pointwise.1", f"{_TRUNK}/4/_layers/0")
    for head in sorted({match[1] for match in map(_HEAD.match, names) if match}):
        yield from _linear(f"_heads.{head}.0", f"module/_heads/{head}/_layers/0")


def _numbers(pattern: re.Pattern[str], names: Iterable[str]) -> range:
    """0 to the highest number in use: a gap between is missing."""
    return range(
        max((int(match[1]) + 1 for match in map(pattern.match, names) if match), default=0)
    )


def _transformer_layer(ours: str, theirs: str) -> Iterator[Rule]:
    attention, perceptron = (
        f"{theirs}/_layers/0/_module/_layers",
        f"{theirs}/_layers/1/_module/_layers",
    )
    yield from _norm(f"{ours}.0.fn.0", f"{attention}/0")
    for name in ("q", "k", "v"):
        yield f"{ours}.0.fn.1.to_{name}.weight", f"{attention}/1/_{name}_layer/w", np.transpose
    yield f"{ours}.0.fn.1.to_rel_k.weight", f"{attention}/1/_r_k_layer/w", np.transpose
    yield from _linear(f"{ours}.0.fn.1.to_out", f"{attention}/1/_embedding_layer")
    yield f"{ours}.0.fn.1.rel_content_bias", f"{attention}/1/_r_w_bias", _unchanged
    yield f"{ours}.0.fn.1.rel_pos_bias", f"{attention}/1/_r_r_bias", _unchanged
    yield from _norm(f"{ours}.1.fn.0", f"{perceptron}/0")
    yield from _linear(f"{ours}.1.fn.1", f"{perceptron}/1")
    yield from _linear(f"{ours}.1.fn.4", f"{perceptron}/4")


def _pointwise_and_pool(ours: str, theirs: str) -> Iterator[Rule]:
    yield from _conv_block(f"{ours}.1.fn", f"{theirs}/_layers/1/_module")
    yield (
        f"{ours}.2.to_attn_logits.weight",
        f"{theirs}/_layers/2/_logit_linear/w",
        lambda w: w.T[:, :, None, None],
    )


def _conv_block(ours: str, theirs: str) -> Iterator[Rule]:
    yield from _norm(f"{ours}.0", f"{theirs}/_layers/0")
    for name, average in (("running_mean", "moving_mean"), ("running_var", "moving_variance")):
        yield (
            f"{ours}.0.{name}",
            f"{theirs}/_layers/0/{average}/average",
            np.ravel,
        )  # 1, 1, channels
    yield from _convolution(f"{ours}.2", f"{theirs}/_layers/2")


def _norm(ours: str, theirs: str) -> Iterator[Rule]:
    yield f"{ours}.weight", f"{theirs}/scale", _unchanged
    yield f"{ours}.bias", f"{theirs}/offset", _unchanged


def _linear(ours: str, theirs: str) -> Iterator[Rule]:
    yield f"{ours}.weight", f"{theirs}/w", np.transpose  # inputs, outputs
    yield f"{ours}.bias", f"{theirs}/b", _unchanged


_convolution = _linear  # width, inputs, outputs: the reverse of PyTorch's order too


def _unchanged(values: np.ndarray) -> np.ndarray:
    return values

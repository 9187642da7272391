"""The sizes of a model of Borzoi's family, from the parameter file that calico/baskerville trains by (params.json).

A block's own entries win over those of the whole model, `null` among them. What has no effect on predictions is passed
over; any other block, entry or value that is not known here is refused by its name. Source: calico/baskerville,
seqnn.py:80-213 and blocks.py.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from typing import Any

from enformer_core.errors import InputError, nearest
from enformer_core.models.borzoi_spec import BorzoiConfig, UNetSize
from enformer_core.models.geometry import Geometry

_ONLY_TRAINING = frozenset(
    {
        *("augment_rc", "augment_shift", "bn_momentum", "dropout", "kernel_initializer"),
        *("l1_scale", "l2_scale", "mha_l2_scale", "name"),
    }
)
"""Entries that change nothing in predictions: augmentation is off, dropout too, and the rest is of training."""

_INHERITED = ("activation", "norm_type", "padding")

_ORDER = ("conv_dna", "res_tower", "transformer_tower", "unet_conv", "Cropping1D", "conv_nac")
"""The order of blocks; `unet_conv` may come several times, the last three need not come."""

_ONCE = tuple(block for block in _ORDER if block != "unet_conv")
_NEEDED = ("conv_dna", "res_tower", "transformer_tower")

_BATCH_NORMS = ("batch", "batch-sync")
_REQUIRED = object()

_LONGEST_BP = 248_956_422
"""Bases of human chromosome 1 (GRCh38): no window is longer."""

_MOST_LAYERS = 1_000
_MOST_OF_LAYER = 2**20
"""Far above any model that was trained, and low enough that a slip of the pen is refused and not computed with."""

_HEAD_NAME = re.compile("[A-Za-z0-9_]+")


def read_params(path: str) -> BorzoiConfig:
    """The sizes that a parameter file says, with all of its heads.

    Raises:
        InputError: when it cannot be read, or has a block, an entry or a value that is not known.
    """
    try:
        read = json.loads(Path(path).read_text(encoding="utf-8"), object_pairs_hook=_each_once)
    # a file that is nested too deep ends in the last
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as a parameter file: {error}") from error
    try:
        return config_of(_model_of(read))
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error


def _model_of(read: object) -> dict[str, Any]:
    """The entry `model` of a file."""
    whole = _entries("the file", read)
    if "model" not in whole:
        raise ValueError("has no `model`, which a params.json of baskerville has")
    return _entries("`model`", whole["model"])


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; readers take the last of two entries, and it is not known which one was meant."""
    entries = dict(pairs)
    if len(entries) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the entry {twice} is there twice in one object. Keep one.")
    return entries


def _entries(name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _of_another_kind(name, value, "an object of names and values")
    return value


def _of_another_kind(name: str, value: object, wanted: str) -> ValueError:
    return ValueError(f"{name} is {_kind(value)}, expected {wanted}")


def _kind(value: object) -> str:
    """What a value of JSON is, in JSON's words."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    kinds: dict[type, str] = {str: "a string", list: "a list", dict: "an object"}
    return kinds.get(type(value), "a number")


@dataclass(frozen=True)
class _Block:
    """The entries of a block, or of the whole model, which are taken one by one."""

    name: str
    entries: dict[str, Any]

    def take(self, key: str, default: Any = _REQUIRED) -> Any:
        if key not in self.entries and default is _REQUIRED:
            raise ValueError(f"{self.name} lacks {key}")
        return self.entries.pop(key, default)

    def number(
        self,
        key: str,
        default: Any = _REQUIRED,
        *,
        odd: bool = False,
        most: int = _MOST_OF_LAYER,
        since: str = "no layer of a known model comes near it",
    ) -> int:
        value = self.take(key, default)
        if type(value) is not int or value < 1 or (odd and value % 2 == 0):
            wanted = "an odd number" if odd else "a whole number above 0"
            raise ValueError(f"{self.name}: {key} is {json.dumps(value)}, expected {wanted}")
        if value > most:
            raise ValueError(f"{self.name}: {key} is {value:,}, expected at most {most:,}: {since}")
        return value

    def layers(self, key: str, default: Any = _REQUIRED) -> int:
        return self.number(
            key, default, most=_MOST_LAYERS, since="no known model has as many layers"
        )

    def expect(self, key: str, known: Sequence[Any], default: Any = _REQUIRED) -> Any:
        value = self.take(key, default)
        # true is 1 in Python, and not in the file
        if not any(value == one and type(value) is type(one) for one in known):
            listed = " or ".join(json.dumps(one) for one in known)
            raise ValueError(f"{self.name}: {key} is {json.dumps(value)}; known is {listed}")
        return value

    def expect_norm_and_gelu(self) -> None:
        """BatchNorm and GELU, and no padding but the usual."""
        self.expect("norm_type", _BATCH_NORMS, None)
        self.expect("activation", ("gelu",), "relu")
        self.expect("padding", ("same",), "same")

    def end(self) -> None:
        """Refuse what nothing asked for."""
        unknown = sorted(set(self.entries) - _ONLY_TRAINING)
        if unknown:
            raise ValueError(f"{self.name}: the entry {unknown[0]} is not known here")


def config_of(model: Mapping[str, Any]) -> BorzoiConfig:
    """The sizes that the entry `model` of a parameter file says.

    Raises:
        ValueError: for what is not known.
    """
    whole = _Block("model", dict(model))
    window_bp = whole.number(
        "seq_length", most=_LONGEST_BP, since="a window is no longer than a chromosome"
    )
    trunk = whole.take("trunk")
    # What every block takes over, where it is set and not empty.
    inherited = {key: whole.take(key, None) for key in _INHERITED}
    defaults = {key: value for key, value in inherited.items() if value}
    if defaults.get("activation") != "gelu":
        raise ValueError(f"model: activation is {inherited['activation']!r}; known is gelu")
    tracks = _heads(whole)
    whole.end()
    blocks = _in_order(trunk, defaults)
    sizes = _sizes(blocks)
    token_bp = sizes["stem_pool"] * sizes["tower_pool"] ** len(sizes["tower_channels"])
    crop_bins = _crop(blocks)
    if token_bp > window_bp:
        # the number itself may have thousands of digits
        raise ValueError(
            f"the stem and {len(sizes['tower_channels'])} levels of the tower pool more bases to a token than the "
            f"{window_bp:,} of seq_length"
        )
    if sizes["tower_channels"][-1] % sizes["heads"]:
        raise ValueError(
            f"transformer_tower: heads is {sizes['heads']:,}, which does not divide the tower's last "
            f"{sizes['tower_channels'][-1]:,} channels"
        )
    bins_per_token = 2 ** len(sizes["unet"])
    if window_bp % token_bp or token_bp % bins_per_token:
        raise ValueError(f"seq_length {window_bp} is not a whole number of {token_bp}-bp tokens")
    bin_bp = token_bp // bins_per_token
    bins = window_bp // bin_bp - 2 * crop_bins
    if bins < 1:
        raise ValueError(f"Cropping1D: cropping {crop_bins} leaves no bin of {window_bp // bin_bp}")
    geometry = Geometry(window_bp, bin_bp, bins, bins_per_token)
    return BorzoiConfig(geometry=geometry, output_tracks=tracks, **sizes)


def _heads(whole: _Block) -> dict[str, int]:
    """Number of tracks of each head, in the natural order of their names."""
    keys = sorted((key for key in whole.entries if key.startswith("head")), key=_natural)
    if not keys:
        raise ValueError("model: has no head")
    tracks: dict[str, int] = {}
    for key in keys:
        entries = _entries(key, whole.take(key))
        name = key.removeprefix("head_")
        # modules and columns are called so
        if not _HEAD_NAME.fullmatch(name) or name in tracks:
            raise ValueError(
                f"model: {key} names no head, or one that is there; expected as head_human"
            )
        head = _Block(key, dict(entries))
        if entries.get("name") != "final":
            raise ValueError(
                f"{key}: the block {entries.get('name')} is not known here; known is final"
            )
        tracks[name] = head.number("units")
        head.expect("activation", ("softplus",), None)
        head.end()
    return tracks


def _natural(name: str) -> list[str | int]:
    """head_10 behind head_9."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def _in_order(trunk: object, defaults: Mapping[str, Any]) -> list[_Block]:
    """The blocks with what they take over; refused where one is unknown or in another order."""
    if not isinstance(trunk, list):
        raise _of_another_kind("trunk", trunk, f"a list of blocks: {', '.join(_ORDER)}")
    if not trunk:
        raise ValueError(f"trunk: the list is empty, expected the blocks {', '.join(_ORDER)}")
    blocks = [
        _entries(f"trunk: block {number}", block) for number, block in enumerate(trunk, start=1)
    ]
    for number, block in enumerate(blocks, start=1):
        name = block.get("name")
        if not isinstance(name, str):
            wanted = f"one of {', '.join(_ORDER)}"
            raise _of_another_kind(f"trunk: `name` of block {number}", name, wanted)
    names = [block["name"] for block in blocks]
    for name in names:
        if name not in _ORDER:
            raise ValueError(f"trunk: the block {name} is not known here{nearest(name, _ORDER)}")
    twice = [name for name in _ONCE if names.count(name) > 1]
    missing = [name for name in _NEEDED if name not in names]
    if twice or missing or names != sorted(names, key=_ORDER.index):
        raise ValueError(
            f"trunk: the blocks {', '.join(names)} are not in the order that is known here: {', '.join(_ORDER)}"
        )
    return [
        _Block(name, {**defaults, **entries}) for name, entries in zip(names, blocks, strict=True)
    ]


def _sizes(blocks: Sequence[_Block]) -> dict[str, Any]:
    """What the blocks say of a config, but for the crop."""
    readers = {
        "conv_dna": _stem,
        "res_tower": _tower,
        "transformer_tower": _transformer,
        "conv_nac": _final,
    }
    sizes: dict[str, Any] = {"unet": (), "final_channels": None}
    for block in blocks:
        if block.name in readers:
            sizes |= readers[block.name](block)
            block.end()
        elif block.name == "unet_conv":
            sizes["unet"] += (_doubling(block),)
            block.end()
    return sizes


def _stem(block: _Block) -> dict[str, Any]:
    norm = block.expect("norm_type", (None, *_BATCH_NORMS), None)
    activation = block.expect("activation", ("linear", "gelu"), "relu")
    block.expect("padding", ("same",), "same")
    block.expect("residual", (False,), False)
    return {
        "stem_channels": block.number("filters"),
        "stem_width": block.number("kernel_size", 15, odd=True),
        "stem_pool": block.number("pool_size"),
        "stem_normed": norm is not None,
        "stem_activated": activation == "gelu",
    }


def _tower(block: _Block) -> dict[str, Any]:
    block.expect_norm_and_gelu()
    return {
        "tower_channels": _channels(
            block.number("filters_init"),
            block.number("filters_end"),
            block.number("divisible_by", 1),
            block.layers("repeat"),
        ),
        "tower_width": block.number("kernel_size", odd=True),
        "tower_convolutions": block.layers("num_convs", 2),
        "tower_pool": block.number("pool_size", 2),
    }


def _channels(first: int, last: int, divisor: int, repeat: int) -> tuple[int, ...]:
    """Channels that grow by one factor from level to level, each rounded to a multiple of `divisor`, halves to even.

    From 608 to 1,536 in 6 levels, by 32: 608, 736, 896, 1,056, 1,280, 1,536.
    """
    factor = exp(log(last / first) / (repeat - 1)) if repeat > 1 else 1.0
    channels = [round(first * factor**level / divisor) * divisor for level in range(repeat)]
    if 0 in channels:
        raise ValueError(
            f"res_tower: from {first:,} to {last:,} filters by {divisor:,} (divisible_by) leaves a level without any"
        )
    return tuple(channels)


def _transformer(block: _Block) -> dict[str, Any]:
    # Its norms are LayerNorms and its perceptron has ReLU, whatever the model's are.
    for key in _INHERITED:
        block.take(key, None)
    features = block.number("num_position_features")
    if features % 2:
        raise ValueError(
            f"transformer_tower: num_position_features is {features}, expected an even number"
        )
    tokens = block.take("seqlen_train", None)
    if tokens is not None:
        tokens = _Block(block.name, {"seqlen_train": tokens}).number("seqlen_train")
    return {
        "layers": block.layers("repeat"),
        "heads": block.number("heads"),
        "key_channels": block.number("key_size"),
        "positional_features": features,
        "trained_tokens": tokens,
    }


def _doubling(block: _Block) -> UNetSize:
    block.expect_norm_and_gelu()
    dense = block.expect("upsample_conv", (True, False), False)
    return UNetSize(width=block.number("kernel_size", odd=True), dense_incoming=dense)


def _crop(blocks: Sequence[_Block]) -> int:
    """Bins that are cropped at each end; none without the block."""
    for block in blocks:
        if block.name == "Cropping1D":
            for key in _INHERITED:
                block.take(key, None)
            cropping = block.number("cropping")
            block.end()
            return cropping
    return 0


def _final(block: _Block) -> dict[str, Any]:
    block.expect_norm_and_gelu()
    block.expect("residual", (False,), False)
    block.expect("pool_size", (1,), 1)
    return {
        "final_channels": block.number("filters"),
        "final_width": block.number("kernel_size", 1, odd=True),
    }

"""The sizes of a model of Borzoi's family, from the parameter file that calico/baskerville trains by (params.json).

A block's own entries win over those of the whole model, `null` among them. What has no effect on predictions is passed
over; any other block, entry or value that is not known here is refused by its name. Source: calico/baskerville,
seqnn.py:80-213 and blocks.py.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
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


def read_params(path: str) -> BorzoiConfig:
    """The sizes that a parameter file says, with all of its heads.

    Raises:
        InputError: when it cannot be read, or has a block, an entry or a value that is not known.
    """
    try:
        read = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a parameter file: {error}") from error
    model = read.get("model") if isinstance(read, dict) else None
    if not isinstance(model, dict):
        raise InputError(f"{path}: has no `model`, which a params.json of baskerville has")
    try:
        return config_of(model)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error


@dataclass(frozen=True)
class _Block:
    """The entries of a block, or of the whole model, which are taken one by one."""

    name: str
    entries: dict[str, Any]

    def take(self, key: str, default: Any = _REQUIRED) -> Any:
        if key not in self.entries and default is _REQUIRED:
            raise ValueError(f"{self.name} lacks {key}")
        return self.entries.pop(key, default)

    def number(self, key: str, default: Any = _REQUIRED, *, odd: bool = False) -> int:
        value = self.take(key, default)
        if type(value) is not int or value < 1 or (odd and value % 2 == 0):
            wanted = "an odd number" if odd else "a whole number above 0"
            raise ValueError(f"{self.name}: {key} is {value!r}, expected {wanted}")
        return value

    def expect(self, key: str, known: Iterable[Any], default: Any = _REQUIRED) -> Any:
        value = self.take(key, default)
        if value not in known:
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
    window_bp = whole.number("seq_length")
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
    tracks = {}
    for key in keys:
        entries = whole.take(key)
        head = _Block(key, dict(entries))
        if entries.get("name") != "final":
            raise ValueError(
                f"{key}: the block {entries.get('name')} is not known here; known is final"
            )
        tracks[key.removeprefix("head_")] = head.number("units")
        head.expect("activation", ("softplus",), None)
        head.end()
    return tracks


def _natural(name: str) -> list[str | int]:
    """head_10 behind head_9."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def _in_order(trunk: Sequence[Mapping[str, Any]], defaults: Mapping[str, Any]) -> list[_Block]:
    """The blocks with what they take over; refused where one is unknown or in another order."""
    names = [str(entries.get("name")) for entries in trunk]
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
        _Block(name, {**defaults, **entries}) for name, entries in zip(names, trunk, strict=True)
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
            block.number("repeat"),
        ),
        "tower_width": block.number("kernel_size", odd=True),
        "tower_convolutions": block.number("num_convs", 2),
        "tower_pool": block.number("pool_size", 2),
    }


def _channels(first: int, last: int, divisor: int, repeat: int) -> tuple[int, ...]:
    """Channels that grow by one factor from level to level, each rounded to a multiple of `divisor`, halves to even.

    From 608 to 1,536 in 6 levels, by 32: 608, 736, 896, 1,056, 1,280, 1,536.
    """
    factor = exp(log(last / first) / (repeat - 1)) if repeat > 1 else 1.0
    return tuple(round(first * factor**level / divisor) * divisor for level in range(repeat))


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
        "layers": block.number("repeat"),
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

"""What the PyTorch port of Borzoi calls its parameters: johahi/borzoi-pytorch, on Hugging Face."""

import re
from dataclasses import replace

from enformer_core.models.weights.names import NameTable

_TOWER = (*(f"res_tower.{2 * level}." for level in range(5)), "unet1.1.")
"""The tower's levels: pooling has the numbers between, and the last level stands with that of the first doubling."""

_ROTARY = re.compile(r"transformer\.\d+\.(0\.fn\.1\.mha|attention\.to_qkv)\.")
"""Flashzoi's attention, there and here; all else is called as in Borzoi."""

BORZOI_NAMES = NameTable(
    rows=(
        ("conv_dna.conv_layer.", "stem.conv."),
        *(
            (f"{theirs}{part}.", f"tower.{level}.first.{ours}.")
            for level, theirs in enumerate(_TOWER)
            for part, ours in (("norm", "norm"), ("conv_layer", "conv"))
        ),
        ("transformer.{}.0.fn.0.", "transformer.{}.attention_norm."),
        ("transformer.{}.0.fn.1.", "transformer.{}.attention."),
        ("transformer.{}.1.fn.0.", "transformer.{}.mlp_norm."),
        ("transformer.{}.1.fn.1.", "transformer.{}.mlp.up."),
        ("transformer.{}.1.fn.4.", "transformer.{}.mlp.down."),
        # doublings are numbered from the end
        *(
            row
            for theirs, ours in ((1, 0), (0, 1))
            for row in (
                (f"upsampling_unet{theirs}.0.norm.", f"unet.{ours}.incoming.norm."),
                (f"upsampling_unet{theirs}.0.conv_layer.", f"unet.{ours}.incoming.dense."),
                (f"horizontal_conv{theirs}.norm.", f"unet.{ours}.skip.norm."),
                (f"horizontal_conv{theirs}.conv_layer.", f"unet.{ours}.skip.dense."),
                (f"separable{theirs}.conv_layer.0.", f"unet.{ours}.separable.depthwise."),
                (f"separable{theirs}.conv_layer.1.", f"unet.{ours}.separable.pointwise."),
            )
        ),
        ("final_joined_convs.0.norm.", "final.norm."),
        ("final_joined_convs.0.conv_layer.", "final.conv."),
        ("human_head.", "heads.human."),
        ("mouse_head.", "heads.mouse."),
    ),
    # only names that no other model has
    mark=re.compile(
        r"conv_dna\.|res_tower\.|upsampling_unet|horizontal_conv|unet\.\d+\.incoming\."
    ),
    lacks=_ROTARY,
    # dense layers and heads are convolutions of width 1 there
    widened=re.compile(r"unet\.\d+\.(incoming|skip)\.dense\.weight|heads\.\w+\.weight"),
)

FLASHZOI_NAMES = replace(
    BORZOI_NAMES,
    # in front of the rows that hold for any attention
    rows=(
        ("transformer.{}.0.fn.1.mha.Wqkv.", "transformer.{}.attention.to_qkv."),
        ("transformer.{}.0.fn.1.mha.out_proj.", "transformer.{}.attention.to_out."),
        *BORZOI_NAMES.rows,
    ),
    mark=_ROTARY,
    lacks=None,
    # files of older versions have the angles
    derived=re.compile(r"transformer\.\d+\.0\.fn\.1\.mha\.rotary_emb\.inv_freq"),
)

"""Small random towers of levels that pool by the maximum, in float64, and what they give read plainly."""

import torch
from torch import nn
from torch.nn import functional

from enformer_core.models.blocks import (
    ActivatedConvolution,
    Blocks,
    MaxPooledConvolution,
    ScaledResidual,
)
from enformer_core.models.borzoi import Borzoi
from enformer_core.models.borzoi_spec import BorzoiConfig
from enformer_core.models.geometry import Geometry
from enformer_core.models.layers import one_hot, tanh_gelu
from enformer_core.models.token_rows import RowLayout
from enformer_core.scoring.delta.tower import Tower
from enformer_core.scoring.delta.tower_levels import blocks_of, level_of, levels_of
from tests.support.small_models import randomised

CPU = torch.device("cpu")

BORZOI = BorzoiConfig(
    geometry=Geometry(window_bp=64 * 32, bin_bp=16, bins=96, bins_per_token=4),
    stem_channels=6,
    stem_width=7,
    stem_pool=4,
    tower_channels=(7, 8, 9, 10),
    tower_convolutions=2,
    layers=1,
    heads=2,
    key_channels=4,
    positional_features=8,
    final_channels=12,
    output_tracks={"human": 5, "mouse": 3},
)
"""Its tokens have 64 bp, and its levels 10 and 9 channels where the trunk reads them."""


def small_borzoi(seed=0):
    return randomised(Borzoi(BORZOI), seed)


class Pieces(nn.Module):
    """Modules of a level, so that they can be made random together."""

    def __init__(self, inputs, outputs, width, *, is_first, residual, norm_after):
        super().__init__()
        self.norm_before = None if is_first else nn.BatchNorm1d(inputs, eps=1e-3)
        self.conv = nn.Conv1d(inputs, outputs, width, padding=width // 2, bias=not norm_after)
        self.norm_after = nn.BatchNorm1d(outputs, eps=1e-3) if norm_after else None
        self.norms = nn.ModuleList(nn.BatchNorm1d(outputs, eps=1e-3) for _ in range(residual))
        self.pointwise = nn.ModuleList(nn.Conv1d(outputs, outputs, 1) for _ in range(residual))
        self.factor = nn.Parameter(torch.ones(outputs)) if residual else None

    def block(self, pool, *, activated):
        residual = None
        if self.factor is not None:
            convolutions = map(ActivatedConvolution, self.norms, self.pointwise)
            residual = ScaledResidual(tuple(convolutions), self.factor)
        return MaxPooledConvolution(
            self.conv, pool, self.norm_before, self.norm_after, activated, residual
        )


def tower_blocks(pools, skips=(), *, width=5, residual=0, norm_after=False, activated=False):
    """Levels of 5, 6, … channels; the first reads letters through a kernel of 7."""
    blocks = []
    for number, pool in enumerate(pools):
        inputs = 4 + number
        pieces = Pieces(
            inputs,
            inputs + 1,
            width if number else 7,
            is_first=number == 0,
            residual=residual,
            norm_after=norm_after,
        )
        blocks.append(randomised(pieces, seed=number).block(pool, activated=activated))
    return Blocks(levels=tuple(blocks), trunk=None, skip_levels=tuple(skips))


def tower_of(blocks, dtype=torch.float64):
    token_bp = 1
    for block in blocks.levels:
        token_bp *= block.pool
    levels = tuple(level_of(block) for block in blocks.levels)
    return Tower(levels, token_bp, CPU, dtype, skip_levels=blocks.skip_levels)


def tower_of_model(model):
    skip_levels = blocks_of(model).skip_levels
    token_bp = model.geometry.token_bp
    dtype = next(model.parameters()).dtype
    return Tower(levels_of(model), token_bp, CPU, dtype, skip_levels=skip_levels)


def read_plainly(blocks, codes):
    """Tokens of a whole window, and its skips, each position a row."""
    x = one_hot(torch.from_numpy(codes)[None], torch.float64).mT
    unpooled = []
    for block in blocks.levels:
        if block.norm_before is not None:
            x = tanh_gelu(block.norm_before(x))
        x = block.conv(x)
        if block.norm_after is not None:
            x = block.norm_after(x)
        if block.activated_after:
            x = tanh_gelu(x)
        if block.residual is not None:
            added = x
            for one in block.residual.convolutions:
                added = one.conv(tanh_gelu(one.norm(added)))
            x = x + added * block.residual.factor[:, None]
        unpooled.append(x[0].T)
        x = functional.max_pool1d(x, block.pool)
    return x[0].T, [unpooled[number] for number in blocks.skip_levels]


def rows_of(layout: RowLayout, tokens, skips):
    """Rows token by token: its channels, then of each skip the positions that it holds."""
    rows = []
    for number, token in enumerate(tokens):
        parts = [token]
        for part, skip in zip(layout.skips, skips, strict=True):
            first = number * part.per_token
            parts += list(skip[first : first + part.per_token])
        rows.append(torch.cat(parts))
    return torch.stack(rows)

"""A tower on parts of a window: any run of tokens exactly, and the few that a small change touches.

Tokens see their surroundings only, so a run of tokens needs three more on either side, which its own zero padding
spoils (the third through 3 bases of the stem) and which are thrown away. Where the window itself ends, its padding is
the network's own and nothing is thrown away. A change of a few bases is carried as a difference over the positions it
reaches at each level, some ten of them.

What the trunk reads beside the tokens, the output of some levels before their pooling, stands in the tokens' rows
(`models.token_rows`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from enformer_core.models.layers import one_hot
from enformer_core.models.token_rows import RowLayout, SkipPart
from enformer_core.scoring.delta.matmul import convolve
from enformer_core.scoring.delta.tower_levels import Level, convolved
from enformer_core.scoring.sent import sent_to

CHUNK_TOKENS = 192
"""Tokens computed at once: 768 channels × 25,344 bases are 78 MB in float32."""
CHUNK_TOKENS_ON_GPU = 512
"""As many on a GPU, which small steps keep waiting: 208 MB."""

Codes = UInt8[np.ndarray, " length"]

Tokens = Float[Tensor, "tokens channels"]
"""A row for each token, skips included; see `Tower.layout`."""

Wide = Float[Tensor, "1 _ _"]

Skips = dict[int, Wide]
"""What levels gave before their pooling, by the level's number."""

Runs = Float[Tensor, "alts _ _"]
"""Of each alt as many positions of a level with their channels, from its own start on."""

Starts = Int64[np.ndarray, " alts"]
"""Where each alt's run of positions begins, counted from the beginning of a trace."""


def chunk_tokens(device: torch.device) -> int:
    """Tokens that are computed at once."""
    return CHUNK_TOKENS if device.type == "cpu" else CHUNK_TOKENS_ON_GPU


@dataclass(frozen=True)
class Tower:
    """Stem and tower of a model, for pieces of sequence.

    Attributes:
        levels: from letters to tokens.
        token_bp: bases of a token.
        device: where it computes.
        dtype: in which number format; the model's own.
        skip_levels: levels whose output before its pooling stands in the tokens' rows, in this order.
    """

    levels: tuple[Level, ...]
    token_bp: int
    device: torch.device
    dtype: torch.dtype
    skip_levels: tuple[int, ...] = ()

    @cached_property
    def layout(self) -> RowLayout:
        """What stands where in a token's row."""
        channels = [level.convolution.kernel.shape[0] for level in self.levels]
        skips = []
        for number in self.skip_levels:
            # a token holds as many positions as its level and those behind it make one of
            per_token = prod(level.pool for level in self.levels[number:])
            skips.append(SkipPart(per_token, channels[number]))
        return RowLayout(channels[-1], tuple(skips))

    @cached_property
    def halo_tokens(self) -> int:
        """Tokens that the zero padding of a piece spoils at each of its ends: 3 for the published towers."""
        # Enformer, whose level n has positions of 2ⁿ bases: 7 + 2 · (2 + 4 + … + 64) = 259 bp are 3 tokens, just
        reach_bp = 0
        position_bp = 1
        for level in self.levels:
            reach_bp += level.convolution.reach * position_bp
            position_bp *= level.pool
        return -(-reach_bp // self.token_bp)

    def run(self, codes: Codes) -> Tokens:
        """All tokens of a piece, with zeros beyond its ends."""
        x = self.letters(codes)
        skips: Skips = {}
        for number, level in enumerate(self.levels):
            x = self._pooled(number, level.unpooled(convolved(level, x)), skips)
        return self._rows(x[0].T, skips)

    def _pooled(self, number: int, unpooled: Wide, skips: Skips) -> Wide:
        """The output of a level, from what it pools; where the trunk reads that too, it is added to `skips`."""
        if number in self.skip_levels:
            skips[number] = unpooled
        return self.levels[number].pooled(unpooled)

    def _rows(self, tokens: Float[Tensor, "tokens _"], skips: Skips) -> Tokens:
        """Rows of tokens; of each skip as many positions as belong to them, which are its first."""
        parts = []
        for number, part in zip(self.skip_levels, self.layout.skips, strict=True):
            positions = len(tokens) * part.per_token
            parts.append(skips[number][0].T[:positions])
        return self.layout.joined(tokens, parts)

    def phases(self, codes: Codes, wanted: Sequence[int]) -> dict[int, Tokens]:
        """Tokens of pieces that begin at several bases of one sequence; what they have in common is computed once.

        A piece's last digits do not depend on which others are wanted.

        Args:
            codes: one token more than a piece.
            wanted: where pieces begin, each within the first token.

        Returns:
            Each piece's tokens by its begin, with zeros beyond the ends of the sequence.
        """
        tokens = codes.size // self.token_bp - 1
        x = self.letters(codes)
        found = self._descend(0, x, wanted)
        return {
            begin: self._rows(of_piece[:tokens], skips).clone() for begin, of_piece, skips in found
        }

    def _descend(
        self,
        number: int,
        x: Wide,
        wanted: Sequence[int],
    ) -> Iterator[tuple[int, Tokens, Skips]]:
        """From the input of a level on: the tokens behind each of its first positions that is wanted, and skips."""
        # Pieces see the same positions, but may pool them otherwise. Those that begin at 0, 4 and 5 go on
        # with the pairs from 0 on, as 0 and 2, and with the pairs from 1 on, as 2; and so on, down to single tokens.
        if number == len(self.levels):
            yield 0, x[0].T, {}
            return
        level = self.levels[number]
        unpooled = level.unpooled(convolved(level, x))
        pool = level.pool
        for first in range(pool):
            deeper = [begin // pool for begin in wanted if begin % pool == first]
            if not deeper:
                continue
            whole = (unpooled.shape[-1] - first) // pool
            own: Skips = {}
            pooled = self._pooled(number, unpooled[..., first : first + pool * whole], own)
            for begin, tokens, skips in self._descend(number + 1, pooled, deeper):
                # a piece that begins with pooled position 2 has the pairs from 2 · 2 on
                of_piece = {
                    level_number: skip[..., pool * begin :] for level_number, skip in own.items()
                }
                yield pool * begin + first, tokens, skips | of_piece

    def letters(self, codes: Codes) -> Float[Tensor, "1 4 length"]:
        """One-hot letters on the device, sent there as one byte each."""
        letters = one_hot(self.sent(codes[None]), self.dtype)
        return letters.mT

    def sent(
        self, codes: UInt8[np.ndarray, "sequences length"]
    ) -> UInt8[Tensor, "sequences length"]:
        """Base codes on the device, which is not waited for."""
        return sent_to(self.device, codes)

    def tokens(self, codes: Codes, first: int, last: int) -> Tokens:
        """Tokens [first, last) of a window, in chunks."""
        chunks = []
        at_once = chunk_tokens(self.device)
        for begin in range(first, last, at_once):
            end = min(begin + at_once, last)
            chunks.append(self._chunk(codes, begin, end))
        return torch.cat(chunks)

    def _chunk(self, codes: Codes, first: int, last: int) -> Tokens:
        # at the window's ends there is no halo: the piece's zero padding is the network's own there
        window_tokens = codes.size // self.token_bp
        begin = max(first - self.halo_tokens, 0)
        end = min(last + self.halo_tokens, window_tokens)
        piece = codes[begin * self.token_bp : end * self.token_bp]
        tokens = self.run(piece)
        return tokens[first - begin : last - begin]


@dataclass(frozen=True)
class Trace:
    """The reference's activations over a run of tokens, kept so that small changes can be carried through.

    Attributes:
        begin: the window's first token of the run.
        inputs: input of each level, [channels, length].
        outputs: output of each level's convolution, [channels, length].
    """

    begin: int
    inputs: tuple[Float[Tensor, "_ _"], ...]
    outputs: tuple[Float[Tensor, "_ _"], ...]


def trace_reference(
    tower: Tower,
    codes: Codes,
    first: int,
    last: int,
) -> Trace:
    """Run the tower over tokens [first, last) of a window and their halo, and keep what small changes need.

    Raises:
        ValueError: when the halo would leave the window.
    """
    begin = first - tower.halo_tokens
    end = last + tower.halo_tokens
    if begin < 0 or end * tower.token_bp > codes.size:
        raise ValueError(f"tokens [{first}, {last}) with their halo leave the window")
    piece = codes[begin * tower.token_bp : end * tower.token_bp]
    x = tower.letters(piece)
    inputs = []
    outputs = []
    for level in tower.levels:
        inputs.append(x[0])
        output = convolved(level, x)
        outputs.append(output[0])
        x = level.pooled(level.unpooled(output))
    return Trace(begin, tuple(inputs), tuple(outputs))


def small_differences(
    tower: Tower,
    trace: Trace,
    changes: Sequence[tuple[int, Codes]],
) -> list[tuple[int, Tokens]]:
    """Differences of the tokens that small changes touch, of all changes together.

    Args:
        tower: the network's.
        trace: the reference around all of the changes.
        changes: for each alt, the first changed base of the window and the base codes from there on; all codes
            equally many.

    Returns:
        For each alt its first touched token and the differences from there on.
    """
    # One changed base, at 101, through Enformer's stem (it sees 7 bases to either side) and the level behind it (2):
    #     convolution [94, 109), begun at an even position [94, 110), pooled [47, 55)
    #     convolution [45, 57),  begun at an even position [44, 58),  pooled [22, 29)
    # positions count from the trace's first base, as its activations do
    begin_bp = trace.begin * tower.token_bp
    starts = np.array([first_bp - begin_bp for first_bp, _ in changes])
    alternate = np.stack([codes for _, codes in changes])
    letters = one_hot(tower.sent(alternate), tower.dtype).mT
    reference = _runs_of(trace.inputs[0], starts, letters.shape[-1])
    d = letters - reference
    skips: dict[int, tuple[Starts, Runs]] = {}
    for number, level in enumerate(tower.levels):
        before = _runs_of(trace.inputs[number], starts, d.shape[-1])
        d = level.before_difference(before, d)
        starts, d = _convolve(level, starts, d)
        starts, d = _pad_to_pools(starts, d, level.pool)
        convolution = _runs_of(trace.outputs[number], starts, d.shape[-1])
        d = level.unpooled_difference(convolution, d)
        if number in tower.skip_levels:
            skips[number] = starts, d
        d = level.pooled_difference(level.unpooled(convolution), d)
        starts = starts // level.pool
    # behind the last level a position is a token
    rows = _rows_of_runs(tower, starts, d, skips)
    firsts = [trace.begin + int(start) for start in starts]
    return list(zip(firsts, rows, strict=True))


def _rows_of_runs(
    tower: Tower,
    starts: Starts,
    d: Runs,
    skips: dict[int, tuple[Starts, Runs]],
) -> Float[Tensor, "alts tokens width"]:
    """Differences of tokens with those of their skips, which are zero where a skip's run has not reached."""
    # A skip with 4 positions for each token, changed from position 9 on for 6 positions, whose tokens are 2 and 3:
    #     token 2 [0 d d d]   token 3 [d d d 0]
    alts, _, tokens = d.shape
    parts = []
    for number, part in zip(tower.skip_levels, tower.layout.skips, strict=True):
        skip_starts, moved = skips[number]
        within = skip_starts - starts * part.per_token
        positions = d.new_zeros(alts, tokens * part.per_token, part.channels)
        for row, first in enumerate(within):
            positions[row, first : first + moved.shape[-1]] = moved[row].T
        parts.append(positions)
    return tower.layout.joined(d.mT, parts)


def _runs_of(
    x: Float[Tensor, "channels length"],
    starts: Starts,
    count: int,
) -> Runs:
    """`count` positions of x from each start."""
    return torch.stack([x[:, start : start + count] for start in starts])


def _convolve(
    level: Level,
    starts: Starts,
    d: Float[Tensor, "alts inputs n"],
) -> tuple[Starts, Float[Tensor, "alts outputs m"]]:
    """A difference that is zero outside its run, through a convolution that reaches half a width further each way."""
    reached = level.convolution.reach
    # a kernel is 2 · reach + 1 wide: with so many zeros the result is longer by its reach at either end
    convolution = convolve(d, level.convolution.kernel, padding=2 * reached)
    return starts - reached, convolution


def _pad_to_pools(
    starts: Starts, d: Float[Tensor, "alts channels n"], pool: int
) -> tuple[Starts, Float[Tensor, "alts channels m"]]:
    """Begin every run where a pooled position does, and make it as long as all need, with zeros.

    In pairs, starts 4 and 7 with 3 positions each, [a b c] and [d e f], become 4 and 6 with [a b c 0] and [0 d e f].
    """
    alts, channels, count = d.shape
    shifts = starts % pool
    length = count + int(shifts.max())
    length += -length % pool
    padded = d.new_zeros(alts, channels, length)
    for row, shift in enumerate(shifts):
        padded[row, :, shift : shift + count] = d[row]
    return starts - shifts, padded

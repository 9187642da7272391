"""The tower's tokens of alternate sequences, as differences from the reference's.

A change of a few bases is carried through the tower as a difference; any other, such as an insertion, which moves all
that lies behind it, is a second run of the tower over the tokens that it touches. Does not know alleles or genomes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from enformer_core.scoring.delta.tower import (
    Codes,
    Tokens,
    Tower,
    changed_bases,
    small_differences,
    touched_tokens,
    trace_reference,
)

SMALL_CHANGE_BP = 64
"""Longest stretch of changed bases that is carried through the tower as a difference."""
TRACED_TOKENS = 16
"""Changes that begin in the same 16 tokens are carried by the same trace of the reference, whatever else is asked."""


@dataclass(frozen=True)
class _SmallChange:
    """A few changed bases, and the tokens whose trace they need."""

    row: int
    begin_bp: int
    end_bp: int
    traced: tuple[int, int]


def fill_differences(
    tower: Tower, x: Tokens, reference: Codes, alternates: Sequence[Codes], d: Float[Tensor, "alts tokens channels"]
) -> None:
    """Write the difference of each alternate's tokens from the reference's into the rows of d.

    Args:
        tower: the network's.
        x: the reference's tokens.
        reference: the window's base codes.
        alternates: base codes of windows of the same length.
        d: rows to fill.
    """
    small = []
    d.zero_()
    for row, alternate in enumerate(alternates):
        begin_bp, end_bp = changed_bases(reference, alternate)
        traced = _traced(tower, begin_bp, end_bp, len(x))
        if begin_bp == end_bp:
            continue
        if traced is None:
            first, last = touched_tokens(tower, begin_bp, end_bp, len(x))
            d[row, first:last] = tower.tokens(alternate, first, last) - x[first:last]
        else:
            small.append(_SmallChange(row, begin_bp, end_bp, traced))
    for changes in _alike(small, together=tower.device.type != "cpu"):
        trace = trace_reference(tower, reference, *changes[0].traced)
        for part in [changes] if tower.device.type != "cpu" else [[change] for change in changes]:
            codes = [(change.begin_bp, alternates[change.row][change.begin_bp : change.end_bp]) for change in part]
            for change, (first, moved) in zip(part, small_differences(tower, trace, codes), strict=True):
                d[change.row, first : first + len(moved)] = moved


def _traced(tower: Tower, begin_bp: int, end_bp: int, tokens: int) -> tuple[int, int] | None:
    """Tokens to trace for a small change; None where it is not small, or its surroundings leave the window."""
    if end_bp - begin_bp > SMALL_CHANGE_BP:
        return None
    halo, aligned_bp = tower.halo_tokens, TRACED_TOKENS * tower.token_bp
    first = begin_bp // aligned_bp * TRACED_TOKENS - halo
    last = -(-end_bp // aligned_bp) * TRACED_TOKENS + halo
    return (first, last) if first >= halo and last + halo <= tokens else None


def _alike(changes: Sequence[_SmallChange], *, together: bool) -> Iterator[list[_SmallChange]]:
    """Changes with the same trace; with as many bases too where they are to be carried `together`."""
    groups: dict[tuple[int, ...], list[_SmallChange]] = {}
    for change in changes:
        key = (*change.traced, change.end_bp - change.begin_bp) if together else change.traced
        groups.setdefault(key, []).append(change)
    yield from groups.values()

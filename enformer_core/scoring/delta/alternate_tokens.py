"""Tokens of alternate windows, as differences from the reference's: where nothing, little or much has changed.

A small change is carried through the tower as a difference. Otherwise the tokens that it touches are computed anew; or
taken from elsewhere, where somebody has them already (see `flanks`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from enformer_core.scoring.delta.spans import as_slice, between, meeting
from enformer_core.scoring.delta.tower import (
    Codes,
    Tokens,
    Tower,
    Trace,
    small_differences,
    trace_reference,
)

SMALL_CHANGE_BP = 64
"""Longest stretch of changed bases that is carried through the tower as a difference."""

TRACED_TOKENS = 8
"""Changes that begin in the same 8 tokens are carried by the same trace of the reference, whatever else there is."""
TRACED_TOKENS_ON_GPU = 64
"""As many on a GPU, which small steps keep waiting."""

FEWEST_KNOWN_TOKENS = 16
"""Fewer tokens that are known elsewhere are computed beside those around the variant: chunks are whole there."""


@dataclass(frozen=True)
class Known:
    """Tokens of an alternate window that need not be computed from its bases.

    Attributes:
        span: which.
        tokens: finds those of a part of the span.
    """

    span: range
    tokens: Callable[[range], Tokens]


@dataclass(frozen=True)
class Alternate:
    """An alternate window, as it is read: some of the reference's bases replaced by as many.

    Attributes:
        begin_bp: where its own bases begin.
        letters: their codes; of a window that has moved, all that it has.
        known: tokens that can be had without them, in order and apart.
    """

    begin_bp: int
    letters: Codes
    known: Sequence[Known] = ()

    def codes(self, reference: Codes) -> Codes:
        """Base codes of the whole window."""
        if self.letters.size == reference.size:
            return self.letters
        codes = reference.copy()
        codes[self.begin_bp : self.begin_bp + self.letters.size] = self.letters
        return codes

    def changed_bases(self, reference: Codes) -> tuple[int, int]:
        """First base that differs from the reference's and the one after the last; (0, 0) where nothing differs."""
        same_place = reference[self.begin_bp : self.begin_bp + self.letters.size]
        differing = np.flatnonzero(same_place != self.letters)
        if not differing.size:
            return 0, 0
        return self.begin_bp + int(differing[0]), self.begin_bp + int(differing[-1]) + 1


@dataclass(frozen=True)
class _SmallChange:
    """A few changed bases, and the tokens whose trace they need."""

    row: int
    begin_bp: int
    end_bp: int
    traced: tuple[int, int]


def fill_differences(
    tower: Tower,
    x: Tokens,
    reference: Codes,
    alternates: Sequence[Alternate],
    d: Float[Tensor, "alts tokens channels"],
) -> None:
    """Write the difference of each alternate's tokens from the reference's into the rows of d.

    Args:
        tower: the network's.
        x: the reference's tokens.
        reference: the window's base codes.
        alternates: windows of the same length.
        d: rows to fill; whatever they hold is overwritten.
    """
    d.zero_()
    small = []
    for row, alternate in enumerate(alternates):
        begin_bp, end_bp = alternate.changed_bases(reference)
        if begin_bp == end_bp:
            continue
        traced = _traced(tower, begin_bp, end_bp, len(x))
        if traced is not None:
            small.append(_SmallChange(row, begin_bp, end_bp, traced))
            continue
        # over so many positions a difference costs as much as the tokens themselves
        touched = range(*touched_tokens(tower, begin_bp, end_bp, len(x)))
        for span, tokens in _runs(tower, alternate, reference, touched):
            d[row, as_slice(span)] = tokens - x[as_slice(span)]

    together = tower.device.type != "cpu"
    for changes in _with_one_trace(small, of_one_length=together):
        trace = trace_reference(tower, reference, *changes[0].traced)
        # A GPU carries them together, for it is slow at many small steps. A CPU takes them one by one: its routines
        # follow the size of a batch, and a change's last digits must not depend on what lies beside it.
        batches = [changes] if together else [[change] for change in changes]
        for batch in batches:
            _fill_small(tower, trace, batch, alternates, d)


def _runs(
    tower: Tower,
    alternate: Alternate,
    reference: Codes,
    touched: range,
) -> Iterator[tuple[range, Tokens]]:
    """All tokens that a change has touched, run by run: those that are known, and the others computed."""
    taken = []
    for known in alternate.known:
        span = meeting(known.span, touched)
        if len(span) < FEWEST_KNOWN_TOKENS:
            continue
        taken.append(span)
        yield span, known.tokens(span)
    codes = alternate.codes(reference)
    for span in between(touched, taken):
        yield span, tower.tokens(codes, span.start, span.stop)


def touched_tokens(
    tower: Tower,
    begin_bp: int,
    end_bp: int,
    tokens: int,
) -> tuple[int, int]:
    """The tokens of a window that its bases [begin_bp, end_bp) can reach."""
    first = begin_bp // tower.token_bp - tower.halo_tokens
    last = -(-end_bp // tower.token_bp) + tower.halo_tokens
    return max(first, 0), min(last, tokens)


def _fill_small(
    tower: Tower,
    trace: Trace,
    changes: Sequence[_SmallChange],
    alternates: Sequence[Alternate],
    d: Float[Tensor, "alts tokens channels"],
) -> None:
    """Write the differences of some small changes, equally many bases each, into their rows of d."""
    codes = []
    for change in changes:
        alternate = alternates[change.row]
        first = change.begin_bp - alternate.begin_bp
        last = change.end_bp - alternate.begin_bp
        codes.append((change.begin_bp, alternate.letters[first:last]))
    differences = small_differences(tower, trace, codes)
    for change, (first, moved) in zip(changes, differences, strict=True):
        d[change.row, first : first + len(moved)] = moved


def _traced(
    tower: Tower,
    begin_bp: int,
    end_bp: int,
    tokens: int,
) -> tuple[int, int] | None:
    """Tokens to trace for a small change; None where it is not small, or its surroundings leave the window."""
    if end_bp - begin_bp > SMALL_CHANGE_BP:
        return None
    halo = tower.halo_tokens
    aligned = TRACED_TOKENS if tower.device.type == "cpu" else TRACED_TOKENS_ON_GPU
    aligned_bp = aligned * tower.token_bp
    # a change over an edge between two such runs takes both
    first_run = begin_bp // aligned_bp
    end_run = -(-end_bp // aligned_bp)
    first = first_run * aligned - halo
    last = end_run * aligned + halo
    # the trace needs a halo of its own, and must not meet the window's padding, which the tower's rules do not know
    if first < halo or last + halo > tokens:
        return None
    return first, last


def _with_one_trace(
    changes: Sequence[_SmallChange], *, of_one_length: bool
) -> Iterator[list[_SmallChange]]:
    """Groups of changes with the same trace; and, where that is asked for, with equally many bases."""
    groups: dict[tuple[int, ...], list[_SmallChange]] = {}
    for change in changes:
        length_bp = change.end_bp - change.begin_bp
        key = (*change.traced, length_bp) if of_one_length else change.traced
        groups.setdefault(key, []).append(change)
    yield from groups.values()

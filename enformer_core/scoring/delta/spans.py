"""Runs of bins or tokens, as ranges: cut to a part of a window, turned to the other strand, made into slices."""

from collections.abc import Sequence


def as_slice(span: range) -> slice:
    """The same positions, as an index."""
    return slice(span.start, span.stop)


def clip(span: range, within: range) -> slice:
    """The part of `span` that lies in `within`, counted from the latter's start; empty where they do not meet.

    clip(range(3, 9), within=range(5, 20)) is slice(0, 4).
    """
    first, last = (
        min(max(edge, within.start), within.stop) - within.start for edge in (span.start, span.stop)
    )
    return slice(first, last)


def mirrored(span: range, count: int) -> range:
    """Where `span` of `count` positions comes to lie when they are read backwards.

    mirrored(range(0, 2), 10) is range(8, 10).
    """
    return range(count - span.stop, count - span.start)


def meeting(span: range, other: range) -> range:
    """What both have; empty where they do not meet.

    meeting(range(3, 9), range(5, 20)) is range(5, 9).
    """
    first = max(span.start, other.start)
    return range(first, max(first, min(span.stop, other.stop)))


def between(span: range, taken: Sequence[range]) -> list[range]:
    """What is left of a span when some of its parts, in order and apart, are taken out.

    between(range(10), [range(2, 4), range(7, 10)]) is [range(0, 2), range(4, 7)].
    """
    firsts = [span.start, *(part.stop for part in taken)]
    lasts = [*(part.start for part in taken), span.stop]
    return [range(first, last) for first, last in zip(firsts, lasts, strict=True) if first < last]

"""Runs of bins or tokens, as ranges: cut to a part of a window, turned to the other strand, made into slices."""


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

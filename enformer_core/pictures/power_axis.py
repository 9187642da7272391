"""Ticks of logarithmic axes: powers of ten, not too many, and all written in one way."""

from math import ceil, floor, log10

import altair as alt

_MOST = 8
"""Of an axis; of more labels run into each other."""

_FEWEST = 3
"""Of an axis; fewer tell too little of a logarithmic one."""

_PLAIN = (1e-4, 1e6)
"""Within these numbers are written without a power of ten."""


def power_ticks(low: float, high: float) -> list[float]:
    """Powers of ten from `low` to `high`; every second one or fewer of many; of few also 2 and 5 times these.

    From 0.02 to 30: 0.1 1 10. From 0.002 to 0.07: 0.002 0.005 0.01 0.02 0.05. Of two numbers without any between: both.

    Args:
        low: above 0.
        high: no smaller.
    """
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    shown: list[float] = []
    for digits in ((1,), (1, 2, 5)):
        ticks = [float(f"{digit}e{power}") for power in powers for digit in digits]
        shown = [tick for tick in ticks if low <= tick <= high]
        if len(shown) >= _FEWEST:
            break
    if len(shown) < 2:
        return sorted({low, high})
    return shown[:: ceil(len(shown) / _MOST)]


def power_axis(
    title: str,
    low: float,
    high: float,
    form: str | None = None,
) -> alt.Axis:
    """A logarithmic axis whose labels are written in one way.

    Args:
        title: of it.
        low: above 0.
        high: no smaller.
        form: of numbers, as d3 has it; by default with a power of ten where any label needs one.
    """
    ticks = power_ticks(low, high)
    is_plain = _PLAIN[0] <= ticks[0] and ticks[-1] <= _PLAIN[1]
    return alt.Axis(
        title=title,
        format=form or (".3~g" if is_plain else ".2~e"),
        values=ticks,
        labelOverlap=True,
    )

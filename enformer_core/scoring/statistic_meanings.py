"""What each statistic is in words, and in which unit, for whoever reads its values. Knows no formula.

A statistic that has no line here has its name alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_LOG = "log2"
_COUNTS = "counts"


@dataclass(frozen=True)
class Meaning:
    """What a value says.

    Attributes:
        words: the end of a sentence that begins `value: `.
        unit: of values; of sums over bins that of the predictions, which are counts.
    """

    words: str
    unit: str


MEANINGS: Mapping[str, Meaning] = MappingProxyType(
    {
        "sad": Meaning("alternate minus reference, summed over bins", _COUNTS),
        "log_sad": Meaning("log2(1 + alternate) minus log2(1 + reference), summed over bins", _LOG),
        "d1": Meaning("sizes of alternate minus reference, summed over bins; no sign", _COUNTS),
        "log_d1": Meaning(
            "sizes of log2(1 + alternate) minus log2(1 + reference), summed over bins; no sign",
            _LOG,
        ),
        "d2": Meaning(
            "root of the sum over bins of (alternate minus reference) squared; no sign", _COUNTS
        ),
        "log_d2": Meaning(
            "root of the sum over bins of (log2(1 + alternate) minus log2(1 + reference)) squared; no sign",
            _LOG,
        ),
        "sax": Meaning("alternate minus reference in the bin where it is largest in size", _COUNTS),
        "js": Meaning(
            "half the sum of both Kullback-Leibler divergences between the alleles' profiles over bins: how much the "
            "shape differs; no sign",
            "nats",
        ),
        "log_ratio": Meaning(
            "log2 of (1 + sum over bins of alternate) / (1 + that of reference)", _LOG
        ),
    }
)


def meaning_of(statistic: str) -> str | None:
    """What a value is; None of a statistic that nobody has described."""
    found = MEANINGS.get(statistic)
    return None if found is None else found.words


def with_unit(statistic: str) -> str:
    """The title of an axis: `sad (counts)`."""
    found = MEANINGS.get(statistic)
    return statistic if found is None else f"{statistic} ({found.unit})"

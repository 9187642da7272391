"""Names that people gave, made such that no two are the same. Knows texts. Does not know what they name."""

from collections import Counter
from collections.abc import Iterable, Sequence


class DistinctNames:
    """Names that are taken, and those that are still free.

    Args:
        taken: names that no other may have.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def take(self, name: str) -> str:
        """The name where it is free, else `NAME#2`, `NAME#3` and so on; taken from then on."""
        own = name
        number = 1
        # somebody may have called a place `x#2` as well
        while own in self._taken:
            number += 1
            own = f"{name}#{number}"
        self._taken.add(own)
        return own


def placed_names(given: Sequence[str], places: Sequence[str]) -> list[str]:
    """Names in their order, `NAME@PLACE` where several have one: x, y, x at 5, 7 and 9 are x@5, y, x@9.

    Args:
        given: any texts, with repeats.
        places: of each, in words.
    """
    times = Counter(given)
    # a name that stands once is its owner's, even where another's name and place come to the same
    names = DistinctNames(name for name in times if times[name] == 1)
    return [
        name if times[name] == 1 else names.take(f"{name}@{place}")
        for name, place in zip(given, places, strict=True)
    ]

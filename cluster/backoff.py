"""How long to wait before another attempt. Knows numbers only."""

import random

_FIRST_S, _LONGEST_S = 1.0, 60.0


class Backoff:
    """Pauses that double with each failure, from 1 s to 60 s, and vary, so that many do not try again at once.

    Args:
        seed: of the variation.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - spreads load, keeps no secret

    def seconds(self, failures: int) -> float:
        """The pause after so many earlier failures: the doubled one, or up to half of it less."""
        longest_s = min(_LONGEST_S, _FIRST_S * 2 ** min(failures, 10))
        return longest_s * (0.5 + 0.5 * self._random.random())

"""Clocks that stand still unless a piece of work moves them."""

from collections.abc import Callable

from enformer_core.analyses.timed_rounds import Stopwatch


class FakeWatch:
    """Seconds that have passed, and of those the device's."""

    def __init__(self) -> None:
        self.passed_s = 0.0
        self.worked_s = 0.0

    def pass_on(self, passes: float, works: float = 0.0) -> None:
        """Let seconds pass."""
        self.passed_s += passes
        self.worked_s += works

    def piece(
        self,
        passes: float,
        works: float,
        then: Callable[[], object] = lambda: None,
    ) -> Callable[[], None]:
        """Work that takes so long whenever it is done."""

        def piece() -> None:
            self.pass_on(passes, works)
            then()

        return piece

    def until(self, ends: float) -> Stopwatch:
        """A stopwatch of these clocks."""
        return Stopwatch(lambda: self.passed_s, lambda: self.worked_s, ends)

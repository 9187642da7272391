"""Work that goes over many items, such as the shards of a run, and what takes it from one to the next.

    class Doubled(Work[int, int]):
        def compute(self, prepared: int) -> int:
            return 2 * prepared

    dict(one_by_one(Doubled(), [3, 4]))      # {0: 6, 1: 8}

What is done with an item neither sees nor changes any other, so that it matters to nobody where each is done, when, and
how often. `one_by_one` does all of it here; `Processes` beside it takes several processes of this machine, and a caller
may bring what takes others. Does not know what is done.
"""

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

Item = TypeVar("Item")
Result = TypeVar("Result")


class Work(ABC, Generic[Item, Result]):
    """What is done with an item, in three stages, so that one may be fetched and one stored while a third computes.

    It is pickled where it is sent elsewhere: it names what it works at, and holds little of it.
    """

    def name(self, item: Item) -> str:
        """What messages call an item; no two items of a sequence have one name."""
        return f"item {item}"

    def prepare(self, item: Item) -> Any:
        """Fetch what the item needs; nothing by default."""
        return item

    @abstractmethod
    def compute(self, prepared: Any) -> Any:
        """Do the work on what `prepare` returned."""

    def finish(self, computed: Any) -> Result:
        """Store what `compute` returned, or make it small; what this returns goes to the caller."""
        result: Result = computed
        return result

    def __call__(self, item: Item) -> Result:
        """All three stages, one after another."""
        return self.finish(self.compute(self.prepare(item)))


@runtime_checkable
class Spread(Protocol):
    """Does a work on every item, somewhere."""

    def __call__(
        self,
        work: Work[Item, Result],
        items: Sequence[Item],
    ) -> Generator[tuple[int, Result]]:
        """The number of each item with its result, in any order; to be closed by who leaves it early."""
        ...


def one_by_one(
    work: Work[Item, Result],
    items: Sequence[Item],
) -> Generator[tuple[int, Result]]:
    """Do a work here, on one item after another."""
    for number, item in enumerate(items):
        yield number, work(item)

"""Which targets of a run of contributions rest on nothing: not one base of their window contributes.

Made of the sums over bins, as they are stored. Does not know how they were computed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from enformer_core.words import agreeing

_OF_ONE = ("target", "group", "allele")


@dataclass
class Contributing:
    """Counts targets in groups whose contributions are all 0, while tables are met one after another.

    Attributes:
        attributed: targets, each once for every group and allele.
        silent: how many of them have no contribution.
        first: target and group of the first of these; None where there is none.
    """

    attributed: int = 0
    silent: int = 0
    first: tuple[str, str] | None = None

    def add(self, bins: pa.Table) -> None:
        """Take the table of sums over bins of one shard more."""
        # a bin's sum is 0 where its bases are; that others cancel in every bin of a window does not happen
        largest = pl.col("value").abs().max()
        found = pl.DataFrame(pl.from_arrow(bins))
        by_target = found.group_by(_OF_ONE, maintain_order=True).agg(largest)
        silent = by_target.filter(pl.col("value") == 0)
        self.attributed += by_target.height
        self.silent += silent.height
        if silent.height and self.first is None:
            self.first = (silent["target"][0], silent["group"][0])

    def said(self) -> str | None:
        """What a user should know of it; None where every target rests on something."""
        if self.first is None:
            return None
        target, group = self.first
        why = "no base in the window acts on the prediction there, as far as gradients see"
        if self.attributed == 1:
            return f"the contributions to {target} for group {group} are 0 at every base: {why}"
        are = agreeing(self.silent, "is", "are")
        none = agreeing(self.silent, "This is no effect", "None of these is an effect")
        named = agreeing(self.silent, "that of", "such as")
        return (
            f"{self.silent:,} of {self.attributed:,} rows of contributions {are} 0 at every base, {named} {target} for "
            f"group {group}: {why}. {none}"
        )


def contributing(tables: Iterable[pa.Table]) -> Contributing:
    """What the sums over bins of some shards come to."""
    found = Contributing()
    for bins in tables:
        found.add(bins)
    return found

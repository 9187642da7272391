"""Which alleles of a run are scored a second time: by chance, and of each kind that there is.

Knows alleles as columns and how to draw. Does not know how second scores are compared, nor what makes a kind.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from jaxtyping import Int64

from enformer_core.variants.hashing import Hashes, Mask, allele_hashes, mix, scored_rows

_BITS = 64

_LOOK_ROWS = 1 << 12
"""Hashed before it is asked whether these are enough, which of a large run they soon are."""

_COUNTED_ALLELES = 1 << 12
"""So many are counted one by one; a run of more can pay for an allele of each kind."""

_YARDSTICKS = 3
"""One of so many is held against plain passes in float64."""

DRAWN_COLUMNS = ("audited", "audit_kinds", "audit_float64")
"""Columns of a plan that say of each row whether it is drawn, as which kinds, and whether float64 judges it."""

KindsOf = Callable[[pa.Table], Mapping[str, Mask]]
"""Of alleles with a place: which of them are of each kind, by its name; all kinds, in the order in which they come."""

WindowStarts = Callable[[Int64[np.ndarray, " rows"]], Int64[np.ndarray, " rows"]]

Affordable = Callable[[int, int], int]
"""Of how many alleles the audit may cost no more than it should, from the distinct alleles and windows of a run."""


@dataclass(frozen=True)
class Drawn:
    """How an allele is audited.

    Attributes:
        kinds: what it is.
        in_float64: whether it is held against plain passes in float64, rather than float32.
    """

    kinds: tuple[str, ...] = ()
    in_float64: bool = False


def drawn_of(row: Mapping[str, object]) -> Drawn | None:
    """Of a row of a plan, how it is audited; None where it is not. Older plans lack all but `audited`."""
    if not row["audited"]:
        return None
    kinds = row.get("audit_kinds")
    return Drawn(tuple(str(kinds).split(",")) if kinds else (), bool(row.get("audit_float64")))


def _no_kinds(alleles: pa.Table) -> Mapping[str, Mask]:
    del alleles
    return {}


@dataclass(frozen=True)
class AuditChoice:
    """What decides of an allele's hash whether it is drawn.

    Attributes:
        limit: below it all are.
        also: hashes that are drawn beside those, in order.
        first: the smallest hash of a run of few alleles, or of which the fraction draws too few; None of others.
    """

    limit: int = 0
    also: tuple[int, ...] = ()
    first: int | None = None


@dataclass(frozen=True)
class AuditSample:
    """The alleles that are scored a second time, directly, to measure the engine's error.

    The fraction draws by allele and seed alone: not by the order of the input, its other alleles or the shards. What
    it leaves out is made up for: one allele of each kind that there is, and `at_least` in all, those with the smallest
    hashes. That may not cost more than is affordable, one allele excepted.

    Attributes:
        fraction: of the alleles that are scored, each by its own chance; 0 for none.
        at_least: but not fewer than these, or all there are.
        seed: any text.
        kinds_of: tells the kinds of alleles; by default there are none.
        affordable: how many may be drawn beside the fraction's; as many as are wanted by default.
    """

    fraction: float
    at_least: int
    seed: str
    kinds_of: KindsOf = _no_kinds
    affordable: Affordable | None = None

    def choose(
        self, batches: Iterable[pa.Table], window_starts: WindowStarts | None = None
    ) -> AuditChoice:
        """Look for what is drawn beside the fraction's.

        Args:
            batches: all alleles of the run, in any order. Reading stops once the fraction alone is known to give
                enough of every kind; of a run of millions that lacks a kind all are looked at, few of them hashed.
            window_starts: where windows start; needed where it is asked what is affordable.
        """
        if not self.fraction:
            return AuditChoice()
        found = _Found(self, int(self.fraction * 2**_BITS), window_starts)
        for rows in _slices(batches):
            found.look(rows)
            if found.is_enough:
                break
        return found.choice()

    def drawn(self, alleles: pa.Table, choice: AuditChoice) -> Mask:
        """Whether each row is drawn; rows that are not scored never are."""
        scored = scored_rows(alleles)
        if choice.limit >= 2**_BITS:
            return scored
        hashes = allele_hashes(alleles, self.seed)
        also = np.array(choice.also, dtype=np.uint64)
        return scored & ((hashes < np.uint64(choice.limit)) | np.isin(hashes, also))

    def described(self, alleles: pa.Table, audited: Mask, choice: AuditChoice) -> pa.Table:
        """The alleles with the columns `DRAWN_COLUMNS`.

        Args:
            alleles: of a plan.
            audited: those that are drawn, repeats left out.
            choice: of the run.
        """
        rows = np.flatnonzero(audited)
        drawn = alleles.take(pa.array(rows))
        kinds = np.full(alleles.num_rows, None, dtype=object)
        in_float64 = np.zeros(alleles.num_rows, dtype=bool)
        if rows.size:
            masks = self.kinds_of(drawn)
            names = [[name for name, mask in masks.items() if mask[at]] for at in range(rows.size)]
            kinds[rows] = [",".join(of_row) or None for of_row in names]
            in_float64[rows] = self._in_float64(allele_hashes(drawn, self.seed), choice)
        columns = (audited, pa.array(kinds, pa.string()), in_float64)
        for name, values in zip(DRAWN_COLUMNS, columns, strict=True):
            alleles = alleles.append_column(name, pa.array(values))
        return alleles

    def _in_float64(self, hashes: Hashes, choice: AuditChoice) -> Mask:
        """One of three by chance; of a run of few alleles, one for certain."""
        # mixed anew: those that are drawn have small hashes
        by_chance = mix(hashes) % np.uint64(_YARDSTICKS) == 0
        return (
            by_chance if choice.first is None else by_chance | (hashes == np.uint64(choice.first))
        )


def _slices(batches: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """A few rows first, of which a large run's fraction gives enough; then whole batches."""
    is_first = True
    for batch in batches:
        if not is_first:
            yield batch
            continue
        is_first = False
        yield batch.slice(0, _LOOK_ROWS)
        yield batch.slice(_LOOK_ROWS)


@dataclass
class _Found:
    """What was seen of a run's alleles so far.

    Attributes:
        sample: that is drawn.
        limit: hashes below it are drawn by the fraction.
        smallest: the smallest hashes, in order; no more than are wanted.
        of_kind: of each kind that was seen the smallest hash.
    """

    sample: AuditSample
    limit: int
    window_starts: WindowStarts | None
    smallest: list[int] = field(default_factory=list)
    of_kind: dict[str, int] = field(default_factory=dict)
    _kinds: tuple[str, ...] | None = None
    _alleles: set[int] = field(default_factory=set)
    _windows: set[tuple[str, int]] = field(default_factory=set)

    @property
    def is_enough(self) -> bool:
        """Whether the fraction alone gives as many as are wanted, and some of every kind."""
        is_known = self._kinds is not None and self._are_counted
        return is_known and self._has_number and not self._wanting()

    @property
    def _has_number(self) -> bool:
        # compared as Python's integers: the limit may be 2^64, one more than NumPy can hold
        below = [value for value in self.smallest if value < self.limit]
        return len(below) >= self.sample.at_least

    def _wanting(self) -> set[str]:
        """Kinds of which the fraction has drawn none yet."""
        kinds = self._kinds or ()
        return {kind for kind in kinds if self.of_kind.get(kind, self.limit) >= self.limit}

    @property
    def _are_counted(self) -> bool:
        """Whether there are more alleles than are counted one by one."""
        return self.window_starts is None or len(self._alleles) > _COUNTED_ALLELES

    def look(self, rows: pa.Table) -> None:
        """Take some more alleles into account."""
        rows = rows.filter(pa.array(scored_rows(rows)))
        if not rows.num_rows:
            return
        masks = dict(self.sample.kinds_of(rows))
        self._kinds = tuple(masks)
        wanting = self._wanting()
        # Whatever comes first, the same are drawn: of a kind that is wanting in the end all were hashed.
        if self._has_number and self._are_counted:
            # of millions only those are hashed that are of a kind that is wanting
            among = np.zeros(rows.num_rows, dtype=bool)
            for kind in wanting:
                among |= masks[kind]
            rows = rows.filter(pa.array(among))
            masks = {kind: masks[kind][among] for kind in wanting}
        hashes = allele_hashes(rows, self.sample.seed)
        self._count(rows, hashes)
        together = np.unique(np.append(np.array(self.smallest, dtype=np.uint64), hashes))
        self.smallest = together[: self.sample.at_least].tolist()
        for kind, mask in masks.items():
            if mask.any():
                least = int(hashes[mask].min())
                self.of_kind[kind] = min(least, self.of_kind.get(kind, least))

    def _count(self, rows: pa.Table, hashes: Hashes) -> None:
        if self._are_counted:
            return
        assert self.window_starts is not None
        self._alleles.update(hashes.tolist())
        starts = self.window_starts(np.asarray(rows["start"], dtype=np.int64))
        self._windows.update(zip(rows["chrom"].to_pylist(), starts.tolist(), strict=True))

    def choice(self) -> AuditChoice:
        """What is drawn, once all that is wanted is known."""
        # without a least number the fraction decides alone
        if not self.smallest or not self.sample.at_least:
            return AuditChoice(self.limit)
        # the first is anyone, so that a run that can afford one has no rare one
        wanting = self._wanting()
        seen = [kind for kind in self._kinds or () if kind in wanting and kind in self.of_kind]
        of_kinds = [self.of_kind[kind] for kind in seen]
        beside = list(dict.fromkeys([self.smallest[0], *of_kinds]))
        for value in self.smallest:
            if value not in beside and len(beside) < self.sample.at_least:
                beside.append(value)
        also = [value for value in beside[: self._most()] if value >= self.limit]
        # of a run of many in which there are enough, not all were hashed
        first = None if self._has_number and self._are_counted else self.smallest[0]
        return AuditChoice(self.limit, tuple(sorted(also)), first)

    def _most(self) -> int | None:
        affordable = self.sample.affordable
        if affordable is None or self._are_counted:
            return None
        return max(1, affordable(len(self._alleles), len(self._windows)))

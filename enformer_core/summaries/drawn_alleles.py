"""Alleles of a run that are drawn by chance: by its plan, so that of a large run little is read.

Which ones they are follows from alleles and seed alone, not from shards or the order of the input. Knows plans.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from jaxtyping import Bool, UInt64

from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.order import run_firsts
from enformer_core.dataset.plan_storage import read_part
from enformer_core.errors import InputError
from enformer_core.variants.hashing import allele_hashes
from enformer_core.variants.table import Flag, Status, has_flag

Mask = Bool[np.ndarray, " rows"]

_COLUMNS = (
    "chrom",
    "start",
    "ref",
    "alt",
    "status",
    "flags",
    "shard",
)

_NO_ROWS = np.empty(0, dtype=bool)


@dataclass(frozen=True)
class DrawnAlleles:
    """Rows of some shards.

    Attributes:
        of_shard: for each shard that has some, which of its rows they are.
        count: how many, all together.
    """

    of_shard: Mapping[int, Mask]
    count: int


def planned_alleles(ledger: Ledger) -> int:
    """How many alleles a run has planned to score, each counted once."""
    shards = _planned(ledger, seed=0)
    return sum(shard.hashes.size for shard in shards)


def draw_alleles(ledger: Ledger, size: int, seed: int) -> DrawnAlleles:
    """Draw so many alleles, each once, or all where there are no more.

    Args:
        ledger: of the run.
        size: how many.
        seed: which ones they are.

    Raises:
        InputError: for a sample without any.
        DatasetError: for a plan that is damaged.
    """
    if size < 1:
        raise InputError(f"--sample {size}: give 1 allele or more")
    bound = _bound(ledger, size, seed)
    of_shard: dict[int, Mask] = {}
    count = 0
    for shard in _planned(ledger, seed):
        is_below = shard.hashes <= bound
        drawn = shard.is_scored.copy()
        # of 1 0 1 1 scored and 0 1 0 below the bound: 0 0 1 0
        drawn[drawn] = is_below
        count += int(is_below.sum())
        # a shard may go on in the next part of the plan
        before = of_shard.get(shard.number, _NO_ROWS)
        of_shard[shard.number] = np.append(before, drawn)
    without = [number for number, drawn in of_shard.items() if not drawn.any()]
    for number in without:
        del of_shard[number]
    return DrawnAlleles(of_shard, count)


def _bound(ledger: Ledger, size: int, seed: int) -> np.uint64:
    """The largest hash of those that are drawn, which are the smallest."""
    smallest = np.empty(0, dtype=np.uint64)
    for shard in _planned(ledger, seed):
        every = np.append(smallest, shard.hashes)
        # no more are remembered than are drawn
        every.sort()
        smallest = every[:size]
    return smallest.max(initial=np.uint64(0))


@dataclass(frozen=True)
class _PlannedShard:
    """A shard's rows in one part of the plan.

    Attributes:
        number: of the shard.
        is_scored: which of the rows are to be scored, and repeat no other.
        hashes: of these.
    """

    number: int
    is_scored: Mask
    hashes: UInt64[np.ndarray, " scored"]


def _planned(ledger: Ledger, seed: int) -> Iterator[_PlannedShard]:
    digests = ledger.run.plan.sha256
    for number, digest in enumerate(digests):
        part = read_part(ledger.store, number, _COLUMNS, digest=digest)
        is_ok = pc.equal(part["status"], Status.OK)
        is_repeat = has_flag(part, Flag.DUPLICATE)
        once = np.asarray(pc.and_not(is_ok, is_repeat))
        hashes = allele_hashes(part, f"pca {seed}")
        shards = np.asarray(part["shard"])
        # shards 5 5 5 6 6: firsts 0 3, ends 3 5
        firsts = run_firsts(shards)
        ends = [*firsts[1:], part.num_rows]
        for first, end in zip(firsts, ends, strict=True):
            rows = slice(first, end)
            is_scored = once[rows]
            yield _PlannedShard(
                number=int(shards[first]),
                is_scored=is_scored,
                hashes=hashes[rows][is_scored],
            )

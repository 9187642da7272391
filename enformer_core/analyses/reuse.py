"""Alleles that other runs have scored, found by place, letters and window, and copied in the place of being computed.

Only rows that are `ok`, of shards that are committed, are taken. The copy says which run and which shard computed it,
also where that run had copied it itself. Which runs may be copied from is known before (`reusable_runs`).
"""

from collections import defaultdict
from collections.abc import (
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from enformer_core.analyses.copied_alleles import CopiedAllele, Origin
from enformer_core.analyses.reusable_runs import ReusableRun
from enformer_core.analyses.strongest_effects import list_matrix
from enformer_core.analyses.variant_run_type import VariantEffectsType
from enformer_core.dataset.codec import from_parquet
from enformer_core.dataset.committed_shard import CommittedShard
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.find_run import find_run
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.lookup_index import ShardSpans, read_spans
from enformer_core.dataset.plan_storage import part_to_parquet
from enformer_core.dataset.receipts import Provenance, Receipt
from enformer_core.dataset.schemas import spread_of
from enformer_core.errors import DatasetError, InputError
from enformer_core.scoring.statistics import Statistic
from enformer_core.variants.table import (
    Flag,
    Status,
    has_flag,
)

_SCORES = "scores"

_REUSED = "reused"  # no status of a row: only those who count what is to be done see it

_KEY = ("pos", "ref", "alt", "window_start", "status")

AlleleInWindow = tuple[int, str, str, int]
"""Start, REF, ALT and the window's first base: on one contig, what a score is of."""


@dataclass(frozen=True)
class Reuse:
    """Runs that are copied from, opened by whoever copies.

    Attributes:
        runs: the first that has an allele is taken.
        statistics: the columns of values.
        has_spread: whether they have that of their spread over replicates beside them.
    """

    runs: Sequence[ReusableRun]
    statistics: Sequence[Statistic]
    has_spread: bool = False

    @cached_property
    def _sources(self) -> Sequence["_Source"]:
        return [_Source.open(run) for run in self.runs]

    def find(
        self,
        rows: pa.Table,
        wanted: Collection[int],
    ) -> dict[int, CopiedAllele]:
        """The alleles of a shard that these runs have scored.

        Args:
            rows: of the plan.
            wanted: rows that are to be scored, from 0.

        Returns:
            By row.

        Raises:
            DatasetError: for objects of these runs that are missing or damaged.
        """
        found: dict[int, CopiedAllele] = {}
        for source, matches in self._matches(rows, wanted):
            found |= source.copied(matches, self.statistics, has_spread=self.has_spread)
        return found

    def count(
        self,
        rows: pa.Table,
        wanted: Collection[int],
    ) -> list[int]:
        """Rows that `find` would find; no values are read."""
        return [match.row for _, matches in self._matches(rows, wanted) for match in matches.rows]

    def _matches(
        self, rows: pa.Table, wanted: Collection[int]
    ) -> Iterator[tuple["_Source", "_Matches"]]:
        for contig, alleles in _by_contig(rows, wanted).items():
            for source in self._sources:
                for matches in source.matches(contig, alleles):
                    yield source, matches
                    # what one run has, no other is asked for
                    for match in matches.rows:
                        del alleles[match.allele]


@dataclass(frozen=True)
class _Match:
    """A row here and the same allele there.

    Attributes:
        allele: on its contig.
        row: of the shard that is computed.
        place: row of the shard that is copied from.
    """

    allele: AlleleInWindow
    row: int
    place: int


@dataclass(frozen=True)
class _Matches:
    """Rows of alleles that one committed shard of the other run has."""

    receipt: Receipt
    rows: Sequence[_Match]


def _by_contig(
    rows: pa.Table,
    wanted: Collection[int],
) -> dict[str, dict[AlleleInWindow, int]]:
    """Rows by what a score is of, on each contig."""
    chosen = sorted(wanted)
    columns = rows.select(["chrom", "start", "ref", "alt", "window_start"])
    by_contig: dict[str, dict[AlleleInWindow, int]] = defaultdict(dict)
    for at, row in zip(chosen, columns.take(pa.array(chosen, pa.int64())).to_pylist(), strict=True):
        key = (row["start"], row["ref"], row["alt"], row["window_start"])
        by_contig[row["chrom"]].setdefault(key, at)
    return by_contig


@dataclass(frozen=True)
class _Source:
    """One run that is copied from.

    Attributes:
        ledger: of it.
        spans: which positions its shards hold.
    """

    ledger: Ledger
    spans: ShardSpans

    @classmethod
    def open(
        cls,
        named: ReusableRun,
    ) -> "_Source":
        store, run = find_run(named.location)
        if run.digest != named.identity:
            raise InputError(
                f"--reuse {named.location}: another run lies there than when this one was begun"
            )
        return cls(Ledger(store, run, VariantEffectsType()), read_spans(store, run))

    def matches(
        self,
        contig: str,
        alleles: Mapping[AlleleInWindow, int],
    ) -> Iterator[_Matches]:
        """Alleles that committed shards have, shard by shard; those that are taken may be removed meanwhile."""
        if not alleles:
            return
        starts = {start for start, *_ in alleles}
        for shard in self.spans.holding(contig, starts):
            committed = CommittedShard.of(self.ledger, shard)
            if committed is None:
                continue
            with committed.open_table(_SCORES) as scores:
                there = scores.where(
                    "pos",
                    min(starts) + 1,
                    max(starts) + 1,
                    _KEY,
                )
            found = []
            for row in there.to_pylist():
                allele = (row["pos"] - 1, row["ref"], row["alt"], row["window_start"])
                # repeats of an allele have its values too: the first row will do
                if row["status"] == Status.OK and allele in alleles:
                    found.append(_Match(allele, alleles[allele], row["row"]))
            distinct = {match.allele: match for match in reversed(found)}
            if distinct:
                yield _Matches(committed.receipt, tuple(distinct.values()))

    def copied(
        self,
        matches: _Matches,
        statistics: Sequence[Statistic],
        *,
        has_spread: bool,
    ) -> dict[int, CopiedAllele]:
        """The values of these rows, and who computed them."""
        receipt = matches.receipt
        places = pa.array([match.place for match in matches.rows], pa.int64())
        rows = self._table(receipt).take(places)
        width = self.ledger.run.typed_identity.tracks.count
        values = {name: list_matrix(rows[name], width) for name in statistics}
        spreads = {
            name: list_matrix(rows[spread_of(name)], width)
            for name in (statistics if has_spread else ())
        }
        copied = {}
        for at, match in enumerate(matches.rows):
            scores = {name: values[name][at] for name in statistics}
            spread = {name: of_all[at] for name, of_all in spreads.items()}
            origin, provenance = self._origin(receipt, match.place)
            copied[match.row] = CopiedAllele(scores, origin, provenance, spread)
        return copied

    def _origin(
        self,
        receipt: Receipt,
        place: int,
    ) -> tuple[Origin, Provenance]:
        """Who computed a row: another run still, where this one had copied it."""
        for each in receipt.copied:
            if any(first <= place < end for first, end in each.rows):
                return Origin(each.run, each.identity, each.shard), each.provenance
        here = Origin(
            self.ledger.store.location,
            receipt.identity,
            receipt.shard,
        )
        return here, receipt.provenance

    def _table(self, receipt: Receipt) -> pa.Table:
        """The scores of a shard, every byte of them as the receipt says: damage must not be copied."""
        entry = receipt.tables[_SCORES]
        content = self.ledger.store.get(entry.key)
        if content is None or sha256(content) != entry.sha256:
            location = self.ledger.store.location
            raise DatasetError(
                f"--reuse {location}: {entry.key} is not what its receipt names; `enformer-ray verify {location}` "
                "says more. Mend it, or leave the run out."
            )
        return from_parquet(content, entry.key)[0]


def without_reused(
    parts: Iterable[Path | bytes], runs: Sequence[ReusableRun], statistics: Sequence[Statistic]
) -> tuple[list[bytes], int]:
    """A plan's stored parts as if alleles that other runs have scored were not to be scored; nothing else of use.

    Returns:
        The parts, and how many alleles these runs have.
    """
    reuse = Reuse(runs, statistics)
    found = 0
    marked = []
    for part in parts:
        rows = pq.read_table(pa.BufferReader(part) if isinstance(part, bytes) else part)
        is_due = pc.and_not(
            pc.equal(rows["status"], Status.OK),
            has_flag(rows, Flag.DUPLICATE),
        )
        reused = reuse.count(rows, np.flatnonzero(np.asarray(is_due)).tolist())
        statuses = np.array(rows["status"].to_pylist(), dtype=object)
        statuses[reused] = _REUSED
        place = rows.schema.get_field_index("status")
        marked.append(
            part_to_parquet(rows.set_column(place, "status", pa.array(statuses, pa.string())))
        )
        found += len(reused)
    return marked, found

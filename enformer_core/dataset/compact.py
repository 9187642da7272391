"""The same run in fewer, larger shards, put into another place.

In place it could not be had: for readers of patterns (`scores/**/*.parquet`) old files would have to vanish in the
moment in which the new ones appear, and object stores have no such moment. So nothing of the run that is compacted is
touched, and the new one is like any run under way until its manifest is put: by receipts, or not at all.

The new run has the same identity, since it has the same values; its plan has the same rows in the same parts, cut into
fewer shards. Each new receipt says of which shards it was put together, with the digests of their values, to which
`verify` holds the new files. Whoever dies leaves a run that the same command continues.
"""

from collections.abc import (
    Callable,
    Iterator,
    Sequence,
)
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from msgspec import UNSET

from enformer_core.dataset.codec import from_parquet, readable_json
from enformer_core.dataset.commit import Commit
from enformer_core.dataset.compacted import taken_apart
from enformer_core.dataset.damage import repair_advice
from enformer_core.dataset.digests import content_digest, sha256
from enformer_core.dataset.finished import check_finished
from enformer_core.dataset.keys import (
    MANIFEST_KEY,
    TRACKS_KEY,
    plan_key,
    receipt_key,
)
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.plan import Plan, Shard
from enformer_core.dataset.plan_storage import (
    part_to_parquet,
    read_part,
    read_plan,
    read_shard,
)
from enformer_core.dataset.receipts import (
    CompactedShard,
    Manifest,
    Provenance,
    Receipt,
    ReusedRows,
)
from enformer_core.dataset.run import Run, read_run
from enformer_core.dataset.run_type import count_statuses
from enformer_core.errors import DatasetError, InputError
from enformer_core.storage.store import Store

_Group = Sequence[Receipt]
"""Shards of the run, one behind the other in one part and on one contig, that become one."""


@dataclass(frozen=True)
class Compaction:
    """A run that is put together anew.

    Attributes:
        source: the ledger of the run, which is complete.
        target: where the new one goes.
        file_bytes: of value tables as stored, up to which shards are joined.
        report: told of shards that are done, how many and of how many.
    """

    source: Ledger
    target: Store
    file_bytes: int
    report: Callable[[int, int], None]

    def run(self) -> Manifest:
        """Put the new run, as far as it is not there yet.

        Returns:
            Its manifest.

        Raises:
            InputError: where another run, or one cut otherwise, stands in the place; for kinds that are not compacted.
            DatasetError: for a run that is not complete, or damaged.
        """
        self._check_source()
        self._check_target()
        of_source = self.source.run.plan
        plan = read_plan(
            self.source.store,
            of_source.parts,
            digests=of_source.sha256,
        )
        receipts = list(self.source.receipts())
        groups = _groups(
            plan,
            receipts,
            self._sizes(receipts),
            self.file_bytes,
        )
        ledger = replace(
            self.source,
            store=self.target,
            run=self._begin(groups),
        )
        of_target = ledger.run.plan
        new_plan = read_plan(
            self.target,
            of_target.parts,
            digests=of_target.sha256,
        )
        done = ledger.committed()
        for shard, group in zip(new_plan.shards, groups, strict=True):
            if shard.number not in done:
                self._put_together(
                    ledger,
                    shard,
                    group,
                )
            self.report(shard.number + 1, len(groups))
        manifest = ledger.finish(new_plan)
        self.target.sweep()
        return manifest

    def _check_source(self) -> None:
        """A run under way would have to be compacted again; one that has lost something cannot be."""
        ledger = self.source
        location = ledger.store.location
        if not ledger.run_type.can_be_put_together:
            tables = ", ".join(ledger.run_type.derived_tables)
            raise InputError(
                f"{location}: runs of {ledger.run_type.unit} are not compacted yet: of {tables} nothing says how"
            )
        check_finished(ledger, "compact it")

    def _check_target(self) -> None:
        """Before anything is put: what is there must be this compaction, as far as it came."""
        location = self.target.location
        # the tracks are put first
        self.target.check_usable(TRACKS_KEY, MANIFEST_KEY)
        found = read_run(self.target)
        if found is None:
            return
        if found.plan.sha256 == self.source.run.plan.sha256:
            raise InputError(f"{location}: is the run itself, or a copy. Give --out another place.")
        if found.digest != self.source.run.digest:
            raise InputError(f"{location}: holds another run. Give --out another place.")

    def _sizes(self, receipts: Sequence[Receipt]) -> list[int]:
        """Bytes of each shard's value tables as stored."""
        names = [table.name for table in self.source.run_type.value_tables]
        return [sum(receipt.tables[name].bytes for name in names) for receipt in receipts]

    def _begin(self, groups: Sequence[_Group]) -> Run:
        """Put tracks, plan and, last of these, the description: a run without its plan would be planned anew."""
        source = self.source
        tracks = source.store.get(TRACKS_KEY)
        if tracks is None:
            raise DatasetError(f"{TRACKS_KEY}: missing. {repair_advice(source.store.location)}")
        self._put(TRACKS_KEY, tracks)
        new_shards = np.concatenate(
            [np.empty(0, np.int64), *(np.full(len(group), at) for at, group in enumerate(groups))]
        )
        digests = []
        for number, digest in enumerate(source.run.plan.sha256):
            rows = read_part(
                source.store,
                number,
                digest=digest,
            )
            column = rows.schema.get_field_index("shard")
            kind = rows.schema.field("shard").type
            cut = pa.array(new_shards[np.asarray(rows["shard"])], kind)
            content = part_to_parquet(rows.set_column(column, rows.schema.field("shard"), cut))
            self._put(plan_key(number), content)
            digests.append(sha256(content))
        summary = replace(
            source.run.plan,
            sha256=tuple(digests),
            shards=len(groups),
        )
        origin = {"compacted_from": source.store.location}
        run = replace(
            source.run, plan=summary, configuration={**source.run.configuration, **origin}
        )
        run.claim(self.target)
        return run

    def _put(
        self,
        key: str,
        content: bytes,
    ) -> None:
        if not self.target.put_if_absent(key, content) and self.target.get(key) != content:
            raise InputError(
                f"{self.target.location}: {key} is another one: a compaction with another --file-mb, or of another "
                "run, was begun there. Repeat that command, or give --out another place."
            )

    def _put_together(
        self,
        ledger: Ledger,
        shard: Shard,
        group: _Group,
    ) -> None:
        """One shard of the new run."""
        run_type = ledger.run_type
        tables = {name: self._tables(name, group) for name in run_type.tables}
        values = {
            table.name: pa.concat_tables(tables[table.name]) for table in run_type.value_tables
        }
        planned = read_shard(
            self.target,
            shard,
            digest=ledger.run.plan.sha256[shard.part],
        )
        commit = Commit(
            self.target,
            ledger.run,
            run_type,
            shard=shard,
            planned=planned,
        )
        commit.put_values(values, _shifted(group))
        commit.put_derived(
            {name: run_type.merge_derived(name, tables[name]) for name in run_type.derived_tables}
        )
        sources = tuple(_sources(group))
        parts = taken_apart(run_type, planned, commit.stored, [source.rows for source in sources])
        for source, part in zip(sources, parts, strict=True):
            if {name: content_digest(rows) for name, rows in part.items()} != source.digests:
                raise DatasetError(
                    f"{self.target.location}: the tables of shard {shard.number} there are not what they were put "
                    "together from. Remove the place, or give --out another."
                )
        receipt = Receipt(
            shard=shard.number,
            chrom=shard.chrom,
            identity=ledger.run.digest,
            notice=ledger.run.notice,
            rows=planned.num_rows,
            by_status=count_statuses([commit.statuses()]),
            tables=commit.entries,
            # when it was computed, by which rates and hours are reckoned
            committed_at=max(receipt.committed_at for receipt in group),
            audits=tuple(audit for receipt in group for audit in receipt.audits),
            provenance=_provenance(group),
            reused=commit.reused or UNSET,
            compacted=sources,
        )
        self.target.put_if_absent(receipt_key(shard.number), readable_json(receipt))

    def _tables(
        self,
        name: str,
        group: _Group,
    ) -> list[pa.Table]:
        """One table of each shard, every byte of it as its receipt says."""
        tables = []
        for receipt in group:
            entry = receipt.tables[name]
            content = self.source.store.get(entry.key)
            if content is None or sha256(content) != entry.sha256:
                raise DatasetError(
                    f"{entry.key}: is not what its receipt names. {repair_advice(self.source.store.location)}"
                )
            tables.append(from_parquet(content, entry.key)[0])
        return tables


def _groups(
    plan: Plan,
    receipts: Sequence[Receipt],
    sizes: Sequence[int],
    file_bytes: int,
) -> list[_Group]:
    """Shards that become one: neighbours, as long as together they are no larger than a file is to be.

    Sizes 4 4 4 9 2 on one contig, and files of 8: (0 1) (2) (3) (4).
    """
    groups: list[list[Receipt]] = []
    place: tuple[str | None, int] | None = None
    group_bytes = 0
    for shard, receipt, size in zip(plan.shards, receipts, sizes, strict=True):
        if place != (shard.chrom, shard.part) or group_bytes + size > file_bytes:
            groups.append([])
            group_bytes = 0
        place = (shard.chrom, shard.part)
        groups[-1].append(receipt)
        group_bytes += size
    return list(groups)


def _sources(group: _Group) -> Iterator[CompactedShard]:
    for receipt in group:
        # what was compacted before stays told by its first shards
        if receipt.put_together_from:
            yield from receipt.put_together_from
            continue
        yield CompactedShard(
            rows=receipt.rows,
            digests={name: table.content_digest for name, table in receipt.tables.items()},
            committed_at=receipt.committed_at,
            provenance=receipt.provenance,
        )


def _shifted(group: _Group) -> Iterator[ReusedRows]:
    """Copied rows by their places in the shard that is put together."""
    before = 0
    for receipt in group:
        for each in receipt.copied:
            rows = tuple((first + before, end + before) for first, end in each.rows)
            yield replace(each, rows=rows)
        before += receipt.rows


def _provenance(group: _Group) -> Provenance:
    """The first shard's, with the time of all: `compacted` has that of each."""
    first = group[0].provenance
    starts = [receipt.provenance.started_at for receipt in group]
    known = [start for start in starts if start is not None]
    seconds = sum(receipt.provenance.seconds for receipt in group)
    return replace(
        first,
        seconds=round(seconds, 3),
        started_at=min(known, default=None),
    )

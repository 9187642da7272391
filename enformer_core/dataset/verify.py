"""Proof that a run is whole: every planned row answered once, every object as its receipt says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset.codec import Footer, from_parquet
from enformer_core.dataset.commit import footer_of, reused_in
from enformer_core.dataset.compacted import problems_of_compacted
from enformer_core.dataset.damage import DamagedRunError, Problem, undo
from enformer_core.dataset.digests import content_digest, sha256
from enformer_core.dataset.keys import (
    MANIFEST_KEY,
    TRACKS_KEY,
    plan_key,
    receipt_key,
    shard_of_receipt,
    table_key,
)
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.plan import Plan, Shard
from enformer_core.dataset.plan_storage import read_plan
from enformer_core.dataset.receipts import Manifest, Receipt
from enformer_core.dataset.repeated_keys import repeated_keys
from enformer_core.dataset.reused import problems_of_reused
from enformer_core.dataset.run_type import ValueTable, count_statuses
from enformer_core.dataset.summary import Totals
from enformer_core.dataset.summary_tables import problems_of_summaries, unfinished_summaries
from enformer_core.errors import DatasetError
from enformer_core.variants.table import Status

_NO_REMEDY = (
    "The plan contradicts itself, which no damage explains: score into another --out, and report it"
)


@dataclass(frozen=True)
class Verification:
    """What holding every object against plan and receipts has shown.

    Attributes:
        found: what is wrong, each naming an object; empty for a sound run.
        notes: what lies among the run's objects and is none of them; nothing reads it.
        missing_shards: planned, not committed.
        finished: whether the manifest stands.
        rows: planned rows in committed shards.
        by_status: those rows by status.
        table_rows: rows of each table of committed shards.
        unit: what a planned row is: alleles or tiles.
        location: of the run.
    """

    found: tuple[Problem, ...]
    notes: tuple[str, ...]
    missing_shards: int
    finished: bool
    rows: int
    by_status: Mapping[str, int]
    table_rows: Mapping[str, int]
    unit: str
    location: str

    @property
    def complete(self) -> bool:
        """Nothing is missing and the run is closed."""
        return self.finished and not self.missing_shards

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, in words, each with its remedy."""
        return tuple(problem.told(self.location) for problem in self.found)


def verify_run(ledger: Ledger) -> Verification:
    """Hold every object of a run against the plan and its receipt."""
    totals = Totals()
    receipts: list[Receipt] = []
    problems: list[Problem] = []
    for examined in ledger.examined():
        if isinstance(examined, Problem):
            problems.append(examined)
        else:
            totals.add(examined)
            receipts.append(examined)
    # a manifest that cannot be read is a problem like others: the rest is looked at all the same
    manifest = _manifest(ledger)
    if isinstance(manifest, Problem):
        problems.append(manifest)
    plan, of_plan = _read_plan(ledger)
    problems += of_plan
    # without a plan nothing says which rows a table should answer
    if plan is not None:
        verifier = _Verifier(ledger, plan, receipts, finished=isinstance(manifest, Manifest))
        problems += verifier.problems()
    problems += problems_of_summaries(ledger, receipts)
    committed = {receipt.shard for receipt in receipts}
    planned = range(ledger.run.plan.shards)
    return Verification(
        found=tuple(problems),
        notes=tuple(_foreign_files(ledger)),
        missing_shards=sum(shard not in committed for shard in planned),
        finished=manifest is not None,
        rows=totals.rows,
        by_status=dict(sorted(totals.by_status.items())),
        table_rows=dict(totals.table_rows),
        unit=ledger.run_type.unit,
        location=ledger.store.location,
    )


def _manifest(ledger: Ledger) -> Manifest | Problem | None:
    try:
        return ledger.manifest()
    except DamagedRunError as error:
        return error.problems[0]


def _read_plan(ledger: Ledger) -> tuple[Plan | None, list[Problem]]:
    """The plan, if every part of it is there and whole; and what is wrong with parts."""
    summary = ledger.run.plan
    problems = []
    for part, expected in enumerate(summary.sha256):
        key = plan_key(part)
        content = ledger.store.get(key)
        digest = None if content is None else sha256(content)
        if digest == expected:
            continue
        found = "missing" if digest is None else f"sha256 is {digest}"
        text = f"{key}: {found}, run.json says {expected}"
        problems.append(Problem(text, (key,)))
    if problems:
        return None, problems
    try:
        return read_plan(ledger.store, summary.parts), []
    except DatasetError as error:
        return None, [Problem(f"{error}", remedy=_NO_REMEDY)]


def _foreign_files(ledger: Ledger) -> Iterator[str]:
    """Names that are no object's: what file managers and people leave behind."""
    for key in ledger.store.keys("commits/"):
        if shard_of_receipt(key) is None:
            yield f"{key}: is no receipt, and nothing reads it"
    for table in ledger.run_type.tables:
        for key in ledger.store.keys(f"{table}/"):
            if not key.endswith(".parquet"):
                yield f"{key}: is no table, and nothing reads it"
    for name in unfinished_summaries(ledger):
        yield f"{name}: is not complete, and nothing reads it; the command that makes it goes on"


@dataclass(frozen=True)
class _Verifier:
    """Looks for contradictions between the objects of a run."""

    ledger: Ledger
    plan: Plan
    receipts: Sequence[Receipt]
    finished: bool

    def problems(self) -> Iterator[Problem]:
        yield from self._of_plan()
        yield from self._of_tracks()
        shards = {shard.number: shard for shard in self.plan.shards}
        for receipt in self.receipts:
            shard = shards.get(receipt.shard)
            if shard is None:
                text = f"{receipt_key(receipt.shard)}: this shard is not planned"
                yield Problem(text, undo(receipt.shard), reopens=False)
            else:
                yield from self._of_shard(shard, receipt)
        # of a run under way, shards without receipts and tables without them are work that goes on
        if self.finished:
            yield from self._uncommitted()
            yield from self._stray_objects()
            yield from self._of_manifest()

    def _of_plan(self) -> Iterator[Problem]:
        summary = self.ledger.run.plan
        rows = sum(part.num_rows for part in self.plan.parts)
        unit = self.ledger.run_type.unit
        if rows != summary.rows:
            text = f"plan: {rows} {unit}, run.json says {summary.rows}"
            yield Problem(text, remedy=_NO_REMEDY)
        plan_keys = self.ledger.run_type.plan_keys
        for key in repeated_keys(self.plan.parts, plan_keys, rows):
            shown = ", ".join(f"{name} {value}" for name, value in key.items())
            yield Problem(f"plan: {shown} stands there more than once", remedy=_NO_REMEDY)

    def _of_tracks(self) -> Iterator[Problem]:
        """The table of tracks, without which the columns of values have no names."""
        content = self.ledger.store.get(TRACKS_KEY)
        expected = Footer("tracks", self.ledger.run.digest, self.ledger.run.notice)
        if content is None:
            yield Problem(f"{TRACKS_KEY}: missing")
            return
        try:
            tracks, footer = from_parquet(content, TRACKS_KEY)
        except DatasetError as error:
            yield Problem(f"{error}", (TRACKS_KEY,))
            return
        count = self.ledger.run.typed_identity.tracks.count
        if (footer, tracks.num_rows) != (expected, count):
            text = (
                f"{TRACKS_KEY}: {tracks.num_rows} tracks of run {footer.identity}, expected "
                f"{count} of {expected.identity}"
            )
            yield Problem(text, (TRACKS_KEY,))
        # runs of older releases say nothing of the values
        digest = self.ledger.run.tracks_digest
        if digest is None:
            return
        found = content_digest(tracks)
        if found != digest:
            text = f"{TRACKS_KEY}: digest of values is {found}, run.json says {digest}"
            yield Problem(text, (TRACKS_KEY,))

    def _of_shard(self, shard: Shard, receipt: Receipt) -> Iterator[Problem]:
        stored: dict[str, pa.Table] = {}
        for name in self.ledger.run_type.tables:
            entry = receipt.tables.get(name)
            key = table_key(name, shard.chrom, shard.number)
            if entry is None or entry.key != key:
                named = None if entry is None else entry.key
                text = f"{receipt_key(shard.number)}: names {named}, planned {key}"
                yield Problem(text, undo(shard.number))
                continue
            content = self.ledger.store.get(key)
            if content is None:
                yield self._damaged(name, shard, "missing")
            elif sha256(content) != entry.sha256:
                text = f"sha256 is {sha256(content)}, its receipt says {entry.sha256}"
                yield self._damaged(name, shard, text)
            else:
                yield from self._of_table(name, shard, receipt, content, stored)
        yield from self._of_values(shard, receipt, stored)

    def _of_table(
        self,
        name: str,
        shard: Shard,
        receipt: Receipt,
        content: bytes,
        stored: dict[str, pa.Table],
    ) -> Iterator[Problem]:
        """A table whose bytes are those of its receipt; it is added to `stored`."""
        entry = receipt.tables[name]
        try:
            table, footer = from_parquet(content, entry.key)
        except DatasetError as error:
            yield self._damaged(name, shard, f"{error}".removeprefix(f"{entry.key}: "))
            return
        expected = footer_of(self.ledger.run, name, shard)
        if footer != expected:
            yield self._damaged(name, shard, f"its footer says {footer}, expected {expected}")
        is_first = name == self.ledger.run_type.value_tables[0].name
        if is_first and reused_in(footer, entry.key) != receipt.copied:
            text = f"{receipt_key(shard.number)}: names other copied rows than the table itself"
            yield Problem(text, undo(shard.number))
        if table.num_rows != entry.rows:
            text = f"has {table.num_rows} rows, its receipt says {entry.rows}"
            yield self._damaged(name, shard, text)
        # the bytes are right: another digest of values means that they were never what the receipt says
        found = content_digest(table)
        if found != entry.content_digest:
            text = f"digest of values is {found}, its receipt says {entry.content_digest}"
            yield self._damaged(name, shard, text)
        stored[name] = table

    def _damaged(self, table: str, shard: Shard, what: str) -> Problem:
        """A problem of a shard's table, because of which it and those behind it are made again."""
        # what was derived from damaged values would contradict those that replace them
        names = self.ledger.run_type.tables
        behind = names[names.index(table) :]
        keys = [table_key(name, shard.chrom, shard.number) for name in behind]
        return Problem(f"{keys[0]}: {what}", undo(shard.number, keys))

    def _of_values(
        self,
        shard: Shard,
        receipt: Receipt,
        stored: Mapping[str, pa.Table],
    ) -> Iterator[Problem]:
        """Whether the value tables answer the planned rows, each by the same statuses."""
        run_type = self.ledger.run_type
        # statuses stand in the first table: without it nothing says which rows others should have values for
        first = run_type.value_tables[0]
        if first.name not in stored:
            return
        planned = self.plan.parts[shard.part].slice(shard.first_row, shard.rows)
        if misplaced := self._misplaced_keys(first, planned, stored):
            yield self._damaged(first.name, shard, misplaced)
            return
        statuses = run_type.statuses(planned, stored[first.name])
        # a row may fail when it is computed; whatever else was planned of it stands
        has_changed = pc.not_equal(statuses, planned["status"])
        has_not_failed = pc.not_equal(statuses, Status.FAILED)
        contradicts = pc.any(pc.and_(has_changed, has_not_failed))
        if contradicts.as_py():
            yield self._damaged(first.name, shard, "a status is not the planned one")
        counted = count_statuses([statuses])
        if (receipt.rows, receipt.by_status) != (planned.num_rows, counted):
            text = (
                f"{receipt.tables[first.name].key}: holds {counted}, its receipt says "
                f"{receipt.rows} {run_type.unit}, {dict(receipt.by_status)}"
            )
            yield Problem(text, undo(shard.number))
        columns = run_type.list_columns(first, self.ledger.run)
        for text in problems_of_reused(receipt.copied, stored[first.name], statuses, columns):
            yield Problem(f"{receipt_key(shard.number)}: {text}", undo(shard.number))
        for text in problems_of_compacted(receipt, run_type, planned, stored):
            yield Problem(f"{receipt_key(shard.number)}: {text}", undo(shard.number))
        for table in run_type.value_tables:
            if table.name in stored:
                for text in self._of_value_table(table, planned, statuses, stored):
                    yield self._damaged(table.name, shard, text)

    def _of_value_table(
        self,
        table: ValueTable,
        planned: pa.Table,
        statuses: pa.ChunkedArray,
        stored: Mapping[str, pa.Table],
    ) -> Iterator[str]:
        if misplaced := self._misplaced_keys(table, planned, stored):
            yield misplaced
            return
        row = self.ledger.run_type.expected_keys(table, planned)["row"]
        became = statuses.take(row)
        rows = stored[table.name]
        if "status" in rows.column_names and not rows["status"].equals(became):
            first = self.ledger.run_type.value_tables[0].name
            yield f"a status is not the one in {first}"
        is_computed = pc.equal(became, Status.OK)
        expected = self.ledger.run_type.list_length(table, self.ledger.run)
        for column in self.ledger.run_type.list_columns(table, self.ledger.run):
            values = rows[column]
            if not pc.is_valid(values).equals(is_computed):
                yield f"{column} is not there for just the rows that are ok"
            if not pa.types.is_list(values.type):
                continue
            all_lengths = pc.drop_null(pc.list_value_length(values))
            lengths = pc.unique(all_lengths).to_pylist()
            # no length at all: no row of the table was computed
            if lengths not in ([], [expected]):
                yield f"{column} has lists of {lengths} values, the run {expected}"

    def _misplaced_keys(
        self,
        table: ValueTable,
        planned: pa.Table,
        stored: Mapping[str, pa.Table],
    ) -> str | None:
        expected = self.ledger.run_type.expected_keys(table, planned)
        rows = stored[table.name]
        misplaced = [name for name in table.key_columns if not rows[name].equals(expected[name])]
        if not misplaced:
            return None
        unit = self.ledger.run_type.unit
        return f"columns {', '.join(misplaced)} do not hold the planned {unit} in order"

    def _uncommitted(self) -> Iterator[Problem]:
        """Shards of a closed run that have no receipt any more; those whose receipt is damaged are named already."""
        planned = set(range(len(self.plan.shards)))
        uncommitted = planned - self.ledger.committed()
        for shard in sorted(uncommitted):
            yield Problem(f"{receipt_key(shard)}: missing", undo(shard))

    def _stray_objects(self) -> Iterator[Problem]:
        """Tables that no receipt names: work under way while a run lasts, an error once it is closed."""
        known = {table.key for receipt in self.receipts for table in receipt.tables.values()}
        committed = {receipt.shard for receipt in self.receipts}
        # what lost its receipt may be sound: the next attempt finds it and keeps it
        known |= {
            table_key(table, shard.chrom, shard.number)
            for table in self.ledger.run_type.tables
            for shard in self.plan.shards
            if shard.number not in committed
        }
        for table in self.ledger.run_type.tables:
            for key in self.ledger.store.keys(f"{table}/"):
                if key not in known and key.endswith(".parquet"):
                    yield Problem(f"{key}: no receipt names it", (key,), reopens=False)

    def _of_manifest(self) -> Iterator[Problem]:
        try:
            listed = {entry.shard: entry.tables for entry in self.ledger.manifest_objects()}
        except DatasetError as error:
            yield Problem(f"{error}")
            return
        there = {receipt.shard: receipt.tables for receipt in self.receipts}
        planned = {shard.number for shard in self.plan.shards}
        # shards whose receipts are lost are named already, each by itself
        uncommitted = planned - there.keys()
        comparable = {shard: listed[shard] for shard in listed.keys() - uncommitted}
        if comparable != there:
            yield Problem(f"{MANIFEST_KEY}: lists other objects than the receipts do")

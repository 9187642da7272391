"""What is done: the commit of a shard, the receipts, and the manifest that closes a run.

A shard is committed by create-only puts: its value tables, the tables derived from them, then the
receipt. Only the receipt counts. Derived tables are made from the value tables *as stored*, so that
when another worker was first, its values are taken and nothing contradicts them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby

import pyarrow as pa
from msgspec import UNSET

from enformer_core.dataset.codec import canonical_json, decode, json_line, readable_json
from enformer_core.dataset.commit import Commit, Derivation, Tables
from enformer_core.dataset.damage import (
    DamagedRunError,
    Problem,
    problem_of_sizes,
    stored_sizes,
    undo,
)
from enformer_core.dataset.keys import (
    BLOCK_SHARDS,
    MANIFEST_KEY,
    TRACKS_KEY,
    plan_key,
    receipt_block_key,
    receipt_key,
    shard_of_receipt,
)
from enformer_core.dataset.plan import Plan, Shard, check_complete
from enformer_core.dataset.receipts import (
    AuditedAllele,
    Manifest,
    Provenance,
    Receipt,
    ReusedRows,
    ShardObjects,
    manifest_json,
    read_manifest_objects,
    read_receipt,
)
from enformer_core.dataset.run import Run
from enformer_core.dataset.run_type import RunType, count_statuses
from enformer_core.dataset.summary import Totals
from enformer_core.errors import DatasetError
from enformer_core.storage.store import Store


@dataclass(frozen=True)
class ShardValues:
    """What was computed of a shard.

    Attributes:
        tables: its value tables by name.
        provenance: how they came about, for the receipt.
        audits: alleles that were scored twice.
        reused: rows of the first of them that were copied from other runs.
    """

    tables: Tables
    provenance: Provenance
    audits: tuple[AuditedAllele, ...] = ()
    reused: tuple[ReusedRows, ...] = ()


@dataclass(frozen=True)
class Committed:
    """What the driver is told of a commit.

    Attributes:
        shard: its number.
        rows: planned rows that it answers.
        by_status: those by status.
        audits: what scoring some of them twice has shown.
        found: how many of its objects another attempt had put before; they were checked and kept.
        computed: rows for which this attempt computed something; None where that was not counted.
    """

    shard: int
    rows: int
    by_status: Mapping[str, int]
    audits: tuple[AuditedAllele, ...]
    found: int
    computed: int | None = None


@dataclass(frozen=True)
class Ledger:
    """The commits of one run.

    Attributes:
        store: where the run lies.
        run: its description.
        run_type: which tables a shard has.
        readers: receipts read at once.
    """

    store: Store
    run: Run
    run_type: RunType
    readers: int = 32

    def commit(
        self,
        shard: Shard,
        planned: pa.Table,
        values: ShardValues,
        *,
        derive: Derivation,
    ) -> Committed:
        """Put a shard's tables and its receipt; what is there already is checked and kept.

        Args:
            shard: which.
            planned: its rows of the plan.
            values: what was computed for these rows, in their order.
            derive: makes the derived tables from the value tables as stored.

        Raises:
            DatasetError: when an object of another run stands in the place.
        """
        commit = Commit(self.store, self.run, self.run_type, shard=shard, planned=planned)
        commit.put_values(values.tables, values.reused)
        commit.put_derived(derive(commit.stored))
        statuses = commit.statuses()
        now = datetime.now(UTC)
        receipt = Receipt(
            shard=shard.number,
            chrom=shard.chrom,
            identity=self.run.digest,
            notice=self.run.notice,
            rows=planned.num_rows,
            by_status=count_statuses([statuses]),
            tables=commit.entries,
            committed_at=now.replace(microsecond=0),
            audits=values.audits,
            provenance=values.provenance,
            reused=commit.reused or UNSET,
        )
        # a second driver or a speculative copy may have put the receipt meanwhile: then it counts
        found = commit.found
        if not self.store.put_if_absent(receipt_key(shard.number), readable_json(receipt)):
            receipt = self.receipt(shard.number)
            found += 1
        return Committed(shard.number, receipt.rows, receipt.by_status, receipt.audits, found)

    def committed(self) -> set[int]:
        """Shards that have a receipt, by the receipts' names alone."""
        shards = map(shard_of_receipt, self.store.keys("commits/"))
        return {shard for shard in shards if shard is not None}

    def has_receipt(self, shard: int) -> bool:
        """Whether the shard is done by now; for who asks about one, where `committed` lists all."""
        return self.store.get(receipt_key(shard)) is not None

    def receipts(self, *, put_blocks: bool = False) -> Iterator[Receipt]:
        """All receipts in order of shards: from blocks where they have been put, else many at once.

        Args:
            put_blocks: put those that are missing, so that the next to ask need not read one by one.

        Raises:
            DatasetError: for a receipt that is damaged or of another run, with the remedy.
        """
        for found in self.examined(put_blocks=put_blocks):
            if isinstance(found, Problem):
                raise DatasetError(found.told(self.store.location))
            yield found

    def examined(self, *, put_blocks: bool = False) -> Iterator[Receipt | Problem]:
        """As `receipts`; what is damaged, or of another run, is given as a problem in its place."""
        in_order = sorted(self.committed())
        by_block = groupby(in_order, key=lambda shard: shard // BLOCK_SHARDS)
        for block, shards in by_block:
            yield from self._block(block, list(shards), put=put_blocks)

    def put_block(self, block: int) -> None:
        """Put the receipts of a block, all of whose shards are committed, as one object."""
        shards = range(block * BLOCK_SHARDS, (block + 1) * BLOCK_SHARDS)
        self._put_block(block, self._contents(shards))

    def _put_block(self, block: int, contents: Iterable[bytes]) -> None:
        # receipts are never decoded here: what another release wrote into them is kept
        lines = b"\n".join(map(json_line, contents))
        self.store.put_if_absent(receipt_block_key(block), lines + b"\n")

    def _block(
        self,
        block: int,
        shards: Sequence[int],
        *,
        put: bool,
    ) -> Iterator[Receipt | Problem]:
        """The receipts of these shards, which all belong to one block."""
        key = receipt_block_key(block)
        is_full = len(shards) == BLOCK_SHARDS
        stored = self.store.get(key) if is_full else None
        if stored is not None:
            try:
                yield from self._of_block(stored, key, shards)
            except DatasetError as error:
                # a block is only a copy: the receipts themselves still count
                yield Problem(f"{error}", (key,), reopens=False)
            else:
                return
        contents = list(self._contents(shards))
        found = [self._examined(*each) for each in zip(shards, contents, strict=True)]
        is_sound = all(isinstance(each, Receipt) for each in found)
        if put and is_full and stored is None and is_sound:
            self._put_block(block, contents)
        yield from found

    def _of_block(
        self,
        stored: bytes,
        key: str,
        shards: Sequence[int],
    ) -> list[Receipt]:
        receipts = [self._checked(line, key) for line in stored.splitlines()]
        if [receipt.shard for receipt in receipts] != list(shards):
            first, last = shards[0], shards[-1]
            raise DatasetError(f"{key}: damaged: not the receipts of shards {first} to {last}")
        return receipts

    def _examined(self, shard: int, content: bytes) -> Receipt | Problem:
        try:
            return self._receipt_of(shard, content)
        except DatasetError as error:
            return Problem(f"{error}", undo(shard))

    def _contents(self, shards: Iterable[int]) -> Iterator[bytes]:
        """The objects of receipts as stored, in order; empty bytes where one is missing."""
        if self.readers == 1:
            yield from map(self._content, shards)
            return
        # a request takes milliseconds of waiting: many at once, or 100,000 receipts take minutes
        with ThreadPoolExecutor(self.readers) as pool:
            yield from pool.map(self._content, shards)

    def _content(self, shard: int) -> bytes:
        return self.store.get(receipt_key(shard)) or b""

    def receipt(self, shard: int) -> Receipt:
        """The receipt of a committed shard.

        Raises:
            DatasetError: when it is missing, damaged, or of another run.
        """
        return self._receipt_of(shard, self._content(shard))

    def found_receipt(self, shard: int) -> Receipt | None:
        """The receipt of a shard; None where it is not committed.

        Raises:
            DatasetError: when it is damaged, or of another run.
        """
        content = self._content(shard)
        return self._receipt_of(shard, content) if content else None

    def _receipt_of(self, shard: int, content: bytes) -> Receipt:
        key = receipt_key(shard)
        receipt = self._checked(content, key)
        # a copy under another name would answer for a shard that nobody computed
        if receipt.shard != shard:
            raise DatasetError(f"{key}: is the receipt of shard {receipt.shard}")
        return receipt

    def _checked(self, content: bytes, key: str) -> Receipt:
        receipt = read_receipt(content, key, self.run_type.tables)
        if receipt.identity != self.run.digest:
            raise DatasetError(f"{key}: of run {receipt.identity}, expected {self.run.digest}")
        return receipt

    def finish(self, plan: Plan) -> Manifest:
        """Put the manifest, the last object of a run; every planned shard must have its receipt.

        What receipts name must be there, with its length: a listing shows it, and nothing is read.

        Returns:
            The manifest as it stands.

        Raises:
            DamagedRunError: where committed objects are gone, or not what their receipts say.
            DatasetError: naming shards without a receipt, or rows that do not add up.
        """
        sizes = stored_sizes(self.store, self.run_type.tables)
        problems: list[Problem] = []
        draft = _ManifestDraft()
        for found in self.examined(put_blocks=True):
            problem = self._problem(found, plan, sizes)
            if problem is not None:
                problems.append(problem)
            elif isinstance(found, Receipt):
                draft.add(found)
        if problems:
            raise DamagedRunError(problems, self.store.location)
        check_complete(plan, draft.answered)
        manifest = draft.manifest(self.run)
        self.store.put_if_absent(MANIFEST_KEY, manifest_json(manifest, draft.objects))
        # of many shards they are as large as the manifest that is read now
        draft.objects.clear()
        # another driver's, where that was first
        return self.manifest() or manifest

    def _problem(
        self,
        found: Receipt | Problem,
        plan: Plan,
        sizes: Mapping[str, int],
    ) -> Problem | None:
        """What is wrong with what stands in a receipt's place, and with the tables that it names."""
        if isinstance(found, Problem):
            return found
        if found.shard >= len(plan.shards):
            text = f"{receipt_key(found.shard)}: this shard is not planned"
            return Problem(text, undo(found.shard), reopens=False)
        return problem_of_sizes(found, self.run_type.tables, sizes)

    def lost(self) -> list[Problem]:
        """What is missing of a closed run, or has another length: by listings and the manifest alone."""
        tables = self.run_type.tables
        sizes = stored_sizes(self.store, tables)
        found = [problem_of_sizes(each, tables, sizes) for each in self.manifest_objects()]
        problems = [problem for problem in found if problem is not None]
        planned = set(range(self.run.plan.shards))
        for shard in sorted(planned - self.committed()):
            problem = Problem(f"{receipt_key(shard)}: missing", undo(shard))
            problems.append(problem)
        # the plan is listed, not read: its parts are as large as the input
        parts = {plan_key(part) for part in range(self.run.plan.parts)}
        lost = parts - set(self.store.keys("plan/"))
        if not self._is_there(TRACKS_KEY):
            lost.add(TRACKS_KEY)
        problems += [Problem(f"{key}: missing") for key in sorted(lost)]
        return problems

    def _is_there(self, key: str) -> bool:
        return self.store.get(key) is not None

    def manifest(self) -> Manifest | None:
        """The manifest, when the run is complete."""
        content = self.store.get(MANIFEST_KEY)
        if content is None:
            return None
        try:
            return decode(content, Manifest, MANIFEST_KEY)
        except DatasetError as error:
            raise DamagedRunError([Problem(f"{error}")], self.store.location) from error

    def manifest_objects(self) -> list[ShardObjects]:
        """The objects that the manifest names; none before the run is complete."""
        content = self.store.get(MANIFEST_KEY)
        if content is None:
            return []
        return read_manifest_objects(content, MANIFEST_KEY, self.run_type.tables)


@dataclass
class _ManifestDraft:
    """What all receipts come to, for the manifest.

    Attributes:
        answered: rows by shard.
        objects: for each shard its tables as stored, as JSON.
    """

    answered: dict[int, int] = field(default_factory=dict)
    objects: list[bytes] = field(default_factory=list)
    _totals: Totals = field(default_factory=Totals)

    def add(self, receipt: Receipt) -> None:
        self.answered[receipt.shard] = receipt.rows
        self._totals.add(receipt)
        entry = ShardObjects(receipt.shard, receipt.chrom, receipt.tables)
        self.objects.append(canonical_json(entry))

    def manifest(self, run: Run) -> Manifest:
        totals = self._totals
        return Manifest(
            identity=run.digest,
            notice=run.notice,
            shards=totals.shards,
            rows=totals.rows,
            by_status=dict(sorted(totals.by_status.items())),
            arithmetic=tuple(sorted(totals.arithmetic)),
            audit=totals.audit,
            table_rows=dict(totals.table_rows),
            completed_at=datetime.now(UTC).replace(microsecond=0),
            audit_seconds=round(totals.audit_s, 3),
            seconds=round(totals.computed_s, 3),
        )

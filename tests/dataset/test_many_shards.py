"""Runs of very many shards, on disk and on S3: planned, continued and closed in time, with requests side by side.

The driver is the real one; only its pool is a stand-in that puts receipts made from one real commit, because how long
it takes to commit shards is not the question here. What the service is asked is counted, and so is the longest chain of
requests of which each began after the one before had ended: what is asked one after another takes as long as a chain.
"""

# ruff: noqa: N803 - botocore names its arguments as S3 does
import gc
import json
import subprocess
import sys
import threading
import time
import tracemalloc
from bisect import bisect_left, bisect_right
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from types import MappingProxyType, SimpleNamespace

import numpy as np
import psutil
import pyarrow as pa
import pytest
from botocore.exceptions import ClientError

import jobs.job
from cluster.pool import PoolError, TaskDone
from enformer_core.analyses.base import Analysis, WorkerResources
from enformer_core.analyses.variant_run_type import VariantEffectsType
from enformer_core.dataset.codec import readable_json
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.keys import BLOCK_SHARDS, receipt_key, table_key
from enformer_core.dataset.ledger import Committed, Ledger
from enformer_core.dataset.plan_builder import PlacedAlleles, gather
from enformer_core.dataset.progress import run_progress
from enformer_core.dataset.run import read_run
from enformer_core.dataset.shard_task import ShardTask
from enformer_core.models.geometry import ENFORMER
from enformer_core.scoring.conventions import Conventions
from enformer_core.storage.local import LocalStore
from enformer_core.storage.open import open_store
from enformer_core.storage.retry import RetryingStore, SystemClock
from enformer_core.storage.s3 import S3Store
from enformer_core.storage.s3_connection import RequestCounts
from enformer_core.variants.table import PLACED_SCHEMA
from jobs.job import Job
from jobs.resources import Workers
from tests.support.memory import peak_bytes
from tests.support.toy_runs import scoring_worker, toy_identity, toy_ledger

ROWS = 10
"""Alleles of each shard that is planned."""

CONVENTIONS = Conventions(geometry=ENFORMER, statistics=("sad",), centre_index=98_303)

IDENTITY = toy_identity()

FEW, MANY = 2_000, 100_000

WITHIN_S = {FEW: 10, MANY: 120}
"""Seconds of CPU, which do not depend on what else the machine does."""

SIZES = [FEW, pytest.param(MANY, marks=[pytest.mark.full, pytest.mark.timeout(1800)])]

LATENCY_S = 0.004
"""Longer than the client itself works on an answer on a busy machine, or the machine would be measured here."""

AT_ONCE_AT_LEAST = 8
"""Requests about receipts that are under way together, on the mean."""

BYTES_A_SHARD_WHILE_WORKING = 20

BYTES_A_SHARD_WHEN_CLOSING = 2_000
"""The manifest has 700 bytes on each shard; it is put together, written and read back as one object."""

TRACED = 1_000
"""Shards, where every allocation is traced."""


class Service:
    """A bucket in memory, as botocore's client. Every answer takes four milliseconds.

    Attributes:
        objects: by key.
        longest_chain: requests of which each began after the one before had ended.
    """

    def __init__(self):
        self.objects: dict[str, SimpleNamespace] = {}
        self.longest_chain = 0
        self._lock = threading.Lock()
        self._sorted: list[str] = []

    def put_object(self, *, Bucket, Key, Body, ChecksumSHA256, Metadata, IfNoneMatch):
        with self._answering(), self._lock:
            if Key in self.objects:
                raise _refused(412, "PreconditionFailed")
            self.objects[Key] = SimpleNamespace(content=bytes(Body), metadata=Metadata)
            return {"ETag": "1"}

    def get_object(self, *, Bucket, Key):
        with self._answering():
            stored = self.objects.get(Key)
            if stored is None:
                raise _refused(404, "NoSuchKey")
            body = _Body(stored.content)
            return {
                "ETag": "1",
                "ContentLength": len(stored.content),
                "Metadata": stored.metadata,
                "Body": body,
            }

    def head_object(self, *, Bucket, Key):
        with self._answering():
            if Key not in self.objects:
                raise _refused(404, "404")
            return {"ETag": "1", "ContentLength": len(self.objects[Key].content)}

    def list_objects_v2(self, *, Bucket, Prefix, MaxKeys, StartAfter="", ContinuationToken=""):
        with self._answering():
            after = ContinuationToken or StartAfter
            names = self._names()
            first = bisect_right(names, after) if after else bisect_left(names, Prefix)
            names_from_here = list(
                takewhile(lambda name: name.startswith(Prefix), names[first : first + MaxKeys + 1])
            )
            page = names_from_here[:MaxKeys]
            more = (
                {"IsTruncated": True, "NextContinuationToken": page[-1]}
                if len(page) < len(names_from_here)
                else {}
            )
            return {
                "IsTruncated": False,
                "Contents": [
                    {"Key": name, "Size": len(self.objects[name].content)} for name in page
                ],
                **more,
            }

    def _names(self):
        with self._lock:
            if len(self._sorted) != len(
                self.objects
            ):  # names come and go, but not both between two listings
                self._sorted = sorted(self.objects)
            return self._sorted

    @contextmanager
    def _answering(self):
        chain = self.longest_chain + 1  # it begins after all that have ended
        time.sleep(LATENCY_S)
        try:
            yield
        finally:
            with self._lock:
                self.longest_chain = max(self.longest_chain, chain)


class _Body:
    def __init__(self, content):
        self.content = content

    def read(self, size):
        piece, self.content = self.content[:size], self.content[size:]
        return piece

    def close(self):
        pass


def _refused(status, code):
    return ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Any"
    )


class Requests(Counter):
    """Requests by kind.

    Attributes:
        chain: how many of them there are of which each began after the one before had ended.
    """

    chain = 0


class OnDisk:
    """A run in a directory, through the real store."""

    def __init__(self, directory):
        self.directory = directory / "run"
        self.store = open_store(str(self.directory))
        self.chain = None

    def put_quietly(self, key, content):
        """As another machine would: no part of what is timed or counted."""
        path = self.directory / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def forget(self, prefix):
        for key in list(LocalStore(self.directory).keys("")):
            if key.startswith(prefix):
                (self.directory / key).unlink()

    @contextmanager
    def requests(self):
        """Requests of the block; a disk does not count them."""
        yield Requests()


class InMemory:
    """A run in the bucket of a service that is made up; everything above botocore's client is real."""

    def __init__(self, directory):
        self.service, self.counts = Service(), RequestCounts()
        s3 = S3Store("bucket", "run")
        object.__setattr__(
            s3, "_connection", SimpleNamespace(client=self._client, requests=self.counts)
        )
        self.store = RetryingStore(s3, SystemClock())

    def _client(self, kind):
        self.counts.add(kind)
        return self.service

    def put_quietly(self, key, content):
        self.service.objects[f"run/{key}"] = SimpleNamespace(
            content=content, metadata={"sha256": sha256(content)}
        )

    def forget(self, prefix):
        for key in [key for key in self.service.objects if key.startswith(f"run/{prefix}")]:
            del self.service.objects[key]

    @contextmanager
    def requests(self):
        """Count the requests that are made in the block; complete when it ends."""
        requests = Requests()
        before, chain = Counter(self.counts._counts), self.service.longest_chain
        yield requests
        requests.update(Counter(self.counts._counts) - before)
        requests.chain = self.service.longest_chain - chain


class FlatScorer:
    """Scores that can be read off, and cost nothing."""

    def score(self, alleles, start):
        return [{"sad": np.array([allele.start, 1.0, -2.0])} for allele in alleles]


@dataclass
class ReceiptPool:
    """In the place of a pool: every task is done as soon as it is read, as if workers somewhere had committed it.

    Attributes:
        place: where receipts appear.
        ledger: of the run.
        of: numbers of shards that are computed; the others are left.
        seconds: spent here, which are not the driver's.
        memory: bytes of Python's objects early in the run, and after all tasks.
    """

    place: OnDisk | InMemory
    ledger: Ledger
    of: range
    seconds: float = 0.0
    memory: tuple[int, int] = (0, 0)
    tasks: int = 0

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def items_in_hand(self):
        return 0

    def run(self, tasks):
        template, contents = {}, {}
        for task in tasks:
            shard = task.payload.shard
            if shard.number not in self.of:
                continue
            began = time.process_time()
            if not template:
                template = self._really(shard)
                contents = {
                    name: self.ledger.store.get(table["key"])
                    for name, table in template["tables"].items()
                }
            else:
                for name, content in contents.items():
                    self.place.put_quietly(table_key(name, shard.chrom, shard.number), content)
                self.place.put_quietly(receipt_key(shard.number), self._receipt(template, shard))
            self.tasks += 1
            if self.tasks == TRACED // 10 and tracemalloc.is_tracing():
                gc.collect()
                self.memory = (tracemalloc.get_traced_memory()[0], 0)
            self.seconds += time.process_time() - began
            yield TaskDone(
                task.key,
                "worker-0",
                Committed(shard.number, shard.rows, {"ok": shard.rows}, (), 0),
                0.1,
            )
        if tracemalloc.is_tracing():
            gc.collect()
            self.memory = (self.memory[0], tracemalloc.get_traced_memory()[0])

    def _really(self, shard):
        """Commit a shard, and take its receipt."""
        worker = scoring_worker(FlatScorer(), self.ledger, CONVENTIONS, (0, 5, 7), top_tracks=1)
        worker(ShardTask(shard))
        return json.loads(self.ledger.store.get(receipt_key(shard.number)))

    def _receipt(self, template, shard):
        tables = {
            name: table | {"key": table_key(name, shard.chrom, shard.number)}
            for name, table in template["tables"].items()
        }
        return readable_json(
            template | {"shard": shard.number, "chrom": shard.chrom, "tables": tables}
        )

    def interrupt(self):
        raise AssertionError("nobody interrupts")


@dataclass
class Settings:
    """Of the run, as far as the driver asks."""

    out: str = "run"
    ray: str = "off"
    log_format: str = "text"
    single_writer: bool = False
    share: str | None = None
    tracks: str | None = None


class Command:
    """`enformer-ray score` without reading variants or computing: the real driver on a plan of so many shards."""

    def __init__(self, place, shards, monkeypatch):
        self.place, self.shards = place, shards
        self.pool = None
        self.job = Job(
            settings=Settings(),
            analysis=PlannedOnly(shards),
            tracks=SimpleNamespace(to_arrow=lambda: pa.table({"index": [0, 5, 7]})),
            store=place.store,
            choose_workers=lambda: Workers(1, WorkerResources("cpu", 1, 0, 1)),
            notice="only a test",
        )
        self.of = range(0)
        monkeypatch.setattr(jobs.job, "make_pool", self._pool)

    def _pool(self, settings, workers, factory, unit, control):
        self.pool = ReceiptPool(self.place, factory.ledger, self.of)
        return self.pool

    def __call__(self, of):
        """Give the command while machines are there for these shards only; the driver's CPU seconds and requests."""
        self.of = of
        with self.place.requests() as requests:
            began = time.process_time()
            try:
                self.job.run()
            except PoolError:
                assert len(of) < self.shards
            seconds = time.process_time() - began
        return seconds - (self.pool.seconds if self.pool else 0), requests


@dataclass(frozen=True)
class PlannedOnly(Analysis):
    """Variants that are planned, and that nobody computes."""

    run_type = VariantEffectsType()
    shards: int

    @property
    def loader(self):
        return _NoLoader()

    def identity(self, contigs, rows):
        return IDENTITY

    @contextmanager
    def read_input(self):
        contigs = {"chr1": 10**9, "chr2": 10**9}
        with gather(_alleles(self.shards * ROWS), contigs, place=lambda raw: raw) as placed:
            yield _Draft(placed, self.shards)


class _NoLoader:
    """Where a worker's loader would stand: the pool that is a stand-in makes no workers."""

    def load(self, resources, planned_contigs):
        raise AssertionError("nothing is loaded")


@dataclass(frozen=True)
class _Draft:
    placed: PlacedAlleles
    shards: int

    @property
    def rows(self):
        return self.placed.alleles

    @property
    def records(self):
        return self.placed.records

    contigs = ()
    filtered = MappingProxyType({})

    def draft(self, seed):
        draft = self.placed.draft(ROWS, window_starts=lambda starts: starts - 98_303)
        assert len(draft.shards) == self.shards
        return draft


def _alleles(count):
    """SNVs on two contigs, as many on both, far enough from each other for windows of their own."""
    for contig in ("chr1", "chr2"):
        for first in range(0, count // 2, 1 << 16):
            lines = np.arange(first, min(first + (1 << 16), count // 2))
            given = {
                "input_file": pa.repeat(f"{contig}.vcf", lines.size),
                "input_line": pa.array(lines + 1),
                "alt_index": pa.repeat(pa.scalar(1, pa.int32()), lines.size),
                "chrom": pa.repeat(contig, lines.size),
                "start": pa.array(lines * 37 + 100_000),
                "ref": pa.repeat("A", lines.size),
                "alt": pa.repeat("G", lines.size),
                "status": pa.repeat("ok", lines.size),
                "flags": pa.array([[]] * lines.size, PLACED_SCHEMA.field("flags").type),
            }
            yield pa.table(
                [
                    given[field.name].cast(field.type)
                    if field.name in given
                    else pa.nulls(lines.size, field.type)
                    for field in PLACED_SCHEMA
                ],
                schema=PLACED_SCHEMA,
            )


@pytest.fixture(params=[OnDisk, InMemory], ids=["on disk", "on S3"])
def place(request, tmp_path):
    return request.param(tmp_path)


@pytest.mark.parametrize("shards", SIZES)
def test_planned_continued_and_closed(place, shards, monkeypatch, capsys):
    command, within_s = Command(place, shards, monkeypatch), WITHIN_S[shards]
    every, blocks = range(shards), shards // BLOCK_SHARDS
    took = {}

    took["planned, half committed"], requests = command(range(0, shards, 2))
    assert command.pool.tasks == shards // 2
    assert requests["put"] < 50 + 2 * blocks
    assert requests.total() < 200 + 4 * blocks

    took["continued, the other half committed and closed"], requests = command(every)
    assert command.pool.tasks == shards // 2
    # Each receipt is read once, to be put into its block: many at once.
    assert shards <= requests["get"] < 1.05 * shards or not requests
    assert requests["put"] <= blocks + 10
    assert requests["list"] < 10 + 4 * blocks
    assert requests.chain < shards / AT_ONCE_AT_LEAST
    ledger = command.pool.ledger
    manifest, objects = ledger.manifest(), ledger.manifest_objects()
    assert (manifest.shards, manifest.rows) == (shards, shards * ROWS)
    assert [entry.shard for entry in objects] == [*every]

    command.pool = None
    took["given once more"], requests = command(every)
    assert command.pool is None
    # names and lengths of both tables and the receipts' names are listed: what was lost since is noticed
    assert requests.total() < 20 + 4 * blocks

    with place.requests() as requests:
        began = time.process_time()
        progress = run_progress(toy_ledger(place.store, read_run(place.store)))
        took["status"] = time.process_time() - began
    assert (progress.shards_done, progress.finished) == (shards, True)
    assert requests.total() < 20 + 6 * blocks

    # A driver that dies at the end leaves receipts without blocks and without a manifest.
    place.forget("manifest.json")
    place.forget("receipts/")
    took["closed from single receipts"], requests = command(every)
    assert command.pool is None  # nothing is left to compute
    assert requests.chain < shards / AT_ONCE_AT_LEAST
    again = replace(ledger.manifest(), completed_at=manifest.completed_at)
    assert (again, ledger.manifest_objects()) == (manifest, objects)

    with capsys.disabled():
        print(
            f"\n{shards:,} shards: "
            + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in took.items())
        )
    assert max(took.values()) < within_s


def test_the_drivers_memory_does_not_grow_with_what_is_done(tmp_path, monkeypatch):
    # Beside the driver a thousand receipts at a time are read and put as a block: here only when the run is closed.
    monkeypatch.setattr(Ledger, "put_block", lambda self, block: None)
    command = Command(OnDisk(tmp_path), TRACED, monkeypatch)
    command(range(1))
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        command(range(TRACED))
        peak = tracemalloc.get_traced_memory()[1] - before
        early, late = command.pool.memory
    finally:
        tracemalloc.stop()
    print(f"{late - early:,} bytes more while working, {peak:,} at the most")
    assert early
    assert late - early < 16 * 2**10 + BYTES_A_SHARD_WHILE_WORKING * TRACED
    assert peak < 10 * 2**20 + BYTES_A_SHARD_WHEN_CLOSING * TRACED


def print_memory(directory, shards, of):
    """In a process of its own: bytes more than at its start when all is computed, and at the most."""
    with pytest.MonkeyPatch.context() as patch:
        command, computed = Command(OnDisk(Path(directory)), shards, patch), []
        finish, before = Ledger.finish, psutil.Process().memory_info().rss
        patch.setattr(
            Ledger,
            "finish",
            lambda *given: computed.append(psutil.Process().memory_info().rss) or finish(*given),
        )
        command(range(of))
    most = peak_bytes()
    print(json.dumps([computed[-1] - before if computed else 0, most - before]))


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_a_hundred_thousand_shards_take_little_memory(tmp_path):
    for of in (1, MANY):  # planned by one process, done by another
        call = f"from tests.dataset.test_many_shards import print_memory; print_memory({str(tmp_path)!r}, {MANY}, {of})"
        said = subprocess.run(
            [sys.executable, "-c", call],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    computed, most = json.loads(said.stdout.splitlines()[-1])
    print(f"{computed:,} bytes more when all is computed, {most:,} at the most")
    assert computed < 150 * 2**20
    assert most < 400 * 2**20


def test_the_counted_chain_is_one():
    """Requests one after another are a chain; those side by side are not."""
    place = InMemory(None)
    with place.requests() as requests:
        for number in range(20):
            place.store.put_if_absent(f"commits/shard-{number:08d}.json", b'{"identity": "x"}')
    assert (requests["put"], requests.chain) == (20, 20)
    with place.requests() as requests:
        assert len([*replace(toy_ledger(place.store), readers=20)._contents(range(20))]) == 20
    assert requests["get"] == 20
    assert requests.chain <= 10

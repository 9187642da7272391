"""What a stranger may add, each added here from a temporary file and used from end to end.

Statistics, record formats and dialects, models and stores have their toys beside the code that they extend:
jobs/test_new_statistic.py, variants/formats, models, storage.
"""

import json
import sys
import textwrap

import pytest

import jobs.job
from enformer_core.analyses import run_type_of
from enformer_core.analyses.base import WorkerResources
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.progress import run_progress
from enformer_core.dataset.run import read_run
from enformer_core.dataset.verify import verify_run
from enformer_core.export import find_export
from enformer_core.models.tracks.table import HeadLayout, unnamed_tracks
from enformer_core.storage.local import LocalStore
from jobs.cli import main
from jobs.job import Job
from jobs.resources import Workers
from jobs.settings import ScoreSettings

ANALYSIS = '''
"""Words counted: for each planned word its length, and its letters in a table of their own."""

from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from enformer_core.analyses import register_run_type
from enformer_core.analyses.base import Analysis, ComputedRows
from enformer_core.dataset.plan_builder import draft_tiles
from enformer_core.dataset.receipts import Provenance
from enformer_core.dataset.run import Identity, ModelIdentity, ReferenceIdentity, TracksIdentity
from enformer_core.dataset.run_type import RunType, ValueTable
from enformer_core.dataset.schemas import TILES_SCHEMA

WORDS = {"chr1": ["enhancer", "insulator"], "chr2": ["gene"]}


class WordsType(RunType):
    """A length for each word; a code for each of its letters."""

    name = "words"
    unit = "words"
    proof = "each with its letters"
    plan_keys = ("chrom", "start")
    value_tables = (ValueTable("lengths", ("start",)), ValueTable("letters", ("start", "at")))
    derived_tables = ("longest",)

    def expected_keys(self, table, planned):
        rows = range(planned.num_rows)
        starts = planned["start"].to_pylist()
        if table.name == "lengths":
            return pa.table({"start": pa.array(starts, pa.int64()), "row": pa.array(rows)})
        counts = planned["bins"].to_pylist()
        keys = [(starts[row], at, row) for row in rows for at in range(counts[row])]
        return pa.table(
            {
                "start": pa.array([key[0] for key in keys], pa.int64()),
                "at": pa.array([key[1] for key in keys], pa.int64()),
                "row": pa.array([key[2] for key in keys], pa.int64()),
            }
        )

    def statuses(self, planned, stored):
        return stored["status"]

    def value_columns(self, table, run):
        return ("values",)


register_run_type(WordsType())


@dataclass(frozen=True)
class Words(Analysis):
    """The words of two contigs."""

    run_type = WordsType()

    @property
    def loader(self):
        return Loader()

    def identity(self, contigs, rows):
        return Identity(
            kind="words",
            model=ModelIdentity("a dictionary", "0" * 64, "human"),
            tracks=TracksIdentity(1, "0" * 64),
            reference=ReferenceIdentity(2, "0" * 64, {}),
            shard_size=1,
        )

    @contextmanager
    def read_input(self):
        yield Draft()

    def report(self, manifest):
        return [f"{manifest.table_rows['letters']} letters"]


@dataclass(frozen=True)
class Draft:
    rows: int = 3
    contigs: tuple = ("chr1", "chr2")
    records: None = None
    filtered: dict = field(default_factory=dict)

    def draft(self, seed):
        rows = [
            {"chrom": chrom, "start": at, "bins": len(word), "status": "ok"}
            for chrom, words in WORDS.items()
            for at, word in enumerate(words)
        ]
        return draft_tiles(pa.Table.from_pylist(rows, schema=TILES_SCHEMA), 1)


class Loader:
    def load(self, resources, planned_contigs):
        return Reading()


@dataclass(frozen=True)
class Reading:
    provenance: Provenance = field(default_factory=Provenance)

    def compute(self, rows, left_out):
        lengths, letters = [], []
        for number, row in enumerate(rows.to_pylist()):
            word = WORDS[row["chrom"]][row["start"]]
            failed = number in left_out
            status = "failed" if left_out.get(number) else row["status"]
            values = None if failed else [float(len(word))]
            lengths.append({"start": row["start"], "status": status, "values": values})
            for at, letter in enumerate(word):
                values = None if failed else [float(ord(letter))]
                letters.append({"start": row["start"], "at": at, "values": values})
        columns = [("start", pa.int64()), ("status", pa.string()), ("values", pa.list_(pa.float32()))]
        keyed = [("start", pa.int64()), ("at", pa.int64()), ("values", pa.list_(pa.float32()))]
        tables = {
            "lengths": pa.Table.from_pylist(lengths, schema=pa.schema(columns)),
            "letters": pa.Table.from_pylist(letters, schema=pa.schema(keyed)),
        }
        return ComputedRows(tables, rows.num_rows - len(left_out))

    def derive(self, stored):
        lengths = [values[0] for values in stored["lengths"]["values"].to_pylist() if values]
        return {"longest": pa.table({"length": pa.array([max(lengths, default=0.0)])})}
'''

EXPORT = '''
"""A run as the names of its tables, one a line."""

from enformer_core.export import register_export


def export_names_of_tables(ledger, path):
    names = ledger.run_type.tables
    path.write_text("".join(f"{name}\\n" for name in names))
    return len(names)


register_export("names", export_names_of_tables, "the names of the tables")
'''


BACKEND = '''
"""Workers that are threads of this process: each answers its calls one after another."""

import itertools
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

from cluster.pool import Node
from cluster.scheduler import Scheduler
from cluster.worker_process import Done

THREADS = 2


def thread_pool(factory, classify):
    return Scheduler(ThreadBackend(factory), workers=THREADS, classify=classify)


class ThreadBackend:
    def __init__(self, factory):
        self.factory = factory
        self.names = []

    def now(self):
        return time.monotonic()

    def tasks_per_worker(self):
        return 1

    def start_worker(self, name):
        self.names.append(name)
        return ThreadWorker(name, self.factory)

    def wait(self, calls, timeout_s):
        if not calls:
            time.sleep(min(timeout_s, 0.01))
            return []
        done, _ = wait(calls, timeout_s, FIRST_COMPLETED)
        return [(call, call.result()) for call in calls if call in done]

    def is_node_lost(self, node):
        return False

    def capacity(self):
        return THREADS

    def describe_capacity(self):
        return "two threads"

    def interrupt(self):
        pass

    def close(self):
        pass


class ThreadWorker:
    def __init__(self, name, factory):
        self.name = name
        self.factory = factory
        self.thread = ThreadPoolExecutor(1)

    def ping(self):
        return self.thread.submit(lambda: Done(Node(self.name, self.name), 0.0))

    def build(self):
        def make():
            self.function = self.factory()
            return Done(None, 0.0)

        return self.thread.submit(make)

    def apply(self, payload):
        def do():
            prepared = self.function.prepare(payload)
            return Done(self.function.finish(self.function.compute(prepared)), 0.1)

        return self.thread.submit(do)

    def drain(self):
        return self.thread.submit(lambda: Done(None, 0.0))

    def stop(self):
        self.thread.shutdown(wait=False, cancel_futures=True)
'''


@pytest.fixture
def add(tmp_path, monkeypatch):
    """Write a module to a temporary directory, and import it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name, content):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(content))
        module = __import__(name)
        monkeypatch.delitem(sys.modules, name)
        return module

    return write


@pytest.fixture
def words(add, tmp_path):
    """The job of an analysis with two value tables."""
    module = add("toy_words", ANALYSIS)
    return Job(
        settings=ScoreSettings(
            variants=("none",), genome="none", model="motif", out=str(tmp_path / "run"), ray="off"
        ),
        analysis=module.Words(),
        tracks=unnamed_tracks("human", 1, HeadLayout()),
        store=LocalStore(tmp_path / "run"),
        choose_workers=lambda: Workers(1, WorkerResources("cpu", 1, 0, 1)),
    )


def ledger_of(store):
    run = read_run(store)
    return Ledger(store, run, run_type_of(run.typed_identity.kind))


def test_an_analysis_with_two_value_tables(words, tmp_path, capsys):
    manifest = words.run()
    assert manifest.table_rows == {"lengths": 3, "letters": 8 + 9 + 4, "longest": 3}
    assert words.report(manifest) == 0
    assert "21 letters" in capsys.readouterr().out
    out = str(tmp_path / "run")
    assert main(["status", out]) == 0
    assert main(["verify", out]) == 0
    assert "3 words (3 ok), each with its letters" in capsys.readouterr().out
    sql = "FROM letters JOIN lengths USING (chrom, start) SELECT chrom, count(*) AS n GROUP BY ALL ORDER BY ALL"
    assert main(["query", out, sql, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"chrom": "chr1", "n": 17},
        {"chrom": "chr2", "n": 4},
    ]
    words.run()
    assert capsys.readouterr().out.startswith("already complete")


@pytest.mark.parametrize("table", ["lengths", "letters", "longest"])
def test_damage_in_any_of_its_tables_is_found(words, table):
    words.run()
    path = next((words.store.root / table).rglob("*.parquet"))
    path.write_bytes(path.read_bytes()[::-1])
    problems = verify_run(ledger_of(words.store)).problems
    assert any(problem.startswith(f"{table}/") for problem in problems)


@pytest.mark.parametrize("gone", [["letters"], ["letters", "longest"], ["longest"], ["lengths"]])
def test_a_worker_that_dies_between_the_puts_leaves_what_the_next_one_completes(words, gone):
    whole = words.run().table_rows
    store = words.store
    for place in ["manifest.json", "commits/*1.json", *(f"{name}/*/*1.parquet" for name in gone)]:
        for path in store.root.glob(place):
            path.unlink()
    assert run_progress(ledger_of(store)).shards_done == 2
    assert words.run().table_rows == whole
    assert verify_run(ledger_of(store)).problems == ()


def test_an_export(add, words, tmp_path):
    words.run()
    add("toy_export", EXPORT)
    file = tmp_path / "names.txt"
    assert find_export("names")(ledger_of(words.store), file) == 3
    assert file.read_text().split() == ["lengths", "letters", "longest"]


def test_a_backend(add, words, monkeypatch):
    module = add("toy_threads", BACKEND)
    pools = []

    def make_pool(settings, workers, factory, unit, control):
        pools.append(module.thread_pool(factory, jobs.job.classify))
        return pools[-1]

    monkeypatch.setattr(jobs.job, "make_pool", make_pool)
    assert words.run().by_status == {"ok": 3}
    assert sorted(pools[0]._backend.names) == ["worker-0", "worker-1"]
    assert verify_run(ledger_of(words.store)).problems == ()

"""Work on a finished run through a pool: the same bytes for any order, and what becomes of it when something fails."""

import io
import os
import signal
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest

from cluster import ray_backend
from cluster.local_backend import local_pool
from cluster.pool import PoolError
from cluster.scheduler import Scheduler
from enformer_core.dataset.summary_tables import summary_receipts, unfinished_summaries
from enformer_core.errors import DatasetError, InputError, StorageError
from enformer_core.summaries import calibrate as calibrating
from enformer_core.summaries import write_summary
from enformer_core.summaries.null_file import NullFile
from enformer_core.summaries.percentiles import percentiles_by
from enformer_core.summaries.processes import Processes
from enformer_core.summaries.work import Work, one_by_one
from jobs.interruption import StoppedError
from jobs.pool_events import classify
from jobs.spread import OnPool, SpreadSettings, spread_of
from tests.support.summaries import finished_toy_run, given_run
from tests.support.toy_backend import Behaviour, ToyBackend

IN_THIS_PROCESS = OnPool(lambda factory: local_pool(factory, classify=classify))


def backwards(work, items):
    """Another order than that of the items, as a cluster may have."""
    for number in reversed(range(len(items))):
        yield number, work(items[number])


@dataclass
class Fates:
    """What befalls the first attempts at some items, by their names; the others are done as they are."""

    of_items: dict

    def spread(self):
        """A pool of two workers on paper, in virtual time."""
        return OnPool(self._pool)

    def _pool(self, factory):
        backend = ToyBackend(
            lambda item, worker: self._behaviour(factory(), item), machines={"a": 1, "b": 1}
        )
        return Scheduler(backend, workers=2, classify=classify)

    def _behaviour(self, work, item):
        fates = self.of_items.get(work.name(item), [])
        if not fates:
            return Behaviour(result=work(item))
        fate = fates.pop(0)
        return Behaviour(dies=True) if fate == "dies" else Behaviour(error=fate)


@pytest.fixture
def small_stretches(monkeypatch):
    """Each shard is a stretch of its own."""
    monkeypatch.setattr(calibrating, "_VALUES_OF_A_STRETCH", 1)


def background(place):
    values = np.random.default_rng(2).standard_t(2, (40, 3))
    return given_run(place, values, shard_size=7)


def null_of(run, spread, **options):
    stream = io.BytesIO()
    calibrating.calibrate(run.ledger, stream, spread=spread, **options)
    return stream.getvalue()


def sha256s(run, spread, null):
    written = percentiles_by(run.ledger, NullFile.open(str(null))).write(run.ledger, spread=spread)
    return [(file.shard, file.sha256) for file in written.files]


@pytest.mark.usefixtures("small_stretches")
@pytest.mark.parametrize(
    "spread",
    [
        backwards,
        Processes(2),
        IN_THIS_PROCESS,
        Fates({"sad of shards 1 to 1": ["dies"], "shard 2": ["dies", "dies"]}).spread(),
    ],
    ids=["backwards", "processes", "pool", "deaths"],
)
def test_null_and_table_are_the_same_bytes_wherever_they_are_made(tmp_path, spread, capsys):
    runs = [background(tmp_path / name) for name in ("one", "two")]
    told = []
    null = null_of(runs[0], one_by_one)
    assert null_of(runs[0], spread, report=lambda *each: told.append(each)) == null
    # six shards of either statistic, each once
    assert len(told) == 12
    assert {("sad", 40, 40), ("d1", 40, 40)} <= set(told)
    path = tmp_path / "null.parquet"
    path.write_bytes(null)
    assert sha256s(runs[0], one_by_one, path) == sha256s(runs[1], spread, path)


@pytest.mark.usefixtures("small_stretches")
def test_a_death_is_told_and_costs_nothing_else(tmp_path, capsys):
    run = background(tmp_path / "run")
    null_of(run, Fates({"d1 of shards 0 to 0": ["dies"]}).spread())
    said = capsys.readouterr().err
    assert "was lost (killed by its task)" in said
    assert "note: d1 of shards 0 to 0 is tried again" in said


def doubled(scores):
    return pa.table({"twice": np.asarray(scores["pos"]) * 2})


def write(run, spread):
    return write_summary(run.ledger, "doubled", {}, doubled, columns=["pos"], spread=spread)


def test_storage_that_fails_for_a_while_is_tried_again(tmp_path, capsys):
    run = finished_toy_run(tmp_path / "run")
    fates = Fates({"shard 3": [StorageError("503"), StorageError("503")]})
    assert write(run, fates.spread()).rows == 10
    assert "shard 3 is tried again: StorageError: 503" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "raised", "told"),
    [
        (StorageError("no bucket"), PoolError, "no bucket"),
        (ValueError("a fault"), PoolError, r"shard 3: given up after 3 attempts: a fault\..*again"),
        (DatasetError("damaged"), DatasetError, "damaged"),
        (InputError("no null here"), InputError, "no null here"),
    ],
)
def test_what_does_not_end_ends_the_command_and_what_is_put_stays(tmp_path, error, raised, told):
    run = finished_toy_run(tmp_path / "run")
    with pytest.raises(raised, match=told):
        write(run, Fates({"shard 3": [error] * 20}).spread())
    assert unfinished_summaries(run.ledger) == ["doubled"]
    assert list(run.store.keys("doubled/"))
    assert write(run, one_by_one).rows == 10


def test_a_fault_of_the_program_shows_its_place(tmp_path, capsys):
    run = finished_toy_run(tmp_path / "run")
    with pytest.raises(PoolError):
        write(run, Fates({"shard 3": [ValueError("a fault")] * 3}).spread())
    assert "ValueError: a fault" in capsys.readouterr().err


class Stopped(Work):
    """Numbers as they are; at 2, the terminal sends Ctrl-C."""

    def compute(self, prepared):
        if prepared == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return prepared


def test_ctrl_c_ends_it_as_it_ends_every_command():
    before = signal.getsignal(signal.SIGINT)
    done = []
    with pytest.raises(StoppedError, match=r"stopped by SIGINT; run the same command again"):
        done.extend(IN_THIS_PROCESS(Stopped(), [0, 1, 2, 3]))
    assert signal.getsignal(signal.SIGINT) is before
    assert dict(done) == {0: 0, 1: 1}


def test_of_a_command_that_is_stopped_what_is_put_stays(tmp_path, monkeypatch):
    run = finished_toy_run(tmp_path / "run")
    shards = []

    def stopping(scores):
        shards.append(scores)
        if len(shards) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return doubled(scores)

    with pytest.raises(StoppedError):
        write_summary(run.ledger, "doubled", {}, stopping, columns=["pos"], spread=IN_THIS_PROCESS)
    assert len(list(run.store.keys("doubled/"))) == 2
    assert write(run, IN_THIS_PROCESS).rows == 10
    assert list(summary_receipts(run.ledger)) == ["doubled"]


def test_nothing_at_all_needs_no_pool():
    assert list(OnPool(lambda factory: pytest.fail("a pool"))(Stopped(), [])) == []


def test_where_settings_send_the_work():
    assert spread_of(SpreadSettings()) is one_by_one
    assert spread_of(SpreadSettings(processes=1)) is one_by_one
    assert spread_of(SpreadSettings(processes=3)) == Processes(3)
    for ray in ("local", "auto", "127.0.0.1:6379"):
        assert isinstance(spread_of(SpreadSettings(ray=ray)), OnPool)


@pytest.mark.parametrize(("ray", "processes"), [("local", None), ("10.0.0.1:6379", 12)])
def test_ray_is_asked_for_workers_of_one_cpu_each_with_their_memory(monkeypatch, ray, processes):
    asked = []
    monkeypatch.setattr(
        ray_backend,
        "ray_pool",
        lambda factory, **options: asked.append(options) or local_pool(factory),
    )
    spread = spread_of(SpreadSettings(ray=ray, processes=processes), memory_bytes=5)
    assert [result for _, result in spread(Stopped(), [0, 1])] == [0, 1]
    (options,) = asked
    assert (options["address"], options["workers"]) == (ray, processes)
    assert (options["cpus_per_worker"], options["memory_bytes_per_worker"]) == (1, 5)

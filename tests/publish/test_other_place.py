"""A run that tables have from another place, and runs that are taken out, be their files lost."""

import shutil
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from enformer_core.dataset.compact import Compaction
from enformer_core.errors import InputError
from enformer_core.publish.catalogs import open_catalog
from enformer_core.publish.iceberg import publish_run
from enformer_core.publish.run_files import tables_of
from enformer_core.publish.withdraw import WITHDRAWN, withdraw_run
from enformer_core.storage.local import LocalStore
from jobs.cli import main
from jobs.finished_run import open_ledger
from jobs.publish import NAMESPACE
from tests.support import toy_runs
from tests.support.dying_catalog import DyingCatalog, Killed
from tests.support.toy_runs import begun_toy_run

pytest.importorskip("pyiceberg")

# what third parties warn of is no concern of these tests
pytestmark = pytest.mark.filterwarnings("default")

ROWS = [(name, start, "A", "G") for name in ("1", "X") for start in range(3)]
TABLES = ["tracks", "effects", "scores"]


def finished(folder):
    """The ledger of a run of six shards that is complete: of each allele two tracks are kept of two statistics."""
    toy = begun_toy_run(LocalStore(folder), ROWS, {"1": 1000, "X": 1000}, shard_size=1)
    toy.commit_all()
    toy.ledger.finish(toy.plan)
    return toy.ledger


def opened(folder):
    return open_catalog(f"sqlite:///{folder}/c.db", str(folder / "tables"))


@pytest.fixture
def catalog(tmp_path):
    return opened(tmp_path)


@pytest.fixture
def old(tmp_path):
    return finished(tmp_path / "old")


@pytest.fixture
def new(old, tmp_path):
    """The same run, compacted: of the same identity, in a file for each contig."""
    store = LocalStore(tmp_path / "new")
    Compaction(old, store, 10**9, lambda done, shards: None).run()
    return open_ledger(store.location)


@pytest.fixture
def other(tmp_path, monkeypatch):
    """A run of another identity."""
    made = toy_runs.toy_identity
    monkeypatch.setattr(toy_runs, "toy_identity", partial(made, seed=2))
    return finished(tmp_path / "other")


def publish(ledger, catalog, **how):
    """What became of each table."""
    return list(publish_run(ledger, tables_of(ledger), catalog, NAMESPACE, **how))


def withdraw(run, catalog):
    return list(withdraw_run(str(run), catalog, NAMESPACE, {"scores"}))


def rows(catalog, name="scores"):
    """How many rows a table has, with each of its files read."""
    return catalog.load_table(f"{NAMESPACE}.{name}").scan().to_arrow().num_rows


def places(catalog):
    """Of each table, how many files it has in which run's folder."""
    found = {}
    for name in TABLES:
        tasks = catalog.load_table(f"{NAMESPACE}.{name}").scan().plan_files()
        parts = [Path(task.file.file_path.removeprefix("file://")).parts for task in tasks]
        folders = [part for of_file in parts for part in of_file if part in ("old", "new", "other")]
        found[name] = {each: folders.count(each) for each in folders}
    return found


OLD = {"tracks": {"old": 1}, "effects": {"old": 6}, "scores": {"old": 6}}
NEW = {"tracks": {"new": 1}, "effects": {"new": 2}, "scores": {"new": 2}}


def test_a_compacted_run_is_not_called_published_by_its_old_files(old, new, catalog):
    publish(old, catalog)
    with pytest.raises(InputError, match=r"tracks: has this very run.*/old; nothing.*--replace"):
        publish(new, catalog)
    assert places(catalog) == OLD
    done = publish(new, catalog, replace=True)
    assert [each.instead for each in done] == [old.store.location] * 3
    assert places(catalog) == NEW
    shutil.rmtree(old.store.location)
    assert [rows(catalog, name) for name in TABLES] == [3, 24, 6]
    # and the other way round there is nothing to do
    assert [each.already for each in publish(new, catalog, replace=True)] == [True] * 3


def test_that_the_old_files_are_gone_is_said(old, new, catalog):
    publish(old, catalog)
    shutil.rmtree(old.store.location)
    with pytest.raises(InputError, match=r"by files in .*/old, which are gone;"):
        publish(new, catalog)
    publish(new, catalog, replace=True)
    assert rows(catalog) == 6


def test_who_was_deleted_from_scores_alone_leaves_no_table_behind(old, new, catalog):
    """Else `scores` would be of the new place, and all others of the old one."""
    publish(old, catalog)
    catalog.load_table(f"{NAMESPACE}.scores").delete(f"run = '{old.run.digest}'")
    with pytest.raises(InputError, match=r"tracks: has this very run"):
        publish(new, catalog)
    assert places(catalog)["scores"] == {}
    publish(new, catalog, replace=True)
    assert places(catalog) == NEW


def test_replacing_leaves_other_runs_alone_and_is_one_snapshot(old, new, other, catalog):
    publish(old, catalog)
    publish(other, catalog)
    publish(new, catalog, replace=True)
    assert places(catalog)["scores"] == {"new": 2, "other": 6}
    table = catalog.load_table(f"{NAMESPACE}.scores")
    last = table.metadata.snapshots[-1].summary
    assert len(table.metadata.snapshots) == 3
    assert last["enformer-ray.location"] == f"file://{new.store.location}"
    assert (last["deleted-data-files"], last["added-data-files"]) == ("6", "2")
    assert (last["total-records"], last["total-data-files"]) == ("12", "8")
    assert rows(catalog) == 12


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("commits", [1, 2, 3])
def test_who_is_killed_while_replacing_goes_on(old, new, tmp_path, commits, behind):
    publish(old, opened(tmp_path))
    with pytest.raises(Killed):
        publish(new, DyingCatalog(opened(tmp_path), commits, behind=behind), replace=True)
    there = commits if behind else commits - 1
    catalog = opened(tmp_path)
    assert [rows(catalog, name) for name in TABLES] == [3, 24, 6]
    done = publish(new, catalog, replace=True)
    assert [each.already for each in done] == [True] * there + [False] * (3 - there)
    assert places(catalog) == NEW


def test_files_of_other_lengths_at_the_same_place_are_noticed(old, catalog):
    """As a repair may leave them."""
    publish(old, catalog)
    tables = tables_of(old)
    first = tables[0].files[0]
    longer = type(first)(first.key, first.chrom, first.bytes + 1, first.rows)
    changed = [type(tables[0])("tracks", (longer,)), *tables[1:]]
    with pytest.raises(InputError, match=r"tracks: .* but other files than lie there now"):
        list(publish_run(old, changed, catalog, NAMESPACE))


@pytest.mark.parametrize("by", ["place", "digest"])
@pytest.mark.parametrize("lost", [False, True])
def test_a_run_is_taken_out_of_all_tables_even_if_it_is_lost(old, other, catalog, by, lost):
    publish(old, catalog)
    publish(other, catalog)
    if lost:
        shutil.rmtree(old.store.location)
    taken = withdraw(old.store.location if by == "place" else old.run.digest, catalog)
    assert [(each.table.split(".")[1], each.files) for each in taken] == [
        *(("scores", 6), ("effects", 6), ("tracks", 1))
    ]
    assert [each.rows for each in taken] == [6, 24, 3]
    assert [rows(catalog, name) for name in TABLES] == [3, 24, 6]
    assert Path(old.store.location).exists() is not lost
    last = catalog.load_table(f"{NAMESPACE}.scores").metadata.snapshots[-1].summary
    assert last[WITHDRAWN] == old.run.digest


@pytest.mark.parametrize("commits", [1, 2, 3])
def test_who_is_killed_while_taking_out_goes_on(old, tmp_path, commits):
    publish(old, opened(tmp_path))
    with pytest.raises(Killed):
        withdraw(old.run.digest, DyingCatalog(opened(tmp_path), commits, behind=False))
    catalog = opened(tmp_path)
    assert len(withdraw(old.store.location, catalog)) == 3 - (commits - 1)
    assert places(catalog) == {name: {} for name in TABLES}
    # and it can come back
    assert [each.already for each in publish(old, catalog)] == [False] * 3


def test_a_run_that_no_table_has_is_named_with_those_there(old, catalog, tmp_path):
    with pytest.raises(InputError, match=r"--namespace enformer_ray: has no tables"):
        withdraw(old.store.location, catalog)
    publish(old, catalog)
    for run in (tmp_path, "0" * 64):
        with pytest.raises(InputError, match=f"no table .* runs from {old.store.location}"):
            withdraw(run, catalog)
    # a table that somebody else put beside them is nobody's business
    catalog.create_table(f"{NAMESPACE}.mine", schema=pa.schema([("pos", pa.int64())]))
    assert len(withdraw(old.store.location, catalog)) == 3
    with pytest.raises(InputError, match="they have no runs"):
        withdraw(old.store.location, catalog)


def test_the_command_replaces_and_withdraws(old, new, tmp_path, capsys):
    where = ["--catalog", f"sqlite:///{tmp_path}/c.db", "--warehouse", str(tmp_path / "tables")]
    assert main(["publish", old.store.location, *where]) == 0
    capsys.readouterr()
    assert main(["publish", new.store.location, *where]) == 2
    assert f"files in {old.store.location}" in capsys.readouterr().err
    assert main(["publish", new.store.location, *where, "--replace", "--withdraw"]) == 2
    assert "choose one" in capsys.readouterr().err
    assert main(["publish", new.store.location, *where, "--replace"]) == 0
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == (
        f"enformer_ray.scores: 6 rows in 2 files, instead of those in {old.store.location}"
    )
    assert main(["publish", new.store.location, *where, "--withdraw"]) == 0
    assert capsys.readouterr().err.splitlines()[0] == (
        "enformer_ray.scores: taken out: 6 rows in 2 files"
    )


def test_a_run_that_goes_on_is_no_bad_input(tmp_path, capsys):
    """Exit code 5: its own command continues it."""
    begun_toy_run(LocalStore(tmp_path / "run"))
    where = ["--catalog", f"sqlite:///{tmp_path}/c.db", "--warehouse", str(tmp_path / "tables")]
    assert main(["publish", str(tmp_path / "run"), *where]) == 5
    assert main(["compact", str(tmp_path / "run"), "--out", str(tmp_path / "less")]) == 5
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in said] == ["enformer-ray", "enformer-ray"]

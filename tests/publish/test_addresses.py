"""Runs and warehouses at odd places: what is published can be read, or is refused before anything is written."""

import os

import pytest

from enformer_core.errors import InputError
from enformer_core.publish.addresses import address_of_place
from enformer_core.publish.catalogs import open_catalog
from enformer_core.storage.local import LocalStore
from jobs.cli import main
from tests.support.toy_runs import ROWS, begun_toy_run

pytest.importorskip("pyiceberg")

pytestmark = pytest.mark.filterwarnings("default")

READABLE = ["a b", "a%23b", "a%b", "ü漢", "it's", "a+b&c=d;e", '"q"', "[x]*", "a:b", "\u202ea\x9b"]
UNREADABLE = ["q#1", "q?x", "a\nb", "a\tb", "a\x1bb"]


def published(run, folder, *more):
    words = [
        "--catalog",
        f"sqlite:///{folder}/catalog.db",
        "--warehouse",
        str(folder / "warehouse"),
    ]
    return main(["publish", str(run), *words, *more])


def finished(folder):
    toy = begun_toy_run(LocalStore(folder), ROWS, {"chr1": 1000, "chr2": 1000, "chr10": 1000})
    toy.commit_all()
    toy.ledger.finish(toy.plan)
    return folder


@pytest.mark.parametrize("name", READABLE)
def test_what_is_published_at_an_odd_place_can_be_read(name, tmp_path):
    warehouse = tmp_path / name / "warehouse"
    run = finished(tmp_path / name / "run")
    # its address is one as all databases have it, and not of files
    catalog = f"sqlite:///{tmp_path}/catalog.db"
    assert main(["publish", str(run), "--catalog", catalog, "--warehouse", str(warehouse)]) == 0
    assert list(warehouse.rglob("*.metadata.json"))
    catalog = open_catalog(catalog, str(warehouse))
    rows = catalog.load_table("enformer_ray.scores").scan().to_arrow()
    assert rows.num_rows == len(ROWS)


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_place_that_readers_take_for_another_is_refused_and_a_link_helps(name, tmp_path, capsys):
    run = finished(tmp_path / name / "run")
    assert published(run, tmp_path) == 2
    error = capsys.readouterr().err
    assert "nothing was written" in error
    assert "ln -s OLD NEW" in error
    assert {path.name for path in tmp_path.iterdir()} == {name}
    (tmp_path / "link").symlink_to(run)
    assert published(tmp_path / "link", tmp_path) == 0
    catalog = open_catalog(f"sqlite:///{tmp_path}/catalog.db", str(tmp_path / "warehouse"))
    assert catalog.load_table("enformer_ray.scores").scan().to_arrow().num_rows == len(ROWS)


@pytest.mark.parametrize("name", ["w#c", "w?c"])
def test_so_is_such_a_warehouse(name, tmp_path, capsys):
    run = finished(tmp_path / "run")
    words = ["--catalog", f"sqlite:///{tmp_path}/catalog.db", "--warehouse", str(tmp_path / name)]
    assert main(["publish", str(run), *words]) == 2
    assert "readers of Iceberg tables find no file" in capsys.readouterr().err
    assert not (tmp_path / name).exists()


def test_links_are_followed_where_readers_can(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "run")
    assert address_of_place(str(tmp_path / "link")) == f"file://{tmp_path}/run"
    assert address_of_place("s3://bucket/a b/") == "s3://bucket/a b"
    with pytest.raises(InputError, match="Copy it to a prefix"):
        address_of_place("s3://bucket/a#b")
    with pytest.raises(InputError, match=r"no UTF-8"):
        address_of_place(os.fsdecode(bytes(tmp_path) + b"/\xe9"))


@pytest.mark.parametrize("namespace", ["a.b; x'", "a..b", ".", ""])
def test_a_namespace_that_a_catalog_cannot_have_is_refused(namespace, tmp_path, capsys):
    run = finished(tmp_path / "run")
    assert published(run, tmp_path, f"--namespace={namespace}") == 2
    error = capsys.readouterr().err
    assert f"--namespace {namespace}: " in error
    assert "Give a plain name" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("inside", ["catalog", "warehouse"])
def test_neither_catalog_nor_warehouse_lies_in_the_run(inside, tmp_path, capsys):
    run = finished(tmp_path / "run")
    places = {"catalog": tmp_path, "warehouse": tmp_path} | {inside: run}
    before = set(run.rglob("*"))
    words = ["--catalog", f"sqlite:///{places['catalog']}/c.db"]
    words += ["--warehouse", str(places["warehouse"] / "tables")]
    assert main(["publish", str(run), *words]) == 2
    assert str(run) in capsys.readouterr().err
    assert set(run.rglob("*")) == before

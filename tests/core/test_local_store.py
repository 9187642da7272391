import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from enformer_core.errors import InputError
from enformer_core.storage.local import LocalStore


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "run")


def test_an_object_is_created_once_and_never_changed(store):
    assert store.put_if_absent("a/b.json", b"first")
    assert not store.put_if_absent("a/b.json", b"second")
    assert store.get("a/b.json") == b"first"
    assert store.get("a/c.json") is None


def test_keys_are_listed_in_order_below_a_prefix(store):
    for key in ("b/2", "b/1", "a/9", "b/c/3"):
        store.put_if_absent(key, b"")
    assert list(store.keys("b/")) == ["b/1", "b/2", "b/c/3"]
    assert list(store.keys("nothing/")) == []


def test_of_many_writers_one_wins_and_nothing_is_left_over(store):
    with ThreadPoolExecutor(16) as threads:
        for round_ in range(20):
            results = list(
                threads.map(lambda n, key=f"o/{round_}": store.put_if_absent(key, f"{n}".encode() * 1000), range(16))
            )
            assert sum(results) == 1
            winner = results.index(True)
            assert store.get(f"o/{round_}") == f"{winner}".encode() * 1000
    assert [path.name for path in store.root.rglob("*") if path.is_file()] == [
        path.name for path in (store.root / "o").iterdir()
    ]


def test_what_a_dead_writer_left_is_swept_and_never_shown(store):
    store.put_if_absent("scores/x", b"1")
    (store.root / ".unfinished").mkdir(exist_ok=True)
    (store.root / ".unfinished" / "half").write_bytes(b"half an obj")
    assert list(store.keys("scores/")) == ["scores/x"]
    store.sweep()
    assert sorted(path.name for path in store.root.iterdir()) == ["scores"]
    assert store.put_if_absent("scores/y", b"2")


def test_a_full_disk_is_said_to_be_full(store, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"No space left on device.*run the same command again"):
        store.put_if_absent("a", b"1")
    monkeypatch.undo()
    assert store.get("a") is None
    assert store.put_if_absent("a", b"1")


def test_places_that_cannot_be_a_run_are_refused(tmp_path):
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(InputError, match="is a file"):
        LocalStore(file).check_usable("run.json")
    with pytest.raises(InputError, match="holds files but no run"):
        LocalStore(tmp_path).check_usable("run.json")
    LocalStore(tmp_path / "new" / "deep").check_usable("run.json")
    LocalStore(tmp_path).check_usable("file")


def test_a_place_without_permission_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match="no permission"):
        LocalStore(tmp_path / "new").check_usable("run.json")

import errno
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from enformer_core.errors import InputError, StorageError, TransientStorageError
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
    for key in ("b/2", "b/1", "a/9", "b/c/3", "b-d/1"):
        store.put_if_absent(key, b"")
    (store.root / "b" / ".nfs0001").touch()
    assert list(store.keys("b/")) == ["b/1", "b/2", "b/c/3"]
    assert list(store.keys("b/", after="b/1")) == ["b/2", "b/c/3"]
    assert list(store.keys("")) == ["a/9", "b-d/1", "b/1", "b/2", "b/c/3"], (
        "as object storage orders them"
    )
    assert list(store.keys("nothing/")) == []


def test_of_many_writers_one_wins_and_nothing_is_left_over(store):
    with ThreadPoolExecutor(16) as threads:
        for round_ in range(20):
            results = list(
                threads.map(
                    lambda n, key=f"o/{round_}": store.put_if_absent(key, f"{n}".encode() * 1000),
                    range(16),
                )
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
    for name in (".unfinished/half", "scores/.unfinished-1f", ".unfinished-2"):
        (store.root / name).write_bytes(b"half an obj")
    kept = (store.root / "scores" / ".hidden").write_bytes(b"somebody else's")
    assert kept
    assert list(store.keys("scores/")) == ["scores/x"]
    store.sweep()
    assert sorted(path.name for path in store.root.iterdir()) == ["scores"]
    assert sorted(path.name for path in (store.root / "scores").iterdir()) == [".hidden", "x"]
    assert store.put_if_absent("scores/y", b"2")


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "No space left on device.*Free some space and run the same command again"),
        (errno.EDQUOT, "Free some of your quota and run the same command again"),
        (errno.EROFS, "Mount it writable"),
        (errno.EACCES, "Give this user permission"),
    ],
)
def test_what_only_a_person_can_mend_is_said_and_nothing_is_left(
    store, monkeypatch, number, remedy
):
    monkeypatch.setattr(os, "fsync", _failing(number))
    with pytest.raises(StorageError, match=rf"run/a: cannot be written: .*{remedy}") as caught:
        store.put_if_absent("a", b"1")
    assert not isinstance(caught.value, TransientStorageError)
    monkeypatch.undo()
    assert store.get("a") is None
    assert list(store.keys("")) == []
    assert store.put_if_absent("a", b"1")


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EAGAIN])
def test_a_disk_that_stumbles_is_tried_again(store, monkeypatch, number):
    monkeypatch.setattr(os, "fsync", _failing(number))
    with pytest.raises(TransientStorageError, match="run/a: cannot be written"):
        store.put_if_absent("a", b"1")
    monkeypatch.undo()
    monkeypatch.setattr(type(store.root), "read_bytes", _failing(number))
    with pytest.raises(TransientStorageError, match="run/a: cannot be read"):
        store.get("a")
    monkeypatch.setattr(os, "scandir", _failing(number))
    with pytest.raises(TransientStorageError, match="run/b: cannot be listed"):
        list(store.keys("b/"))


def _failing(number):
    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    return fail


def test_an_object_and_its_name_are_on_the_disk_when_put_returns(store, monkeypatch):
    synced = []
    original = os.fsync
    monkeypatch.setattr(
        os,
        "fsync",
        lambda fd: (synced.append(str(Path(f"/proc/self/fd/{fd}").readlink())), original(fd)),
    )
    store.put_if_absent("scores/chrom=1/a", b"1")
    root = str(store.root)
    beside = f"{root}/scores/chrom=1/.unfinished-"
    assert any(path.startswith(beside) for path in synced), "the content"
    assert [path for path in synced if not path.startswith(beside)] == [
        str(store.root.parent),
        root,
        f"{root}/scores",
        f"{root}/scores/chrom=1",
    ], "every name on the way, and at last the object's own"
    synced.clear()
    assert not store.put_if_absent("scores/chrom=1/a", b"1")
    assert synced == [f"{root}/scores/chrom=1"], "the other writer may have died before it could"


def test_a_sweep_during_a_put_is_worth_another_try(store, monkeypatch):
    original = os.fsync
    store.put_if_absent("before", b"1")

    def sweep_then(descriptor):
        monkeypatch.undo()
        store.sweep()
        original(descriptor)

    monkeypatch.setattr(os, "fsync", sweep_then)
    with pytest.raises(TransientStorageError):
        LocalStore(store.root).put_if_absent("a", b"1")
    assert store.put_if_absent("a", b"1")


def test_twenty_thousand_receipts_are_listed_in_no_time(store):
    directory = store.root / "commits"
    directory.mkdir(parents=True)
    for number in range(20_000):
        os.close(os.open(directory / f"shard-{number:08}.json", os.O_CREAT | os.O_WRONLY))
    began = time.process_time()
    keys = list(store.keys("commits/"))
    assert time.process_time() - began < 2.0
    assert keys[::10_000] == ["commits/shard-00000000.json", "commits/shard-00010000.json"]
    assert len(keys) == 20_000
    assert list(store.keys("commits/", after="commits/shard-00019997.json")) == keys[-2:]


WRITER = """
import sys
from pathlib import Path
from enformer_core.storage.local import LocalStore
store = LocalStore(Path(sys.argv[1]))
for number in range(1_000_000):
    store.put_if_absent(f"o/{number:07}", b"%d" % number * 50_000)
    print(number, flush=True)
"""


def test_a_writer_that_is_killed_leaves_only_whole_objects(store):
    for _ in range(5):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(store.root)], stdout=subprocess.PIPE, text=True
        )
        told = [writer.stdout.readline() for _ in range(20)]
        writer.kill()
        writer.communicate()
        keys = list(store.keys("o/"))
        assert len(keys) >= len(told)
        for key in keys:
            assert store.get(key) == b"%d" % int(key[2:]) * 50_000
        shutil.rmtree(store.root / "o")
    assert set(store.keys("")) == set()
    store.sweep()
    assert list(store.root.iterdir()) == []


def test_places_that_cannot_be_a_run_are_refused(tmp_path):
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(InputError, match="is a file"):
        LocalStore(file).check_usable("run.json", "manifest.json")
    with pytest.raises(InputError, match="holds files but no run"):
        LocalStore(tmp_path).check_usable("run.json", "manifest.json")
    LocalStore(tmp_path / "new" / "deep").check_usable("run.json", "manifest.json")
    LocalStore(tmp_path).check_usable("file", "manifest.json")


def test_a_place_without_permission_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match="no permission"):
        LocalStore(tmp_path / "new").check_usable("run.json", "manifest.json")


def test_sizes_come_with_the_names(store):
    for key, content in (("a/1", b"four"), ("a/b/2", b""), ("c", b"x")):
        store.put_if_absent(key, content)
    assert list(store.sizes("a/")) == [("a/1", 4), ("a/b/2", 0)]
    assert list(store.sizes("a/", after="a/1")) == [("a/b/2", 0)]


def test_what_is_moved_leaves_its_place_free(store):
    store.put_if_absent("scores/1", b"first")
    store.move("scores/1", "damaged/scores/1.abc")
    assert store.get("scores/1") is None
    assert store.get("damaged/scores/1.abc") == b"first"
    assert store.put_if_absent("scores/1", b"second")
    store.move("scores/1", "damaged/scores/1.abc")
    assert store.get("damaged/scores/1.abc") == b"second"
    store.move("scores/1", "damaged/again")  # there is none
    assert store.get("damaged/again") is None


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o027, 0o640)])
def test_who_may_read_an_object_is_for_the_umask_to_say(store, umask, mode):
    store.root.mkdir()
    before = os.umask(umask)
    try:
        store.put_if_absent("run.json", b"{}")
    finally:
        os.umask(before)
    assert (store.root / "run.json").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("number", [errno.EXDEV, errno.ENOSYS, errno.EPERM, errno.ENOTSUP])
def test_a_file_system_without_links_is_refused_before_anything_is_planned(
    tmp_path, monkeypatch, number
):
    monkeypatch.setattr(os, "link", _failing(number))
    place = tmp_path / "new" / "run"
    with pytest.raises(InputError, match="no hard links, which runs need: choose another --out"):
        LocalStore(place).check_usable("run.json", "manifest.json")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StorageError, match="hard links"):
        LocalStore(place).put_if_absent("a", b"1")


def test_links_within_a_directory_are_enough(store, monkeypatch):
    """As on AFS, where a link from one directory to another is refused."""
    link = os.link

    def refuse_between_directories(source, target, **how):
        if Path(source).parent != Path(target).parent:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        link(source, target, **how)

    monkeypatch.setattr(os, "link", refuse_between_directories)
    store.check_usable("run.json", "manifest.json")
    assert store.put_if_absent("scores/chrom=1/a", b"1")
    assert [path.name for path in store.root.rglob("*") if path.is_file()] == ["a"]


def test_a_disk_that_cannot_be_written_is_no_matter_when_nothing_is_to_be_written(
    store, monkeypatch
):
    store.put_if_absent("run.json", b"{}")
    monkeypatch.setattr(Path, "touch", _failing(errno.EROFS))
    with pytest.raises(InputError, match=r"cannot be written: Read-only file system"):
        store.check_usable("run.json", "manifest.json")
    monkeypatch.undo()
    store.put_if_absent("manifest.json", b"{}")
    monkeypatch.setattr(Path, "touch", _failing(errno.EROFS))
    store.check_usable("run.json", "manifest.json")


def test_a_name_that_is_too_long_is_said_without_a_traceback(tmp_path):
    store = LocalStore(tmp_path / ("x" * 300))
    with pytest.raises(InputError, match=r"cannot be used: File name too long\. Choose another"):
        store.check_usable("run.json", "manifest.json")
    for ask in (
        lambda: store.get("a"),
        lambda: list(store.keys("")),
        lambda: store.put_if_absent("a", b""),
    ):
        with pytest.raises(StorageError, match=r"File name too long\. Use shorter names"):
            ask()

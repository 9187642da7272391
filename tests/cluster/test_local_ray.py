"""Ray on this machine from outside: processes that end, paths that are too long, signals that are not its own."""

import os
import signal
import threading
import time

import pytest

import cluster.local_ray
import cluster.ray_backend
from cluster.local_ray import (
    ROOT_BYTES,
    LocalHead,
    directory_for_ray,
    end_within,
    signals_kept,
)
from cluster.pool import PoolError


class Node:
    """Processes of which some have ended."""

    def __init__(self):
        self.ended = []

    def dead_processes(self):
        return [(kind, None) for kind in self.ended]


@pytest.mark.parametrize(
    ("kind", "named"),
    [("raylet", "raylet"), ("gcs_server", r"control store \(gcs_server\)")],
)
def test_ray_ends_with_either_of_its_essential_processes(kind, named):
    node = Node()
    head = LocalHead(node)
    node.ended += ["log_monitor"]
    head.check()
    assert head.answers()
    node.ended += [kind]
    assert not head.answers()
    with pytest.raises(PoolError, match=f"its {named} is gone.*run the same command again"):
        head.check()


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"TMPDIR": "/tmp"},
        {"TMPDIR": "/" + "x" * (ROOT_BYTES - 1)},
        {"TMPDIR": "/" + "x" * 200, "RAY_TMPDIR": "/short"},
    ],
)
def test_a_short_directory_is_rays_own_choice(environment):
    assert directory_for_ray(environment) is None


def test_the_longest_directory_leaves_room_for_the_longest_socket():
    assert ROOT_BYTES + len(cluster.local_ray._SESSION) == 103


@pytest.mark.parametrize("long", ["/" + "x" * ROOT_BYTES, "/" + "ü" * (ROOT_BYTES // 2 + 1)])
def test_a_long_tmpdir_gets_a_short_directory_of_ones_own(long):
    assert len(long.encode()) > ROOT_BYTES
    found = directory_for_ray({"TMPDIR": long})
    assert len(os.fsencode(found)) <= ROOT_BYTES
    assert found.stat().st_uid == os.getuid()
    assert directory_for_ray({"TMPDIR": long}) == found  # again, now that it is there


def test_a_directory_that_the_user_has_named_is_not_replaced():
    long = "/" + "x" * ROOT_BYTES
    with pytest.raises(PoolError, match=f"RAY_TMPDIR={long} has .* at most {ROOT_BYTES} bytes"):
        directory_for_ray({"RAY_TMPDIR": long})


def test_a_directory_of_somebody_else_is_not_used(tmp_path, monkeypatch):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    link = tmp_path / "link"
    link.symlink_to(theirs)
    with pytest.raises(PoolError, match=r"somebody else.*RAY_TMPDIR.*--ray off"):
        cluster.local_ray._own_directory(link)
    monkeypatch.setattr(os, "getuid", lambda: theirs.stat().st_uid + 1)
    with pytest.raises(PoolError, match="somebody else"):
        cluster.local_ray._own_directory(theirs)


def test_whatever_ray_raises_while_it_starts_is_said_with_a_remedy(monkeypatch):
    """Of a start that takes too long it raises a bare Exception."""
    ended = []

    def init(**_):
        raise Exception("The current node timed out during startup.")  # noqa: TRY002 - as Ray does

    ray = cluster.ray_backend.ray
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: ended.append(True))
    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(PoolError, match=r"timed out during startup\.\nPlease .*wait.*--ray off"):
        cluster.ray_backend._connect("local")
    assert ended == [True]


def test_what_signals_do_stays_as_it_was():
    before = signal.getsignal(signal.SIGTERM)
    with signals_kept():
        signal.signal(signal.SIGTERM, lambda *_: None)
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_does_not_end_is_left_to_itself():
    begun = time.monotonic()
    end_within(threading.Event().wait, 0.1)
    assert time.monotonic() - begun < 30

"""Whether the head of a cluster answers, with a real socket and a clock that is set by hand."""

import socket

import pytest

from cluster.head_watcher import HeadWatcher
from cluster.pool import PoolError


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def listening(port: int = 0) -> socket.socket:
    return socket.create_server(("127.0.0.1", port))


def test_a_head_that_is_silent_for_long_is_given_up_by_name_and_one_that_comes_back_is_not():
    clock = Clock()
    server = listening()
    port = server.getsockname()[1]
    head = HeadWatcher(f"127.0.0.1:{port}", clock=clock)
    server.close()
    for clock.now_s in (5.0, 10.0, 40.0):
        assert not head.answers()
        head.check()
    with listening(port):
        clock.now_s = 45.0
        head.check()
        assert head.answers()
    clock.now_s = 50.0
    assert not head.answers()
    clock.now_s = 89.0
    head.check()
    clock.now_s = 90.0
    with pytest.raises(
        PoolError, match=f"127.0.0.1:{port}, has not answered for 40 s.*run the same command again"
    ):
        head.check()


def test_it_is_asked_every_few_seconds_only():
    clock = Clock()
    with listening() as server:
        head = HeadWatcher(f"127.0.0.1:{server.getsockname()[1]}", clock=clock)
    clock.now_s = 4.9
    assert head.answers()
    clock.now_s = 5.0
    assert not head.answers()


def test_what_cannot_be_reached_from_the_first_is_not_watched():
    with listening() as server:
        nobody = f"127.0.0.1:{server.getsockname()[1]}"
    clock = Clock()
    for address in (nobody, "no address"):
        head = HeadWatcher(address, clock=clock)
        clock.now_s += 1000.0
        head.check()
        assert head.answers()

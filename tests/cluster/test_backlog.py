"""The tasks that wait: read no further than asked for, and the returned ones first."""

import itertools

from cluster.backlog import Attempt, Backlog
from cluster.pool import Task


def test_no_more_is_read_than_asked_for():
    read = []

    def endless():
        for number in itertools.count():
            read.append(number)
            yield Task(str(number), number)

    backlog = Backlog(endless())
    assert read == []
    assert backlog.look_ahead(3) == 3
    assert backlog.take().task.payload == 0
    assert backlog.look_ahead(2) == 2
    assert read == [0, 1, 2]
    assert [backlog.take().task.payload for _ in range(3)] == [1, 2, 3]
    assert read == [0, 1, 2, 3]


def test_what_is_given_back_comes_first_with_its_count():
    backlog = Backlog([Task("a", 1), Task("b", 2)])
    first = backlog.take()
    assert first == Attempt(Task("a", 1), 1)
    backlog.give_back(Attempt(first.task, first.number + 1))
    assert [(backlog.take()) for _ in range(2)] == [Attempt(Task("a", 1), 2), Attempt(Task("b", 2), 1)]
    assert backlog.look_ahead(5) == 0

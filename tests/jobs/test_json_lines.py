"""`--log-format json`: every line is one JSON object that a log collector can take, and nothing is said for nothing."""

import io
import itertools
import json
import re
import sys
import warnings
from datetime import UTC, datetime, timedelta

import pytest

import cluster.scheduler
from cluster.pool import (
    PoolError,
    PoolNotice,
    TaskDone,
    TaskFailed,
    TaskIsolated,
    TaskRetried,
    TaskStarted,
    WorkerLost,
    WorkerReady,
)
from enformer_core.analyses.base import ShardWorker
from enformer_core.dataset.ledger import Committed
from enformer_core.errors import StorageError
from jobs.cli import main
from jobs.count import Count
from jobs.progress import JsonLines
from jobs.watch import Watch
from tests.support.genomes import OTHER, random_letters, write_fasta
from tests.support.vcf import write_vcf

BEGAN = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)


class Clock:
    """A second passes whenever it is asked."""

    def __init__(self):
        self.time = BEGAN - timedelta(seconds=1)

    def __call__(self):
        self.time += timedelta(seconds=1)
        return self.time


class NoBlocks:
    def add(self, shard):
        pass

    def close(self):
        pass


@pytest.fixture
def stream():
    return io.StringIO()


@pytest.fixture
def lines(stream):
    """What was written, each line parsed by itself."""

    def parse():
        text = stream.getvalue()
        assert text == "" or text.endswith("\n")
        return [parsed(line) for line in text.splitlines()]

    return parse


def parsed(line):
    """A line as a strict reader takes it: no NaN, one object, the fields of every line with the kinds they have."""
    found = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    if found["event"] in {"note", "error"}:  # not about a run, which may not be there yet
        return found
    kinds = {"time": str, "event": str, "done": int, "total": int, "unit": str}
    assert {name: type(found[name]) for name in kinds} == kinds
    assert datetime.fromisoformat(found["time"]).utcoffset() == timedelta(0)
    assert 0 <= found["done"] <= found["total"]
    return found


def of_events(stream, *events, total=20, done_before=0):
    """Let a run's events pass, as the driver does."""
    show = JsonLines(Count(total, "alleles", done_before), stream, now=Clock())
    with show, Watch(show, NoBlocks()) as watch:
        for event in events:
            watch.see(event)


def done(number, rows=5, audits=(), found=0):
    committed = Committed(number, rows, {"failed": 1, "ok": rows - 1}, audits, found)
    return TaskDone(f"shard {number}", "worker-1", committed, 1.23456)


def test_a_run_from_its_start_to_its_end(stream, lines):
    of_events(stream, done(0), done(1), done_before=10)
    assert [(line["event"], line["done"], line["total"]) for line in lines()] == [
        ("started", 10, 20),
        ("done", 15, 20),
        ("done", 20, 20),
        ("ended", 20, 20),
    ]
    assert {line["unit"] for line in lines()} == {"alleles"}


def test_times_are_utc_and_grow(stream, lines):
    of_events(stream, done(0), done(1))
    times = [line["time"] for line in lines()]
    assert all(re.fullmatch(r"2026-01-02T03:04:\d\d\.678\+00:00", time) for time in times)
    assert times == sorted(times)
    assert len(set(times)) == len(times)


def test_the_rate_is_that_since_the_start_without_what_was_done_before(stream, lines):
    of_events(stream, done(0), done(1), total=40, done_before=10)
    assert [(line["event"], line["per_second"], line["seconds_left"]) for line in lines()] == [
        ("started", None, None),
        ("done", 2.5, 10.0),  # 5 in the two seconds since the start, 25 to come
        ("done", 3.333, 6.0),
        ("ended", 2.5, 8.0),
    ]


def test_a_shard_that_is_done_says_which_where_and_what_came_of_it(stream, lines):
    of_events(stream, done(7))
    line = lines()[1]
    assert {name: line[name] for name in ("event", "task", "worker", "seconds", "by_status")} == {
        "event": "done",
        "task": "shard 7",
        "worker": "worker-1",
        "seconds": 1.235,
        "by_status": {"failed": 1, "ok": 4},
    }


@pytest.mark.parametrize(
    ("event", "name", "fields"),
    [
        (
            TaskRetried("shard 3", "worker-0", "ValueError: no", counted=True),
            "retried",
            {"task": "shard 3", "worker": "worker-0", "counted": True},
        ),
        (
            TaskIsolated("shard 3", {4: "ValueError: no"}),
            "isolated",
            {"task": "shard 3", "rows": 1},
        ),
        (TaskFailed("shard 3", "worker-0", PoolError("it died"), 3), "failed", {"task": "shard 3"}),
        (WorkerLost("worker-0", "its node is gone"), "worker_lost", {"worker": "worker-0"}),
        (PoolNotice("no worker for 60 s"), "notice", {}),
    ],
)
def test_what_goes_wrong_is_an_event_with_fields_and_a_text(stream, lines, event, name, fields):
    of_events(stream, event)
    started, told, ended = lines()
    assert (started["event"], told["event"], ended["event"]) == ("started", name, "ended")
    assert told.items() >= fields.items()
    assert told["text"]


def test_nothing_is_said_for_nothing(stream, lines):
    of_events(stream, WorkerReady("worker-0", "node"))
    assert [line["event"] for line in lines()] == ["started", "ended"]


def test_when_the_first_shard_is_begun_that_is_said_and_the_rate_counts_from_there(stream, lines):
    begun = [TaskStarted(f"shard {number}", "worker-0") for number in range(3)]
    of_events(stream, *begun, done(0))
    told = lines()
    assert [line["event"] for line in told] == ["started", "phase", "done", "ended"]
    assert told[1]["text"] == "computing"
    assert (
        told[2]["per_second"] == 2.5
    )  # the clock was asked at the first shard, for its line, and now


def test_what_was_audited_and_what_is_in_hand_is_in_every_line(stream, lines):
    show = JsonLines(Count(20, "alleles"), stream, now=Clock())
    with show:
        show.follow(lambda: 4)
        show.advance(5, audited=2)
    assert [(line["done"], line["in_hand"], line["audited"]) for line in lines()] == [
        (0, 0, 0),
        (5, 4, 2),
        (5, 4, 2),
    ]


def test_no_ten_seconds_pass_without_a_line(stream, lines):
    """The clock grows by a second whenever it is asked, as the heartbeat asks it."""
    show = JsonLines(Count(20, "alleles"), stream, now=Clock())
    with show:
        show.phase("loading the model")
        for _ in range(30):
            show.beat()
    times = [datetime.fromisoformat(line["time"]) for line in lines()]
    gaps = [(after - before).total_seconds() for before, after in itertools.pairwise(times)]
    assert max(gaps) <= 10
    working = [line for line in lines() if line["event"] == "working"]
    assert len(working) == 3
    assert {line["text"] for line in working} == {"loading the model"}


def test_what_others_had_put_before_is_said_once_and_only_where_it_is_so(stream, lines):
    of_events(stream, done(0, found=2), done(1, found=1), done(2))
    found = [line for line in lines() if line["event"] == "found"]
    assert [line["objects"] for line in found] == [3]


def test_a_line_stays_a_line_whatever_is_in_it(stream, lines):
    show = JsonLines(Count(1, "alleles"), stream)
    show.say(
        "notice",
        'two\nlines, "quoted", chr1:5 A>Ü \u2028 \x00',
        what={"a": [1, None]},
        error=ValueError("odd"),
    )
    assert len(stream.getvalue().split("\n")) == 2
    (line,) = (json.loads(line) for line in stream.getvalue().split("\n")[:-1])
    assert line["text"] == 'two\nlines, "quoted", chr1:5 A>Ü \u2028 \x00'
    assert (line["what"], line["error"]) == ({"a": [1, None]}, "odd")


def test_how_it_ended_is_said(stream, lines):
    with pytest.raises(OSError, match="disk"), JsonLines(Count(2, "alleles"), stream):
        raise OSError("the disk\nis full")
    assert lines()[-1]["error"] == "OSError: the disk\nis full"
    stream.truncate(0)
    stream.seek(0)
    with JsonLines(Count(2, "alleles"), stream):
        pass
    assert lines()[-1]["error"] is None


def test_each_line_leaves_at_once(tmp_path):
    """Who follows a log sees what happened, not what happened a buffer ago."""
    path = tmp_path / "log"
    with path.open("w", encoding="utf-8") as file:
        show = JsonLines(Count(2, "alleles"), file)
        show.advance(1)
        assert parsed(path.read_text(encoding="utf-8"))["done"] == 1


@pytest.fixture
def score(tmp_path, capsys):
    """Score four SNVs in two shards; gives the exit code, what was printed, and the lines of the log."""
    letters = random_letters(2_000, seed=1)
    genome = write_fasta(tmp_path / "g.fa", {"chr1": letters})
    records = [("chr1", at + 1, letters[at], OTHER[letters[at]]) for at in range(4)]
    vcf = write_vcf(tmp_path / "v.vcf", records)
    out = tmp_path / "run"

    def call():
        code = main(
            [
                *("score", str(vcf), "--genome", str(genome), "--out", str(out)),
                *("--model", "motif", "--ray", "off", "--shard-size", "2", "--tracks", "0"),
                *("--strands", "forward", "--audit-fraction", "0", "--log-format", "json"),
            ]
        )
        captured = capsys.readouterr()
        return code, captured.out, [parsed(line) for line in captured.err.splitlines()]

    return call


def test_the_command_writes_its_log_so_and_its_answer_as_ever(score, tmp_path):
    code, text, log = score()
    assert code == 0
    assert "4 alleles in 2 shards: 4 ok" in text
    tracks, *sharing = [line["text"] for line in log if line["event"] == "note"]
    assert tracks.startswith("tracks: 1 of 8: 0 DEMO:CTCF ")
    assert sharing
    assert all(text.startswith("sharing windows (--max-offset-bp ") for text in sharing)
    log = [line for line in log if line["event"] != "note"]
    assert [(line["event"], line["done"], line["total"], line["unit"]) for line in log] == [
        ("started", 0, 4, "alleles"),
        ("phase", 0, 4, "alleles"),
        ("phase", 0, 4, "alleles"),
        ("phase", 0, 4, "alleles"),
        ("done", 2, 4, "alleles"),
        ("done", 4, 4, "alleles"),
        ("ended", 4, 4, "alleles"),
        ("summary", 4, 4, "alleles"),
    ]
    assert [line["text"] for line in log if line["event"] == "phase"] == [
        "working in this process",
        "loading the model",
        "computing; results come by shards of about 2 alleles",
    ]
    summary = log[-1]
    assert summary["per_second"] > 0
    told = {name: summary[name] for name in SUMMARY}
    assert told == SUMMARY
    assert summary["output"] == str(tmp_path / "run")
    assert summary["by_status"] == {"ok": 4}
    assert summary["seconds"] > 0
    code, text, log = score()
    assert code == 0
    assert text.startswith("already complete")
    (again,) = log
    assert {name: again[name] for name in SUMMARY} == SUMMARY
    assert again["by_status"] == {"ok": 4}


SUMMARY = {"event": "summary", "exit_code": 0, "complete": True, "shards": 2, "shards_done": 2}


def test_what_is_said_beside_a_run_is_json_too(score, monkeypatch):
    """A warning of a library, and the error that a run ends with; the last line is the summary still."""

    def fail(self, prepared):
        # As Python shows a warning where pytest does not collect it.
        sys.stderr.write(warnings.formatwarning("removed in 3.0", FutureWarning, "lib.py", 7))
        raise StorageError("the disk is gone")

    monkeypatch.setattr(ShardWorker, "compute", fail)
    monkeypatch.setattr(cluster.scheduler.ExponentialBackoff, "seconds", lambda self, _: 0.01)
    code, _, log = score()
    assert code == 5
    warned = [line["text"] for line in log if line["event"] == "library"]
    assert any("FutureWarning: removed in 3.0" in text for text in warned)
    error, summary = log[-2:]
    assert (error["event"], error["text"]) == ("error", "the disk is gone")
    assert (summary["event"], summary["exit_code"]) == ("summary", 5)
    assert (summary["complete"], summary["done"], summary["total"]) == (False, 0, 4)

"""Targets tables as published, in other clothes, from addresses, and everything that is none."""

import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from enformer_core.errors import InputError
from enformer_core.models.tracks.squashing import Squashing
from enformer_core.models.tracks.table import TRACKS_SCHEMA, Track
from tests.support.targets_table import NAMES, SIZE, lines, read_table


def test_a_table_in_other_clothes_is_the_same_table(write, tmp_path, human):
    pandas = [
        "\tgenome\tdescription\tidentifier",
        *(f"{i}\t0\t{t}\t{n}" for i, (n, t) in enumerate(NAMES)),
    ]
    assert read_table(write(pandas), head="human", count=SIZE) == human
    windows = tmp_path / "windows.txt"
    windows.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines()).encode())
    assert read_table(str(windows), head="human", count=SIZE) == human


def test_empty_cells_are_null(write):
    tracks = read_table(write(["index\tidentifier\tdescription", "0\t\t"]), head="human", count=1)
    assert tracks.rows == (Track(index=0),)


def test_the_mouse_table_counts_on_from_the_human_one(write, human):
    published = read_table(write(lines(5313)), head="mouse", count=SIZE)
    from_zero = read_table(write(lines()), head="mouse", count=SIZE)
    assert published.rows == from_zero.rows == human.rows
    assert (published.first_index, from_zero.first_index) == (5313, 0)


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        found = self.path == "/targets.txt"
        self.send_response(200 if found else 404)
        self.end_headers()
        if found:
            self.wfile.write(("\n".join(lines()) + "\n").encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def address():
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_table_from_an_address(address, tmp_path, write, human):
    assert read_table(f"{address}/targets.txt", head="human", count=SIZE) == human
    assert read_table(f"file://{write(lines())}", head="human", count=SIZE) == human
    with pytest.raises(
        InputError, match=r"/other\.txt: the targets table cannot be read: HTTP Error 404"
    ):
        read_table(f"{address}/other.txt", head="human", count=SIZE)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "absent.txt",
            "absent.txt: the targets table cannot be read: .*No such file.* Give --targets a path",
        ),
        (
            "file:///absent.txt",
            "file:///absent.txt: the targets table cannot be read: .*github.com/calico/basenji",
        ),
        ("odd://absent.txt", "odd://absent.txt: the targets table cannot be read"),
        ("http://[", r"http://\[: the targets table cannot be read"),
        ("http://127.0.0.1:port/", "the targets table cannot be read: nonnumeric port"),
    ],
)
def test_what_cannot_be_read(source, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        read_table(source, head="human", count=SIZE)


@pytest.mark.parametrize(
    ("head", "rows", "message"),
    [
        (
            "human",
            [],
            "not a targets table: its first line is '', without the columns identifier, description",
        ),
        ("human", ["<!DOCTYPE html>"], "'<!DOCTYPE html>'.*take the raw file"),
        ("human", [line.replace("\t", ",") for line in lines()], "must be tab-separated"),
        ("human", ["index\tdescription", "0\tDNASE:K562"], "without the column identifier"),
        (
            "human",
            lines()[:-1],
            "has 7 tracks, the human head 8. Give the human head's table with --targets",
        ),
        ("human", lines(names=NAMES * 2), "has 16 tracks, the human head 8"),
        (
            "human",
            lines(names=NAMES[:1] * 1643),
            "has 1,643 tracks, the human head 8; it is the table of the mouse h",
        ),
        (
            "mouse",
            lines(names=NAMES[:1] * 5313),
            "has 5,313 tracks, the mouse head 8; it is the table of the human h",
        ),
        ("human", [*lines()[:3], "", *lines()[3:]], "line 4 is empty. Remove it"),
        ("human", [*lines()[:3], " \t ", *lines()[4:]], "line 4 is empty. Remove it"),
        ("human", [*lines()[:-1], "7\t0\tCNhs7"], "line 9 has 3 cells, the header 8. Is it cut?"),
        (
            "human",
            lines(5313),
            "line 2 has index '5313', expected 0: the human head's rows count on from 0",
        ),
        (
            "mouse",
            lines(5314),
            "line 2 has index '5314', expected 5313: the mouse head's rows count on from 5313",
        ),
        (
            "human",
            [*lines()[:2], lines()[3], lines()[2], *lines()[4:]],
            "line 3 has index '2', expected 1",
        ),
        (
            "human",
            [*lines()[:-1], lines()[-1].replace("7\t0", "x\t0")],
            "line 9 has index 'x', expected 7",
        ),
    ],
)
def test_what_is_not_the_heads_table(write, head, rows, message):
    with pytest.raises(InputError, match=f"targets.txt: .*{message}"):
        read_table(write(rows), head=head, count=SIZE)


def test_what_is_not_text(tmp_path):
    path = tmp_path / "targets.txt.gz"
    path.write_bytes(b"\x1f\x8b\x08\x00")
    with pytest.raises(InputError, match=r"targets\.txt\.gz: not a table of text.*unpack it first"):
        read_table(str(path), head="human", count=SIZE)


PAIRED = (
    "\tidentifier\tclip_soft\tscale\tsum_stat\tstrand_pair\tdescription",
    "{0}\tA+\t64\t1.0\tsum_sqrt\t{1}\tCAGE:a",
    "{1}\tA-\t64\t0.3\tsum_sqrt\t{0}\tCAGE:a",
    "{2}\tB\t\t2\tmean\t{2}\tDNASE:b",
)


def test_pairs_of_strands_and_squashing_are_read_as_columns_of_the_head(write):
    for first in (0, 5313):
        table = [line.format(first, first + 1, first + 2) for line in PAIRED]
        tracks = read_table(write(table), head="mouse", count=3)
        assert tracks.strand_pairs() == (1, 0, 2)
        assert [track.squashing for track in tracks.rows] == [
            Squashing(64.0, 1.0, "sum_sqrt"),
            Squashing(64.0, 0.3, "sum_sqrt"),
            Squashing(None, 2.0, "mean"),
        ]
    # of some tracks the pairs are still columns of the head
    assert replace(tracks, rows=tracks.rows[1:]).strand_pairs() == (0, 2)
    # what a run's own table says of tracks stays as it is
    assert tracks.to_arrow().schema == TRACKS_SCHEMA


def test_a_table_without_pairs_says_nothing_of_them(write):
    tracks = read_table(write(lines()), head="human", count=SIZE)
    assert tracks.strand_pairs() is None
    assert {track.squashing for track in tracks.rows} == {None}


@pytest.mark.parametrize(
    ("at", "line", "refusal"),
    [
        (1, "{0}\tA+\t64\t1.0\tsum_sqrt\t{2}\tCAGE:a", "line 2 has strand_pair '2'"),
        (1, "{0}\tA+\t64\t1.0\tsum_sqrt\t7\tCAGE:a", "line 2 has strand_pair '7'"),
        (3, "{2}\tB\t\t0\tmean\t{2}\tDNASE:b", "line 4 has scale '0', expected a number above 0"),
        (3, "{2}\tB\tmuch\t1\tmean\t{2}\tDNASE:b", "line 4 has clip_soft 'much'"),
    ],
)
def test_pairs_that_are_none_and_numbers_that_are_none_are_refused(write, at, line, refusal):
    table = [*PAIRED[:at], line, *PAIRED[at + 1 :]]
    with pytest.raises(InputError, match=refusal):
        read_table(write([each.format(0, 1, 2) for each in table]), head="human", count=3)

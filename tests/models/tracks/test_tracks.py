"""Tables of tracks as written by hand, and every way to choose from them."""

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enformer_core.errors import InputError
from enformer_core.models.tracks.cross2020 import CROSS2020_HEADS
from enformer_core.models.tracks.selector import select_tracks
from enformer_core.models.tracks.table import (
    TRACKS_SCHEMA,
    HeadLayout,
    Track,
    Tracks,
    described_track,
    unnamed_tracks,
)
from enformer_core.models.tracks.targets import read_targets as read_any_targets

NAMES = [
    ("ENC0", "DNASE:K562"),
    ("ENC1", "DNASE:K562"),
    ("ENC2", "DNASE:K562 G1 phase"),
    ("ENC3", "DNASE:CD4-positive, alpha-beta T cell (26 years)"),
    ("ENC4", "ATAC:liver"),
    ("ENC5", "CHIP:H3K27ac:K562"),
    ("ENC6", "CHIP:BMAL1:U2OS stably expressing Bmal1:Luc"),
    ("CNhs7", "CAGE:cell line:K562"),
]

SIZE = len(NAMES)

HEADER = "index\tgenome\tidentifier\tfile\tclip\tscale\tsum_stat\tdescription"


def read_targets(path_or_url, *, head, count):
    return read_any_targets(path_or_url, head=head, count=count, layouts=CROSS2020_HEADS)


def builtin_tracks(head, count):
    return unnamed_tracks(head, count, CROSS2020_HEADS.get(head, HeadLayout()))


def lines(first=0, names=NAMES):
    rows = [
        f"{first + i}\t0\t{name}\t/private/{i}.w5\t32\t2\tmean\t{text}"
        for i, (name, text) in enumerate(names)
    ]
    return [HEADER, *rows]


@pytest.fixture
def write(tmp_path):
    def written(rows):
        path = tmp_path / "targets.txt"
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
        return str(path)

    return written


@pytest.fixture
def human(write):
    return read_targets(write(lines()), head="human", count=SIZE)


def table_of(size):
    return Tracks(
        "human",
        size,
        tuple(described_track(i, f"ID{i}", f"DNASE:sample {i % 3}") for i in range(size)),
    )


def test_a_table_becomes_one_row_per_track(human):
    table = human.to_arrow()
    assert table.schema == TRACKS_SCHEMA
    assert table.schema.types == [pa.int32(), pa.int32(), *[pa.string()] * 5]
    assert table.column_names == [
        "index",
        "list_position",
        "identifier",
        "description",
        "assay",
        "biosample",
        "target",
    ]
    rows = [tuple(row.values()) for row in table.to_pylist()]
    assert rows[0] == (0, 1, "ENC0", "DNASE:K562", "DNASE", "K562", None)
    assert rows[5] == (5, 6, "ENC5", "CHIP:H3K27ac:K562", "CHIP", "K562", "H3K27ac")
    assert rows[6][4:] == ("CHIP", "U2OS stably expressing Bmal1:Luc", "BMAL1")
    assert rows[7][4:] == ("CAGE", "cell line:K562", None)
    assert "/private" not in str(table.to_pydict())


def test_list_positions_are_those_of_the_selection(human):
    chosen, _ = select_tracks(human, "7,4,2")
    assert chosen.to_arrow().select(["index", "list_position"]).to_pydict() == {
        "index": [2, 4, 7],
        "list_position": [1, 2, 3],
    }
    assert len(chosen) == 3
    assert chosen.head_size == SIZE


@pytest.mark.parametrize(
    ("description", "parts"),
    [
        ("CAGE:liver", ("CAGE", "liver", None)),
        ("CHIP:K562", ("CHIP", "K562", None)),
        ("chip:CTCF:K562", ("chip", "K562", "CTCF")),
        ("GATA1 motif", (None, None, None)),
        (None, (None, None, None)),
    ],
)
def test_parts_of_a_description(description, parts):
    track = described_track(3, "name", description)
    assert (track.index, track.identifier, track.description) == (3, "name", description)
    assert (track.assay, track.biosample, track.target) == parts


def test_indices_ascend_within_the_head():
    for wrong in [(1, 0), (0, 0), (2,), (-1,)]:
        with pytest.raises(ValueError, match="must ascend within the 2"):
            Tracks("human", 2, tuple(Track(index=index) for index in wrong))


@pytest.mark.parametrize(
    ("head", "count", "firsts"),
    [
        ("human", 5313, {"DNASE": 0, "ATAC": 674, "CHIP": 684, "CAGE": 4675}),
        ("mouse", 1643, {"DNASE": 0, "ATAC": 101, "CHIP": 228, "CAGE": 1286}),
        ("human", 7, {None: 0}),
        ("rat", 5313, {None: 0}),
    ],
)
def test_builtin_assays(head, count, firsts):
    tracks = builtin_tracks(head, count)
    assays = [track.assay for track in tracks.rows]
    assert tracks.indices() == list(range(count))
    assert {assay: assays.index(assay) for assay in dict.fromkeys(assays)} == firsts
    assert assays == sorted(assays, key=list(firsts).index)
    assert {(track.identifier, track.description) for track in tracks.rows} == {(None, None)}


def test_a_table_in_other_clothes_is_the_same_table(write, tmp_path, human):
    pandas = [
        "\tstrand_pair\tdescription\tidentifier",
        *(f"{i}\t0\t{t}\t{n}" for i, (n, t) in enumerate(NAMES)),
    ]
    assert read_targets(write(pandas), head="human", count=SIZE) == human
    windows = tmp_path / "windows.txt"
    windows.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines()).encode())
    assert read_targets(str(windows), head="human", count=SIZE) == human


def test_empty_cells_are_null(write):
    tracks = read_targets(write(["index\tidentifier\tdescription", "0\t\t"]), head="human", count=1)
    assert tracks.rows == (Track(index=0),)


def test_the_mouse_table_counts_on_from_the_human_one(write, human):
    published = read_targets(write(lines(5313)), head="mouse", count=SIZE)
    from_zero = read_targets(write(lines()), head="mouse", count=SIZE)
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
    assert read_targets(f"{address}/targets.txt", head="human", count=SIZE) == human
    assert read_targets(f"file://{write(lines())}", head="human", count=SIZE) == human
    with pytest.raises(
        InputError, match=r"/other\.txt: the targets table cannot be read: HTTP Error 404"
    ):
        read_targets(f"{address}/other.txt", head="human", count=SIZE)


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
        read_targets(source, head="human", count=SIZE)


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
        read_targets(write(rows), head=head, count=SIZE)


def test_what_is_not_text(tmp_path):
    path = tmp_path / "targets.txt.gz"
    path.write_bytes(b"\x1f\x8b\x08\x00")
    with pytest.raises(InputError, match=r"targets\.txt\.gz: not a table of text.*unpack it first"):
        read_targets(str(path), head="human", count=SIZE)


@pytest.mark.parametrize(
    ("selector", "indices"),
    [
        (None, list(range(SIZE))),
        ("4", [4]),
        ("2-4", [2, 3, 4]),
        (" 2 - 4 , 0", [0, 2, 3, 4]),
        ("6,1-2,2,1", [1, 2, 6]),
        ("assay=DNASE", [0, 1, 2, 3]),
        ("Assay=cage,assay=atac", [4, 7]),
        ("ENC5", [5]),
        ("CNhs7,0", [0, 7]),
        ("CAGE:.*K562", [7]),
        ("^DNASE:K562", [0, 1, 2]),
        ("K562$", [0, 1, 5, 7]),
        (r"DNASE:CD4-positive\, alpha-beta T cell (26 years)", [3]),
        ("DNASE:CD4-positive, alpha-beta T cell (26 years)", [3]),
        (r"positive\, alpha,ATAC", [3, 4]),
        (r"K5{0\,1}62 G", [2]),
        ("(5-6)|G1", [2]),
    ],
)
def test_selectors(human, selector, indices):
    chosen, notes = select_tracks(human, selector)
    assert chosen.indices() == indices
    assert chosen.rows == tuple(human.rows[index] for index in indices)
    assert notes == []


def test_a_description_selects_its_tracks_and_those_that_contain_it_and_says_so(human):
    chosen, notes = select_tracks(human, "DNASE:K562")
    assert chosen.indices() == [0, 1, 2]
    assert notes == [
        "'DNASE:K562' is the description of 2 tracks: 0, 1",
        "'DNASE:K562' is also found in 1 track with a longer description: 2. An identifier or a column names just one.",
    ]


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("", "--tracks: an empty term"),
        ("4,", "--tracks: an empty term"),
        ("8", "--tracks 8: the human head has 8 tracks; give columns of 0-7"),
        ("7-8", "--tracks 7-8: the human head has 8 tracks"),
        ("-1", "--tracks -1: the human head has 8 tracks"),
        ("3-2", "--tracks 3-2: .*a range from the smaller to the larger"),
        (
            "assay=DNAS",
            "--tracks assay=DNAS: no track of the human head has this assay; did you mean DNASE?",
        ),
        ("assay=dnas", "did you mean DNASE?"),
        ("assay=Q", "known are DNASE, ATAC, CHIP, CAGE"),
        ("ENC9", "'ENC9': no track of the human head has this identifier.*did you mean 'ENC"),
        ("CAGE:K563", r"'CAGE:K563': no track .*"),
        ("k562", "did you mean '(?i)k562' (5 tracks)?"),
        (
            "DNASE:CD4-positiv(e",
            "neither an identifier, a description nor a regular expression: missing )",
        ),
        (
            "zzzzzzzz",
            "'zzzzzzzz': no track of the human head has .*. Look into the targets table for names.",
        ),
    ],
)
def test_selectors_that_name_nothing(human, selector, message):
    pattern = ".*".join(re.escape(part) for part in message.split(".*"))
    with pytest.raises(InputError, match=pattern):
        select_tracks(human, selector)


def test_an_assay_and_a_text_further_on(human):
    chosen, notes = select_tracks(human, "CAGE:K562")
    assert chosen.indices() == [7]
    assert notes == ["'CAGE:K562' is read as 'K562' in any CAGE description: 1 track, 7"]


@pytest.mark.parametrize("selector", ["K562", "ENC1", "assay=DNASE"])
def test_names_need_a_table(selector):
    with pytest.raises(
        InputError, match=r"--targets FILE.*calico/basenji, manuscripts/cross2020/targets_human.txt"
    ):
        select_tracks(builtin_tracks("human", SIZE), selector)


def test_assays_of_a_published_head_need_no_table():
    chosen, _ = select_tracks(builtin_tracks("human", 5313), "assay=cage")
    assert chosen.indices() == list(range(4675, 5313))


def test_published_mouse_indices_are_known_where_the_table_gave_them(write):
    mouse = read_targets(write(lines(5313)), head="mouse", count=SIZE)
    chosen, notes = select_tracks(mouse, "5314-5316,0,5320")
    assert chosen.indices() == [0, 1, 2, 3, 7]
    assert notes == [
        "5314-5316 is the targets table's index; in the mouse head it is column 1-3",
        "5320 is the targets table's index; in the mouse head it is column 7",
    ]
    for outside in ["8", "5312", "5321", "5320-5321", "0-5313"]:
        with pytest.raises(InputError, match=f"--tracks {outside}: the mouse head has 8 tracks"):
            select_tracks(mouse, outside)


def test_published_mouse_indices_are_refused_without_the_table(write):
    for tracks in [
        builtin_tracks("mouse", SIZE),
        read_targets(write(lines()), head="mouse", count=SIZE),
    ]:
        with pytest.raises(InputError, match="5314 is column 1; --targets FILE makes it known"):
            select_tracks(tracks, "5314")


def test_a_number_is_always_a_column(write):
    """Where a head is larger than the table's first index, both readings would be possible: the column wins."""
    mouse = read_targets(write(lines(5313, [("m", "DNASE:m")] * 5400)), head="mouse", count=5400)
    chosen, notes = select_tracks(mouse, "5313")
    assert (chosen.indices(), notes) == ([5313], [])
    with pytest.raises(
        InputError, match=r"give columns of 0-5399, a range from the smaller to the larger\.$"
    ):
        select_tracks(mouse, "5400")


def test_a_selection_of_a_selection_cannot_leave_it(human):
    chosen, _ = select_tracks(human, "1-3")
    with pytest.raises(InputError, match="--tracks 4: none of the 3 tracks to choose from"):
        select_tracks(chosen, "4")


columns = st.lists(st.integers(0, 29), min_size=1, max_size=12)


@given(columns)
def test_columns_select_exactly_themselves(indices):
    chosen, _ = select_tracks(table_of(30), ",".join(map(str, indices)))
    assert chosen.indices() == sorted(set(indices))


terms = st.one_of(
    st.integers(0, 29).map(str),
    st.tuples(st.integers(0, 14), st.integers(14, 29)).map(lambda ends: f"{ends[0]}-{ends[1]}"),
    st.integers(0, 29).map("ID{}".format),
    st.sampled_from(["assay=dnase", "DNASE:sample 1", "sample [02]$"]),
)


@given(st.lists(terms, min_size=1, max_size=5))
def test_a_list_of_terms_is_their_union_and_repeating_it_changes_nothing(parts):
    tracks = table_of(30)
    selector = ",".join(parts)
    chosen, _ = select_tracks(tracks, selector)
    union = {index for part in parts for index in select_tracks(tracks, part)[0].indices()}
    assert chosen.indices() == sorted(union)
    assert select_tracks(chosen, selector)[0] == chosen
    assert select_tracks(tracks, ",".join(reversed(parts)))[0] == chosen

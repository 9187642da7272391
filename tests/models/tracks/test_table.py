"""A table of tracks becomes rows, and what is known without one."""

import pyarrow as pa
import pytest

from enformer_core.models.tracks.selector import select_tracks
from enformer_core.models.tracks.table import TRACKS_SCHEMA, Track, Tracks, described_track
from tests.support.targets_table import SIZE, without_table


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
    tracks = without_table(head, count)
    assays = [track.assay for track in tracks.rows]
    assert tracks.indices() == list(range(count))
    assert {assay: assays.index(assay) for assay in dict.fromkeys(assays)} == firsts
    assert assays == sorted(assays, key=list(firsts).index)
    assert {(track.identifier, track.description) for track in tracks.rows} == {(None, None)}

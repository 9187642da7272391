"""The published targets tables of the human and the mouse head."""

from collections import Counter

import pytest

from enformer_core.errors import InputError
from enformer_core.models.tracks.cross2020 import CROSS2020_HEADS
from enformer_core.models.tracks.selector import select_tracks
from enformer_core.models.tracks.table import unnamed_tracks
from enformer_core.models.tracks.targets import read_targets

SIZES = {"human": 5313, "mouse": 1643}


@pytest.fixture(scope="module")
def read(data_dir):
    def of_head(head):
        return read_targets(
            str(data_dir / "tracks" / f"targets_{head}.txt"),
            head=head,
            count=SIZES[head],
            layouts=CROSS2020_HEADS,
        )

    return of_head


@pytest.fixture(scope="module")
def human(read):
    return read("human")


@pytest.fixture(scope="module")
def mouse(read):
    return read("mouse")


def test_assays_are_those_built_in(human, mouse):
    for tracks in (human, mouse):
        assert [track.assay for track in tracks.rows] == [
            track.assay
            for track in unnamed_tracks(
                tracks.head, SIZES[tracks.head], CROSS2020_HEADS[tracks.head]
            ).rows
        ]


def test_every_track_is_named_once(human, mouse):
    for tracks in (human, mouse):
        assert len({track.identifier for track in tracks.rows}) == SIZES[tracks.head]
        assert all(track.description and track.biosample for track in tracks.rows)
        assert all((track.target is not None) == (track.assay == "CHIP") for track in tracks.rows)


def test_k562(human):
    cage, notes = select_tracks(human, "CAGE:.*K562")
    assert [(track.index, track.identifier) for track in cage.rows] == [
        (4828, "CNhs11250"),
        (5111, "CNhs12336"),
    ]
    assert notes == []
    dnase, _ = select_tracks(human, "^DNASE:K562")
    assert dnase.indices() == [33, 34, 35, 121, 122, 123, 625]
    assert (
        select_tracks(human, "CNhs11250,CNhs12336")[0]
        == select_tracks(human, "4828,5111")[0]
        == cage
    )
    split, notes = select_tracks(human, "CAGE:K562")
    assert split == cage
    assert notes == ["'CAGE:K562' is read as 'K562' in any CAGE description: 2 tracks, 4828, 5111"]
    assert select_tracks(human, "DNASE:K562")[0] == dnase


def test_first_and_last_mouse_track(mouse):
    chosen, _ = select_tracks(mouse, "ENCFF866ZTV,6955")
    assert mouse.first_index == 5313
    assert chosen.indices() == [0, 1642]


def test_descriptions_repeat_and_each_selects_all_of_its_tracks(human):
    places: dict[str, list[int]] = {}
    for track in human.rows:
        places.setdefault(track.description, []).append(track.index)
    repeated = {text: indices for text, indices in places.items() if len(indices) > 1}
    assert len(repeated) == 302
    assert Counter(map(len, repeated.values()))[11] == 1
    for text, indices in repeated.items():
        chosen, notes = select_tracks(human, text)
        assert set(chosen.indices()) >= set(indices)
        assert all(text in human.rows[index].description for index in chosen.indices())
        assert (
            notes[0]
            == f"{text!r} is the description of {len(indices)} tracks: {', '.join(map(str, indices))}"
        )


def test_one_heads_table_is_refused_for_the_other(data_dir):
    for head, other in [("human", "mouse"), ("mouse", "human")]:
        path = data_dir / "tracks" / f"targets_{other}.txt"
        with pytest.raises(
            InputError, match=f"targets_{other}.txt: .*it is the table of the {other} head"
        ):
            read_targets(str(path), head=head, count=SIZES[head], layouts=CROSS2020_HEADS)

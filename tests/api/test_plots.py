"""Results as charts: the numbers are the result's, names are text, and what cannot be drawn is refused."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from enformer_core import InputError
from enformer_core.api.mutations import Mutations
from enformer_core.api.plots import MOST_TRACKS, track_names
from enformer_core.api.results import Prediction, VariantEffect
from enformer_core.models.tracks.table import Track, Tracks
from enformer_core.scoring.windows import Allele

HOSTILE = "</script><img src=x onerror=alert(1)>\x1b[2J"
REF = np.arange(32, dtype=np.float32).reshape(4, 8)


def tracks(count=8, name="track {}"):
    rows = tuple(Track(index=at, description=name.format(at)) for at in range(count))
    return Tracks("human", count, rows)


def effect(**changed):
    difference = np.zeros((4, 8), dtype=np.float32)
    difference[1] = [0, 0, -5, 0, 1, 0, 0, 3]
    given = {
        "contig": "chr1",
        "start": 1024,
        "bin_bp": 128,
        "tracks": tracks(),
        "given": "chr1:1201:A:G",
        "allele": Allele("chr1", 1200, "A", "G"),
        "ref": REF,
        "difference": difference,
        "statistics": {"sad": difference.sum(axis=0)},
    }
    return VariantEffect(**given | changed)


def data_of(chart, row, layer):
    spec = chart.to_dict()
    return spec["datasets"][spec["vconcat"][row]["layer"][layer]["data"]["name"]]


def headings(chart):
    rows = chart.to_dict()["vconcat"]
    return [row["title"]["text"] for row in rows if "title" in row]


def test_the_tracks_that_change_most_are_drawn_with_their_numbers():
    chart = effect().plot()
    assert headings(chart) == ["track 2: sad −5", "track 4: sad +1", "track 7: sad +3"]
    assert [each["value"] for each in data_of(chart, 0, 1)][:4] == [2, 10, 18, 26]
    assert [each["value"] for each in data_of(chart, 0, 2)][:4] == [2, 5, 18, 26]
    assert [each["at"] for each in data_of(chart, 0, 1)][:2] == [1024.5, 1152.5]
    assert data_of(chart, 1, 0) == [{"variant": 1201}]
    spec = chart.to_dict()
    assert spec["title"]["text"].startswith("chr1:1201:A:G")
    assert spec["title"]["subtitle"] == [
        "of 8 tracks the 3 with the largest effects (sad) are drawn"
    ]
    assert spec["config"]["range"]["category"]


def test_tracks_and_flanks_are_chosen():
    chart = effect().plot(tracks=[1, 4], flank_bp=10)
    assert headings(chart) == ["track 1: sad +0", "track 4: sad +1"]
    assert [each["value"] for each in data_of(chart, 0, 1)] == [9, 9, None]


def test_without_any_effect_one_track_is_drawn():
    nothing = np.zeros((4, 8), dtype=np.float32)
    chart = effect(difference=nothing, statistics={"sad": nothing[0]}).plot()
    assert headings(chart) == ["track 0: sad +0"]


def test_what_cannot_be_drawn_is_refused():
    for given, message in (
        ({"tracks": "0-6"}, f"are 7, and a picture has room for {MOST_TRACKS}"),
        ({"tracks": 99}, "99"),
        ({"flank_bp": -1}, "no predicted bin of chr1:1201:A:G lies so near"),
        ({"flank_bp": "far"}, "flank_bp='far': must be a whole number"),
    ):
        with pytest.raises(InputError, match=message):
            effect().plot(**given)


def test_names_are_text_in_notebooks_too():
    chart = effect(tracks=tracks(name=HOSTILE + "{}")).plot(tracks=2)
    text = json.dumps(chart.to_dict(), ensure_ascii=False)
    assert "<" not in text
    assert "‹/script>‹img" in text
    assert r"\\x1b[2J" in text


def test_a_prediction_of_a_sequence_is_drawn():
    given = {"contig": None, "start": 0, "bin_bp": 128, "tracks": tracks(), "values": REF}
    chart = Prediction(**given).plot()
    assert headings(chart) == ["track 5", "track 6", "track 7"]
    assert [each["value"] for each in data_of(chart, 2, 0)][:4] == [7, 15, 23, 31]
    assert "the sequence:1-512" in chart.to_dict()["title"]["text"]


def test_every_change_is_drawn_but_the_genomes_own_letters():
    values = np.zeros((2, 4, 8), dtype=np.float32)
    values[0, :, 3] = [0, -1, -2, -3]
    mutations = Mutations(
        contig="chr1", start=99, letters="AC", tracks=tracks(), statistics={"sad": values}
    )
    chart = mutations.plot()
    assert headings(chart) == ["track 3: sad of each change"]
    changes = [(each["pos"], each["alt"], each["value"]) for each in data_of(chart, 0, 0)]
    assert changes[:4] == [(100, "C", -1), (100, "G", -2), (100, "T", -3), (101, "A", 0)]
    assert len(changes) == 6
    own = [(each["pos"], each["ref"]) for each in data_of(chart, 0, 1)]
    assert own == [(100, "A"), (101, "C")]
    with pytest.raises(InputError, match="stands for 2 tracks; give one"):
        mutations.plot(track="3,4")
    with pytest.raises(InputError, match="statistic js: was not computed"):
        mutations.plot(statistic="js")


def test_names_of_tracks_are_all_different():
    rows = [
        Track(index=1, description="liver"),
        Track(index=2, description="liver"),
        Track(index=3, identifier="ENC"),
        SimpleNamespace(index=4, description=None, identifier=None),
    ]
    assert track_names(rows) == ["liver (track 1)", "liver (track 2)", "ENC", "track 4"]


def test_what_lies_beyond_the_contig_is_not_drawn():
    # bins from -128 to 384 of a contig of 200 bases: the first and the last lie beyond it
    chart = effect(start=-128, contig_bp=200, allele=Allele("chr1", 100, "A", "G")).plot(tracks=2)
    text = json.dumps(chart.to_dict())
    assert '"domain": [0.5, 200.5]' in text
    assert [each["value"] for each in data_of(chart, 0, 1)][:2] == [10, 18]
    assert "chr1 begins at 1 and ends at 200: what is predicted beyond is not drawn" in text
    assert "beyond" not in json.dumps(effect(contig_bp=9_999).plot(tracks=2).to_dict())

"""Groups of tracks: what a selector came to is told, since text is found in more descriptions than was meant."""

from enformer_core.models.motif_spec import motif_tracks
from enformer_core.models.tracks.selector import select_tracks
from jobs.track_groups import groups_in_words, track_groups


def test_which_tracks_a_group_has_is_told():
    tracks = motif_tracks("human")
    groups = track_groups(["blood=motif", "GATA1=1"], tracks)
    of_blood, _ = select_tracks(tracks, "motif")
    assert groups[0].tracks == tuple(of_blood.indices())
    first, second = groups_in_words(groups, tracks)
    assert first.startswith(f"--group blood: tracks: {len(of_blood)} of {len(tracks)}: 0 ")
    assert second.startswith("--group GATA1: tracks: 1 of 8: 1 ")
    assert "GATA1" in second.rpartition("tracks: ")[2]

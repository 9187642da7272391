"""`--group`: tracks under a name, whose mean is what is asked about; and what the model must have for attention."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from enformer_core.analyses.contribution_spec import TrackGroup
from enformer_core.errors import InputError
from enformer_core.models.tracks.selector import select_tracks, selection_in_words
from enformer_core.models.tracks.table import Tracks
from jobs.log import note
from jobs.named_inputs import NamedInputs


def track_groups(texts: Sequence[str], tracks: Tracks) -> tuple[TrackGroup, ...]:
    """Groups as they were given, NAME=TRACKS each.

    Raises:
        InputError: for one that is not written so, is given twice, or selects no track.
    """
    groups: dict[str, TrackGroup] = {}
    for text in texts:
        name, equals, selector = text.partition("=")
        name = name.strip()
        if not (name and equals and selector.strip()):
            raise InputError(
                f"--group {text}: give a name and its tracks, such as K562=4828,5111 or DNase=assay=DNASE"
            )
        if name in groups:
            raise InputError(f"--group {name}: given twice. Give each group a name of its own.")
        groups[name] = TrackGroup(name, _columns(name, selector, tracks))
    return tuple(groups.values())


def _columns(name: str, selector: str, tracks: Tracks) -> tuple[int, ...]:
    """The columns of the head that one group's selector names."""
    try:
        selected, notes = select_tracks(tracks, selector)
    except InputError as error:
        # the selector speaks as of its own option
        raise InputError(f"{error}".replace("--tracks", f"--group {name}:", 1)) from error
    for line in notes:
        note(f"--group {name}: {line}")
    return tuple(selected.indices())


def groups_in_words(groups: Sequence[TrackGroup], tracks: Tracks) -> list[str]:
    """Which tracks each group has: text may be found in more descriptions than was meant.

    Args:
        groups: as they were given.
        tracks: those that they choose from.
    """
    return [
        f"--group {group.name}: tracks: {selection_in_words(_chosen(tracks, group.tracks))}"
        for group in groups
    ]


def _chosen(tracks: Tracks, columns: Collection[int]) -> Tracks:
    rows = tuple(track for track in tracks.rows if track.index in columns)
    return replace(tracks, rows=rows)


def with_tracks(named: NamedInputs, groups: Sequence[TrackGroup]) -> NamedInputs:
    """The tracks of all groups, which the run's table of tracks names."""
    wanted = {column for group in groups for column in group.tracks}
    tracks = _chosen(named.tracks, wanted)
    inputs = replace(
        named.inputs, tracks=tuple(tracks.indices()), strand_pairs=tracks.strand_pairs()
    )
    return replace(named, tracks=tracks, inputs=inputs)


def attention_layers(named: NamedInputs, option: str) -> int:
    """How many layers of the model attend, for the option that asks for it.

    Raises:
        InputError: where none does.
    """
    layers = named.source.config.attention_layers
    if not layers:
        raise InputError(f"{option}: model {named.source.name} has no attention; leave it out")
    return layers

"""What is computed of every target of a run of contributions, every setting resolved."""

from dataclasses import dataclass

from enformer_core.scoring.conventions import Strands


@dataclass(frozen=True)
class TrackGroup:
    """Tracks whose predictions are averaged.

    Attributes:
        name: as the user calls it.
        tracks: columns of the head, ascending.
    """

    name: str
    tracks: tuple[int, ...]


@dataclass(frozen=True)
class AttributionSpec:
    """What is computed of a target.

    Attributes:
        groups: of tracks.
        strands: which are averaged.
        hypothetical: whether the contributions of all four letters are kept.
        attention: whether attention is read.
    """

    groups: tuple[TrackGroup, ...]
    strands: Strands
    hypothetical: bool
    attention: bool

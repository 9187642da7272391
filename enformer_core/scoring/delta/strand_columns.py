"""Tracks that measure one strand: in which columns a trunk finds them, read forwards and read backwards.

A reverse complement has a track's prediction in the column of the other strand's track of the same experiment. Knows
columns. Does not know windows or networks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

Computed = Float[Tensor, "bins computed"]

OfTracks = Float[Tensor, "bins tracks"]


@dataclass(frozen=True)
class StrandColumns:
    """What a trunk computes for some tracks, and where each track's prediction is.

    Attributes:
        computed: columns of the head that are computed; None for all of them.
        tracks: how many of the computed are the tracks' own; they are the first. None where all are.
        backwards: place, among the computed, of each track's prediction in a window that is read backwards; None where
            it is its own.
    """

    computed: tuple[int, ...] | None = None
    tracks: int | None = None
    backwards: Int[Tensor, " tracks"] | None = None

    @classmethod
    def of(
        cls,
        tracks: Sequence[int] | None,
        strand_pairs: Sequence[int] | None,
        device: torch.device,
    ) -> "StrandColumns":
        """For some tracks of a head.

        Args:
            tracks: their columns of the head; None for all.
            strand_pairs: of each the column in which a reverse complement has it; None where it is its own.
            device: where predictions are.
        """
        own = None if tracks is None else tuple(tracks)
        if strand_pairs is None or tuple(strand_pairs) == (own or tuple(range(len(strand_pairs)))):
            return cls(own)
        if own is None:
            return cls(backwards=torch.tensor(strand_pairs, device=device))
        # tracks 4 and 6, whose pairs are 5 and 6: columns 4, 6 and 5 are computed, and read backwards they are 2 and 1
        others = sorted(set(strand_pairs) - set(own))
        computed = (*own, *others)
        places = torch.tensor([computed.index(pair) for pair in strand_pairs], device=device)
        return cls(computed, len(own) if others else None, places)

    def count(self, tracks: int) -> int:
        """How many columns are computed for so many tracks."""
        return tracks if self.computed is None else len(self.computed)

    def along_chromosome(self, profile: Computed, *, reverse: bool) -> OfTracks:
        """The tracks of a profile, with its bins in the order of the chromosome.

        Args:
            profile: of a window, in the columns that are computed.
            reverse: whether the window was read backwards.
        """
        if not reverse:
            return profile if self.tracks is None else profile[:, : self.tracks]
        if self.backwards is None:
            return profile.flip(0)
        return profile.index_select(1, self.backwards).flip(0)

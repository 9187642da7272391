"""The ways in which a window is read: a model's predictions are averaged over them.

Knows strands and shifts. Does not know alleles.
"""

from dataclasses import dataclass

from enformer_core.genome.alphabet import reverse_complement
from enformer_core.scoring.conventions import Conventions
from enformer_core.scoring.delta.reference_tokens import Place
from enformer_core.scoring.delta.spans import mirrored
from enformer_core.scoring.delta.strand_columns import Computed, OfTracks, StrandColumns
from enformer_core.scoring.delta.tower import Codes
from enformer_core.scoring.windows import Window


@dataclass(frozen=True)
class View:
    """A member of the ensemble over which predictions are averaged: one shift, on one strand."""

    shift_bp: int
    reverse: bool

    def place(self, contig: str, window: Window) -> Place:
        """Where a window of the genome's own sequence lies in this view."""
        return Place(contig, window.moved(self.shift_bp).start, self.reverse)

    def read(self, codes: Codes) -> Codes:
        """The window's bases, given along the chromosome, as they are read in this view."""
        return reverse_complement(codes) if self.reverse else codes

    def bins_read(self, bins: range, count: int) -> range:
        """Where `bins` of the chromosome, of `count` predicted ones, come to lie in this view."""
        return mirrored(bins, count) if self.reverse else bins

    def along_chromosome(self, profile: Computed, columns: StrandColumns) -> OfTracks:
        """The tracks of a profile predicted in this view, with its bins in the order of the chromosome."""
        return columns.along_chromosome(profile, reverse=self.reverse)


def views_of(conventions: Conventions) -> list[View]:
    """The views that are averaged, shift by shift."""
    views = []
    for shift_bp in conventions.averaged_shifts:
        views.append(View(shift_bp, reverse=False))
        if conventions.strands == "both":
            views.append(View(shift_bp, reverse=True))
    return views

"""Predictions and differences of alleles, summed over the views of an ensemble until an allele has all of its own.

Does not know a network.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from enformer_core.scoring.delta.spans import clip
from enformer_core.scoring.statistics import Profile
from enformer_core.scoring.windows import (
    Allele,
    Comparison,
    Pairing,
    Window,
    compared_windows,
)


@dataclass(frozen=True)
class Part:
    """One comparison of an allele's pairing: its only one, or one flank's where predictions are stitched.

    Attributes:
        index: the pairing's place in its batch; here every pairing counts as an allele.
        allele: the allele.
        comparison: the two windows that are compared, and in which bins.
    """

    index: int
    allele: Allele
    comparison: Comparison


class ProfileSums:
    """Predictions and differences of a batch, summed over the views.

    A difference is kept only until its allele is complete: with one view, none waits here for another.

    An SNV, on the forward strand alone, has one part: the window W, bins 0 … 896. `add_reference` keeps W's prediction,
    `add_difference` makes the SNV complete, and `pop_means` gives back both as they are.

    A stitched deletion of 8 bp has two parts: W in bins 0 … 448, and W moved by 8 bp in bins 448 … 896. On both strands
    each window's prediction is added twice, and so is the difference of each part, in its own rows; the fourth makes
    the deletion complete. Its reference is then W's rows 0 … 448 above the moved window's rows 448 … 896, halved, as is
    its difference.

    A difference that comes in float64 leaves of its own view's prediction what float32 would round away. Of the views'
    sum it does so only if predictions are summed as exactly, which those of such parts are, and no others.

    Args:
        bins: the bins of a window that profiles have as their rows.
        parts: all parts of the batch.
        views: how many views each is added in.
    """

    def __init__(
        self,
        bins: range,
        parts: Sequence[Part],
        views: int,
    ) -> None:
        self.bins = bins
        self._views = views
        self._parts: dict[int, list[Part]] = {}
        self._missing: Counter[int] = Counter()
        for part in parts:
            self._parts.setdefault(part.index, []).append(part)
            self._missing[part.index] += views
        self._references: dict[Window, Profile] = {}
        self._differences: dict[int, Profile] = {}
        self._exact: dict[Part, list[Profile]] = {}
        self._last_mean: tuple[list[tuple[Window, range]], Profile] | None = None

    def add_reference(self, window: Window, prediction: Profile) -> None:
        """Add a window's prediction in one view; the first one's memory is kept and added to."""
        if window in self._references:
            self._references[window] += prediction
        else:
            self._references[window] = prediction

    def add_difference(self, part: Part, difference: Profile, prediction: Profile) -> None:
        """Add a part's difference in one view, of which only the part's own rows count.

        Args:
            part: whose.
            difference: alt − ref.
            prediction: of the reference in this view.
        """
        self._missing[part.index] -= 1
        rows = self._rows(part.comparison)
        if difference.dtype != prediction.dtype:
            # a copy, for the first view's prediction is added to
            self._exact.setdefault(part, []).append(prediction[rows].clone())
        total = self._differences.get(part.index)
        if total is not None:
            if total.dtype != difference.dtype:
                total = self._differences[part.index] = total.double()
            total[rows] += difference[rows]
            return
        total = difference
        if rows != slice(0, len(difference)):
            total = torch.zeros_like(difference)
            total[rows] = difference[rows]
        # a difference in all bins is kept as it is: most alleles have one part, and nothing is copied
        self._differences[part.index] = total

    def is_complete(self, index: int) -> bool:
        """Whether all parts of an allele have been added, in every view."""
        return not self._missing[index]

    def pop_means(self, index: int) -> tuple[Profile, Profile]:
        """A complete allele's reference prediction and difference, averaged over views; the latter is forgotten.

        Alleles that follow one another and are compared with the same windows get one object as their reference.
        """
        parts = self._parts[index]
        difference = self._averaged(self._differences.pop(index))
        exact = [self._exact.pop(part, []) for part in parts]
        if not any(exact):
            return self._mean_reference(parts), difference
        pieces = [
            self._exact_rows(part, predictions)
            for part, predictions in zip(parts, exact, strict=True)
        ]
        return self._averaged(torch.cat(pieces)), difference

    def _mean_reference(self, parts: Sequence[Part]) -> Profile:
        compared = [(part.comparison.reference, part.comparison.bins) for part in parts]
        if self._last_mean is None or self._last_mean[0] != compared:
            pieces = [self._reference_rows(part.comparison) for part in parts]
            reference = pieces[0] if len(pieces) == 1 else torch.cat(pieces)
            self._last_mean = (compared, self._averaged(reference))
        return self._last_mean[1]

    def _exact_rows(self, part: Part, predictions: Sequence[Profile]) -> Profile:
        """A part's predictions in float64, without rounding where its difference was exact in every view."""
        # what vanishes in some views only does not vanish in their mean
        if len(predictions) < self._views:
            return self._reference_rows(part.comparison).double()
        return torch.stack(list(predictions)).sum(dim=0, dtype=torch.float64)

    def _averaged(self, total: Profile) -> Profile:
        # of one view it is the view's own memory, as large as all that a GPU holds of an allele
        return total if self._views == 1 else total / self._views

    def _reference_rows(self, comparison: Comparison) -> Profile:
        return self._references[comparison.reference][self._rows(comparison)]

    def _rows(self, comparison: Comparison) -> slice:
        return clip(comparison.bins, within=self.bins)


def parts_of(index: int, allele: Allele, pairing: Pairing, bins: int) -> list[Part]:
    """The parts of one pairing of an allele.

    Args:
        index: its place in its batch.
        allele: the allele.
        pairing: of its windows.
        bins: predicted bins.
    """
    compared = compared_windows(pairing.references, pairing.alternates, bins)
    return [Part(index, allele, comparison) for comparison in compared]


def by_reference(parts: Sequence[Part]) -> dict[Window, list[Part]]:
    """Parts that are compared with one window, by that window; both in the order in which parts come."""
    # a dict keeps the order in which parts come: what is added up, is added up in the same order in every run
    groups: dict[Window, list[Part]] = {}
    for part in parts:
        groups.setdefault(part.comparison.reference, []).append(part)
    return groups

"""Scores alleles by differences: each window's reference once, all of its alleles beside it.

Knows alleles, windows, strands and shifts. Does not know files, shards or statuses.
"""

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from enformer_core.genome.alphabet import reverse_complement
from enformer_core.genome.fasta import Genome
from enformer_core.scoring import statistics
from enformer_core.scoring.conventions import Conventions, Statistic
from enformer_core.scoring.delta.delta_model import DeltaNetwork
from enformer_core.scoring.delta.tower import (
    Codes,
    OwnTokens,
    Place,
    ReferenceTokens,
    SharedTokens,
    fill_differences,
)
from enformer_core.scoring.precision import inference_in_true_float32
from enformer_core.scoring.windows import (
    Allele,
    Comparison,
    Window,
    alternate_sequence,
    alternate_windows,
    compared_windows,
    reference_sequence,
    reference_windows,
)

Profile = Float[Tensor, "bins tracks"]


@dataclass(frozen=True)
class _Reading:
    """One of the ways in which a window is read: moved by a shift, forwards or backwards."""

    shift_bp: int
    reverse: bool

    def of(self, codes: Codes) -> Codes:
        return reverse_complement(codes) if self.reverse else codes

    def turned(self, profile: Profile) -> Profile:
        """A profile with its bins in the order of the chromosome."""
        return profile.flip(0) if self.reverse else profile


@dataclass(frozen=True)
class _Member:
    """A comparison of an allele, which is one of a batch."""

    number: int
    allele: Allele
    comparison: Comparison


class DeltaScorer:
    """Scores the alleles of a window together.

    A score does not depend on the alleles beside it, nor on how many are carried at once.

    Args:
        network: the model, taken apart.
        genome: the reference.
        conventions: what is scored and how.
        batch_alts: alleles carried at once; halved where memory does not suffice.
    """

    def __init__(
        self, network: DeltaNetwork, genome: Genome, conventions: Conventions, *, batch_alts: int
    ) -> None:
        self._network = network
        self._genome = genome
        self._conventions = conventions
        self._batch_alts = batch_alts
        tower = network.tower
        self._tokens: ReferenceTokens = (
            SharedTokens(tower, genome) if conventions.max_offset_bp else OwnTokens(tower)
        )

    @property
    def batch_alts(self) -> int:
        """Alleles carried at once, as memory has allowed so far."""
        return self._batch_alts

    def score(
        self, alleles: Sequence[Allele], start: int
    ) -> list[dict[Statistic, Float[np.ndarray, " tracks"]]]:
        """Each statistic of each allele, in float64, for the tracks asked for.

        Args:
            alleles: on one contig.
            start: first base of the window that they share.
        """
        scores: list[dict[Statistic, Float[np.ndarray, " tracks"]]] = []
        while len(scores) < len(alleles):
            batch = alleles[len(scores) : len(scores) + self._batch_alts]
            try:
                scores.extend(self._score_batch(batch, start))
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if self._batch_alts == 1 or not _is_out_of_memory(error):
                    raise
                self._batch_alts = max(1, len(batch) // 2)
            else:
                continue
            gc.collect()  # outside of the handler, which holds the failed pass's tensors
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        return scores

    def _score_batch(
        self, alleles: Sequence[Allele], start: int
    ) -> list[dict[Statistic, Float[np.ndarray, " tracks"]]]:
        with inference_in_true_float32():
            members = [
                _Member(number, allele, comparison)
                for number, allele in enumerate(alleles)
                for comparison in self._comparisons(allele, start)
            ]
            sums = _Sums(self._asked_bins(), members, self._conventions.readings)
            scores = {}
            for reading in self._readings():
                for reference, compared in _by_reference(members).items():
                    for member in self._read(reading, reference, compared, sums):
                        if sums.is_whole(member.number):
                            scores[member.number] = self._statistics(
                                member.allele, start, *sums.pop(member.number)
                            )
            return [scores[number] for number in range(len(alleles))]

    def _asked_bins(self) -> range:
        """The bins that some variant of a shared window may need."""
        geometry, offset_bp = self._network.geometry, self._conventions.max_offset_bp
        lowest = self._conventions.scored_bins(geometry, -offset_bp)
        return range(lowest.start, self._conventions.scored_bins(geometry, offset_bp).stop)

    def _comparisons(self, allele: Allele, start: int) -> tuple[Comparison, ...]:
        conventions, geometry = self._conventions, self._network.geometry
        rule = conventions.indel_rule
        stitch_bin = conventions.stitch_bin(
            geometry, allele.start - start - conventions.centre_index
        )
        references = reference_windows(allele, start, rule, stitch_bin)
        return compared_windows(
            references, alternate_windows(allele, start, rule, stitch_bin), geometry.bins
        )

    def _readings(self) -> list[_Reading]:
        strands = (False, True) if self._conventions.strands == "both" else (False,)
        return [
            _Reading(shift, reverse) for shift in self._conventions.shifts for reverse in strands
        ]

    def _read(
        self, reading: _Reading, reference: Window, members: Sequence[_Member], sums: "_Sums"
    ) -> Iterator[_Member]:
        """Carry a window and the alleles compared with it through the network, in one way of reading.

        Yields:
            Each comparison as soon as it is added to the sums.
        """
        network, bins = self._network, sums.bins
        window_bp, contig = network.geometry.window_bp, members[0].allele.contig
        moved = reference.moved(reading.shift_bp)
        codes = reading.of(reference_sequence(self._genome, contig, moved, window_bp))
        x = self._tokens(Place(contig, moved.start, reading.reverse), codes)
        alternates = [
            reading.of(
                alternate_sequence(
                    self._genome,
                    member.allele,
                    member.comparison.alternate.moved(reading.shift_bp),
                    window_bp,
                )
            )
            for member in members
        ]
        d = x.new_empty(len(members), *x.shape)
        fill_differences(network.tower, x, codes, alternates, d)
        read = (
            range(network.geometry.bins - bins.stop, network.geometry.bins - bins.start)
            if reading.reverse
            else bins
        )
        prediction, differences = network.trunk.advance(x, d, read)
        sums.add_reference(reference, reading.turned(prediction))
        for member, difference in zip(members, differences, strict=True):
            sums.add_difference(member, reading.turned(difference))
            yield member

    def _statistics(
        self, allele: Allele, start: int, r: Profile, d: Profile
    ) -> dict[Statistic, Float[np.ndarray, " tracks"]]:
        conventions, asked = self._conventions, self._asked_bins()
        offset_bp = allele.start - start - conventions.centre_index
        scored = conventions.scored_bins(self._network.geometry, offset_bp)
        bins = slice(scored.start - asked.start, scored.stop - asked.start)
        scores = statistics.compute(r[bins], d[bins], conventions.statistics)
        return {name: values.cpu().numpy() for name, values in scores.items()}


class _Sums:
    """Predictions and differences of a batch, summed over the ways of reading.

    A difference is kept only until its allele is whole: with one way of reading, no two are there at once.
    """

    def __init__(self, bins: range, members: Sequence[_Member], readings: int) -> None:
        self.bins = bins
        self._readings = readings
        self._members: dict[int, list[_Member]] = {}
        for member in members:
            self._members.setdefault(member.number, []).append(member)
        self._missing = {number: readings * len(mine) for number, mine in self._members.items()}
        self._references: dict[Window, Profile] = {}
        self._differences: dict[int, Profile] = {}

    def add_reference(self, window: Window, prediction: Profile) -> None:
        if window in self._references:
            self._references[window] += prediction
        else:
            self._references[window] = prediction

    def add_difference(self, member: _Member, difference: Profile) -> None:
        self._missing[member.number] -= 1
        rows = self._rows(member.comparison)
        if member.number in self._differences:
            self._differences[member.number][rows] += difference[rows]
        elif rows == slice(0, len(difference)):
            self._differences[member.number] = difference
        else:
            self._differences[member.number] = torch.zeros_like(difference)
            self._differences[member.number][rows] = difference[rows]

    def is_whole(self, number: int) -> bool:
        """Whether all comparisons of an allele have been added, in every way of reading."""
        return not self._missing[number]

    def pop(self, number: int) -> tuple[Profile, Profile]:
        """Mean prediction of one whole allele's reference, and mean difference, which is forgotten here."""
        comparisons = [member.comparison for member in self._members[number]]
        references = [self._references[each.reference][self._rows(each)] for each in comparisons]
        reference = references[0] if len(references) == 1 else torch.cat(references)
        difference, readings = self._differences.pop(number), self._readings
        return (
            (reference, difference)
            if readings == 1
            else (reference / readings, difference / readings)
        )

    def _rows(self, comparison: Comparison) -> slice:
        low, high = self.bins.start, self.bins.stop
        first, last = (
            min(max(at, low), high) - low for at in (comparison.bins.start, comparison.bins.stop)
        )
        return slice(first, last)


def _by_reference(members: Sequence[_Member]) -> dict[Window, list[_Member]]:
    groups: dict[Window, list[_Member]] = {}
    for member in members:
        groups.setdefault(member.comparison.reference, []).append(member)
    return groups


def _is_out_of_memory(error: BaseException) -> bool:
    # torch reports host memory by a plain RuntimeError
    return isinstance(
        error, torch.OutOfMemoryError | MemoryError
    ) or "can't allocate memory" in str(error)

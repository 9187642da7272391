"""Scoring by two plain passes, one for each allele: the yardstick.

Shares nothing with any faster engine but the model. Does not know files, shards or statuses.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from enformer_core.genome.alphabet import reverse_complement
from enformer_core.genome.fasta import Genome
from enformer_core.models.base import SequenceModel
from enformer_core.models.layers import one_hot
from enformer_core.scoring import statistics
from enformer_core.scoring.allele_effect import AlleleEffect, PairedEffect
from enformer_core.scoring.conventions import Conventions
from enformer_core.scoring.float64 import in_float64
from enformer_core.scoring.gene_effect import ScoredAllele
from enformer_core.scoring.gene_sums import GeneSums
from enformer_core.scoring.over_pairings import mean, mean_effect, mean_scored, mean_scores
from enformer_core.scoring.precision import inference_in_true_float32
from enformer_core.scoring.statistics import AlleleScores
from enformer_core.scoring.windows import (
    Allele,
    Pairing,
    Window,
    alternate_sequence,
    pairings,
    reference_sequence,
)

SequenceOf = Callable[[Window], UInt8[np.ndarray, " length"]]


@dataclass(frozen=True)
class SequencePredictor:
    """A model with one head and some of its tracks; one sequence at a time, whatever the batch around it.

    Every sequence passes alone, so that a score never depends on its neighbours, nor on how many there are.

    Attributes:
        model: on `device`, in `dtype`, or in float32 where that is float64.
        head: which head.
        tracks: columns of the head, or None for all.
        conventions: over which strands and shifts predictions are averaged.
        device: where it computes.
        dtype: number format of the sequence, and so of everything behind it.
        strand_pairs: of each track the column that has it in the prediction of a reverse complement: the other strand's
            of the same experiment; None where every track is of both strands.
        unsquash: brings an averaged prediction to the scale of the data; None leaves it as the model predicts it.
    """

    model: SequenceModel
    head: str
    tracks: tuple[int, ...] | None
    conventions: Conventions
    device: torch.device
    dtype: torch.dtype = torch.float32
    strand_pairs: tuple[int, ...] | None = None
    unsquash: Callable[[Tensor], Tensor] | None = None

    def strand(self, codes: UInt8[np.ndarray, " length"]) -> Float[Tensor, "bins tracks"]:
        """Prediction for one sequence as it reads, in the model's precision."""
        return self._columns(codes, self.tracks)

    def _columns(
        self, codes: UInt8[np.ndarray, " length"], columns: tuple[int, ...] | None
    ) -> Float[Tensor, "bins tracks"]:
        # a copy, for the genome's own codes are a read-only map of a file, which torch does not take
        copied = torch.from_numpy(np.array(codes))
        sequence = copied.to(self.device)[None]
        tracks = None if columns is None else torch.tensor(columns, device=self.device)
        # one that is of float64 already has nothing that is widened
        wide = in_float64(self.model) if self.dtype == torch.float64 else nullcontext()
        with inference_in_true_float32(), wide:
            letters = one_hot(sequence, self.dtype)
            return self.model(letters, self.head, tracks)[0]

    def averaged(self, window: Window, sequence_of: SequenceOf) -> Float[Tensor, "bins tracks"]:
        """Prediction averaged in float64 over shifts and strands, on the scale that is asked for.

        Reverse predictions have their bins turned back, and each track is read where they have it.
        """
        # in float64 before anything is added: what a variant changes may be below float32 of the sum
        predictions = []
        for shift in self.conventions.averaged_shifts:
            codes = sequence_of(window.moved(shift))
            predictions.append(self.strand(codes).double())
            if self.conventions.strands == "both":
                pairs = self.tracks if self.strand_pairs is None else self.strand_pairs
                backwards = self._columns(reverse_complement(codes), pairs).double()
                predictions.append(backwards.flip(0))
        averaged = torch.stack(predictions).mean(dim=0)
        return averaged if self.unsquash is None else self.unsquash(averaged)

    def stitched(
        self,
        windows: Sequence[Window],
        sequence_of: SequenceOf,
    ) -> Float[Tensor, "bins tracks"]:
        """The averaged predictions of several windows, each from its first bin to the next one's."""
        # windows from bin 0 and 448 of 896: bins 0 … 448 of the first, 448 … 896 of the second
        ends = [window.first_bin for window in windows[1:]]
        ends.append(self.model.geometry.bins)
        pieces = []
        for window, end in zip(windows, ends, strict=True):
            prediction = self.averaged(window, sequence_of)
            pieces.append(prediction[window.first_bin : end])
        return torch.cat(pieces)


class DirectScorer:
    """Scores alleles by alt − ref; alleles that follow one another at one place share the reference's passes.

    Args:
        predictor: of sequences.
        genome: the reference.
        genes: what is summed of genes; None where nobody asks for them.
    """

    def __init__(
        self,
        predictor: SequencePredictor,
        genome: Genome,
        genes: GeneSums | None = None,
    ) -> None:
        self._predictor = predictor
        self._genome = genome
        self._genes = genes
        self._reference: tuple[tuple[object, ...], Float[Tensor, "bins tracks"]] | None = None

    def _reference_prediction(
        self,
        contig: str,
        windows: tuple[Window, ...],
    ) -> Float[Tensor, "bins tracks"]:
        # shards are sorted by place, so that remembering one reference serves all alleles that share it
        place = (contig, windows)
        if self._reference is None or self._reference[0] != place:
            length_bp = self._predictor.model.geometry.window_bp
            prediction = self._predictor.stitched(
                windows,
                lambda window: reference_sequence(self._genome, contig, window, length_bp),
            )
            self._reference = (place, prediction)
        return self._reference[1]

    def in_dtype(self, dtype: torch.dtype) -> "DirectScorer":
        """Itself, or a scorer of the same model whose passes compute in another format."""
        if dtype == self._predictor.dtype:
            return self
        return DirectScorer(replace(self._predictor, dtype=dtype), self._genome, self._genes)

    def score(self, alleles: Sequence[Allele], start: int) -> list[AlleleScores]:
        """Each statistic of each allele, in float64, for the tracks that the predictor has.

        Args:
            alleles: on one contig.
            start: first base of the window that they are scored in.
        """
        return [self._mean_scores(allele, start) for allele in alleles]

    def score_with_genes(self, alleles: Sequence[Allele], start: int) -> list[ScoredAllele]:
        """As `score`, with the effects on the genes in reach."""
        assert self._genes is not None, "made for genes"
        scored = []
        for allele in alleles:
            bins = self._scored_bins(allele, start)
            of_pairings = []
            for pairing in self._pairings(allele, start):
                # genes may lie anywhere in the window, the bins that are scored around the allele
                r, d = self._whole_profiles(allele, pairing)
                genes = self._genes.effects(allele, start, r, d, pairing.rule)
                scores = self._scores(r[bins], d[bins])
                of_pairings.append(ScoredAllele(scores, genes))
            scored.append(mean_scored(of_pairings))
        return scored

    def effects(self, alleles: Sequence[Allele], start: int) -> list[AlleleEffect]:
        """As `score`, with both profiles that the scores are made of."""
        effects = []
        for allele in alleles:
            of_pairings = [
                PairedEffect.of(r, d, self._scores(r, d))
                for r, d in self.paired_profiles(allele, start)
            ]
            effects.append(mean_effect(of_pairings))
        return effects

    def _mean_scores(self, allele: Allele, start: int) -> AlleleScores:
        return mean_scores([self._scores(r, d) for r, d in self.paired_profiles(allele, start)])

    def _scores(
        self, r: Float[Tensor, "bins tracks"], d: Float[Tensor, "bins tracks"]
    ) -> AlleleScores:
        wanted = self._predictor.conventions.statistics
        scores = statistics.compute(r, d, wanted)
        return {name: values.cpu().numpy() for name, values in scores.items()}

    def profiles(
        self,
        allele: Allele,
        start: int,
    ) -> tuple[Float[Tensor, "bins tracks"], Float[Tensor, "bins tracks"]]:
        """The reference's prediction in the bins that are scored, and alt − ref, in float64; means over pairings."""
        of_pairings = list(self.paired_profiles(allele, start))
        return mean([r for r, _ in of_pairings]), mean([d for _, d in of_pairings])

    def paired_profiles(
        self,
        allele: Allele,
        start: int,
    ) -> Iterator[tuple[Float[Tensor, "bins tracks"], Float[Tensor, "bins tracks"]]]:
        """Of each pairing the reference's prediction in the bins that are scored, and alt − ref, in float64."""
        bins = self._scored_bins(allele, start)
        for pairing in self._pairings(allele, start):
            r, d = self._whole_profiles(allele, pairing)
            yield r[bins], d[bins]

    def _pairings(self, allele: Allele, start: int) -> Iterator[Pairing]:
        conventions = self._predictor.conventions
        for shift_bp in conventions.scored_shifts:
            yield from pairings(allele, start, conventions, shift_bp)

    def _scored_bins(self, allele: Allele, start: int) -> slice:
        conventions = self._predictor.conventions
        offset_bp = conventions.offset_bp(allele.start, start)
        return conventions.scored_bins(offset_bp)

    def _whole_profiles(
        self,
        allele: Allele,
        pairing: Pairing,
    ) -> tuple[Float[Tensor, "bins tracks"], Float[Tensor, "bins tracks"]]:
        """The reference's prediction in all bins, and alt − ref, in float64."""
        length_bp = self._predictor.conventions.geometry.window_bp
        reference = self._reference_prediction(allele.contig, pairing.references)
        alternate = self._predictor.stitched(
            pairing.alternates,
            lambda window: alternate_sequence(self._genome, allele, window, length_bp),
        )
        return reference, alternate - reference

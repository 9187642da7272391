"""Scores alleles by differences: each window's reference once, all of its alleles beside it.

What is scored is an ensemble: the window on one strand or on both, moved by each of the shifts. A member of it is a
`View`. Within a view, alleles that are compared with the same reference window pass the network together; each allele's
profiles are summed over the views, and as soon as its last one is there they become scores and are forgotten. An allele
that is compared in several pairings has profiles of each, and the mean of their scores.

Knows alleles, windows, strands and shifts. Does not know files, shards or statuses.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from enformer_core.genome.fasta import Genome
from enformer_core.scoring import statistics
from enformer_core.scoring.allele_effect import AlleleEffect, PairedEffect
from enformer_core.scoring.conventions import Conventions, WindowRule
from enformer_core.scoring.delta.alternate_tokens import Alternate, Known, fill_differences
from enformer_core.scoring.delta.delta_model import DeltaNetwork
from enformer_core.scoring.delta.flanks import Flank, flanks_of, parts_read
from enformer_core.scoring.delta.memory import give_back_memory, is_out_of_memory
from enformer_core.scoring.delta.profile_sums import Part, ProfileSums, by_reference, parts_of
from enformer_core.scoring.delta.reference_tokens import (
    OwnTokens,
    ReferenceTokens,
    SharedTokens,
    chunks_wanted,
)
from enformer_core.scoring.delta.tower import Codes
from enformer_core.scoring.delta.views import View, views_of
from enformer_core.scoring.gene_effect import ScoredAllele
from enformer_core.scoring.gene_sums import GeneSums
from enformer_core.scoring.over_pairings import mean_effect, mean_scored, mean_scores
from enformer_core.scoring.precision import inference_in_true_float32
from enformer_core.scoring.statistics import AlleleScores, LastReference, Profile, Statistic
from enformer_core.scoring.unsquashing import LastUnsquashed, Unsquashing
from enformer_core.scoring.windows import (
    Allele,
    Pairing,
    Window,
    pairings,
    reference_sequence,
    replaced_bases,
)

Result = TypeVar("Result")
Final = TypeVar("Final")

ScoresThere = dict[Statistic, Float[Tensor, " tracks"]]
"""An allele's scores, where they were computed."""

OfProfiles = Callable[[Allele, WindowRule, Profile, Profile], Result]
"""What is made of an allele's profiles, compared by a rule: the reference's prediction and alt − ref, in some bins."""

OfPairings = list[list[Result]]
"""What was made of each pairing of each allele."""


class DeltaScorer:
    """Scores the alleles of a window together.

    On CPUs a score does not depend on the alleles beside it, nor on how many are carried at once. On GPUs, whose
    routines follow the size of a batch, it does so within rounding.

    Args:
        network: the model, taken apart.
        genome: the reference.
        conventions: what is scored and how.
        batch_alts: alleles carried at once; halved where memory does not suffice.
        kept_chunks: chunks of tokens kept for windows that share them, see `memory.choose_allowance`; None for as many
            as are wanted.
        genes: what is summed of genes; None where nobody asks for them.
        unsquashing: brings averaged predictions back from the squashed scale of training; None leaves them there.
    """

    def __init__(
        self,
        network: DeltaNetwork,
        genome: Genome,
        conventions: Conventions,
        *,
        batch_alts: int,
        kept_chunks: int | None = None,
        genes: GeneSums | None = None,
        unsquashing: Unsquashing | None = None,
    ) -> None:
        self._network = network
        self._unsquashing = unsquashing
        self._genes = genes
        self._genome = genome
        self._conventions = conventions
        self._batch_alts = batch_alts
        self._views = views_of(conventions)
        self._shared: SharedTokens | None = None
        # windows without an offset follow their variants: they lie whole tokens apart by chance only
        if conventions.max_offset_bp:
            if kept_chunks is None:
                kept_chunks = chunks_wanted(
                    network.tower.device,
                    tokens=network.geometry.tokens,
                    views=conventions.views,
                )
            self._shared = SharedTokens(network.tower, genome, kept_chunks=kept_chunks)
        self._tokens: ReferenceTokens = self._shared or OwnTokens(network.tower)

    @property
    def batch_alts(self) -> int:
        """Alleles carried at once, as memory has allowed so far."""
        return self._batch_alts

    def score(self, alleles: Sequence[Allele], start: int) -> list[AlleleScores]:
        """Each statistic of each allele, in float64, for the tracks that the network computes.

        Args:
            alleles: on one contig.
            start: first base of the window that they share.
        """
        known = LastReference()

        def on_device(allele: Allele, rule: WindowRule, r: Profile, d: Profile) -> ScoresThere:
            del rule
            return self._scores_there(allele, start, r, d, known)

        def fetched(made: OfPairings[ScoresThere]) -> list[AlleleScores]:
            return statistics.on_host([mean_scores(of_allele) for of_allele in made])

        # a batch's all at once: to fetch each by itself, a GPU would stand still as often
        return self._of_each(alleles, start, on_device, finish=fetched)

    def score_with_genes(self, alleles: Sequence[Allele], start: int) -> list[ScoredAllele]:
        """As `score`, with the effects on the genes in reach."""
        sums = self._genes
        assert sums is not None, "made for genes"

        known = LastReference()

        def scored(allele: Allele, rule: WindowRule, r: Profile, d: Profile) -> ScoredAllele:
            scores = self._scores(allele, start, r, d, known)
            return ScoredAllele(scores, sums.effects(allele, start, r, d, rule))

        return self._of_each(
            alleles, start, scored, finish=lambda made: list(map(mean_scored, made))
        )

    def effects(self, alleles: Sequence[Allele], start: int) -> list[AlleleEffect]:
        """As `score`, with both profiles that the scores are made of."""
        known = LastReference()

        def effect(allele: Allele, rule: WindowRule, r: Profile, d: Profile) -> PairedEffect:
            del rule
            bins = self._scored_bins(allele, start)
            scores = self._scores(allele, start, r, d, known)
            return PairedEffect.of(r[bins], d[bins], scores)

        return self._of_each(
            alleles, start, effect, finish=lambda made: list(map(mean_effect, made))
        )

    def _of_each(
        self,
        alleles: Sequence[Allele],
        start: int,
        make: OfProfiles[Result],
        finish: Callable[[OfPairings[Result]], list[Final]],
    ) -> list[Final]:
        if len(alleles) > self._batch_alts:
            self._prepare_window(alleles, start)
        # batches may become smaller on the way, so their edges cannot be laid out before
        made: list[Final] = []
        while len(made) < len(alleles):
            first = len(made)
            batch = alleles[first : first + self._batch_alts]
            made.extend(finish(self._of_what_fits(batch, start, make)))
        return made

    def _of_what_fits(
        self,
        alleles: Sequence[Allele],
        start: int,
        make: OfProfiles[Result],
    ) -> OfPairings[Result]:
        """Of the first alleles: all, or where memory does not suffice half as many, and so on down to one."""
        try:
            return self._of_batch(alleles, start, make)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if self._batch_alts == 1 or not is_out_of_memory(error):
                raise
        # outside of the handler, for the error holds the failed pass's tensors
        give_back_memory()
        self._batch_alts = max(1, len(alleles) // 2)
        return self._of_what_fits(alleles[: self._batch_alts], start, make)

    def _of_batch(
        self,
        alleles: Sequence[Allele],
        start: int,
        make: OfProfiles[Result],
    ) -> OfPairings[Result]:
        made: OfPairings[Result] = [[] for _ in alleles]
        with inference_in_true_float32():
            # shifts have no window in common: one after another, they need the memory of one
            for shift_bp in self._conventions.scored_shifts:
                for index, result in self._of_shift(alleles, start, shift_bp, make):
                    made[index].append(result)
        return made

    def _of_shift(
        self,
        alleles: Sequence[Allele],
        start: int,
        shift_bp: int,
        make: OfProfiles[Result],
    ) -> list[tuple[int, Result]]:
        """What is made of each pairing at one of the scored shifts, with its allele's index, in their order."""
        paired, parts = self._paired(alleles, start, shift_bp)
        sums = ProfileSums(self._needed_bins(), parts, len(self._views))
        last = LastUnsquashed(self._unsquashing)
        made: dict[int, Result] = {}
        for number in self._completed(parts, sums):
            index, pairing = paired[number]
            # the profiles have no name here: they would live on beside the next allele's
            made[number] = make(alleles[index], pairing.rule, *last.of(*sums.pop_means(number)))
        return [(index, made[number]) for number, (index, _) in enumerate(paired)]

    def _paired(
        self, alleles: Sequence[Allele], start: int, shift_bp: int
    ) -> tuple[list[tuple[int, Pairing]], list[Part]]:
        """Each pairing of each allele at one of the scored shifts, with its allele's index; and the parts of all."""
        paired = [
            (index, pairing)
            for index, allele in enumerate(alleles)
            for pairing in pairings(allele, start, self._conventions, shift_bp)
        ]
        bins = self._network.geometry.bins
        parts = [
            part
            for number, (index, pairing) in enumerate(paired)
            for part in parts_of(number, alleles[index], pairing, bins)
        ]
        return paired, parts

    def _completed(self, parts: Sequence[Part], sums: ProfileSums) -> Iterator[int]:
        """Carry all parts through the network, in every view; gives each pairing's number as soon as it is complete."""
        groups = by_reference(parts)
        for view in self._views:
            for reference, compared in groups.items():
                for part in self._add_view(view, reference, compared, sums):
                    if sums.is_complete(part.index):
                        yield part.index

    def _needed_bins(self) -> range:
        """The bins that some variant of a shared window may need: those of the outermost variants, and all between."""
        # genes lie anywhere
        if self._genes is not None:
            return range(self._network.geometry.bins)
        most_bp = self._conventions.max_offset_bp
        leftmost = self._conventions.scored_bins(-most_bp)
        rightmost = self._conventions.scored_bins(most_bp)
        return range(leftmost.start, rightmost.stop)

    def _add_view(
        self,
        view: View,
        reference: Window,
        parts: Sequence[Part],
        sums: ProfileSums,
    ) -> Iterator[Part]:
        """Carry a window and the alleles compared with it through the network, in one view.

        Yields:
            Each part as soon as it is added to the sums, so that the next one's profile need not lie beside it.
        """
        network = self._network
        contig = parts[0].allele.contig
        window = reference.moved(view.shift_bp)
        along_chromosome = self._reference_codes(contig, window)
        codes = view.read(along_chromosome)
        flanks = [self._flanks(view, part) for part in parts]
        alternates = [
            self._alternate(view, part, of_allele)
            for part, of_allele in zip(parts, flanks, strict=True)
        ]
        place = view.place(contig, reference)
        if self._shared is not None:
            tokens = network.geometry.tokens
            self._shared.prepare(parts_read(place, tokens, flanks), tokens)
        x = self._tokens(place, codes)
        # left as memory was: what no allele touches is set to zero below
        d = x.new_empty(len(parts), *x.shape)
        fill_differences(network.tower, x, codes, alternates, d)
        # the trunk overwrites d; the profiles' differences are computed one by one, when they are taken
        bins_read = view.bins_read(sums.bins, network.geometry.bins)
        prediction, differences = network.trunk.propagate(x, d, bins_read)
        columns = network.columns
        along = view.along_chromosome(prediction, columns)
        sums.add_reference(reference, along)
        for part, difference in zip(parts, differences, strict=True):
            # without a name: it would live on beside the next one
            sums.add_difference(part, view.along_chromosome(difference, columns), along)
            yield part

    def _reference_codes(self, contig: str, window: Window) -> Codes:
        window_bp = self._network.geometry.window_bp
        return reference_sequence(self._genome, contig, window, window_bp)

    def _alternate(self, view: View, part: Part, flanks: Sequence[Flank]) -> Alternate:
        """A part's alternate window as it is read, and its flanks where the genome's windows share their tokens."""
        geometry = self._network.geometry
        window = part.comparison.alternate.moved(view.shift_bp)
        begin_bp, letters = replaced_bases(
            self._genome, part.allele, part.comparison, window, geometry.window_bp
        )
        if view.reverse:
            begin_bp = geometry.window_bp - begin_bp - letters.size
        shared = self._shared
        known = []
        if shared is not None:
            known = [
                Known(flank.span, partial(shared.part, flank.place, geometry.tokens))
                for flank in flanks
            ]
        return Alternate(begin_bp, view.read(letters), known)

    def _flanks(self, view: View, part: Part) -> tuple[Flank, Flank]:
        tower = self._network.tower
        return flanks_of(
            part.allele,
            part.comparison.alternate.moved(view.shift_bp),
            reverse=view.reverse,
            tokens=self._network.geometry.tokens,
            token_bp=tower.token_bp,
            halo_tokens=tower.halo_tokens,
        )

    def _prepare_window(self, alleles: Sequence[Allele], start: int) -> None:
        """Let tokens that insertions and deletions of a window read be computed together, in whichever batch they are.

        Where more are read than are kept, or memory does not suffice, each batch computes what it reads.
        """
        moving = [allele for allele in alleles if allele.gain_bp]
        if self._shared is None or not moving:
            return
        tokens = self._network.geometry.tokens
        read = []
        for shift_bp in self._conventions.scored_shifts:
            _, parts = self._paired(moving, start, shift_bp)
            for view in self._views:
                for reference, compared in by_reference(parts).items():
                    flanks = [self._flanks(view, part) for part in compared]
                    place = view.place(moving[0].contig, reference)
                    read += parts_read(place, tokens, flanks)
        try:
            with inference_in_true_float32():
                self._shared.prepare(read, tokens)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        else:
            return
        give_back_memory()

    def _scored_bins(self, allele: Allele, start: int) -> slice:
        """The rows of an allele's profiles that are scored."""
        offset_bp = self._conventions.offset_bp(allele.start, start)
        scored = self._conventions.scored_bins(offset_bp)
        # profiles begin with the first bin that any variant of the window may need, not with the window's first
        first = self._needed_bins().start
        return slice(scored.start - first, scored.stop - first)

    def _scores(
        self,
        allele: Allele,
        start: int,
        r: Profile,
        d: Profile,
        known: LastReference,
    ) -> AlleleScores:
        (scores,) = statistics.on_host([self._scores_there(allele, start, r, d, known)])
        return scores

    def _scores_there(
        self,
        allele: Allele,
        start: int,
        r: Profile,
        d: Profile,
        known: LastReference,
    ) -> ScoresThere:
        bins = self._scored_bins(allele, start)
        return statistics.compute(known.of(r, bins), d[bins], self._conventions.statistics)

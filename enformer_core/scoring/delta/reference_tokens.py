"""Tokens of windows of the genome's own sequence: each window's for itself, or shared by all that lie alike.

Does not know alternate sequences.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar, runtime_checkable

import torch

from enformer_core.genome.alphabet import reverse_complement
from enformer_core.genome.fasta import Genome
from enformer_core.scoring.delta.spans import clip, meeting, mirrored
from enformer_core.scoring.delta.tower import Codes, Tokens, Tower

SHARED_CHUNK_TOKENS = 128
"""Tokens computed and kept together where windows share them; chunks begin at its multiples along the chromosome."""
SHARED_CHUNK_TOKENS_ON_GPU = 256
"""As many on a GPU, which small steps keep waiting."""


def shared_chunk_tokens(device: torch.device) -> int:
    """Tokens of a chunk that windows share."""
    return SHARED_CHUNK_TOKENS if device.type == "cpu" else SHARED_CHUNK_TOKENS_ON_GPU


SHARED_GAINS = 24
"""Gains of insertions and deletions whose tokens are kept beside the reference's: few windows have more of them."""


def chunks_wanted(
    device: torch.device, *, tokens: int, views: int, gains: int = SHARED_GAINS
) -> int:
    """Chunks of which none is computed twice while windows come in order, whatever their indels gain within reason.

    Args:
        device: where tokens are computed.
        tokens: of a window.
        views: in how many ways a window is read.
        gains: of indels whose tokens are kept beside the reference's.
    """
    # Enformer's 1,536 tokens, both strands: 12 chunks of 128, cut at either end, and the next window's first; for the
    # reference and 24 gains 14 · 25 · 2 = 700 of 0.8 MB
    of_window = -(-tokens // shared_chunk_tokens(device)) + 2
    return of_window * (1 + gains) * views


@dataclass(frozen=True)
class Place:
    """Where a window lies: its contig and first base, and whether it is read backwards."""

    contig: str
    start: int
    reverse: bool


@runtime_checkable
class ReferenceTokens(Protocol):
    """Finds the tokens of a window of the genome's own sequence."""

    def __call__(self, place: Place, codes: Codes) -> Tokens:
        """Tokens of the window at `place`, whose base codes, as they are read, are `codes`."""
        ...


@dataclass(frozen=True)
class OwnTokens:
    """`ReferenceTokens` of windows that share nothing: each is computed for itself."""

    tower: Tower

    def __call__(self, place: Place, codes: Codes) -> Tokens:
        """Tokens of one window, wherever it lies."""
        del place
        return self.tower.tokens(codes, 0, codes.size // self.tower.token_bp)


Key = TypeVar("Key", bound=Hashable)


class Kept(Generic[Key]):
    """Runs of tokens that were computed, the latest used of them.

    Args:
        most: how many are kept.
        compute: computes those of several keys.
    """

    def __init__(self, most: int, compute: Callable[[Sequence[Key]], dict[Key, Tokens]]) -> None:
        self._most = most
        self._compute = compute
        self._runs: OrderedDict[Key, Tokens] = OrderedDict()

    def __call__(self, key: Key) -> Tokens:
        """The tokens of a key, computed where they are not kept."""
        if key not in self._runs:
            self._add(self._compute([key]))
        # the run that was used least recently stands first, and goes first
        self._runs.move_to_end(key)
        return self._runs[key]

    def prepare(self, keys: Collection[Key]) -> None:
        """Compute together what is missing of keys that will be asked for, unless they are more than are kept."""
        if len(keys) > self._most:
            return
        missing = []
        for key in keys:
            if key in self._runs:
                self._runs.move_to_end(key)
            else:
                missing.append(key)
        self._add(self._compute(missing))

    def _add(self, computed: dict[Key, Tokens]) -> None:
        self._runs.update(computed)
        while len(self._runs) > self._most:
            self._runs.popitem(last=False)


@dataclass(frozen=True)
class _Chunk:
    """Chunk `number` of the tokens whose bases begin `phase` bases after the multiples of a token."""

    contig: str
    reverse: bool
    phase: int
    number: int


@dataclass(frozen=True)
class _End:
    """The outermost tokens at an end of a window, and the chromosome's bases from `start` on that they see.

    Attributes:
        contig: where they lie.
        reverse: whether they are read backwards.
        start: the first base of as many tokens again as there are.
        is_first: whether they are the window's first, in the direction of reading, or its last.
    """

    contig: str
    reverse: bool
    start: int
    is_first: bool


class SharedTokens:
    """Tokens along chromosomes, shared by all windows whose starts differ by whole tokens.

    Only the outermost three at each end of a window are its own, for the network pads there. What is computed together
    depends on the place alone, never on what was computed before, so that results repeat to the last bit.

    Args:
        tower: the network's.
        genome: whose chromosomes they are.
        kept_chunks: how many chunks are kept; see `chunks_wanted`.
    """

    def __init__(
        self,
        tower: Tower,
        genome: Genome,
        *,
        kept_chunks: int = 64,
    ) -> None:
        self._tower = tower
        self._genome = genome
        self._chunk_tokens = shared_chunk_tokens(tower.device)
        self._chunks = Kept(kept_chunks, self._computed_chunks)
        # they are few tokens: as many again take little memory
        self._ends = Kept(kept_chunks, self._computed_ends)

    def __call__(self, place: Place, codes: Codes) -> Tokens:
        """Tokens of one window, of which the inner ones may have been computed for another."""
        count = codes.size // self._tower.token_bp
        return self.part(place, count, range(count))

    def part(self, place: Place, count: int, span: range) -> Tokens:
        """Tokens `span` of the window of `count` tokens at `place`, counted in the direction of reading."""
        halo = self._tower.halo_tokens
        if count <= 2 * halo:  # the ends meet: nothing lies between them
            codes = self._read(place.contig, place.start, count, reverse=place.reverse)
            return self._tower.tokens(codes, span.start, span.stop)
        inner = range(halo, count - halo)
        pieces = []
        if span.start < inner.start:
            pieces.append(self._end(place, count, is_first=True)[clip(span, range(halo))])
        if inside := meeting(span, inner):
            pieces.append(self._along(place, count, inside))
        if span.stop > inner.stop:
            end = range(inner.stop, count)
            pieces.append(self._end(place, count, is_first=False)[clip(span, end)])
        return torch.cat(pieces)

    def prepare(self, parts: Iterable[tuple[Place, range]], count: int) -> None:
        """Compute together what is missing of the parts of windows that will be asked for.

        It saves what chunks of several phases have in common; their tokens are the same to the last bit.

        Args:
            parts: windows and which of their tokens.
            count: tokens of a window.
        """
        halo = self._tower.halo_tokens
        inner = range(halo, count - halo)
        chunks: dict[_Chunk, None] = {}
        for place, span in parts:
            if inside := meeting(span, inner):
                chunks.update(dict.fromkeys(self._chunks_of(place, count, inside)[1]))
        self._chunks.prepare(chunks)

    def _end(self, place: Place, count: int, *, is_first: bool) -> Tokens:
        """A window's first tokens or its last, which see the zeros beyond it."""
        start = place.start
        # read backwards, a window begins where it ends on the chromosome
        if is_first == place.reverse:
            start += (count - 2 * self._tower.halo_tokens) * self._tower.token_bp
        return self._ends(_End(place.contig, place.reverse, start, is_first))

    def _computed_ends(self, ends: Sequence[_End]) -> dict[_End, Tokens]:
        return {end: self._computed_end(end) for end in ends}

    def _computed_end(self, end: _End) -> Tokens:
        halo = self._tower.halo_tokens
        codes = self._read(end.contig, end.start, 2 * halo, reverse=end.reverse)
        # to the other tokens' other side there is sequence in the window, and zeros here: they are not asked for
        span = (0, halo) if end.is_first else (halo, 2 * halo)
        return self._tower.tokens(codes, *span).clone()

    def _along(self, place: Place, count: int, span: range) -> Tokens:
        """Tokens `span` of a window as if the chromosome were one window, in the direction of reading.

        A window of 5 tokens that begins with the chromosome's token 3, in chunks of 4:

            forwards    0 1 2 [3 | 4 5 6 7]      of all, 3 tokens are skipped
            backwards   [7 6 5 4 | 3] 2 1 0      8 − 3 − 5 = 0 tokens are skipped
        """
        first, along_chromosome = self._chunks_of(place, count, span)
        chunks = [self._chunks(chunk) for chunk in along_chromosome]
        skipped = first - along_chromosome[0].number * self._chunk_tokens
        if place.reverse:
            skipped = len(chunks) * self._chunk_tokens - skipped - len(span)
            chunks.reverse()
        return torch.cat(chunks)[skipped : skipped + len(span)]

    def _chunks_of(self, place: Place, count: int, span: range) -> tuple[int, list[_Chunk]]:
        """The first token along the chromosome of a part of a window, and all chunks that the part is in."""
        # windows whose starts have the same phase cut the chromosome into the same tokens
        first_of_window, phase = divmod(place.start, self._tower.token_bp)
        along_chromosome = mirrored(span, count) if place.reverse else span
        first = first_of_window + along_chromosome.start
        first_chunk = first // self._chunk_tokens
        last_chunk = (first + len(span) - 1) // self._chunk_tokens
        numbers = range(first_chunk, last_chunk + 1)
        return first, [_Chunk(place.contig, place.reverse, phase, number) for number in numbers]

    def _computed_chunks(self, chunks: Sequence[_Chunk]) -> dict[_Chunk, Tokens]:
        """Chunks of one number together: only where positions are paired do their phases part."""
        together: dict[_Chunk, list[_Chunk]] = {}
        for chunk in chunks:
            together.setdefault(replace(chunk, phase=0), []).append(chunk)
        computed: dict[_Chunk, Tokens] = {}
        for unmoved, of_number in together.items():
            computed |= self._computed_phases(unmoved, of_number)
        return computed

    def _computed_phases(self, unmoved: _Chunk, chunks: Sequence[_Chunk]) -> dict[_Chunk, Tokens]:
        token_bp = self._tower.token_bp
        halo = self._tower.halo_tokens
        start = (unmoved.number * self._chunk_tokens - halo) * token_bp
        begins = {chunk.phase: chunk for chunk in chunks}
        if unmoved.reverse:
            # read backwards, the piece of the last phase comes first
            start -= 1
            begins = {token_bp - 1 - chunk.phase: chunk for chunk in chunks}
        tokens = self._chunk_tokens + 2 * halo + 1
        codes = self._read(unmoved.contig, start, tokens, reverse=unmoved.reverse)
        pieces = self._tower.phases(codes, list(begins))
        # a copy, so that the halo's memory does not live as long as the chunk
        return {begins[begin]: piece[halo:-halo].clone() for begin, piece in pieces.items()}

    def _read(self, contig: str, start: int, tokens: int, *, reverse: bool) -> Codes:
        """The bases of some tokens along a chromosome, as they are read."""
        codes = self._genome.fetch(contig, start, start + tokens * self._tower.token_bp)
        return reverse_complement(codes) if reverse else codes

"""Tokens of windows of the genome's own sequence: each window's for itself, or shared by all that lie alike.

Does not know alternate sequences.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
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


SHARED_GAINS = 16
"""Gains of insertions and deletions whose tokens are kept beside the reference's: few windows have more of them."""


def chunks_wanted(device: torch.device, *, tokens: int, views: int) -> int:
    """Chunks of which none is computed twice while windows come in order, whatever their indels gain within reason.

    Args:
        device: where tokens are computed.
        tokens: of a window.
        views: in how many ways a window is read.
    """
    # Enformer's 1,536 tokens, both strands: 12 chunks of 128, cut at either end, and the next window's first; for the
    # reference and 16 gains 14 · 17 · 2 = 476 of 0.8 MB
    of_window = -(-tokens // shared_chunk_tokens(device)) + 2
    return of_window * (1 + SHARED_GAINS) * views


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
        compute: computes those of a key.
    """

    def __init__(self, most: int, compute: Callable[[Key], Tokens]) -> None:
        self._most = most
        self._compute = compute
        self._runs: OrderedDict[Key, Tokens] = OrderedDict()

    def __call__(self, key: Key) -> Tokens:
        """The tokens of a key, computed where they are not kept."""
        if key not in self._runs:
            self._runs[key] = self._compute(key)
            if len(self._runs) > self._most:
                self._runs.popitem(last=False)
        # the run that was used least recently stands first, and goes first
        self._runs.move_to_end(key)
        return self._runs[key]


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
        self._chunks = Kept(kept_chunks, self._computed_chunk)
        # they are few tokens: as many again take little memory
        self._ends = Kept(kept_chunks, self._computed_end)

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

    def _end(self, place: Place, count: int, *, is_first: bool) -> Tokens:
        """A window's first tokens or its last, which see the zeros beyond it."""
        start = place.start
        # read backwards, a window begins where it ends on the chromosome
        if is_first == place.reverse:
            start += (count - 2 * self._tower.halo_tokens) * self._tower.token_bp
        return self._ends(_End(place.contig, place.reverse, start, is_first))

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
        # windows whose starts have the same phase cut the chromosome into the same tokens
        first_of_window, phase = divmod(place.start, self._tower.token_bp)
        along_chromosome = mirrored(span, count) if place.reverse else span
        first = first_of_window + along_chromosome.start
        first_chunk = first // self._chunk_tokens
        last_chunk = (first + len(span) - 1) // self._chunk_tokens
        chunks = [
            self._chunks(_Chunk(place.contig, place.reverse, phase, number))
            for number in range(first_chunk, last_chunk + 1)
        ]
        skipped = first - first_chunk * self._chunk_tokens
        if place.reverse:
            skipped = len(chunks) * self._chunk_tokens - skipped - len(span)
            chunks.reverse()
        return torch.cat(chunks)[skipped : skipped + len(span)]

    def _computed_chunk(self, chunk: _Chunk) -> Tokens:
        halo = self._tower.halo_tokens
        first = chunk.number * self._chunk_tokens - halo
        start = first * self._tower.token_bp + chunk.phase
        tokens = self._chunk_tokens + 2 * halo
        codes = self._read(chunk.contig, start, tokens, reverse=chunk.reverse)
        # a copy, so that the halo's memory does not live as long as the chunk
        return self._tower.run(codes)[halo:-halo].clone()

    def _read(self, contig: str, start: int, tokens: int, *, reverse: bool) -> Codes:
        """The bases of some tokens along a chromosome, as they are read."""
        codes = self._genome.fetch(contig, start, start + tokens * self._tower.token_bp)
        return reverse_complement(codes) if reverse else codes

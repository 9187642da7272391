"""Tokens of windows of the genome's own sequence: each window's for itself, or shared by all that lie alike.

Does not know alternate sequences.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch

from enformer_core.genome.alphabet import reverse_complement
from enformer_core.genome.fasta import Genome
from enformer_core.scoring.delta.tower import Codes, Tokens, Tower

SHARED_CHUNK_TOKENS = 128
"""Tokens computed and kept together where windows share them; chunks begin at its multiples along the chromosome."""
SHARED_CHUNK_TOKENS_ON_GPU = 256
"""As many on a GPU, which small steps keep waiting."""


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


class SharedTokens:
    """Tokens along chromosomes, shared by all windows whose starts differ by whole tokens.

    Only the outermost three at each end of a window are its own, for the network pads there. What is computed together
    depends on the place alone, never on what was computed before, so that results repeat to the last bit.
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
        self._kept_chunks = kept_chunks
        on_cpu = tower.device.type == "cpu"
        self._chunk_tokens = SHARED_CHUNK_TOKENS if on_cpu else SHARED_CHUNK_TOKENS_ON_GPU
        self._chunks: OrderedDict[tuple[str, bool, int, int], Tokens] = OrderedDict()

    def __call__(self, place: Place, codes: Codes) -> Tokens:
        """Tokens of one window, of which the inner ones may have been computed for another."""
        tower = self._tower
        halo = tower.halo_tokens
        count = codes.size // tower.token_bp
        if count <= 2 * halo:  # the ends meet: nothing lies between them
            return tower.tokens(codes, 0, count)
        left = tower.tokens(codes, 0, halo)
        inner = self._along(place, count)[halo : count - halo]
        right = tower.tokens(codes, count - halo, count)
        return torch.cat([left, inner, right])

    def _along(self, place: Place, count: int) -> Tokens:
        """Tokens as if the chromosome were one window, in the direction of reading.

        A window of 5 tokens that begins with the chromosome's token 3, in chunks of 4:

            forwards    0 1 2 [3 | 4 5 6 7]      3 tokens are skipped
            backwards   [7 6 5 4 | 3] 2 1 0      8 − 3 − 5 = 0 tokens are skipped
        """
        # windows whose starts have the same phase cut the chromosome into the same tokens
        first, phase = divmod(place.start, self._tower.token_bp)
        first_chunk = first // self._chunk_tokens
        last_chunk = (first + count - 1) // self._chunk_tokens
        chunks = [
            self._chunk(place.contig, place.reverse, phase, number)
            for number in range(first_chunk, last_chunk + 1)
        ]
        skipped = first - first_chunk * self._chunk_tokens
        if place.reverse:
            skipped = len(chunks) * self._chunk_tokens - skipped - count
            chunks.reverse()
        return torch.cat(chunks)[skipped : skipped + count]

    def _chunk(
        self,
        contig: str,
        reverse: bool,
        phase: int,
        number: int,
    ) -> Tokens:
        """Chunk `number` of the tokens whose bases begin `phase` bases after the multiples of a token."""
        key = (contig, reverse, phase, number)
        if key not in self._chunks:
            self._chunks[key] = self._computed(*key)
            if len(self._chunks) > self._kept_chunks:
                self._chunks.popitem(last=False)
        # the chunk that was used least recently stands first, and goes first
        self._chunks.move_to_end(key)
        return self._chunks[key]

    def _computed(
        self,
        contig: str,
        reverse: bool,
        phase: int,
        number: int,
    ) -> Tokens:
        token_bp = self._tower.token_bp
        halo = self._tower.halo_tokens
        begin = (number * self._chunk_tokens - halo) * token_bp + phase
        end = begin + (self._chunk_tokens + 2 * halo) * token_bp
        codes = self._genome.fetch(contig, begin, end)
        piece = reverse_complement(codes) if reverse else codes
        # a copy, so that the halo's memory does not live as long as the chunk
        return self._tower.run(piece)[halo:-halo].clone()

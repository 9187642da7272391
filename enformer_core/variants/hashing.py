"""Which alleles are scored a second time: those whose hash is small, so that it hangs on the allele and a seed alone.

Knows alleles as columns. Does not know how the second scores are compared, nor in which order alleles come.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, UInt64

_BITS = 64

_LOOK_ROWS = 1 << 12

_ODD = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio, the increment of SplitMix64

_MIXERS = (
    (30, 0xBF58476D1CE4E5B9),
    (27, 0x94D049BB133111EB),
)  # its finaliser (Steele, Lea and Flood, OOPSLA 2014)

Hashes = UInt64[np.ndarray, " rows"]


@dataclass(frozen=True)
class Audit:
    """Which alleles are scored a second time, plainly, to measure the engine's error.

    Attributes:
        fraction: of the alleles that are scored, each by its own chance; 0 for none.
        at_least: but not fewer than these, or all there are.
        seed: decides which, together with the allele itself and nothing else.
    """

    fraction: float
    at_least: int
    seed: str

    def limit(self, batches: Iterable[pa.Table]) -> int:
        """The bound below which an allele's hash means that it is audited.

        Args:
            batches: all alleles of the run, in any order. Reading stops as soon as the fraction alone is known to give
                enough: after a few thousand alleles of a large run.
        """
        if not self.fraction:
            return 0
        limit = int(self.fraction * 2**_BITS)
        smallest = np.empty(0, dtype=np.uint64)
        for batch in batches:
            for first in range(0, batch.num_rows, _LOOK_ROWS):
                rows = batch.slice(first, _LOOK_ROWS)
                smallest = np.unique(
                    np.concatenate([smallest, self.hashes(rows)[scored_rows(rows)]])
                )[: self.at_least]
                if smallest.size == self.at_least and all(int(value) < limit for value in smallest):
                    return limit
        return max([limit, *(int(value) + 1 for value in smallest)])

    def drawn(self, alleles: pa.Table, limit: int) -> Bool[np.ndarray, " rows"]:
        """Whether the hash of each row is below the limit; rows that are not scored never are drawn."""
        if limit >= 2**_BITS:
            return scored_rows(alleles)
        return scored_rows(alleles) & (self.hashes(alleles) < np.uint64(limit))

    def hashes(self, alleles: pa.Table) -> Hashes:
        """64 bits of each allele: of the seed, contig, start, REF and ALT; the same for repeats of an allele."""
        chrom = alleles["chrom"].combine_chunks().dictionary_encode()
        keys = [self._key(name) for name in chrom.dictionary.to_pylist()]
        of_contig = np.array([*keys, 0], dtype=np.uint64)[
            np.asarray(chrom.indices.fill_null(len(keys)))
        ]
        start = np.asarray(pc.fill_null(alleles["start"], 0), dtype=np.int64).astype(np.uint64)
        mixed = _mixed(of_contig + start * np.uint64(_ODD))
        for name in ("ref", "alt"):
            mixed = _mixed(mixed + _letters_hash(alleles[name]))
        return mixed

    def _key(self, contig: str) -> int:
        return int.from_bytes(hashlib.sha256(f"{self.seed}\0{contig}".encode()).digest()[:8], "big")


def scored_rows(alleles: pa.Table) -> Bool[np.ndarray, " rows"]:
    """Rows that are to be scored."""
    return np.asarray(pc.equal(alleles["status"], "ok"))


def _mixed(values: Hashes) -> Hashes:
    for shift, factor in _MIXERS:
        values = (values ^ (values >> np.uint64(shift))) * np.uint64(factor)
    return values ^ (values >> np.uint64(31))


def _letters_hash(column: pa.ChunkedArray) -> Hashes:
    """A polynomial in an odd number over each text's bytes, modulo 2^64; 0 for null and for no letters."""
    texts = pc.cast(pc.fill_null(column.combine_chunks(), ""), pa.large_string())
    offsets = np.frombuffer(texts.buffers()[1], np.int64)[
        texts.offset : texts.offset + len(texts) + 1
    ]
    letters = np.frombuffer(texts.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]].astype(
        np.uint64
    )
    offsets = offsets - offsets[0]
    sizes = np.diff(offsets)
    place = np.arange(letters.size) - np.repeat(offsets[:-1], sizes)
    powers = np.cumprod(np.full(int(sizes.max(initial=0)), _ODD, dtype=np.uint64))
    sums = np.concatenate(
        [np.zeros(1, np.uint64), np.cumsum(letters * powers[place], dtype=np.uint64)]
    )
    return sums[offsets[1:]] - sums[offsets[:-1]]

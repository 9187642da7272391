"""64 bits of each allele, of the allele and a seed alone, and the sample of alleles that is audited.

Knows alleles as columns. Does not know how the second scores are compared, nor in which order alleles come.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int64, UInt64

from enformer_core.variants.table import Status

Hashes = UInt64[np.ndarray, " rows"]

Mask = Bool[np.ndarray, " rows"]

_BITS = 64

# hashed before it is asked whether these are enough, which of a large run they soon are
_LOOK_ROWS = 1 << 12

_Letters = UInt64[np.ndarray, " letters"]

_Offsets = Int64[np.ndarray, " offsets"]

_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio, the increment of SplitMix64

# SplitMix64's finaliser (Steele, Lea and Flood, OOPSLA 2014): shifts and factors, and the last shift.
_MIXERS = (
    (np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)),
    (np.uint64(27), np.uint64(0x94D049BB133111EB)),
)
_LAST_SHIFT = np.uint64(31)


@dataclass(frozen=True)
class AuditSample:
    """The alleles that are scored a second time, directly, to measure the engine's error.

    Membership depends only on allele and seed: not on the order of the input, its other alleles or the shards.

    Attributes:
        fraction: of the alleles that are scored, each by its own chance; 0 for none.
        at_least: but not fewer than these, or all there are.
        seed: any text.
    """

    fraction: float
    at_least: int
    seed: str

    def limit(self, batches: Iterable[pa.Table]) -> int:
        """Return the bound below which an allele's hash means that it is audited.

        Args:
            batches: all alleles of the run, in any order. Reading stops as soon as the fraction alone is known to give
                enough: after a few thousand alleles of a large run.
        """
        if not self.fraction:
            return 0
        limit = int(self.fraction * 2**_BITS)
        smallest = np.empty(0, dtype=np.uint64)
        for hashes in self._hashes_of_scored(batches):
            smallest = np.unique(np.append(smallest, hashes))
            smallest = smallest[: self.at_least]
            # Compared as Python's integers: the limit may be 2^64, one more than NumPy can hold.
            below = [value for value in smallest.tolist() if value < limit]
            if len(below) == self.at_least:
                return limit
        # the whole run has been read: the bound lies above as many hashes as are wanted, or above all
        just_above = [value + 1 for value in smallest.tolist()]
        return max([limit, *just_above])

    def _hashes_of_scored(self, batches: Iterable[pa.Table]) -> Iterator[np.ndarray]:
        for batch in batches:
            for first in range(0, batch.num_rows, _LOOK_ROWS):
                rows = batch.slice(first, _LOOK_ROWS)
                hashes = allele_hashes(rows, self.seed)
                yield hashes[scored_rows(rows)]

    def drawn(self, alleles: pa.Table, limit: int) -> Mask:
        """Return whether the hash of each row is below the limit; rows that are not scored never are drawn."""
        scored = scored_rows(alleles)
        if limit >= 2**_BITS:
            return scored
        hashes = allele_hashes(alleles, self.seed)
        return scored & (hashes < np.uint64(limit))


def allele_hashes(alleles: pa.Table, seed: str) -> Hashes:
    """Hash the seed with contig, start, REF and ALT of each row; repeats of an allele have the same 64 bits.

    Args:
        alleles: with the columns chrom, start, ref and alt, each of which may be null.
        seed: any text.
    """
    # sums and products wrap around at 2^64, as SplitMix64's do; NumPy says nothing of it in arrays
    start = np.asarray(pc.fill_null(alleles["start"], 0))
    steps = start.astype(np.uint64) * _ODD
    contig_keys = _contig_keys(alleles["chrom"], seed)
    mixed = _mix(contig_keys + steps)
    for name in ("ref", "alt"):
        letters = _letters_hash(alleles[name])
        mixed = _mix(mixed + letters)
    return mixed


def scored_rows(alleles: pa.Table) -> Mask:
    """Return which rows are to be scored: those whose status is ok."""
    is_ok = pc.equal(alleles["status"], Status.OK.value)
    return np.asarray(is_ok)


def _contig_keys(chrom: pa.ChunkedArray, seed: str) -> Hashes:
    """64 bits of the seed and each row's contig; 0 for null."""
    coded = chrom.combine_chunks().dictionary_encode()
    keys = [_contig_key(name, seed) for name in coded.dictionary.to_pylist()]
    key_or_zero = np.array([*keys, 0], dtype=np.uint64)
    numbers = coded.indices.fill_null(len(keys))  # a null contig takes the 0 at the end
    return key_or_zero[np.asarray(numbers)]


def _contig_key(contig: str, seed: str) -> int:
    text = f"{seed}\0{contig}"
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8], "big")


def _mix(values: Hashes) -> Hashes:
    for shift, factor in _MIXERS:
        folded = values ^ (values >> shift)
        values = folded * factor
    return values ^ (values >> _LAST_SHIFT)


def _letters_hash(column: pa.ChunkedArray) -> Hashes:
    """A polynomial in an odd number over each text's bytes, modulo 2^64; 0 for null and for no letters."""
    letters, offsets = _letters_and_offsets(column)
    begins = offsets[:-1]
    ends = offsets[1:]
    sizes = ends - begins
    # Texts "AC", "" and "G", with p for the odd number:
    #     letters  A C G    begins  0 2 2    ends  2 2 3    place  0 1 0    terms  Ap Cp² Gp
    #     sums     0, Ap, Ap+Cp², Ap+Cp²+Gp  hashes  sums[2]-sums[0], sums[2]-sums[2], sums[3]-sums[2]
    begin_of_each = np.repeat(begins, sizes)
    place = np.arange(letters.size) - begin_of_each
    longest = int(sizes.max(initial=0))
    factors = np.full(longest, _ODD)
    powers = np.cumprod(factors)
    terms = letters * powers[place]
    sums = np.zeros(letters.size + 1, dtype=np.uint64)
    np.cumsum(terms, out=sums[1:])
    return sums[ends] - sums[begins]


def _letters_and_offsets(column: pa.ChunkedArray) -> tuple[_Letters, _Offsets]:
    """The bytes of all texts, end to end, and where each begins, and the last ends; null is empty."""
    filled = pc.fill_null(column.combine_chunks(), "")
    # large strings have offsets of 64 bits, whatever the length of the column
    texts = pc.cast(filled, pa.large_string())
    _, offsets_buffer, letters_buffer = texts.buffers()
    # A column may be a slice of longer buffers, and have no buffer of letters where all are empty.
    from_first = np.frombuffer(offsets_buffer, np.int64)[texts.offset :]
    offsets = from_first[: len(texts) + 1]
    begin = offsets[0]
    end = offsets[-1]
    all_letters = np.frombuffer(letters_buffer or b"", np.uint8)
    letters = all_letters[begin:end]
    return letters.astype(np.uint64), offsets - begin

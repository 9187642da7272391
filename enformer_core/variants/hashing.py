"""64 bits of each allele, of the allele and a seed alone.

Knows alleles as columns. Does not know in which order alleles come, nor what is drawn by their bits.
"""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int64, UInt64

from enformer_core.variants.table import Status

Hashes = UInt64[np.ndarray, " rows"]

Mask = Bool[np.ndarray, " rows"]

_Letters = UInt64[np.ndarray, " letters"]

_Offsets = Int64[np.ndarray, " offsets"]

_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio, the increment of SplitMix64

# SplitMix64's finaliser (Steele, Lea and Flood, OOPSLA 2014): shifts and factors, and the last shift.
_MIXERS = (
    (np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)),
    (np.uint64(27), np.uint64(0x94D049BB133111EB)),
)
_LAST_SHIFT = np.uint64(31)


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
    mixed = mix(contig_keys + steps)
    for name in ("ref", "alt"):
        letters = _letters_hash(alleles[name])
        mixed = mix(mixed + letters)
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


def mix(values: Hashes) -> Hashes:
    """Other 64 bits of each of these, by SplitMix64's finaliser."""
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

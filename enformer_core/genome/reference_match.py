"""Whether the genome has an allele's letters at its place.

Works on columns of letters. Does not know which of two alleles is meant.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int64, UInt8

from enformer_core.genome.alphabet import Codes, encode
from enformer_core.genome.fasta import Genome

Integers = Int64[np.ndarray, " rows"]

Mask = Bool[np.ndarray, " rows"]

Letters = UInt8[np.ndarray, " letters"]


def genome_has(
    genome: Genome,
    chrom: pa.Array,
    start: Integers,
    letters: pa.Array,
) -> Mask:
    """Look up whether the genome has `letters` at `start`; False where they leave the contig.

    Args:
        genome: contigs are read one after another.
        chrom: names of contigs that the genome has.
        start: 0-based.
        letters: A, C, G, T in upper case, at least one in each row.
    """
    fits = np.zeros(start.size, dtype=bool)
    for contig, rows in by_contig(chrom):
        of_contig = letters
        if rows.size < start.size:
            of_contig = letters.take(pa.array(rows))
        codes = genome.codes(contig)
        fits[rows] = _contig_has(codes, start[rows], of_contig)
    return fits


def by_contig(chrom: pa.Array) -> Iterator[tuple[str, Integers]]:
    """Yield each contig with its rows, in their order; one sorting however many contigs there are."""
    coded = chrom.dictionary_encode()
    numbers = np.asarray(coded.indices)
    names = coded.dictionary.to_pylist()
    if len(names) == 1:
        yield names[0], np.arange(numbers.size)
        return
    # chrom    a b a c b      ordered   0 2 | 1 4 | 3
    # numbers  0 1 0 2 1      ends          2     4   5
    ordered = np.argsort(numbers, kind="stable")
    counts = np.bincount(numbers, minlength=len(names))
    ends = np.cumsum(counts)
    firsts = ends - counts
    for name, first, end in zip(names, firsts, ends, strict=True):
        yield name, ordered[first:end]


def _contig_has(codes: Codes, start: Integers, letters: pa.Array) -> Mask:
    sizes = np.asarray(pc.binary_length(letters), dtype=np.int64)
    expected = encode(_joined(letters))  # of all rows, end to end
    end = start + sizes
    inside = (start >= 0) & (end <= codes.size)
    if not inside.all():
        is_of_inside = np.repeat(inside, sizes)
        expected = expected[is_of_inside]
        start = start[inside]
        sizes = sizes[inside]
    has_letters = np.zeros(inside.size, dtype=bool)
    has_letters[inside] = _are_there(codes, start, sizes, expected)
    return has_letters


def _are_there(
    codes: Codes,
    start: Integers,
    sizes: Integers,
    expected: Letters,
) -> Mask:
    if (sizes == 1).all():
        return codes[start] == expected
    # Letters ACG at 7 and T at 20, end to end:
    #     expected   A C G T      firsts        0     3     where each row's letters begin
    #     arange     0 1 2 3      start-firsts  7 7 7 17    one for each letter
    #     positions  7 8 9 20     their sum
    firsts = np.cumsum(sizes) - sizes
    shifts = np.repeat(start - firsts, sizes)
    positions = np.arange(expected.size) + shifts
    is_same = codes[positions] == expected
    return np.logical_and.reduceat(is_same, firsts)


def _joined(letters: pa.Array) -> str:
    # One list that holds the whole column: Arrow then joins all texts in one call.
    offsets = pa.array([0, len(letters)], pa.int32())
    one_list = pa.ListArray.from_arrays(offsets, letters)
    return str(pc.binary_join(one_list, "")[0])

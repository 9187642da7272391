"""Whether the genome has an allele's letters at its place.

Works on columns of letters. Does not know which of two alleles is meant.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int64, UInt8

from enformer_core.genome.alphabet import encode
from enformer_core.genome.fasta import Genome


def genome_has(
    genome: Genome, chrom: pa.Array, start: Int64[np.ndarray, " rows"], letters: pa.Array
) -> Bool[np.ndarray, " rows"]:
    """Whether the genome has `letters` at `start`; False where they leave the contig.

    Args:
        genome: contigs are read one after another.
        chrom: names of contigs that the genome has.
        start: 0-based.
        letters: A, C, G, T in upper case, at least one in each row.
    """
    fits = np.zeros(start.size, dtype=bool)
    for contig, rows in by_contig(chrom):
        whole = rows.size == start.size
        fits[rows] = _fits(
            genome.codes(contig), start[rows], letters if whole else letters.take(pa.array(rows))
        )
    return fits


def by_contig(chrom: pa.Array) -> Iterator[tuple[str, Int64[np.ndarray, " rows"]]]:
    """Each contig with its rows, in their order; one sorting however many contigs there are."""
    coded = chrom.dictionary_encode()
    numbers = np.asarray(coded.indices)
    names = coded.dictionary.to_pylist()
    if len(names) == 1:
        yield names[0], np.arange(numbers.size)
        return
    ordered = np.argsort(numbers, kind="stable")
    ends = np.cumsum(np.bincount(numbers, minlength=len(names)))
    for name, first, end in zip(names, [0, *ends[:-1]], ends, strict=True):
        yield name, ordered[first:end]


def _fits(
    codes: UInt8[np.ndarray, " length"], start: Int64[np.ndarray, " rows"], letters: pa.Array
) -> Bool[np.ndarray, " rows"]:
    sizes = np.asarray(pc.binary_length(letters), dtype=np.int64)
    wanted = encode(_joined(letters))
    inside = (start >= 0) & (start + sizes <= codes.size)
    if not inside.all():
        wanted = wanted[np.repeat(inside, sizes)]
        start, sizes = start[inside], sizes[inside]
    if (sizes == 1).all():
        same = codes[start] == wanted
    else:
        firsts = np.cumsum(sizes) - sizes
        positions = np.arange(wanted.size) + np.repeat(start - firsts, sizes)
        same = np.logical_and.reduceat(codes[positions] == wanted, firsts)
    fits = np.zeros(inside.size, dtype=bool)
    fits[inside] = same
    return fits


def _joined(letters: pa.Array) -> str:
    everything = pa.ListArray.from_arrays(pa.array([0, len(letters)], pa.int32()), letters)
    return str(pc.binary_join(everything, "")[0])

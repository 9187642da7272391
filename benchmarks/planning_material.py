"""A made genome, and sorted VCFs over it, for `benchmarks.planning`. Always the same ones: the generator is seeded."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from enformer_core.genome.alphabet import decode
from enformer_core.genome.fasta import Genome

# NCBI, GCF_000001405.40 (GRCh38.p14): chromosomes 1-22, X, Y, MT
LENGTHS_BP = (
    *(248956422, 242193529, 198295559, 190214555, 181538259),
    *(170805979, 159345973, 145138636, 138394717, 133797422),
    *(135086622, 133275309, 114364328, 107043718, 101991189),
    *(90338345, 83257441, 80373285, 58617616, 64444167),
    *(46709983, 50818468, 156040895, 57227415, 16569),
)
NAMES = tuple(f"chr{name}" for name in (*range(1, 23), "X", "Y", "M"))

QUICK = 20
"""The genome is so many times smaller where only a short look is wanted."""

LINE_BP = 60
BLOCK_BP = LINE_BP << 18
BLOCK_RECORDS = 1 << 19
MAX_ALLELE_BP = 11

SNV, DELETION, INSERTION, TWO_SNVS = range(4)
SHARES = (0.85, 0.05, 0.05, 0.05)

_HEADER_END = (
    '##INFO=<ID=AF,Number=A,Type=Float,Description="Allele frequency">\n'
    '##INFO=<ID=AC,Number=A,Type=Integer,Description="Allele count">\n'
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
)
_TAB = pa_csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")


class Material:
    """The genome and the variants, made in a directory.

    Attributes:
        folder: where everything lies.
        lengths: of the contigs, in bp.
        fasta: the genome's file.
    """

    def __init__(self, folder: Path, *, quick: bool) -> None:
        self.folder = folder
        self.fasta = folder / "genome.fa"
        smaller = QUICK if quick else 1
        self.lengths = {
            name: length // smaller for name, length in zip(NAMES, LENGTHS_BP, strict=True)
        }
        self._rng = np.random.default_rng(0)

    def write_genome(self) -> None:
        """Write random bases in lines of a FASTA file."""
        letters = np.frombuffer(b"ACGT", dtype=np.uint8)
        with self.fasta.open("wb") as out:
            for name, length in self.lengths.items():
                out.write(f">{name}\n".encode())
                for first in range(0, length, BLOCK_BP):
                    count = min(BLOCK_BP, length - first)
                    codes = self._rng.integers(0, 4, count, dtype=np.uint8)
                    out.write(_in_lines(letters[codes]))

    def write_variants(self, records: int) -> Path:
        """Write a sorted VCF with so many records, spread evenly, and compress it by bgzip."""
        import pysam

        genome = Genome(self.fasta)
        genome_bp = sum(self.lengths.values())
        path = self.folder / f"{records}.vcf.gz"
        uncompressed = self.folder / "uncompressed.vcf"
        written = 0
        passed_bp = 0
        with uncompressed.open("wb") as out:
            out.write(self._header())
            for name, length in self.lengths.items():
                passed_bp += length
                count = records * passed_bp // genome_bp - written
                for first in range(0, count, BLOCK_RECORDS):
                    end = min(first + BLOCK_RECORDS, count)
                    # Each block has its own stretch of the contig, so that the file is sorted without sorting it.
                    within = range(length * first // count, length * end // count)
                    numbers = np.arange(written + first, written + end)
                    rows = _records(genome, name, within=within, numbers=numbers, rng=self._rng)
                    pa_csv.write_csv(rows, out, _TAB)
                written += count
        pysam.tabix_compress(str(uncompressed), str(path), force=True)
        uncompressed.unlink()
        return path

    def _header(self) -> bytes:
        contigs = [f"##contig=<ID={name},length={bp}>\n" for name, bp in self.lengths.items()]
        return "".join(["##fileformat=VCFv4.2\n", *contigs, _HEADER_END]).encode()


def _in_lines(letters: np.ndarray) -> bytes:
    """Letters with an end of line after every LINE_BP, and after the last."""
    full = letters.size // LINE_BP * LINE_BP
    lines = letters[:full].reshape(-1, LINE_BP)
    with_ends = np.pad(lines, ((0, 0), (0, 1)), constant_values=ord("\n"))
    last = letters[full:].tobytes()
    return with_ends.tobytes() + (last + b"\n" if last else b"")


@dataclass(frozen=True)
class _Alleles:
    """REF and ALT of each record, as texts."""

    ref: pa.Array
    alt: pa.Array


def _records(
    genome: Genome,
    name: str,
    *,
    within: range,
    numbers: np.ndarray,
    rng: np.random.Generator,
) -> pa.Table:
    """A record for each number, with REFs of the genome, which start in this range of a contig."""
    count = numbers.size
    last = max(within.stop - MAX_ALLELE_BP, within.start + 1)
    starts = np.sort(rng.integers(within.start, last, count))
    kinds = rng.choice(4, count, p=SHARES)
    sizes = rng.integers(2, MAX_ALLELE_BP + 1, count)
    alleles = _alleles(genome.codes(name), starts, sizes, kinds)
    frequencies = pa.array(rng.integers(0, 999, count))
    of_one = pa.array([f"AF=0.{number};AC={number}" for number in range(1, 1000)])
    of_two = pa.array([f"AF=0.{number},0.01;AC={number},2" for number in range(1, 1000)])
    has_two = pa.array(kinds == TWO_SNVS)
    return pa.table(
        {
            "CHROM": pa.repeat(name, count),
            "POS": pa.array(starts + 1),
            "ID": pc.binary_join_element_wise("rs", pa.array(numbers).cast("string"), ""),
            "REF": alleles.ref,
            "ALT": alleles.alt,
            "QUAL": pa.repeat(".", count),
            "FILTER": pa.repeat("PASS", count),
            "INFO": pc.if_else(has_two, of_two.take(frequencies), of_one.take(frequencies)),
        }
    )


def _alleles(
    codes: np.ndarray, starts: np.ndarray, sizes: np.ndarray, kinds: np.ndarray
) -> _Alleles:
    """Alleles of these kinds at these starts of a contig; those of indels have these sizes."""
    ones = np.ones(starts.size, np.int64)
    base = _letters(codes[starts], ones)
    another = _letters((codes[starts] + 1) % 4, ones)
    third = _letters((codes[starts] + 2) % 4, ones)
    # Starts 5 and 9 of sizes 3 and 2: bases 5 6 7 9 10
    before = np.repeat(np.cumsum(sizes) - sizes, sizes)
    bases = np.repeat(starts, sizes) + np.arange(sizes.sum()) - before
    several = _letters(codes[bases], sizes)
    other_several = _letters(np.roll(codes[bases], 1), sizes)
    is_deletion = pa.array(kinds == DELETION)
    is_insertion = pa.array(kinds == INSERTION)
    is_two = pa.array(kinds == TWO_SNVS)
    return _Alleles(
        ref=pc.if_else(is_deletion, several, base),
        alt=pc.case_when(
            pc.make_struct(is_two, is_insertion, is_deletion),
            pc.binary_join_element_wise(another, third, ","),
            pc.binary_join_element_wise(base, other_several, ""),
            base,
            another,
        ),
    )


def _letters(codes: np.ndarray, sizes: np.ndarray) -> pa.Array:
    """Codes end to end as texts of these sizes."""
    offsets = np.append(0, np.cumsum(sizes)).astype(np.int32)
    letters = decode(codes).encode()
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(letters)]
    return pa.Array.from_buffers(pa.string(), sizes.size, buffers)

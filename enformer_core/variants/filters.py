"""Records that the user does not want: outside regions, rare or common, not PASS, long indels, all but a sample.

A record stays if one of its ALTs is wanted, and stays whole. Records that cannot be read stay: nothing says that they
are unwanted. Works on batches of alleles. Does not know files.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int64, UInt64

from enformer_core.errors import InputError
from enformer_core.genome.contig_names import Lengths
from enformer_core.genome.fasta import Genome
from enformer_core.genome.regions import Intervals, Regions, merge_intervals, read_regions
from enformer_core.variants.allele_checks import contigs_of
from enformer_core.variants.arrow import bools, in_full, ints, matches
from enformer_core.variants.hashing import allele_hashes
from enformer_core.variants.source import Source

_UNBOUNDED = 1 << 64  # beyond every hash

_LARGEST_MAF = 0.5

MAF = "maf"
"""What the filter by the frequency of the rarer allele is called in counts."""

_SEQUENCE = "^[A-Za-z]+$"

_Mask = Bool[np.ndarray, " rows"]

_Integers = Int64[np.ndarray, " rows"]

_Firsts = Int64[np.ndarray, " records"]
"""The row of each record's first ALT."""


@dataclass(frozen=True)
class Filters:
    """What is wanted; by default everything.

    Attributes:
        regions: REF must overlap one of them.
        min_maf: least frequency of the rarer allele.
        max_maf: largest frequency of the rarer allele.
        only_pass: FILTER is PASS or `.`.
        max_indel_bp: bases that are inserted or deleted at most; 0 for none.
        seed: of the sample.
        sample_below: records whose hash is smaller are in the sample; see `with_sample`.
    """

    regions: Regions | None = None
    min_maf: float | None = None
    max_maf: float | None = None
    only_pass: bool = False
    max_indel_bp: int | None = None
    seed: int = 0
    sample_below: int = _UNBOUNDED

    def __post_init__(self) -> None:
        """Refuse limits that no record can meet."""
        low, high = self._maf_limits
        if not 0 <= low <= high <= _LARGEST_MAF:
            raise InputError(
                f"minor allele frequencies lie between 0 and 0.5, the least first; got {low:g} and {high:g}"
            )
        if self.max_indel_bp is not None and self.max_indel_bp < 0:
            raise InputError(f"the length of indels is 0 bp or more; got {self.max_indel_bp}")

    @property
    def _maf_limits(self) -> tuple[float, float]:
        least = 0.0 if self.min_maf is None else self.min_maf
        largest = _LARGEST_MAF if self.max_maf is None else self.max_maf
        return least, largest

    @property
    def by_frequency(self) -> bool:
        """Whether records are taken out by their allele frequency."""
        return self.min_maf is not None or self.max_maf is not None

    @property
    def needs_details(self) -> bool:
        """Whether `Source.batches` must read frequencies or FILTER, which most runs do not need."""
        return self.only_pass or self.by_frequency

    def check(self, source: Source) -> None:
        """Refuse a file that does not have what a filter looks at.

        Raises:
            InputError: naming it.
        """
        roles = source.columns.index
        has_frequency = "frequency" in roles or "info" in roles
        if self.by_frequency and not has_frequency:
            raise InputError(
                f"{source.called}: {source.format}, has no allele frequencies to filter by (AF, MAF, INFO)"
            )
        if self.only_pass and "filter" not in roles:
            raise InputError(
                f"{source.called}: {source.format}, has no FILTER column to look for PASS in"
            )

    def apply(self, raw: pa.Table, contigs: Lengths) -> tuple[pa.Table, dict[str, int]]:
        """Return the wanted records, and how many each filter took out; the first that does is counted.

        Args:
            raw: alleles of RAW_SCHEMA, whole records.
            contigs: the genome's, with their lengths in bp.
        """
        if not raw.num_rows:
            return raw, {}
        firsts = _first_rows(raw)
        is_undecided = bools(pc.is_null(in_full(raw, "status")))
        # reduceat joins the rows of each record: those from its first ALT to the next record's.
        readable = np.logical_or.reduceat(is_undecided, firsts)
        kept = np.ones(firsts.size, dtype=bool)
        removed: dict[str, int] = {}
        for name, wanted_rows in self._wanted_rows(raw, contigs):
            wanted = np.logical_or.reduceat(wanted_rows, firsts)
            taken_out = kept & readable & ~wanted
            removed[name] = int(taken_out.sum())
            kept &= ~taken_out
        if self.sample_below < _UNBOUNDED:
            hashes = self.hashes(raw, firsts)
            taken_out = kept & (hashes >= np.uint64(self.sample_below))
            removed["sample"] = int(taken_out.sum())
            kept &= ~taken_out
        if kept.all():
            return raw, removed
        rows_of_record = np.diff(firsts, append=raw.num_rows)
        kept_rows = np.repeat(kept, rows_of_record)
        return raw.filter(pa.array(kept_rows)), removed

    def _wanted_rows(self, raw: pa.Table, contigs: Lengths) -> Iterator[tuple[str, _Mask]]:
        if self.regions is not None:
            yield "regions", _inside(raw, contigs, self.regions)
        if self.only_pass:
            yield "pass", bools(in_full(raw, "passed"))
        if self.by_frequency:
            yield MAF, self._has_wanted_frequency(raw)
        if self.max_indel_bp is not None:
            yield "indel_length", _indel_bp(raw) <= self.max_indel_bp

    def _has_wanted_frequency(self, raw: pa.Table) -> _Mask:
        column = in_full(raw, "frequency").to_numpy(zero_copy_only=False)
        # NaN where it is null, which no limit lets through
        frequency = np.asarray(column, dtype=np.float64)
        rarer = np.minimum(frequency, 1 - frequency)
        # 1 - 0.97 is 0.03, and in floating point a little more
        minor = np.round(rarer, 12)
        least, largest = self._maf_limits
        return (minor >= least) & (minor <= largest)

    def hashes(self, raw: pa.Table, firsts: _Firsts) -> UInt64[np.ndarray, " records"]:
        """Hash the seed with contig, start and alleles of each record, as written: wherever it stands in a file.

        Args:
            raw: alleles of RAW_SCHEMA, whole records.
            firsts: the row of each record's first ALT.
        """
        alleles = pa.table(
            {
                "chrom": in_full(raw, "input_chrom"),
                "start": in_full(raw, "start"),
                "ref": in_full(raw, "input_ref"),
                "alt": in_full(raw, "input_alt"),
            }
        )
        of_alleles = allele_hashes(alleles, f"sample {self.seed}")
        return np.add.reduceat(of_alleles, firsts)


def _first_rows(raw: pa.Table) -> _Firsts:
    # null where the record is malformed, and a row of its own
    alt_index = ints(in_full(raw, "alt_index"), 1)
    return np.flatnonzero(alt_index == 1)


def with_sample(
    filters: Filters,
    batches: Iterable[pa.Table],
    contigs: Lengths,
    *,
    size: int,
) -> Filters:
    """Add a sample of `size` of the records that filters leave.

    Membership depends only on record and seed, not on the order of records. Repeats of a record are in the sample
    together or not at all, and count once.

    Args:
        filters: the others.
        batches: all alleles of all files; they are read through once.
        contigs: the genome's, with their lengths in bp.
        size: records, at least 1.
    """
    if size < 1:
        raise InputError(f"a sample has 1 record or more; got {size}")
    others = replace(filters, sample_below=_UNBOUNDED)
    smallest = np.empty(0, dtype=np.uint64)
    for raw in batches:
        kept, _ = others.apply(raw, contigs)
        if kept.num_rows:
            hashes = filters.hashes(kept, _first_rows(kept))
            # One more than the sample has: the first hash that is not in it is the bound.
            smallest = np.unique(np.append(smallest, hashes))
            smallest = smallest[: size + 1]
    is_sample_of_all = smallest.size <= size
    sample_below = _UNBOUNDED if is_sample_of_all else int(smallest[size])
    return replace(filters, sample_below=sample_below)


@dataclass(frozen=True)
class Filtered:
    """Batches of wanted records; after all were read, `removed` says how many records each filter took out."""

    batches: Iterator[pa.Table]
    removed: Counter[str]


def filtered(
    sources: Sequence[Source],
    filters: Filters,
    contigs: Lengths,
    *,
    read: Callable[[Source], Iterator[pa.Table]] | None = None,
) -> Filtered:
    """Read files, without what is not wanted.

    Args:
        sources: the files.
        filters: what is wanted of them.
        contigs: the genome's, with their lengths in bp.
        read: gives the alleles of a file; by default those of `Source.batches`.

    Raises:
        InputError: when a file does not have what a filter looks at.
    """

    def all_of(source: Source) -> Iterator[pa.Table]:
        return source.batches(details=filters.needs_details)

    read = read or all_of
    for source in sources:
        filters.check(source)
    removed: Counter[str] = Counter()

    def batches() -> Iterator[pa.Table]:
        for source in sources:
            for raw in read(source):
                kept, counts = filters.apply(raw, contigs)
                removed.update(counts)
                if kept.num_rows:
                    yield kept

    return Filtered(batches(), removed)


def regions_of(regions: Sequence[str], genome: Genome) -> Regions:
    """Read several regions, or BED files, as one; see `regions.read_regions`."""
    by_contig: defaultdict[str, list[Intervals]] = defaultdict(list)
    for text in regions:
        for contig, intervals in read_regions(text, genome).items():
            by_contig[contig].append(intervals)
    # regions of different files may overlap, and a base in two of them counts once
    merged = {}
    for contig, parts in by_contig.items():
        joined = np.concatenate(parts)
        merged[contig] = merge_intervals(joined)
    return merged


def _indel_bp(raw: pa.Table) -> _Integers:
    """Bases inserted or deleted; 0 where an allele is no sequence: the name of `<DEL>` is not its length."""
    ref = in_full(raw, "input_ref")
    alt = in_full(raw, "input_alt")
    ref_bp = ints(pc.utf8_length(ref), 0)
    alt_bp = ints(pc.utf8_length(alt), 0)
    indel_bp = np.abs(ref_bp - alt_bp)
    # Only rows whose alleles differ in length are looked at: the pattern costs more than all the rest.
    rows = np.flatnonzero(indel_bp)
    index = pa.array(rows)
    is_sequence = matches(ref.take(index), _SEQUENCE)
    is_sequence &= matches(alt.take(index), _SEQUENCE)
    indel_bp[rows[~is_sequence]] = 0
    return indel_bp


def _inside(raw: pa.Table, contigs: Lengths, regions: Regions) -> _Mask:
    """Whether REF overlaps a region of its contig."""
    start = ints(in_full(raw, "start"), -1)
    ref = in_full(raw, "input_ref")
    ref_bp = ints(pc.utf8_length(ref), 1)
    # a REF that is empty or missing has a place all the same
    end = start + np.maximum(ref_bp, 1)
    every_row = np.ones(raw.num_rows, dtype=bool)
    chrom = contigs_of(raw, every_row, contigs).dictionary_encode()
    numbers = np.asarray(pc.fill_null(chrom.indices, -1))
    inside = np.zeros(raw.num_rows, dtype=bool)
    for number, contig in enumerate(chrom.dictionary.to_pylist()):
        intervals = regions.get(contig)
        if intervals is None:
            continue
        rows = np.flatnonzero(numbers == number)
        # Regions [10, 20), [30, 40) and an allele [18, 22): one region begins before 22, and it ends at 20, beyond 18.
        # Regions are disjoint and in order, so none reaches further than the last that has begun.
        begins, ends = intervals.T
        begun = np.searchsorted(begins, end[rows])
        # 0 where no region has begun
        end_or_zero = np.append(0, ends)
        end_of_last = end_or_zero[begun]
        inside[rows] = end_of_last > start[rows]
    return inside

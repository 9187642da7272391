"""Records that the user does not want: outside regions, rare or common, not PASS, long indels, all but a sample.

A record stays if one of its ALTs is wanted, and stays whole. Records that cannot be read stay: nothing says that they
are unwanted. Works on batches of alleles. Does not know files.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int64, UInt64

from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.genome.regions import Regions, read_regions
from enformer_core.variants.allele_checks import contigs_of
from enformer_core.variants.arrow import bools, in_full, ints, matches
from enformer_core.variants.hashing import Audit
from enformer_core.variants.source import Source

_UNBOUNDED = 1 << 64
_SEQUENCE = "^[A-Za-z]+$"


@dataclass(frozen=True)
class Filters:
    """What is wanted; by default everything.

    Attributes:
        regions: REF must overlap one of them.
        min_maf: least frequency of the rarer allele.
        max_maf: largest.
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
        """Refuse limits that nothing can meet."""
        low, high = self.min_maf or 0.0, 0.5 if self.max_maf is None else self.max_maf
        if not 0 <= low <= high <= 0.5:
            raise InputError(
                f"minor allele frequencies lie between 0 and 0.5, the least first; got {low:g} and {high:g}"
            )
        if self.max_indel_bp is not None and self.max_indel_bp < 0:
            raise InputError(f"the length of indels is 0 bp or more; got {self.max_indel_bp}")

    @property
    def by_frequency(self) -> bool:
        """Whether frequencies are asked for."""
        return self.min_maf is not None or self.max_maf is not None

    @property
    def needs_details(self) -> bool:
        """Whether `Source.batches` must read details."""
        return self.only_pass or self.by_frequency

    def check(self, source: Source) -> None:
        """Refuse a file that does not say what is asked for.

        Raises:
            InputError: naming it.
        """
        roles = source.columns.index
        if self.by_frequency and not {"frequency", "info"} & set(roles):
            raise InputError(
                f"{source.path}: {source.format}, has no allele frequencies to filter by (AF, MAF, INFO)"
            )
        if self.only_pass and "filter" not in roles:
            raise InputError(
                f"{source.path}: {source.format}, has no FILTER column to look for PASS in"
            )

    def apply(self, raw: pa.Table, contigs: Mapping[str, int]) -> tuple[pa.Table, dict[str, int]]:
        """Whole records that are wanted, and how many records each filter took out; the first that does is counted.

        Args:
            raw: alleles of RAW_SCHEMA, whole records.
            contigs: the genome's.
        """
        if not raw.num_rows:
            return raw, {}
        firsts = np.flatnonzero(ints(in_full(raw, "alt_index"), 1) == 1)
        readable = np.logical_or.reduceat(bools(pc.is_null(in_full(raw, "status"))), firsts)
        kept, removed = np.ones(firsts.size, dtype=bool), {}
        for name, wanted in self._wanted(raw, contigs):
            taken_out = kept & readable & ~np.logical_or.reduceat(wanted, firsts)
            removed[name] = int(taken_out.sum())
            kept &= ~taken_out
        if self.sample_below < _UNBOUNDED:
            taken_out = kept & (self.hashes(raw, firsts) >= np.uint64(self.sample_below))
            removed["sample"] = int(taken_out.sum())
            kept &= ~taken_out
        rows = np.repeat(kept, np.diff(firsts, append=raw.num_rows))
        return (raw if kept.all() else raw.filter(pa.array(rows))), removed

    def _wanted(
        self, raw: pa.Table, contigs: Mapping[str, int]
    ) -> Iterator[tuple[str, Bool[np.ndarray, " rows"]]]:
        if self.regions is not None:
            yield "regions", _inside(raw, contigs, self.regions)
        if self.only_pass:
            yield "pass", bools(in_full(raw, "passed"))
        if self.by_frequency:
            frequency = np.asarray(
                in_full(raw, "frequency").to_numpy(zero_copy_only=False), dtype=np.float64
            )
            minor = np.round(np.minimum(frequency, 1 - frequency), 12)  # 1 - 0.97 is 0.03
            high = 0.5 if self.max_maf is None else self.max_maf
            yield "maf", (minor >= (self.min_maf or 0.0)) & (minor <= high)  # nan is neither
        if self.max_indel_bp is not None:
            yield "indel_length", _indel_bp(raw) <= self.max_indel_bp

    def hashes(
        self, raw: pa.Table, firsts: Int64[np.ndarray, " records"]
    ) -> UInt64[np.ndarray, " records"]:
        """64 bits of each record, of the seed, contig, start and alleles as written: wherever it stands in a file."""
        names = {"chrom": "input_chrom", "start": "start", "ref": "input_ref", "alt": "input_alt"}
        alleles = pa.table({name: in_full(raw, column) for name, column in names.items()})
        each = Audit(1.0, 0, f"sample {self.seed}").hashes(alleles)
        return np.add.reduceat(each, firsts)


def with_sample(
    filters: Filters, batches: Iterable[pa.Table], contigs: Mapping[str, int], *, size: int
) -> Filters:
    """The same filters with a sample of `size` of the records that they leave.

    The sample hangs on the records and the seed, not on their order. Repeats of a record are in it together or not at
    all, and count once.

    Args:
        filters: the others.
        batches: all alleles of all files; they are read through once.
        contigs: the genome's.
        size: records, at least 1.
    """
    if size < 1:
        raise InputError(f"a sample has 1 record or more; got {size}")
    everything = replace(filters, sample_below=_UNBOUNDED)
    smallest = np.empty(0, dtype=np.uint64)
    for raw in batches:
        kept, _ = everything.apply(raw, contigs)
        if kept.num_rows:
            firsts = np.flatnonzero(ints(in_full(kept, "alt_index"), 1) == 1)
            smallest = np.unique(np.concatenate([smallest, filters.hashes(kept, firsts)]))[
                : size + 1
            ]
    return replace(
        filters, sample_below=int(smallest[size]) if smallest.size > size else _UNBOUNDED
    )


@dataclass(frozen=True)
class Filtered:
    """Batches of wanted records; after all were read, `removed` says how many records each filter took out."""

    batches: Iterator[pa.Table]
    removed: Counter[str]


def filtered(sources: Sequence[Source], filters: Filters, contigs: Mapping[str, int]) -> Filtered:
    """Read files, without what is not wanted.

    Raises:
        InputError: when a file does not say what is asked for.
    """
    for source in sources:
        filters.check(source)
    removed: Counter[str] = Counter()

    def batches() -> Iterator[pa.Table]:
        for source in sources:
            for raw in source.batches(details=filters.needs_details):
                kept, counts = filters.apply(raw, contigs)
                removed.update(counts)
                if kept.num_rows:
                    yield kept

    return Filtered(batches(), removed)


def regions_of(asked: Sequence[str], genome: Genome) -> Regions:
    """Several regions, or BED files, as one; see `regions.read_regions`."""
    found: dict[str, list[Int64[np.ndarray, "regions 2"]]] = {}
    for text in asked:
        for contig, intervals in read_regions(text, genome).items():
            found.setdefault(contig, []).append(intervals)
    return {contig: _merged(np.concatenate(intervals)) for contig, intervals in found.items()}


def _merged(intervals: Int64[np.ndarray, "regions 2"]) -> Int64[np.ndarray, "merged 2"]:
    """In order, overlapping and touching ones joined."""
    ordered = intervals[np.argsort(intervals[:, 0], kind="stable")]
    reached = np.maximum.accumulate(ordered[:, 1])
    firsts = np.flatnonzero(np.concatenate([[True], ordered[1:, 0] > reached[:-1]]))
    return np.stack([ordered[firsts, 0], reached[np.append(firsts[1:], len(ordered)) - 1]], axis=1)


def _indel_bp(raw: pa.Table) -> Int64[np.ndarray, " rows"]:
    """Bases inserted or deleted; 0 where an allele is no sequence: the name of `<DEL>` is not its length."""
    sizes = [ints(pc.utf8_length(in_full(raw, name)), 0) for name in ("input_ref", "input_alt")]
    difference = np.abs(sizes[0] - sizes[1])
    rows = np.flatnonzero(difference)
    written = [in_full(raw, name).take(pa.array(rows)) for name in ("input_ref", "input_alt")]
    difference[rows[~(matches(written[0], _SEQUENCE) & matches(written[1], _SEQUENCE))]] = 0
    return difference


def _inside(
    raw: pa.Table, contigs: Mapping[str, int], regions: Regions
) -> Bool[np.ndarray, " rows"]:
    """Whether REF overlaps a region of its contig."""
    start = ints(in_full(raw, "start"), -1)
    end = start + np.maximum(ints(pc.utf8_length(in_full(raw, "input_ref")), 1), 1)
    chrom = contigs_of(raw, np.ones(raw.num_rows, dtype=bool), contigs).dictionary_encode()
    numbers = np.asarray(pc.fill_null(chrom.indices, -1))
    inside = np.zeros(raw.num_rows, dtype=bool)
    for number, contig in enumerate(chrom.dictionary.to_pylist()):
        intervals = regions.get(contig)
        if intervals is not None:
            rows = np.flatnonzero(numbers == number)
            after = np.searchsorted(
                intervals[:, 0], end[rows]
            )  # regions that begin before the allele ends
            ends = np.concatenate([[0], intervals[:, 1]])
            inside[rows] = ends[after] > start[rows]
    return inside

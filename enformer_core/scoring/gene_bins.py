"""Which genes an allele can act on, and which output bins are theirs: around their TSSs, and over their exons.

A gene's bins follow its bases, where an insertion or deletion moves them: see `base_bins`. Knows genes, alleles and
windows. Does not know predictions.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int64

from enformer_core.errors import InputError, first_few
from enformer_core.genome.genes import Gene, Genes
from enformer_core.scoring.base_bins import (
    BaseBins,
    Pairs,
    Placements,
    bins_of_allele,
    bins_of_bases,
    predicted_in_both,
)
from enformer_core.scoring.conventions import Conventions, WindowRule
from enformer_core.scoring.windows import Allele, window_start
from enformer_core.variants.hashing import scored_rows
from enformer_core.words import counted

DEFAULT_TSS_BINS = 3

_CHUNK_ALLELES = 1 << 12  # whose TSSs are looked at together while planning

Rows = Int64[np.ndarray, " rows"]


@dataclass(frozen=True)
class BinPair:
    """The output bins of the same bases in both sequences, each ascending.

    Attributes:
        reference: bins of the reference's profile.
        alternate: bins of the alternate's; others only where an insertion or deletion moves the bases.
    """

    reference: tuple[int, ...]
    alternate: tuple[int, ...]


@dataclass(frozen=True)
class GeneBins:
    """A gene in reach of an allele.

    Attributes:
        gene: the gene.
        distance_bp: from its nearest TSS to the allele's first base, along transcription: negative is upstream.
        tss: bins around those of its TSSs that are predicted in both sequences.
        exons: bins in which it has exons; None where nobody asks for them.
    """

    gene: Gene
    distance_bp: int
    tss: BinPair
    exons: BinPair | None


@dataclass(frozen=True)
class _Sites:
    """TSSs in reach.

    Attributes:
        allele: which of some alleles each belongs to, ascending.
        gene: the number of its gene.
        bins: where it lies, by each rule that an indel is compared by.
    """

    allele: Pairs
    gene: Pairs
    bins: Mapping[WindowRule, BaseBins]


@dataclass(frozen=True)
class GeneReach:
    """Finds the genes of alleles, and their bins.

    A gene is in reach of an allele where one of its TSSs is predicted in both sequences, in all that are compared.

    Attributes:
        genes: all of them.
        conventions: which window an allele has, and how an indel keeps its length.
        tss_bins: bins that are summed around each TSS; of an even number, one more lies left of the TSS's own.
        with_exons: whether bins of exons are asked for.
    """

    genes: Genes
    conventions: Conventions
    tss_bins: int = DEFAULT_TSS_BINS
    with_exons: bool = False

    def __post_init__(self) -> None:
        predicted = self.conventions.geometry.bins
        if not 1 <= self.tss_bins <= predicted:
            raise InputError(
                f"--tss-bins {self.tss_bins}: must be between 1 and {predicted}, the bins that are predicted"
            )
        without = [gene.name for gene in self.genes if not gene.exons]
        if self.with_exons and without:
            raise InputError(
                f"--exon-tracks: {self.genes.file} has no exons of {counted(len(without), 'genes')}, "
                f"{first_few(without)}. Give a file with exons, or name the genes that have some by --gene-list."
            )

    def gene_ids(self, alleles: pa.Table) -> pa.ListArray:
        """Identifiers of the genes in reach of each allele, in the order of `genes`; none where nothing is scored.

        Args:
            alleles: with the columns chrom, start, ref, alt and status.
        """
        # rows that no contig below has are not scored, and keep no gene
        numbers: list[Sequence[int]] = [()] * alleles.num_rows
        for contig, rows in _rows_by_contig(alleles):
            placements = self._placements(alleles, rows)
            sites = self._sites(contig, placements)
            of_rows = _genes_of_each(sites, rows.size)
            for row, of_row in zip(rows.tolist(), of_rows, strict=True):
                numbers[row] = of_row
        return self._ids_of(numbers)

    def _ids_of(self, numbers: Sequence[Sequence[int]]) -> pa.ListArray:
        """The identifiers of genes that are given by number, a list for each allele."""
        ids = pa.array([gene.id for gene in self.genes], pa.string())
        # numbers [7 9] [] [8] are 7 9 8, which begin at 0 2 2 and end at 3
        sizes = [len(of_row) for of_row in numbers]
        ends = np.cumsum(sizes, dtype=np.int64)
        offsets = pa.array(np.append(0, ends), pa.int32())
        flat = [number for of_row in numbers for number in of_row]
        taken = ids.take(pa.array(flat, pa.int64()))
        return pa.ListArray.from_arrays(offsets, taken)

    def of_allele(
        self, allele: Allele, window: int, rule: WindowRule | None = None
    ) -> list[GeneBins]:
        """The genes in reach of an allele in the order of `genes`, with their bins.

        Args:
            allele: which.
            window: first base of the window that it is scored in.
            rule: by which an indel keeps the window's length; None for the first that the conventions have.
        """
        if rule is None:
            rule = self.conventions.window_rules[0]
        placement = Placements.of(allele, window)
        sites = self._sites(allele.contig, placement)
        around_tss = self._around(sites, sites.bins[rule])
        found = []
        # numbers are places in `genes`: the plan lists the same genes in the same order
        for number in sorted(around_tss):
            gene = self.genes.genes[number]
            exons = self._exon_bins(gene, allele, window, rule) if self.with_exons else None
            distance_bp = _distance(gene, allele.start)
            bins = around_tss[number]
            found.append(GeneBins(gene, distance_bp, bins, exons))
        return found

    def _placements(self, alleles: pa.Table, rows: Rows) -> Placements:
        chosen = alleles.select(["start", "ref", "alt"]).take(pa.array(rows))
        start = np.asarray(chosen["start"], dtype=np.int64)
        ref_bp = pc.binary_length(chosen["ref"])
        alt_bp = pc.binary_length(chosen["alt"])
        return Placements(
            start=start,
            ref_bp=np.asarray(ref_bp, dtype=np.int64),
            alt_bp=np.asarray(alt_bp, dtype=np.int64),
            window=window_start(start, self.conventions),
        )

    def _sites(self, contig: str, placements: Placements) -> _Sites:
        """The TSSs of a contig that are in reach of alleles."""
        sites = self.genes.tss_sites(contig)
        geometry = self.conventions.geometry
        # An indel moves bases by its own length at most: what lies within that of the output may be in reach.
        spare_bp = np.abs(placements.gain_bp)
        left = placements.window + geometry.crop_bp
        right = left + geometry.output_bp
        first = np.searchsorted(sites.positions, left - spare_bp)
        end = np.searchsorted(sites.positions, right + spare_bp)
        counts = end - first
        # Alleles 0 and 1 with sites 4 … 5 and 5:
        #     counts  2 1      allele  0 0 1      begins  0 2      site  4 5 5
        allele = np.repeat(np.arange(counts.size), counts)
        begins = np.cumsum(counts) - counts
        moved = np.repeat(first - begins, counts)
        site = np.arange(allele.size) + moved
        positions = sites.positions[site]
        of_sites = placements.take(allele)
        by_rule = {
            rule: bins_of_bases(of_sites, positions, self.conventions, rule)
            for rule in self.conventions.window_rules
        }
        inside = np.logical_and.reduce([bins.is_predicted for bins in by_rule.values()])
        genes = sites.genes[site[inside]]
        return _Sites(
            allele[inside], genes, {rule: bins.take(inside) for rule, bins in by_rule.items()}
        )

    def _around(self, sites: _Sites, of_sites: BaseBins) -> dict[int, BinPair]:
        """The bins around TSSs by gene, each bin once however many TSSs share it."""
        # of 3 bins the steps are -1, 0 and 1; of 4, -2 … 1
        first = -(self.tss_bins // 2)
        steps = range(first, first + self.tss_bins)
        reference: dict[int, set[int]] = defaultdict(set)
        alternate: dict[int, set[int]] = defaultdict(set)
        predicted = range(of_sites.count)
        columns = (sites.gene, of_sites.reference, of_sites.alternate)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        for gene, own, moved in rows:
            for step in steps:
                # what one of both does not predict is left out of both, or the sums would not be of the same bases
                if own + step in predicted and moved + step in predicted:
                    reference[gene].add(own + step)
                    alternate[gene].add(moved + step)
        pairs = {}
        for gene, bins in reference.items():
            own_bins = tuple(sorted(bins))
            moved_bins = tuple(sorted(alternate[gene]))
            pairs[gene] = BinPair(own_bins, moved_bins)
        return pairs

    def _exon_bins(self, gene: Gene, allele: Allele, window: int, rule: WindowRule) -> BinPair:
        """Every bin that exons touch, by however little."""
        spans = np.array(gene.exons, dtype=np.int64)
        # of an exon that leaves the output, the part that is predicted in both
        first_base, end = predicted_in_both(allele, window, self.conventions, rule)
        clipped = np.clip(spans, first_base, end)
        # an exon outside is clipped to nothing: its end is its first base then
        is_inside = clipped[:, 0] < clipped[:, 1]
        starts, ends = clipped[is_inside].T
        firsts = bins_of_allele(allele, window, starts, self.conventions, rule)
        lasts = bins_of_allele(allele, window, ends - 1, self.conventions, rule)
        reference = _all_between(firsts.reference, lasts.reference)
        alternate = _all_between(firsts.alternate, lasts.alternate)
        return BinPair(reference, alternate)


def _genes_of_each(sites: _Sites, alleles: int) -> Iterator[list[int]]:
    """Numbers of the genes of each allele, ascending and each once."""
    # a gene with several TSSs in reach is there for each of them
    repeated = np.stack([sites.allele, sites.gene], axis=1)
    pairs = np.unique(repeated, axis=0)
    # of pairs (0 7) (0 9) (2 8): allele 0 has genes 7 and 9, allele 1 none
    edges = np.searchsorted(pairs[:, 0], np.arange(alleles + 1))
    for begin, end in pairwise(edges.tolist()):
        yield pairs[begin:end, 1].tolist()


def _all_between(first: Pairs, last: Pairs) -> tuple[int, ...]:
    """Each bin from any first to its last, once: of 3 … 5 and 5 … 6, 3 4 5 6."""
    bins: set[int] = set()
    for begin, end in zip(first.tolist(), last.tolist(), strict=True):
        bins.update(range(begin, end + 1))
    return tuple(sorted(bins))


def _rows_by_contig(alleles: pa.Table) -> Iterator[tuple[str, Rows]]:
    """The rows of each contig that are scored, a few thousand at a time."""
    scored = np.flatnonzero(scored_rows(alleles))
    of_scored = alleles["chrom"].combine_chunks().take(pa.array(scored))
    chrom = of_scored.dictionary_encode()
    numbers = np.asarray(chrom.indices)
    for number, contig in enumerate(chrom.dictionary.to_pylist()):
        rows = scored[numbers == number]
        for first in range(0, rows.size, _CHUNK_ALLELES):
            end = first + _CHUNK_ALLELES
            yield contig, rows[first:end]


def _distance(gene: Gene, start: int) -> int:
    """From the gene's nearest TSS to a base, in the direction of transcription; of two as near, from the first."""
    nearest = min(gene.tss, key=lambda position: abs(start - position))
    along_contig_bp = start - nearest
    return along_contig_bp if gene.strand == "+" else -along_contig_bp

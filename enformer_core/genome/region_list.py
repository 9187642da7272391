"""Regions as they were given, one after another and none joined, and their bases by number.

Columns of numbers, so that a million regions are some megabytes. Knows the genome's letters, not what is done with
them. Positions are 0-based and half-open.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from jaxtyping import Int64, UInt8

from enformer_core.genome.alphabet import N_CODE
from enformer_core.genome.fasta import Genome
from enformer_core.genome.regions import PlacedRegion

Numbers = Int64[np.ndarray, " rows"]
"""One whole number for each row."""


@dataclass(frozen=True)
class Bases:
    """Some bases of a list of regions.

    Attributes:
        number: of each, counted from 0 over all regions.
        region: which region it is of.
        contig: index of its contig among those of the list.
        start: where it lies.
    """

    number: Numbers
    region: Numbers
    contig: Numbers
    start: Numbers

    def only(self, rows: Numbers) -> "Bases":
        """Those bases that are in these rows."""
        return Bases(
            number=self.number[rows],
            region=self.region[rows],
            contig=self.contig[rows],
            start=self.start[rows],
        )


@dataclass(frozen=True)
class RegionList:
    """Regions in the order in which they were given; they may overlap.

    Attributes:
        contigs: the genome's own names, each once.
        contig: index of each region's contig among those.
        start: first base of each.
        end: the one after its last.
        name: what people call each; never null.
    """

    contigs: tuple[str, ...]
    contig: Int64[np.ndarray, " regions"]
    start: Int64[np.ndarray, " regions"]
    end: Int64[np.ndarray, " regions"]
    name: pa.Array

    @staticmethod
    def of(regions: Iterable[PlacedRegion]) -> "RegionList":
        """The regions as columns; one without a name is called as people write it, `chr20:101-200`, from 1."""
        index_of: dict[str, int] = {}
        rows = []
        names = []
        for region in regions:
            next_index = len(index_of)
            index = index_of.setdefault(region.contig, next_index)
            rows.append((index, region.start, region.end))
            as_written = f"{region.contig}:{region.start + 1}-{region.end}"
            names.append(region.name or as_written)
        columns = np.array(rows, dtype=np.int64).reshape(-1, 3)  # of no regions too
        contig, start, end = columns.T
        return RegionList(
            contigs=tuple(index_of),
            contig=contig,
            start=start,
            end=end,
            name=pa.array(names, pa.string()),
        )

    @property
    def bases(self) -> int:
        """How many bases all regions have; what two share counts twice."""
        return int(self.bp.sum())

    @property
    def longest_bp(self) -> int:
        """How many bases the longest region has."""
        return int(self.bp.max(initial=0))

    @property
    def bp(self) -> Int64[np.ndarray, " regions"]:
        """How many bases each region has."""
        return self.end - self.start

    @cached_property
    def _ends(self) -> Int64[np.ndarray, " regions"]:
        # the number after each region's last: of regions of 3 and 2 bases 3 and 5
        return np.cumsum(self.bp)

    def find(self, number: Numbers) -> Bases:
        """Where bases lie: of regions [10, 13) and [40, 42) the numbers 2 and 3 are the bases at 12 and 40.

        Args:
            number: counted from 0 over all regions.
        """
        region = np.searchsorted(self._ends, number, side="right")
        # from the region's end backwards: number 3 is 2 before the 5 at which [40, 42) ends, and 42 - 2 is 40
        before_end = self._ends[region] - number
        return Bases(
            number=number,
            region=region,
            contig=self.contig[region],
            start=self.end[region] - before_end,
        )

    def blocks(self, rows: int) -> Iterator[Bases]:
        """All bases in order, so many at a time."""
        total = self.bases
        for first in range(0, total, rows):
            end = min(first + rows, total)
            yield self.find(np.arange(first, end))

    def codes(
        self,
        bases: Bases,
        genome: Genome,
        *,
        before: int = 0,
        behind: int = 0,
    ) -> UInt8[np.ndarray, "rows letters"]:
        """Codes of bases and of those around them, a row for each; N beyond a contig's ends.

        Args:
            bases: of this list.
            genome: that the regions are of.
            before: how many before each base are looked at too.
            behind: how many behind it.
        """
        around = np.arange(-before, behind + 1)
        shape = (bases.number.size, around.size)
        codes = np.full(shape, N_CODE, dtype=np.uint8)
        # contigs are large and mapped: each is opened once
        for index in np.unique(bases.contig).tolist():
            contig = genome.codes(self.contigs[index])
            rows = np.flatnonzero(bases.contig == index)
            # bases at 7 and 9 with one before and none behind: places 6 7 and 8 9
            places = bases.start[rows, None] + around
            is_inside = (places >= 0) & (places < contig.size)
            letters = contig[np.where(is_inside, places, 0)]
            codes[rows] = np.where(is_inside, letters, N_CODE)
        return codes

    def digest(self) -> tuple[str, int]:
        """The sha256 of all regions with their names, in order, and how many bytes it was taken of."""
        digest = hashlib.sha256()
        size_bytes = 0
        rows = zip(
            self.contig.tolist(),
            self.start.tolist(),
            self.end.tolist(),
            self.name.to_pylist(),
            strict=True,
        )
        for contig, start, end, name in rows:
            # no column of a BED file holds a tab or an end of line
            line = f"{self.contigs[contig]}\t{start}\t{end}\t{name}\n"
            encoded = line.encode()
            digest.update(encoded)
            size_bytes += len(encoded)
        return digest.hexdigest(), size_bytes

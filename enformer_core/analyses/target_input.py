"""Where targets come from: intervals of BED files and regions, genes, or variants in any format. Loads no torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Int64
from msgspec import UNSET, UnsetType

from enformer_core.analyses.contributions import PlannedTargets, TargetsIdentity
from enformer_core.analyses.targets import (
    Target,
    allele_targets,
    distinct,
    gene_targets,
    interval_target,
    target_table,
    unusable_table,
)
from enformer_core.analyses.variant_effects import (
    FilterIdentity,
    column_identity,
    filter_identity,
)
from enformer_core.analyses.variant_input import ShowProgress, VariantInput
from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.genome.genes import read_genes
from enformer_core.genome.regions import PlacedRegion, place_regions
from enformer_core.models.geometry import Geometry
from enformer_core.variants.input_files import InputDigest, InputFile, input_digests
from enformer_core.variants.shown_names import as_given
from enformer_core.words import agreeing, counted

Warn = Callable[[str], None]
"""Told what a user should know though it stops nothing."""


@dataclass(frozen=True)
class IntervalInput:
    """Intervals of BED files, or regions as people write them.

    Attributes:
        files: BED files.
        regions: such as `chr20:4,699,478-4,699,861`.
        genome: whose contigs they must be.
        geometry: the model's.
        warn: told of intervals that are given twice.
    """

    files: tuple[InputFile, ...]
    regions: tuple[str, ...]
    genome: Genome
    geometry: Geometry
    warn: Warn

    def identity(self) -> TargetsIdentity:
        """The files, and the regions by the bases that they come to."""
        named = self._named_places(warn=None)
        # files count by their digests, whatever intervals they hold
        places = [(place.contig, place.start, place.end) for place in named]
        return TargetsIdentity("intervals", _digests(self.files), places)

    def read(
        self,
        groups: Sequence[str],
        layers: int,
    ) -> PlannedTargets:
        """Every interval in its window, each once.

        Raises:
            InputError: for a file without intervals, or one that cannot be.
        """
        targets = [interval_target(place, self.geometry) for place in self._named_places(self.warn)]
        for file in self.files:
            # whoever named a pattern or an address is told of that, not of a file in a cache
            with as_given(file.path, file.given):
                targets += self._of_file(file)
        kept = distinct(targets)
        repeats = len(targets) - len(kept)
        if repeats:
            self.warn(f"{counted(repeats, 'intervals')} given before; each is attributed once")
        table = target_table(kept, self.genome.contigs, groups, layers)
        return PlannedTargets(table, records=len(targets))

    def _of_file(self, file: InputFile) -> list[Target]:
        path = str(file.path)
        places = list(place_regions(path, self.genome, option="target", warn=self._warn_of(file)))
        # an empty file is hardly meant
        if not places:
            raise InputError(f"{file.path}: no intervals in this BED file")
        return [interval_target(place, self.geometry) for place in places]

    def _warn_of(self, file: InputFile) -> Warn:
        """Tells it under the name that the user gave."""
        return lambda text: self.warn(text.replace(str(file.path), file.given))

    def _named_places(self, warn: Warn | None) -> list[PlacedRegion]:
        """The regions that the command line names, on the genome."""
        places: list[PlacedRegion] = []
        for region in self.regions:
            places += place_regions(region, self.genome, option="target", warn=warn)
        return places


@dataclass(frozen=True)
class GeneTargetsIdentity(TargetsIdentity):
    """Which genes: the settings by which they were chosen."""

    gene_types: tuple[str, ...] = ()
    gene_list: list[InputDigest] = field(default_factory=list)


@dataclass(frozen=True)
class GeneInput:
    """Genes, whose TSSs are attributed.

    Attributes:
        files: GTF, GFF3 or BED.
        gene_types: only genes of these types; all where there are none.
        gene_list: a file that names those that are wanted.
        genome: whose contigs they must be on.
        geometry: the model's.
        warn: told what a user should know of the files.
    """

    files: tuple[InputFile, ...]
    gene_types: tuple[str, ...]
    gene_list: InputFile | None
    genome: Genome
    geometry: Geometry
    warn: Warn

    def identity(self) -> GeneTargetsIdentity:
        """The files, and what chooses from them."""
        return GeneTargetsIdentity(
            kind="genes",
            input=input_digests(self.files),
            gene_types=self.gene_types,
            gene_list=[] if self.gene_list is None else input_digests([self.gene_list]),
        )

    def read(
        self,
        groups: Sequence[str],
        layers: int,
    ) -> PlannedTargets:
        """Every TSS in its window; those that share a bin are one."""
        targets = []
        records = 0
        for file in self.files:
            genes = read_genes(
                file.path,
                self.genome,
                gene_types=self.gene_types,
                gene_list=None if self.gene_list is None else self.gene_list.path,
                given=file.given,
                list_given=None if self.gene_list is None else self.gene_list.given,
            )
            # what was left out, of which the run says nothing more
            for line in genes.notes:
                self.warn(line)
            if genes.called_otherwise:
                self.warn(f"{file.given}: {genes.called_otherwise}")
            records += len(genes)
            targets += gene_targets(genes, self.geometry)
        # files may name one gene twice
        kept = distinct(targets)
        table = target_table(kept, self.genome.contigs, groups, layers)
        return PlannedTargets(table, records)


@dataclass(frozen=True)
class VariantTargetsIdentity(TargetsIdentity):
    """Which alleles: the settings by which they were read, as in a scoring run."""

    sites: list[InputDigest] | None = None
    allow_swapped: bool = False
    max_allele_bp: int = 0
    filters: FilterIdentity | None = None
    columns: dict[str, str] | UnsetType = UNSET


@dataclass(frozen=True)
class AlleleInput:
    """Variants, of which the sequence with either allele is attributed.

    Attributes:
        variants: which, and how they are read.
        geometry: the model's.
        progress: shows how far reading has come.
        warn: told what a user should know though it stops nothing.
    """

    variants: VariantInput
    geometry: Geometry
    progress: ShowProgress
    warn: Warn

    def identity(self) -> VariantTargetsIdentity:
        """The files and the settings by which they are read."""
        variants = self.variants
        return VariantTargetsIdentity(
            kind="variants",
            input=variants.digests(),
            sites=None if variants.sites is None else input_digests([variants.sites]),
            allow_swapped=variants.allow_swapped,
            max_allele_bp=variants.max_allele_bp,
            filters=filter_identity(variants.filters, variants.sample),
            columns=column_identity(variants.given),
        )

    def read(
        self,
        groups: Sequence[str],
        layers: int,
    ) -> PlannedTargets:
        """Every allele that can be read in its window, each once; the others say why not."""
        with self.variants.read(progress=self.progress, warn=self.warn) as read:
            # as one shard: what is cut here is targets, later
            in_one = max(read.alleles.alleles, 1)
            draft = read.alleles.draft(in_one, window_starts=_as_they_are)
            alleles = pa.concat_tables([_part(part) for part in draft.parts])
            targets, unusable = allele_targets(alleles, self.geometry)
            repeats = alleles.num_rows - unusable.num_rows - len(targets)
            if repeats:
                self.warn(
                    f"{counted(repeats, 'alleles')} {agreeing(repeats, 'repeats', 'repeat')} others; "
                    "each is attributed once"
                )
            kept = distinct(targets)
            contigs = self.variants.genome.contigs
            usable = target_table(kept, contigs, groups, layers)
            # last, since what has no place is on no contig
            without_place = unusable_table(unusable, groups, layers)
            table = pa.concat_tables([usable, without_place])
            return PlannedTargets(table, read.alleles.records, read.removed)


def _as_they_are(starts: Int64[np.ndarray, " alleles"]) -> Int64[np.ndarray, " alleles"]:
    """A plan gives alleles their windows; here only their order is wanted."""
    return starts


def _part(content: Path | bytes) -> pa.Table:
    # a small plan's parts are bytes, a large one's are files on scratch disk
    source = pa.BufferReader(content) if isinstance(content, bytes) else content
    return pq.read_table(source)


def _digests(files: Sequence[InputFile]) -> list[InputDigest]:
    # regions alone need no file
    return input_digests(files) if files else []

"""From settings to placed alleles in shards: what `score` and `plan` do alike. Does not know the model's weights."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from enformer_core.dataset.plan import Audit, default_shard_size
from enformer_core.dataset.plan_builder import Drafted, Gathered, gather
from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.models.geometry import Geometry
from enformer_core.scoring.conventions import (
    AUDITED_AT_LEAST,
    Conventions,
    parse_indel_rule,
    parse_statistics,
)
from enformer_core.scoring.rounding import default_mantissa_bits
from enformer_core.scoring.windows import window_start
from enformer_core.storage.cache import local_copy
from enformer_core.storage.open import matching_objects
from enformer_core.variants.assembly_check import check_assemblies
from enformer_core.variants.filters import Filters, filtered, regions_of, with_sample
from enformer_core.variants.harmonise import place_alleles
from enformer_core.variants.input_files import InputFile, expand_inputs
from enformer_core.variants.source import Source, open_sources
from jobs.job import located
from jobs.progress import Tally
from jobs.settings import VariantSettings


@dataclass(frozen=True)
class AskedAlleles:
    """Which alleles are to be scored, and how: everything named found, nothing of it read yet."""

    settings: VariantSettings
    geometry: Geometry
    genome: Genome
    conventions: Conventions
    inputs: tuple[InputFile, ...]
    sites: Path | None
    filters: Filters

    @property
    def max_allele_bp(self) -> int:
        """Longest REF or ALT scored: by default one that cannot push the other flank out of the predicted bins."""
        return self.settings.max_allele_bp or self.geometry.output_bp // 2

    @property
    def audit_fraction(self) -> float:
        """Part of the alleles that are scored again; none where that would repeat the same."""
        return 0.0 if self.settings.engine == "direct" else self.settings.audit_fraction

    @property
    def mantissa_bits(self) -> int:
        """How much of each score is stored."""
        bits = self.settings.mantissa_bits
        return (
            default_mantissa_bits(self.settings.engine, self.settings.precision)
            if bits is None
            else bits
        )

    def shard_size(self, alleles: int) -> int:
        """Alleles of a shard."""
        return self.settings.shard_size or default_shard_size(alleles)

    @contextmanager
    def gathered(self) -> Iterator[tuple[Gathered, Mapping[str, int]]]:
        """Read and place all alleles of the input that the filters leave, while the block lasts.

        Returns:
            The alleles, and how many records each filter took out.

        Raises:
            InputError: when there are none, or the input cannot be used.
        """
        sources = self._checked_sources()
        wanted = filtered(sources, self._sampled(sources), self.genome.contigs)
        with Tally("alleles") as tally, self._gather(wanted.batches, tally) as gathered:
            removed = {name: count for name, count in wanted.removed.items() if count}
            self._check_any(gathered, removed)
            yield gathered, removed

    def draft(self, gathered: Gathered, seed: str) -> Drafted:
        """Cut the alleles into shards; `seed` decides which are audited."""
        return gathered.draft(
            self.shard_size(gathered.alleles),
            window_starts=lambda starts: window_start(
                starts, self.conventions, self.geometry.bin_bp
            ),
            audit=Audit(self.audit_fraction, AUDITED_AT_LEAST, seed),
        )

    def _gather(self, batches: Iterable[pa.Table], tally: Tally) -> Gathered:
        return gather(
            batches,
            self.genome.contigs,
            place=lambda raw: place_alleles(
                raw,
                self.genome,
                max_allele_bp=self.max_allele_bp,
                allow_swapped=self.settings.allow_swapped,
                refuse_wrong_genome=False,
            ),
            report=tally.show,
        )

    def _checked_sources(self) -> Sequence[Source]:
        sources = open_sources(self.inputs, sites=self.sites)
        for check in check_assemblies(
            sources,
            self.genome,
            allow_swapped=self.settings.allow_swapped,
            allow_mismatch=self.settings.allow_mismatch,
        ):
            for note in check.notes():
                print(f"note: {note}", file=sys.stderr)
        return sources

    def _sampled(self, sources: Sequence[Source]) -> Filters:
        """The filters, with the sample drawn where one is asked for."""
        if self.settings.sample is None:
            return self.filters
        batches = (
            raw for source in sources for raw in source.batches(details=self.filters.needs_details)
        )
        return with_sample(self.filters, batches, self.genome.contigs, size=self.settings.sample)

    def _check_any(self, gathered: Gathered, removed: Mapping[str, int]) -> None:
        if not gathered.alleles:
            filters = f"; filters took out {removed}" if removed else ""
            raise InputError(
                f"{', '.join(file.given for file in self.inputs)}: no variants in the input{filters}"
            )
        if removed:
            counts = ", ".join(f"{count:,} by {name}" for name, count in removed.items())
            print(f"note: filters took out records: {counts}", file=sys.stderr)


def find_alleles(
    settings: VariantSettings, geometry: Geometry, conventions: Conventions, genome: Genome
) -> AskedAlleles:
    """Find what the settings name.

    Raises:
        InputError: naming what is missing or does not fit.
    """
    return AskedAlleles(
        settings=settings,
        geometry=geometry,
        genome=genome,
        conventions=conventions,
        inputs=tuple(file for name in settings.variants for file in _files_named(name)),
        sites=None if settings.sites is None else Path(located(settings.sites)),
        filters=Filters(
            regions=regions_of(settings.regions, genome) if settings.regions else None,
            min_maf=settings.min_maf,
            max_maf=settings.max_maf,
            only_pass=settings.only_pass,
            max_indel_bp=settings.max_indel_bp,
            seed=settings.sample_seed,
        ),
    )


def _files_named(name: str) -> list[InputFile]:
    """The files that a path, an address, a glob or a directory of Parquet stands for, on this node."""
    if not name.startswith("s3://"):
        return expand_inputs([Path(name)])
    return [
        InputFile(local_copy(found), found) for found in matching_objects(name, suffix=".parquet")
    ]


def conventions_of(settings: VariantSettings, geometry: Geometry) -> Conventions:
    """How alleles are to be scored; looks at no file.

    Raises:
        InputError: for what a model of this geometry cannot do.
    """
    centre_bin = geometry.bins // 2 - 1 if settings.centre_bin is None else settings.centre_bin
    conventions = Conventions(
        statistics=parse_statistics(settings.statistics),
        # the last base of the bin left of the window's middle, or the first base of the one to its right
        centre_index=geometry.window_bp // 2 + centre_bin - geometry.bins // 2,
        strands="forward" if settings.strands == "forward" else "both",
        shifts=settings.shifts,
        central_bins=settings.central_bins,
        centre_mask_bp=settings.centre_mask_bp,
        indel_rule=parse_indel_rule(settings.indel_rule),
        max_offset_bp=settings.max_offset_bp,
    )
    conventions.check(geometry)
    return conventions

"""From variants, read or made, to a drafted plan: what `score` and `plan` do alike, without a model."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.analyses.gene_run_type import GENE_IDS
from enformer_core.analyses.mutagenesis_input import (
    FILTERED_UNIT,
    NOT_PLACED,
    UNKNOWN_BASE,
    Mutagenesis,
    MutatedSources,
    in_words,
)
from enformer_core.analyses.unscored import UnscoredAllele, first_unscored, unscored_notes
from enformer_core.analyses.variant_notes import allele_notes, filter_notes
from enformer_core.dataset.plan_builder import DraftPlan, PlacedAlleles, Report, gather
from enformer_core.dataset.sharding import ALLELES_LEAST, default_shard_size
from enformer_core.errors import InputError, first_few
from enformer_core.genome.fasta import Genome
from enformer_core.scoring.conventions import Conventions
from enformer_core.scoring.gene_bins import GeneReach
from enformer_core.scoring.windows import window_start
from enformer_core.variants.assembly_check import check_assemblies
from enformer_core.variants.audit_sample import AuditSample
from enformer_core.variants.columns_taken import ColumnsTaken, columns_taken, doubts
from enformer_core.variants.filters import MAF, Filters, filtered, with_sample
from enformer_core.variants.formats.given import GivenColumns
from enformer_core.variants.formats.reader import kept_role
from enformer_core.variants.harmonise import harmonise_alleles
from enformer_core.variants.input_files import InputDigest, InputFile, input_digests
from enformer_core.variants.kept_columns import are_lost, are_numbers, with_numbers
from enformer_core.variants.named_assemblies import of_one_assembly
from enformer_core.variants.readability import readable_batches
from enformer_core.variants.shown_names import shown_name
from enformer_core.variants.source import Source, open_sources
from enformer_core.variants.table import Flag, has_flag
from enformer_core.words import agreeing, counted

ShowProgress = Callable[[], AbstractContextManager[Report]]
"""Begins to show progress; what it gives is told how many alleles are through which step."""


@dataclass(frozen=True)
class ReadAlleles:
    """All alleles of an input, and what is known of their reading.

    Attributes:
        alleles: placed and counted.
        removed: records that each filter took out.
        columns: which columns of the files were taken for what.
        gene_rows: pairs of an allele and a gene in reach.
        numbers: kept columns of which every value is a number.
    """

    alleles: PlacedAlleles
    removed: Mapping[str, int]
    columns: tuple[ColumnsTaken, ...]
    gene_rows: int = 0
    numbers: tuple[str, ...] = ()


@dataclass(frozen=True)
class VariantInput:
    """Which alleles are to be scored: everything named found, nothing of it read yet.

    Attributes:
        files: the variants; with mutagenesis, those around which is mutated.
        sites: a table of rsIDs with places and alleles, for lists of rsIDs.
        given: columns that the user named.
        filters: which records are wanted.
        sample: how many of them are drawn by chance; None for all.
        genome: whose alleles they must be.
        max_allele_bp: longest REF or ALT that is scored.
        allow_swapped: go on where the genome has ALT in the place of REF.
        allow_mismatch: go on though few of a sample fit the genome.
        shard_size: alleles of a shard; None for a size that follows from their number.
        allow_malformed: go on though few records of a file can be read.
        mutagenesis: every change of some bases, in the place of the variants.
        least_shard: alleles of a shard at least, where their number decides.
        reach: which genes an allele has, for a column of the plan; None where nobody asks for genes.
        keep: columns of the files, and keys of their INFO, that are kept in `scores`.
    """

    files: tuple[InputFile, ...]
    sites: Path | InputFile | None
    given: GivenColumns
    filters: Filters
    sample: int | None
    genome: Genome
    max_allele_bp: int
    allow_swapped: bool
    allow_mismatch: bool
    shard_size: int | None
    allow_malformed: bool = False
    mutagenesis: Mutagenesis | None = None
    least_shard: int = ALLELES_LEAST
    reach: GeneReach | None = None
    keep: tuple[str, ...] = ()

    @property
    def filtered_unit(self) -> str:
        """What filters take out, in the plural."""
        return "records" if self.mutagenesis is None else FILTERED_UNIT

    def shard_rows(self, alleles: int) -> int:
        """Alleles of a shard, give or take."""
        # several a shard at least: neighbours may share a window
        return self.shard_size or default_shard_size(alleles, least=self.least_shard)

    def digests(self) -> list[InputDigest]:
        """What the alleles follow from, for a run's identity: files are read through."""
        # with mutagenesis the files say only where: a rule makes the changes
        of_files = input_digests(self.files)
        return of_files if self.mutagenesis is None else self.mutagenesis.digests(of_files)

    @contextmanager
    def read(
        self,
        *,
        progress: ShowProgress,
        warn: Callable[[str], None],
    ) -> Iterator[ReadAlleles]:
        """Read and harmonise all alleles of the input that the filters leave, while the block lasts.

        Args:
            progress: shows how far reading and planning have come, while they last.
            warn: told what a user should know though it stops nothing.

        Yields:
            The alleles, and what is known of their reading.

        Raises:
            InputError: when there are none, or the input cannot be used.
        """
        # the genome is held against a sample before hours are spent on the rest
        given = self._checked_sources(warn)
        made = self._made(given, warn)
        sources = given if made is None else made.sources
        wanted = filtered(
            sources,
            self._with_sample(sources),
            self.genome.contigs,
            read=lambda source: self._readable(source, warn),
        )
        placing = _Placing(self)
        with (
            progress() as report,
            gather(wanted.batches, self.genome.contigs, place=placing, report=report) as alleles,
        ):
            # filters count while batches pass: their numbers stand only now
            by_filter = {name: count for name, count in wanted.removed.items() if count}
            left_out = {} if made is None else made.left_out()
            removed = left_out | by_filter
            self._check_any(alleles, sources, removed)
            # genes of another assembly, or of other contigs, would make a run without a row of them
            if self.reach is not None and not sum(placing.gene_rows):
                raise InputError(_no_gene_in_reach(self.reach, alleles.alleles))
            taken = tuple(columns_taken(given))
            notes = [
                *in_words(left_out),
                *allele_notes(alleles, placing.disagreeing, taken),
                *filter_notes(by_filter, self.filtered_unit),
                *unscored_notes(alleles.by_status, placing.unscored),
                *placing.notes_of_kept(),
            ]
            # before the plan is made: whoever reads them may stop here
            for note in notes:
                warn(note)
            yield ReadAlleles(alleles, removed, taken, sum(placing.gene_rows), placing.numbers())

    def draft(
        self,
        alleles: PlacedAlleles,
        conventions: Conventions,
        *,
        audit: AuditSample,
        numbers: Sequence[str] = (),
    ) -> DraftPlan:
        """Cut the alleles into shards.

        Args:
            alleles: as read.
            conventions: where each allele's window lies.
            audit: which alleles are scored a second time.
            numbers: kept columns that are planned as numbers.
        """
        # windows are given to sorted alleles, since neighbours may share one
        return alleles.draft(
            self.shard_rows(alleles.alleles),
            window_starts=lambda starts: window_start(starts, conventions),
            audit=audit,
            finish=partial(with_numbers, names=numbers),
        )

    def _readable(
        self,
        source: Source,
        warn: Callable[[str], None],
    ) -> Iterator[pa.Table]:
        # details cost time, and filters alone ask for them
        return readable_batches(
            source,
            source.batches(details=self.filters.needs_details),
            allow_malformed=self.allow_malformed,
            warn=warn,
        )

    def _made(
        self,
        given: Sequence[Source],
        warn: Callable[[str], None],
    ) -> MutatedSources | None:
        """Every change of the bases that are to be mutated, those around records of files too."""
        if self.mutagenesis is None:
            return None
        # one target for each file, so that its changes are told from those of others
        around = []
        not_placed = 0
        for source in given:
            placed = map(self.harmonised, self._readable(source, warn))
            target, left_out = self.mutagenesis.around(source.name, placed, self.genome.contigs)
            around.append(target)
            not_placed += left_out
        return self.mutagenesis.sources(around, self.genome, not_placed=not_placed)

    def harmonised(self, raw: pa.Table) -> pa.Table:
        """A batch of alleles as read, found in the genome."""
        return harmonise_alleles(
            raw,
            self.genome,
            max_allele_bp=self.max_allele_bp,
            allow_swapped=self.allow_swapped,
        )

    def _checked_sources(
        self,
        warn: Callable[[str], None],
    ) -> Sequence[Source]:
        opened = open_sources(self.files, sites=self.sites, columns=self.given, keep=self.keep)
        sources = [of_one_assembly(source, self.genome) for source in opened]
        checks = check_assemblies(
            sources,
            self.genome,
            allow_swapped=self.allow_swapped,
            allow_mismatch=self.allow_mismatch,
        )
        # what is said of one file stands together
        for source, check in zip(sources, checks, strict=True):
            for note in (*check.notes(), *doubts(source, check)):
                warn(note)
        return sources

    def _with_sample(self, sources: Sequence[Source]) -> Filters:
        """The filters, with the sample drawn where one is wanted: this reads the input once more."""
        # what is drawn hangs on all records, whatever shards or threads they come to
        if self.sample is None:
            return self.filters
        return with_sample(
            self.filters, self._raw_batches(sources), self.genome.contigs, size=self.sample
        )

    def _raw_batches(
        self,
        sources: Sequence[Source],
    ) -> Iterable[pa.Table]:
        for source in sources:
            yield from source.batches(details=self.filters.needs_details)

    def _check_any(
        self,
        alleles: PlacedAlleles,
        sources: Sequence[Source],
        removed: Mapping[str, int],
    ) -> None:
        if alleles.alleles:
            return
        # regions are asked for by name, files by what is in them: each has its own words
        if self.mutagenesis is not None:
            named = first_few([source.name for source in sources])
            by_filter = {
                name: count
                for name, count in removed.items()
                if name not in (NOT_PLACED, UNKNOWN_BASE)
            }
            notes = [*in_words(removed), *filter_notes(by_filter, FILTERED_UNIT)]
            why = "; ".join(notes)
            raise InputError(f"{named}: there is nothing to mutate: {why}")
        named = ", ".join(shown_name(file.given) for file in self.files)
        if not removed:
            raise InputError(f"{named}: no variants in the input")
        said = [*filter_notes(removed, self.filtered_unit)]
        if MAF in removed and not self._any_frequency(sources):
            said.append(
                "no record has a frequency (AF, MAF, or AC and AN), without which none is kept"
            )
        raise InputError(f"{named}: no variants are left: {'; '.join(said)}")

    def _any_frequency(self, sources: Sequence[Source]) -> bool:
        """Whether a record says how frequent it is: reads the input once more, up to the first that does."""
        return any(
            batch["frequency"].null_count < batch.num_rows for batch in self._raw_batches(sources)
        )


@dataclass(frozen=True)
class _Placing:
    """Harmonises batches, in any thread.

    Attributes:
        variants: by whose rules.
        disagreeing: of each batch that has some, the alleles whose identifier names something else.
        gene_rows: of each batch, the pairs of an allele and a gene in reach.
        unscored: of each batch, the first allele of each status that is not scored.
        filled: of each batch, the kept columns that have a value.
        texts: of each batch, those that have one that is no number.
        lost: of each batch, those of which a number is too small for float64, once for each.
    """

    variants: VariantInput
    disagreeing: list[int] = field(default_factory=list)
    gene_rows: list[int] = field(default_factory=list)
    unscored: list[UnscoredAllele] = field(default_factory=list)
    filled: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def numbers(self) -> tuple[str, ...]:
        """Kept columns of which every value is a number, and some value is there."""
        are_text = set(self.texts)
        return tuple(
            name for name in self.variants.keep if name in set(self.filled) and name not in are_text
        )

    def notes_of_kept(self) -> list[str]:
        """What is said of kept columns in which nothing stands, or numbers do that no column of numbers can hold."""
        said = [
            f"--keep-columns {name}: no record has a value there"
            for name in self.variants.keep
            if name not in set(self.filled)
        ]
        lost = Counter(self.lost)
        said += [
            f"--keep-columns {name}: {counted(lost[name], 'values')} too small for a number of 64 bits "
            f"{agreeing(lost[name], 'is', 'are')} kept as 0; a column of -log10 P keeps such sizes"
            for name in self.numbers()
            if lost[name]
        ]
        return said

    def __call__(self, raw: pa.Table) -> pa.Table:
        placed = self.variants.harmonised(raw)
        # `append` and `extend` are safe in any thread, which `+=` of a number is not
        self.unscored.extend(first_unscored(placed))
        disagreeing = pc.sum(has_flag(placed, Flag.ID_DISAGREES)).as_py()
        if disagreeing:
            self.disagreeing.append(disagreeing)
        for name in self.variants.keep:
            column = placed[kept_role(name)]
            if column.null_count < len(column):
                self.filled.append(name)
            if not are_numbers(column):
                self.texts.append(name)
            self.lost.extend([name] * are_lost(column))
        reach = self.variants.reach
        if reach is not None:
            gene_ids = reach.gene_ids(placed)
            placed = placed.append_column(GENE_IDS, gene_ids)
            self.gene_rows.append(len(gene_ids.flatten()))
        return placed


def _no_gene_in_reach(reach: GeneReach, alleles: int) -> str:
    output_bp = reach.conventions.geometry.output_bp
    genes = len(reach.genes)
    none = agreeing(genes, "the one gene is not", f"none of {genes:,} genes is")
    return (
        f"{reach.genes.file}: {none} in reach of any of {counted(alleles, 'alleles')}: no TSS lies in the "
        f"{output_bp:,} bp that are predicted around them. Give other genes, or leave out --genes."
    )

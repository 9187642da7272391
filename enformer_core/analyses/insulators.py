"""Insulators: whether attention stops at boundaries of domains, against places that are like them.

torch is imported by workers only.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.analyses.insulator_computation import InsulatorsLoader, pixels_of
from enformer_core.analyses.insulator_plan import (
    Boundaries,
    planned_places,
    read_boundaries,
)
from enformer_core.analyses.insulator_run_type import ATTENTION_MAPS, UNMATCHED, InsulatorsType
from enformer_core.analyses.table_analysis import TableAnalysis, TableDraft, TableIdentity
from enformer_core.dataset.receipts import Manifest
from enformer_core.errors import InputError, first_few
from enformer_core.genome.fasta import Genome
from enformer_core.genome.genes import Genes, read_genes
from enformer_core.genome.regions import place_regions
from enformer_core.insulators.controls import Matching
from enformer_core.scoring.conventions import Strands
from enformer_core.variants.input_files import InputDigest, InputFile, input_digests
from enformer_core.variants.shown_names import as_given
from enformer_core.words import agreeing, counted

# the others' reasons are in the table
_SHOWN_UNMATCHED = 3


@dataclass(frozen=True)
class NamedGenes:
    """Genes to whose TSSs distances are measured, not read yet.

    Attributes:
        file: with the genes.
        types: only genes of these types; all where there are none.
    """

    file: InputFile
    types: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class InsulatorsIdentity(TableIdentity):
    """Everything that decides the values of a run of insulators."""

    layers: int
    pixels: int
    boundary_tokens: int
    boundaries: list[InputDigest]
    genes: list[InputDigest]
    gene_types: tuple[str, ...]
    matching: Matching


@dataclass(frozen=True, kw_only=True)
class Insulators(TableAnalysis):
    """A run of insulators as it was asked for.

    Attributes:
        layers: of the model that attend.
        genome: on the driver's node.
        boundaries: the BED file.
        genes: to whose TSSs controls are as far; None where distances do not count.
        matching: how alike controls are, and how many.
        strands: which are averaged.
        boundary_tokens: how wide a boundary is.
        warn: told what a user should know of the files.
    """

    run_type = InsulatorsType()

    # each takes half a minute and more on a CPU
    most_rows = 16

    layers: int
    genome: Genome
    boundaries: InputFile
    genes: NamedGenes | None
    matching: Matching
    strands: Strands
    boundary_tokens: int
    warn: Callable[[str], None]

    @property
    def loader(self) -> InsulatorsLoader:
        """What workers are sent: names and settings."""
        return InsulatorsLoader(self.inputs, self.geometry, self.strands, self.boundary_tokens)

    def drafted(self) -> TableDraft:
        """Read boundaries and genes, and draw controls among the places that are like the boundaries."""
        given = self.boundaries.given
        with as_given(self.boundaries.path, given):
            boundaries = self._read_boundaries()
        if boundaries.repeats:
            lie = agreeing(
                boundaries.repeats,
                "lies where others do, and counts",
                "lie where others do, and count",
            )
            self.warn(f"{given}: {counted(boundaries.repeats, 'boundaries')} {lie} once")
        genes = self._read_genes()
        if genes is not None:
            self._note_without_genes(genes, boundaries)
        table = planned_places(boundaries, self.genome, genes, self.matching, self.layers)
        # they are planned all the same, so that their rows say why they have no values
        unmatched = table.filter(pc.equal(table["status"], UNMATCHED))
        if unmatched.num_rows:
            self.warn(f"{given}: {_of_unmatched(unmatched, boundaries.count)}")
        return TableDraft(
            table,
            self.shard_rows(table.num_rows),
            # a place is no record of the file: controls are places too
            records=boundaries.count + boundaries.repeats,
        )

    def _note_without_genes(self, genes: Genes, boundaries: Boundaries) -> None:
        """Say which contigs have boundaries and no gene: of an odd contig it is a fact, of all a wrong file."""
        without = [
            contig for contig in boundaries.positions if not genes.tss_sites(contig).positions.size
        ]
        if without:
            count = sum(len(boundaries.names[contig]) for contig in without)
            self.warn(
                f"{genes.file}: no gene on {first_few(without)}, where {counted(count, 'boundaries')} "
                f"{agreeing(count, 'has', 'have')} no control by distance to genes"
            )

    def _read_boundaries(self) -> Boundaries:
        path = str(self.boundaries.path)
        # a list, since a file without an interval is refused
        given = self.boundaries.given
        regions = list(
            place_regions(
                path,
                self.genome,
                option="boundaries",
                warn=lambda text: self.warn(text.replace(path, given)),
            )
        )
        if not regions:
            raise InputError(f"{path}: no boundaries in this BED file")
        return read_boundaries(regions, self.geometry)

    def _read_genes(self) -> Genes | None:
        if self.genes is None:
            return None
        file = self.genes.file
        genes = read_genes(file.path, self.genome, gene_types=self.genes.types, given=file.given)
        for text in genes.notes:
            self.warn(text)
        return genes

    def identity(self, contigs: Iterable[str], rows: int) -> InsulatorsIdentity:
        """Everything that decides the values of this run."""
        # without genes distances do not count, and no types of genes either
        genes = self.genes
        return InsulatorsIdentity(
            **self.shared_identity(contigs, rows),
            strands=self.strands,
            layers=self.layers,
            pixels=pixels_of(self.geometry),
            boundary_tokens=self.boundary_tokens,
            boundaries=input_digests([self.boundaries]),
            genes=[] if genes is None else input_digests([genes.file]),
            gene_types=() if genes is None else genes.types,
            matching=self.matching,
        )

    def report(self, manifest: Manifest) -> Sequence[str]:
        """How many places there are, each with its map."""
        return [f"{counted(manifest.table_rows[ATTENTION_MAPS.name], 'places')} with a map of each"]

    # a place fails as a whole, in every layer
    query_of_unscored = (
        "SELECT DISTINCT place, kind, status, reason FROM insulation WHERE status <> 'ok' LIMIT 10"
    )

    def example_query(self) -> str:
        """The boundaries across which attention is least, of the mean over layers."""
        return (
            # `at` is a word of DuckDB's own
            'FROM insulation SELECT place, chrom, position, across, "at" '
            "WHERE kind = 'boundary' AND layer IS NULL ORDER BY across LIMIT 10"
        )


def _of_unmatched(unmatched: pa.Table, boundaries: int) -> str:
    """How many boundaries have no control, and of the first of them why."""
    count = unmatched.num_rows
    have = agreeing(count, "has no control, and is", "have no control, and are")
    first = unmatched.select(["place", "reason"]).slice(0, _SHOWN_UNMATCHED).to_pylist()
    reasons = "; ".join(f"{row['place']}: {row['reason']}" for row in first)
    more = count - len(first)
    others = f"; and {more:,} more" if more else ""
    return f"{count:,} of {counted(boundaries, 'boundaries')} {have} not read. {reasons}{others}"

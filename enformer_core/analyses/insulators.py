"""Insulators: whether attention stops at boundaries of domains, against places that are like them.

torch is imported by workers only.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.analyses.base import Analysis, DraftInput
from enformer_core.analyses.insulator_computation import InsulatorsLoader, pixels_of
from enformer_core.analyses.insulator_plan import (
    Boundaries,
    planned_places,
    read_boundaries,
)
from enformer_core.analyses.insulator_run_type import ATTENTION_MAPS, UNMATCHED, InsulatorsType
from enformer_core.analyses.model_inputs import ModelInputs
from enformer_core.dataset.plan_builder import DraftPlan, draft_tiles
from enformer_core.dataset.receipts import Manifest
from enformer_core.dataset.run import Identity
from enformer_core.dataset.sharding import default_shard_size
from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.genome.genes import Genes, read_genes
from enformer_core.genome.regions import place_regions
from enformer_core.insulators.controls import Matching
from enformer_core.models.geometry import Geometry
from enformer_core.scoring.conventions import Strands
from enformer_core.variants.input_files import InputDigest, InputFile, input_digests
from enformer_core.variants.shown_names import as_given

_MOST_PLACES = 16  # of a shard: each takes half a minute and more on a CPU


@dataclass(frozen=True)
class NamedGenes:
    """Genes by name.

    Attributes:
        file: which.
        types: only genes of these types; all where there are none.
    """

    file: InputFile
    types: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class InsulatorsIdentity(Identity):
    """Everything that decides the values of a run of insulators."""

    geometry: Geometry
    strands: Strands
    layers: int
    pixels: int
    boundary_tokens: int
    boundaries: list[InputDigest]
    genes: list[InputDigest]
    gene_types: tuple[str, ...]
    matching: Matching


@dataclass(frozen=True)
class Insulators(Analysis):
    """A run of insulators as it was asked for.

    Attributes:
        inputs: model and genome.
        geometry: the model's.
        layers: of the model that attend.
        genome: on the driver's node.
        boundaries: the BED file.
        genes: to whose TSSs controls are as far; None where distances do not count.
        matching: how alike controls are, and how many.
        strands: which are averaged.
        boundary_tokens: how wide a boundary is.
        shard_size: places of a shard; None for a size that follows from their number.
        warn: told what a user should know of the files.
    """

    run_type = InsulatorsType()

    inputs: ModelInputs
    geometry: Geometry
    layers: int
    genome: Genome
    boundaries: InputFile
    genes: NamedGenes | None
    matching: Matching
    strands: Strands
    boundary_tokens: int
    shard_size: int | None
    warn: Callable[[str], None]

    @property
    def loader(self) -> InsulatorsLoader:
        """What workers are sent: names and settings."""
        return InsulatorsLoader(self.inputs, self.geometry, self.strands, self.boundary_tokens)

    @contextmanager
    def read_input(self) -> Iterator[DraftInput]:
        """Read boundaries and genes, and draw controls."""
        self.inputs.check_weights()
        given = self.boundaries.given
        with as_given(self.boundaries.path, given):
            boundaries = self._read_boundaries()
        if boundaries.repeats:
            self.warn(
                f"{given}: {boundaries.repeats:,} boundaries lie where others do, and count once"
            )
        table = planned_places(
            boundaries, self.genome, self._read_genes(), self.matching, self.layers
        )
        unmatched = pc.sum(pc.equal(table["status"], UNMATCHED)).as_py()
        if unmatched:
            self.warn(
                f"{given}: {unmatched:,} of {boundaries.count:,} boundaries have no control, and are not read"
            )
        records = boundaries.count + boundaries.repeats
        yield _PlaceDraft(table, self.shard_rows(table.num_rows), records)

    def _read_boundaries(self) -> Boundaries:
        path = str(self.boundaries.path)
        regions = list(place_regions(path, self.genome, option="boundaries"))
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

    def shard_rows(self, places: int) -> int:
        """Places of a shard, by default from their number."""
        return self.shard_size or default_shard_size(places, least=1, most=_MOST_PLACES)

    def identity(self, contigs: Iterable[str], rows: int) -> InsulatorsIdentity:
        """Everything that decides the values."""
        genes = self.genes
        return InsulatorsIdentity(
            kind=self.run_type.name,
            model=self.inputs.model_identity,
            tracks=self.inputs.tracks_identity,
            reference=self.inputs.reference_identity(contigs),
            shard_size=self.shard_rows(rows),
            geometry=self.geometry,
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
        """How many maps there are."""
        return [f"{manifest.table_rows[ATTENTION_MAPS.name]:,} places with their maps"]

    query_of_unscored = (
        "SELECT DISTINCT place, kind, status, reason FROM insulation WHERE status <> 'ok' LIMIT 10"
    )

    def example_query(self) -> str:
        """The boundaries that insulate most."""
        return (
            "FROM insulation SELECT place, chrom, position, across, at "
            "WHERE kind = 'boundary' AND layer IS NULL ORDER BY across LIMIT 10"
        )


@dataclass(frozen=True)
class _PlaceDraft:
    """Places in their order, ready to be planned."""

    table: pa.Table
    shard_rows: int
    records: int | None
    filtered: Mapping[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return self.table.num_rows

    @property
    def contigs(self) -> Sequence[str]:
        return self.table["chrom"].unique().to_pylist()

    def draft(self, seed: str) -> DraftPlan:
        del seed  # the user's own decides what is drawn by chance
        return draft_tiles(self.table, self.shard_rows)

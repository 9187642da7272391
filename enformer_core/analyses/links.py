"""What a model says of genes and elements near them: gradients, attention, and what it does to change an element.

torch is imported by workers only.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from enformer_core.analyses.base import Analysis, DraftInput
from enformer_core.analyses.contributions import GroupIdentity, group_identity
from enformer_core.analyses.link_computation import LinksLoader
from enformer_core.analyses.link_plan import planned_pairs
from enformer_core.analyses.link_run_type import LINKS, LinksType
from enformer_core.analyses.link_spec import LinkSpec
from enformer_core.analyses.model_inputs import ModelInputs, located
from enformer_core.dataset.plan_builder import DraftPlan, draft_tiles
from enformer_core.dataset.receipts import Manifest
from enformer_core.dataset.run import Identity
from enformer_core.dataset.sharding import default_shard_size
from enformer_core.genome.fasta import Genome
from enformer_core.links.contact import PowerLaw
from enformer_core.links.files import LinkFiles
from enformer_core.links.linking import Linking
from enformer_core.models.geometry import Geometry
from enformer_core.scoring.conventions import Strands
from enformer_core.variants.input_files import InputDigest, InputFile, input_digests

_MOST_PAIRS = 32  # of a shard: each takes a minute and more on a CPU


@dataclass(frozen=True)
class PairsIdentity:
    """Which pairs: the files, and the settings by which genes, activities and sums were chosen."""

    genes: list[InputDigest]
    candidates: list[InputDigest]
    gene_types: tuple[str, ...]
    tss: str
    expressed_only: bool
    activity_columns: tuple[str, ...]
    window_bp: int
    law: PowerLaw


@dataclass(frozen=True, kw_only=True)
class LinksIdentity(Identity):
    """Everything that decides the values of a run of links."""

    geometry: Geometry
    strands: Strands
    groups: list[GroupIdentity]
    scores: tuple[str, ...]
    shuffles: int
    seed: int
    pairs: PairsIdentity


@dataclass(frozen=True)
class Links(Analysis):
    """A run of links as it was asked for.

    Attributes:
        inputs: model, tracks (those of all groups) and genome.
        geometry: the model's.
        genome: on the driver's node.
        files: genes and candidates.
        linking: how far the sums of ABC scores reach, and by which law.
        spec: what is computed of each pair.
        shard_size: pairs of a shard; None for a size that follows from their number.
        warn: told what a user should know of the files.
    """

    run_type = LinksType()

    inputs: ModelInputs
    geometry: Geometry
    genome: Genome
    files: LinkFiles
    linking: Linking
    spec: LinkSpec
    shard_size: int | None
    warn: Callable[[str], None]

    @property
    def loader(self) -> LinksLoader:
        """What workers are sent: names and settings."""
        return LinksLoader(self.inputs, self.geometry, self.spec)

    @contextmanager
    def read_input(self) -> Iterator[DraftInput]:
        """Read genes and candidates, and put each pair in its window."""
        self.inputs.check_weights()
        files = self.files.read()
        for text in files.notes:
            self.warn(text)
        table = planned_pairs(
            files,
            replace(self.linking, with_abc=files.has_activities),
            self.geometry,
            self.genome.contigs,
            [group.name for group in self.spec.groups],
        )
        yield _PairDraft(table, self.shard_rows(table.num_rows))

    def shard_rows(self, pairs: int) -> int:
        """Pairs of a shard, by default from their number."""
        return self.shard_size or default_shard_size(pairs, least=1, most=_MOST_PAIRS)

    def identity(self, contigs: Iterable[str], rows: int) -> LinksIdentity:
        """Everything that decides the values."""
        spec = self.spec
        return LinksIdentity(
            kind=self.run_type.name,
            model=self.inputs.model_identity,
            tracks=self.inputs.tracks_identity,
            reference=self.inputs.reference_identity(contigs),
            shard_size=self.shard_rows(rows),
            geometry=self.geometry,
            strands=spec.strands,
            groups=[group_identity(group) for group in spec.groups],
            scores=spec.scores,
            shuffles=spec.shuffles,
            seed=spec.seed,
            pairs=self._pairs_identity(),
        )

    def _pairs_identity(self) -> PairsIdentity:
        files = self.files
        return PairsIdentity(
            genes=_digests(files.genes),
            candidates=_digests(files.candidates),
            gene_types=files.gene_types,
            tss=files.tss,
            expressed_only=files.expressed_only,
            activity_columns=files.activity_columns,
            window_bp=self.linking.window_bp,
            law=self.linking.law,
        )

    def report(self, manifest: Manifest) -> Sequence[str]:
        """How many rows of links there are."""
        return [f"{manifest.table_rows[LINKS.name]:,} rows of links"]

    query_of_unscored = (
        "SELECT DISTINCT gene, status, reason FROM links WHERE status <> 'ok' LIMIT 10"
    )

    def example_query(self) -> str:
        """The strongest element of each gene by the first score."""
        score = self.spec.columns[0]
        return (
            f'FROM links SELECT gene, "group", chrom, start, "end", distance, {score} '
            f"ORDER BY abs({score}) DESC LIMIT 10"
        )


def _digests(name: str) -> list[InputDigest]:
    return input_digests([InputFile(Path(located(name)), name)])


@dataclass(frozen=True)
class _PairDraft:
    """Pairs in their windows, ready to be planned."""

    table: pa.Table
    shard_rows: int
    records: int | None = None
    filtered: Mapping[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return self.table.num_rows

    @property
    def contigs(self) -> Sequence[str]:
        return self.table["chrom"].unique().to_pylist()

    def draft(self, seed: str) -> DraftPlan:
        del seed  # the user's own decides what is drawn by chance
        # pairs of one window share its gradients
        return draft_tiles(self.table, self.shard_rows, together=("chrom", "window_start"))

"""What a model says of genes and elements near them: gradients, attention, and what it does to change an element.

torch is imported by workers only.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from enformer_core.analyses.contributions import GroupIdentity, group_identity
from enformer_core.analyses.link_computation import LinksLoader
from enformer_core.analyses.link_plan import planned_pairs
from enformer_core.analyses.link_run_type import LINKS, LinksType
from enformer_core.analyses.link_spec import LinkSpec
from enformer_core.analyses.model_inputs import located
from enformer_core.analyses.table_analysis import TableAnalysis, TableDraft, TableIdentity
from enformer_core.dataset.receipts import Manifest
from enformer_core.genome.fasta import Genome
from enformer_core.links.contact import PowerLaw
from enformer_core.links.files import LinkFiles
from enformer_core.links.linking import Linking
from enformer_core.variants.input_files import InputDigest, InputFile, input_digests
from enformer_core.words import counted


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
class LinksIdentity(TableIdentity):
    """Everything that decides the values of a run of links."""

    groups: list[GroupIdentity]
    scores: tuple[str, ...]
    shuffles: int
    seed: int
    pairs: PairsIdentity


@dataclass(frozen=True, kw_only=True)
class Links(TableAnalysis):
    """A run of links as it was asked for; its tracks are those of all groups.

    Attributes:
        genome: on the driver's node.
        files: genes and candidates.
        linking: how far the sums of ABC scores reach, and by which law.
        spec: what is computed of each pair.
        warn: told what a user should know of the files.
    """

    run_type = LinksType()

    # each takes a minute and more on a CPU
    most_rows = 32

    genome: Genome
    files: LinkFiles
    linking: Linking
    spec: LinkSpec
    warn: Callable[[str], None]

    @property
    def loader(self) -> LinksLoader:
        """What workers are sent: names and settings."""
        return LinksLoader(self.inputs, self.geometry, self.spec)

    def drafted(self) -> TableDraft:
        """Read genes and candidates, and put each pair in its window."""
        files = self.files.read()
        for text in files.notes:
            self.warn(text)
        # only the files show whether there are activities, of which ABC scores are made
        linking = replace(self.linking, with_abc=files.has_activities)
        table = planned_pairs(
            files,
            linking,
            self.geometry,
            self.genome.contigs,
            [group.name for group in self.spec.groups],
        )
        return TableDraft(
            table,
            self.shard_rows(table.num_rows),
            # pairs of one window share its gradients, and the prediction that changes are held against
            together=("chrom", "window_start"),
            # who asks for a size has it
            together_rows=None if self.shard_size else self.most_rows + self.most_rows // 2,
        )

    def identity(self, contigs: Iterable[str], rows: int) -> LinksIdentity:
        """Everything that decides the values of this run."""
        spec = self.spec
        return LinksIdentity(
            **self.shared_identity(contigs, rows),
            strands=spec.strands,
            groups=[group_identity(group) for group in spec.groups],
            scores=spec.scores,
            shuffles=spec.shuffles,
            seed=spec.seed,
            pairs=self._pairs_identity(),
        )

    def _pairs_identity(self) -> PairsIdentity:
        # activities and expression count by the columns that are asked for: what these hold is in the digests
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
        return [f"{counted(manifest.table_rows[LINKS.name], 'rows')} of links"]

    # a pair fails as a whole, in every group
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

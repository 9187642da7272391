"""Effects of variants on genes: a scoring run with a second value table, a row for each allele and gene in reach.

A kind of run of its own, since its shards have a table more; everything else is that of `variant_effects`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from enformer_core.analyses.allele_scoring import AlleleScoring
from enformer_core.analyses.base import WorkerResources
from enformer_core.analyses.gene_run_type import GeneEffectsType
from enformer_core.analyses.model_inputs import ModelInputs, check_same_file, located
from enformer_core.analyses.score_spec import ScoreSpec
from enformer_core.analyses.variant_effects import VariantEffects, VariantEffectsIdentity
from enformer_core.dataset.codec import canonical_json
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.receipts import Manifest
from enformer_core.dataset.run import TracksIdentity
from enformer_core.dataset.summary import rows_beside
from enformer_core.genome.fasta import Genome
from enformer_core.genome.genes import Genes, read_genes
from enformer_core.scoring.gene_bins import GeneReach

if TYPE_CHECKING:
    from enformer_core.analyses.allele_scoring import AlleleScoring


@dataclass(frozen=True)
class GenesAsked:
    """Genes by name: small enough to be sent, and read anew by each node.

    Attributes:
        file: as the user named it.
        types: which types of genes; none for all.
        listed: a file with names of genes, as the user named it; None for all.
        tss_bins: bins around each TSS.
        exon_tracks: head columns of the tracks that are summed over exons.
    """

    file: str
    types: tuple[str, ...]
    listed: str | None
    tss_bins: int
    exon_tracks: tuple[int, ...]

    def read(self, genome: Genome) -> Genes:
        """The genes, from this node's copy of the files."""
        return read_genes(
            located(self.file),
            genome,
            gene_types=self.types,
            gene_list=located(self.listed),
            given=self.file,
            list_given=self.listed,
        )

    def reach(self, genes: Genes, spec: ScoreSpec) -> GeneReach:
        """Which of them an allele has, and in which bins.

        Raises:
            InputError: for bins that cannot be summed.
        """
        with_exons = bool(self.exon_tracks)
        return GeneReach(genes, spec.conventions, self.tss_bins, with_exons)


@dataclass(frozen=True)
class GenesIdentity:
    """Which genes, by what they are rather than by their file, and which of their bins."""

    genes: int
    sha256: str
    tss_bins: int
    exon_tracks: TracksIdentity


@dataclass(frozen=True, kw_only=True)
class GeneEffectsIdentity(VariantEffectsIdentity):
    """Everything that decides the values of a scoring run with genes."""

    genes: GenesIdentity


@dataclass(frozen=True, kw_only=True)
class VariantAndGeneEffects(VariantEffects):
    """A scoring run with genes, as it was asked for.

    Attributes:
        asked: the genes by name.
        genes: the same, read.
    """

    run_type = GeneEffectsType()

    asked: GenesAsked
    genes: Genes

    @classmethod
    def of(
        cls, analysis: VariantEffects, asked: GenesAsked, genes: Genes
    ) -> "VariantAndGeneEffects":
        """A scoring run, with genes.

        Raises:
            InputError: for bins that cannot be summed.
        """
        reach = asked.reach(genes, analysis.spec)
        # whatever a scoring run is asked, now and later, a run with genes is asked too
        names = [each.name for each in fields(analysis)]
        shared = {name: getattr(analysis, name) for name in names}
        shared["variants"] = replace(analysis.variants, reach=reach)
        return cls(**shared, asked=asked, genes=genes)

    def report(self, manifest: Manifest) -> Sequence[str]:
        """What a scoring run says, and how many pairs of an allele and a gene there are."""
        return [*rows_beside(self.run_type, manifest.table_rows), *super().report(manifest)]

    def input_in_words(self) -> Mapping[str, str]:
        """How many genes there are, and what they have."""
        return {"genes.sha256": self.genes.counted()}

    def further_queries(self) -> Sequence[str]:
        """The genes that alleles change most."""
        return ["FROM top_genes LIMIT 10"]

    @property
    def loader(self) -> "GeneEffectsLoader":
        """What workers are sent: names, settings, and the digest of the genes."""
        return GeneEffectsLoader(self.inputs, self.spec, self.asked, self.genes.digest)

    def identity(
        self,
        contigs: Iterable[str],
        rows: int,
    ) -> GeneEffectsIdentity:
        """Everything that decides the values of this run."""
        of_variants = super().identity(contigs, rows)
        exon_tracks = self.asked.exon_tracks
        exons_digest = sha256(canonical_json(exon_tracks))
        genes = GenesIdentity(
            genes=len(self.genes),
            sha256=self.genes.digest,
            tss_bins=self.asked.tss_bins,
            exon_tracks=TracksIdentity(len(exon_tracks), exons_digest),
        )
        names = [each.name for each in fields(of_variants)]
        shared = {name: getattr(of_variants, name) for name in names}
        return GeneEffectsIdentity(**shared, genes=genes)


@dataclass(frozen=True)
class GeneEffectsLoader:
    """Loads the model, the engine and the genes in a worker.

    Attributes:
        inputs: model, tracks and genome, by name.
        spec: how alleles are scored.
        asked: the genes, by name.
        genes_sha256: digest of the genes that were planned for.
    """

    inputs: ModelInputs
    spec: ScoreSpec
    asked: GenesAsked
    genes_sha256: str

    def load(
        self, resources: WorkerResources, planned_contigs: Mapping[str, str]
    ) -> "AlleleScoring":
        """The engine, made for the genes.

        Raises:
            InputError: when this node has other weights, another genome or other genes than the driver.
        """
        # here, so that whoever only plans or reads runs needs no torch
        from enformer_core.analyses.engines import load_scoring  # noqa: PLC0415
        from enformer_core.scoring.gene_sums import GeneSums  # noqa: PLC0415

        models = self.inputs.load_all(resources, planned_contigs)
        genes = self.asked.read(models[0].genome)
        check_same_file(f"{self.asked.file}: genes", genes.digest, self.genes_sha256)
        reach = self.asked.reach(genes, self.spec)
        # engines number the tracks that are computed, not the columns of the head
        tracks = self.inputs.tracks
        place = {track: number for number, track in enumerate(tracks)}
        exon_places = [place[track] for track in self.asked.exon_tracks]
        sums = GeneSums(reach, tuple(exon_places))
        return load_scoring(models, self.spec, tracks, resources, sums)

"""The files that say what is linked to what, read and held against one another. Does not know scores."""

from dataclasses import dataclass, replace
from typing import Literal

import polars as pl

from enformer_core.errors import InputError
from enformer_core.genome.contig_names import Lengths
from enformer_core.genome.fasta import Genome
from enformer_core.genome.gene_files import is_annotation
from enformer_core.genome.genes import read_genes, read_genes_by_contig
from enformer_core.links.candidates import (
    Candidates,
    has_activity,
    notes_of_names,
    read_candidates,
)
from enformer_core.links.classes import GENIC, INTERGENIC, PROMOTER
from enformer_core.links.contigs import candidates_on_genome, genes_on_genome, one_naming
from enformer_core.links.genes import EXPRESSION, GeneTable, annotated_genes, read_gene_table
from enformer_core.links.linking import with_classes
from enformer_core.links.regular_file import regular_file
from enformer_core.links.tables import read_table
from enformer_core.storage.open import local_path
from enformer_core.words import agreeing, counted

_CLASSES = (PROMOTER, GENIC, INTERGENIC)

Activity = Literal["none", "needed", "where there is one"]


@dataclass(frozen=True)
class LinkFiles:
    """Genes and candidates as they were named.

    Attributes:
        genes: GTF, GFF3, or a table of genes.
        candidates: a table of elements.
        genome: FASTA on which all must lie; None where nothing holds them against one.
        gene_types: only genes of these types; all where there are none.
        tss: of a gene with several transcripts: its outermost TSS, or all.
        expressed_only: only genes that are known to be expressed.
        activity_columns: those whose geometric mean is activity; none for those that are known by name.
        activity: whether activities are wanted.
    """

    genes: str
    candidates: str
    genome: str | None = None
    gene_types: tuple[str, ...] = ()
    tss: Literal["outermost", "all"] = "outermost"
    expressed_only: bool = False
    activity_columns: tuple[str, ...] = ()
    activity: Activity = "needed"

    def read(self) -> "LinkInput":
        """Both files; genes on contigs called as the candidates' are, or both as the genome's.

        Raises:
            InputError: for files that cannot be used.
        """
        # candidates first: they say on which contigs genes are looked for where there is no genome
        if self.genome is None:
            candidates, notes = self._candidates(None)
            genes = one_naming(self._genes(candidates, None), candidates)
        else:
            genome = Genome(local_path(self.genome), given=self.genome)
            candidates, notes = self._candidates(genome.contigs)
            candidates = candidates_on_genome(candidates, genome.contigs, self.genome)
            notes += notes_of_names(candidates.table, genome.contigs)
            genes = self._genes(candidates, genome)
            genes = genes_on_genome(genes, genome.contigs, self.genome)
        notes += genes.notes
        notes += _strange_classes(candidates)
        if self.expressed_only:
            genes = _expressed(genes)
        notes += _without_classes(candidates)
        return LinkInput(genes, with_classes(genes, candidates), notes)

    def _genes(self, candidates: Candidates, genome: Genome | None) -> GeneTable:
        path = regular_file(self.genes)
        types = self.gene_types
        if not is_annotation(path, given=self.genes):
            contigs = None if genome is None else genome.contigs
            return read_gene_table(read_table(self.genes), gene_types=types, contigs=contigs)
        if genome is None:
            named = candidates.frame["chrom"].unique(maintain_order=True).to_list()
            genes = read_genes_by_contig(path, named, gene_types=types)
        else:
            genes = read_genes(path, genome, gene_types=types, given=self.genes)
        return annotated_genes(genes, all_tss=self.tss == "all")

    def _candidates(self, contigs: Lengths | None) -> tuple[Candidates, tuple[str, ...]]:
        path = regular_file(self.candidates)
        if is_annotation(path, given=self.candidates, what="candidates"):
            raise InputError(
                f"{self.candidates}: is an annotation of genes. Were --genes and --candidates exchanged?"
            )
        table = read_table(self.candidates)
        has_some = self.activity != "none" and has_activity(table, self.activity_columns)
        candidates = read_candidates(
            table,
            with_activity=self.activity == "needed" or has_some,
            activity=self.activity_columns,
            contigs=contigs,
        )
        # the ABC program's own activity needs no word: it is what the score is defined with
        if candidates.activity_from in ((), ("activity_base",)):
            return candidates, ()
        columns = " and ".join(candidates.activity_from)
        mean = "the geometric mean of " if len(candidates.activity_from) > 1 else ""
        said = f"{self.candidates}: activity is {mean}{columns}, without quantile normalisation"
        return candidates, (said,)


@dataclass(frozen=True)
class LinkInput:
    """Genes and candidates that may be linked.

    Attributes:
        genes: TSSs.
        candidates: with their classes.
        notes: what was taken for what, for people.
    """

    genes: GeneTable
    candidates: Candidates
    notes: tuple[str, ...]

    @property
    def has_activities(self) -> bool:
        """Whether the ABC score can be worked out."""
        return bool(self.candidates.activity_from)


def _without_classes(candidates: Candidates) -> tuple[str, ...]:
    """A note where classes are worked out from the genes."""
    name = candidates.table.name
    unknown = candidates.frame["class"].null_count()
    if not candidates.has_classes:
        return (f"{name}: has no column class; candidates at a TSS are its promoters",)
    if not unknown:
        return ()
    have = agreeing(unknown, "has", "have")
    return (
        f"{name}: {counted(unknown, 'candidates')} {have} no class; those at a TSS are its promoters",
    )


def _strange_classes(candidates: Candidates) -> tuple[str, ...]:
    """A note of classes that are none that is known: only promoters differ from the others."""
    classes = candidates.frame["class"].drop_nulls()
    strange = classes.filter(~classes.is_in(_CLASSES))
    if not strange.len():
        return ()
    return (
        f"{candidates.table.name}: {counted(strange.len(), 'candidates')} "
        f"{agreeing(strange.len(), 'has', 'have')} a class that is none of "
        f"{', '.join(_CLASSES)}, such as {strange[0]!r}: taken for no promoters",
    )


def _expressed(genes: GeneTable) -> GeneTable:
    if genes.unknown_expression:
        columns = " and ".join(genes.unknown_expression)
        noun = "column" if len(genes.unknown_expression) == 1 else "columns"
        raise InputError(
            f"--expressed-only: {genes.name} has no {noun} {columns}; it is said by {' and '.join(EXPRESSION)} together"
        )
    # a gene of which nothing is known is left out, too: null is no True
    expressed = genes.frame.filter(pl.col("is_expressed"))
    if not expressed.height:
        raise InputError(f"--expressed-only: {genes.name} has no gene that is expressed")
    return replace(genes, frame=expressed)

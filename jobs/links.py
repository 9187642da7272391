"""`enformer-ray links`: which elements may act on which genes, by distance, contact and the ABC score.

Nothing of it needs a model; a genome is needed only to hold places against it.
"""

from dataclasses import replace
from pathlib import Path

import polars as pl

from enformer_core.errors import InputError, nearest
from enformer_core.export.whole_file import whole_file
from enformer_core.genome.fasta import Genome
from enformer_core.genome.gene_files import is_annotation
from enformer_core.genome.genes import read_genes, read_genes_by_contig
from enformer_core.links.candidates import Candidates, read_candidates
from enformer_core.links.contact import PowerLaw
from enformer_core.links.contigs import candidates_on_genome, genes_on_genome, one_naming
from enformer_core.links.genes import GeneTable, annotated_genes, read_gene_table
from enformer_core.links.linking import LinkCounts, Linking, with_classes, write_links
from enformer_core.links.tables import read_table
from enformer_core.storage.open import local_path, parse_address
from jobs import exit_codes
from jobs.link_settings import LinksSettings
from jobs.log import note, tell

_ABC = "abc"
_SCORES = ("distance", _ABC)


def links(settings: LinksSettings) -> int:
    """Read genes and candidates, and write a row for each pair within reach.

    Returns:
        The exit code.

    Raises:
        InputError: for files that cannot be used, for an output that is there, and where nothing is in reach.
    """
    out = _new_file(settings.out)
    linking = _linking(settings)
    candidates = _candidates(settings, with_activity=linking.with_abc)
    if settings.genome is None:
        genes = one_naming(_genes(settings, candidates, None), candidates)
    else:
        genome = Genome(local_path(settings.genome))
        candidates = candidates_on_genome(candidates, genome.contigs, settings.genome)
        genes = _genes(settings, candidates, genome)
        genes = genes_on_genome(genes, genome.contigs, settings.genome)
    for text in genes.notes:
        note(text)
    if settings.expressed_only:
        genes = _expressed(genes)
    if not candidates.has_classes:
        candidates = with_classes(genes, candidates)
        note(f"{settings.candidates}: has no column class; candidates at a TSS are its promoters")
    with whole_file(out) as file:
        counts = write_links(file, genes, candidates, linking)
    tell("links", _summary(counts, genes, candidates), prefix=settings.out)
    return exit_codes.DONE


def _linking(settings: LinksSettings) -> Linking:
    for name in settings.scores:
        if name not in _SCORES:
            raise InputError(f"--scores {name}: there is no such score{nearest(name, _SCORES)}")
    if not settings.scores:
        raise InputError(f"--scores: name one or more of {', '.join(_SCORES)}")
    return Linking(
        window_bp=settings.window_bp,
        law=PowerLaw(settings.powerlaw_gamma, settings.powerlaw_scale),
        with_abc=_ABC in settings.scores,
    )


def _new_file(name: str) -> Path:
    """The place of a file that is not there yet, before anything is read."""
    if parse_address(name) is not None:
        raise InputError(f"--out {name}: links are written to a file of this machine; give a path")
    path = Path(name)
    if path.exists():
        raise InputError(f"{name}: is there already. Remove it, or give --out another name.")
    if not path.parent.is_dir():
        raise InputError(f"{name}: there is no directory {path.parent}")
    return path


def _genes(settings: LinksSettings, candidates: Candidates, genome: Genome | None) -> GeneTable:
    path = Path(local_path(settings.genes))
    types = settings.gene_types
    if not is_annotation(path):
        return read_gene_table(read_table(settings.genes), gene_types=types)
    if genome is None:
        contigs = candidates.frame["chrom"].unique(maintain_order=True).to_list()
        genes = read_genes_by_contig(path, contigs, gene_types=types)
    else:
        genes = read_genes(path, genome, gene_types=types)
    return annotated_genes(genes, all_tss=settings.tss == "all")


def _expressed(genes: GeneTable) -> GeneTable:
    if genes.frame["is_expressed"].is_null().all():
        raise InputError(
            f"--expressed-only: {genes.name} has no columns Expression and PromoterActivityQuantile, which say it"
        )
    expressed = genes.frame.filter(pl.col("is_expressed"))
    if not expressed.height:
        raise InputError(f"--expressed-only: {genes.name} has no gene that is expressed")
    return replace(genes, frame=expressed)


def _candidates(settings: LinksSettings, *, with_activity: bool) -> Candidates:
    if is_annotation(Path(local_path(settings.candidates))):
        raise InputError(
            f"{settings.candidates}: is an annotation of genes. Were --genes and --candidates exchanged?"
        )
    candidates = read_candidates(
        read_table(settings.candidates), with_activity=with_activity, activity=settings.activity
    )
    if candidates.activity_from not in ((), ("activity_base",)):
        columns = " and ".join(candidates.activity_from)
        mean = "the geometric mean of " if len(candidates.activity_from) > 1 else ""
        note(f"{settings.candidates}: activity is {mean}{columns}, without quantile normalisation")
    return candidates


def _summary(counts: LinkCounts, genes: GeneTable, candidates: Candidates) -> str:
    all_genes = genes.frame.height
    all_candidates = candidates.frame.height
    return (
        f"{counts.pairs:,} pairs of {counts.genes:,} of {all_genes:,} TSSs and "
        f"{counts.candidates:,} of {all_candidates:,} candidates"
    )

"""`enformer-ray links`: which elements may act on which genes, by distance, contact and the ABC score.

Nothing of it needs a model; a genome is needed only to hold places against it.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import polars as pl
from cyclopts import Parameter

from enformer_core.errors import InputError, nearest
from enformer_core.export.whole_file import whole_file
from enformer_core.genome.fasta import Genome
from enformer_core.links.abc import ABC_WINDOW_BP
from enformer_core.links.candidates import Candidates, read_candidates
from enformer_core.links.contact import PUBLISHED_LAW, PowerLaw
from enformer_core.links.contigs import candidates_on_genome, genes_on_genome, one_naming
from enformer_core.links.genes import Genes, read_gene_table
from enformer_core.links.linking import LinkCounts, Linking, with_classes, write_links
from enformer_core.links.tables import read_table
from enformer_core.storage.open import local_path, parse_address
from jobs import exit_codes
from jobs.log import note, tell
from jobs.option_types import BasePairs, File, OptionalFile, Words

_ABC = "abc"
_SCORES = ("distance", _ABC)


@dataclass(frozen=True, kw_only=True)
class LinksSettings:
    """What `enformer-ray links` is asked for."""

    genes: File
    """genes: BED with strands, BED of regions around TSSs, or the GeneList of the ABC program; gzip or not, or s3://"""

    candidates: File
    """elements: BED, a table with their places, or the EnhancerList of the ABC program; gzip or not, or s3://"""

    out: File
    """the .parquet file to write, which must not be there; one row for each gene and candidate within reach"""

    scores: Words = (_ABC,)
    """what to work out: distance (with the contact that follows from it), abc (which needs columns of activity)"""

    activity: Annotated[Words, Parameter(metavar="COLUMN,…")] = ()
    """columns whose geometric mean is activity (default activity_base, else DHS.RPM or ATAC.RPM with H3K27ac.RPM)"""

    window_bp: BasePairs = ABC_WINDOW_BP
    """candidates nearer to a TSS than this are in its reach, and in the sum that ABC scores are shares of"""

    expressed_only: bool = False
    """only genes that the GeneList shows to be expressed: by Expression, else by PromoterActivityQuantile"""

    genome: OptionalFile = None
    """reference genome, FASTA: places are held against its contigs, and called as it calls them"""

    powerlaw_gamma: float = PUBLISHED_LAW.gamma
    """exponent of contact by distance"""

    powerlaw_scale: float = PUBLISHED_LAW.scale
    """logarithm of the contact that the power law would have at 1 bp"""


def links(settings: LinksSettings) -> int:
    """Read genes and candidates, and write a row for each pair within reach.

    Returns:
        The exit code.

    Raises:
        InputError: for files that cannot be used, for an output that is there, and where nothing is in reach.
    """
    out = _new_file(settings.out)
    linking = _linking(settings)
    genes = _genes(settings)
    candidates = _candidates(settings, with_activity=linking.with_abc)
    if settings.genome is None:
        genes = one_naming(genes, candidates)
    else:
        lengths = Genome(Path(local_path(settings.genome))).contigs
        candidates = candidates_on_genome(candidates, lengths, settings.genome)
        genes = genes_on_genome(genes, lengths, settings.genome)
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


def _genes(settings: LinksSettings) -> Genes:
    genes = read_gene_table(read_table(settings.genes))
    for text in genes.notes:
        note(text)
    if not settings.expressed_only:
        return genes
    if genes.frame["is_expressed"].is_null().all():
        raise InputError(
            f"--expressed-only: {settings.genes} has no columns Expression and PromoterActivityQuantile, which say it"
        )
    expressed = genes.frame.filter(pl.col("is_expressed"))
    if not expressed.height:
        raise InputError(f"--expressed-only: {settings.genes} has no gene that is expressed")
    return replace(genes, frame=expressed)


def _candidates(settings: LinksSettings, *, with_activity: bool) -> Candidates:
    candidates = read_candidates(
        read_table(settings.candidates), with_activity=with_activity, activity=settings.activity
    )
    if candidates.activity_from not in ((), ("activity_base",)):
        columns = " and ".join(candidates.activity_from)
        mean = "the geometric mean of " if len(candidates.activity_from) > 1 else ""
        note(f"{settings.candidates}: activity is {mean}{columns}, without quantile normalisation")
    return candidates


def _summary(counts: LinkCounts, genes: Genes, candidates: Candidates) -> str:
    all_genes = genes.frame.height
    all_candidates = candidates.frame.height
    return (
        f"{counts.pairs:,} pairs of {counts.genes:,} of {all_genes:,} TSSs and "
        f"{counts.candidates:,} of {all_candidates:,} candidates"
    )

"""Genes and elements on one chromosome have one name of it, and lie on the genome where one is given.

Knows places and names of contigs. Does not know scores.
"""

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from enformer_core.errors import InputError, first_few
from enformer_core.genome.contig_names import reconcile_contigs
from enformer_core.links.candidates import Candidates
from enformer_core.links.genes import GeneTable
from enformer_core.words import agreeing, counted


def one_naming(genes: GeneTable, candidates: Candidates) -> GeneTable:
    """The genes with their chromosomes called as the candidates' file calls them, `chr22` or `22`."""
    # lengths are not known without a genome, and names are told apart without them
    contigs = candidates.frame["chrom"].unique(maintain_order=True)
    known = dict.fromkeys(contigs, 0)
    names = reconcile_contigs(genes.frame["chrom"].unique(), known)
    renamed = _renamed(genes.frame, names)
    return replace(genes, frame=renamed)


def candidates_on_genome(
    candidates: Candidates,
    lengths: Mapping[str, int],
    genome: str,
) -> Candidates:
    """The candidates on the genome's contigs, called as the genome calls them.

    Args:
        candidates: each of which must lie on it.
        lengths: of the genome's contigs, in bp.
        genome: its file, for messages.

    Raises:
        InputError: for a candidate on a contig that the genome has not, or beyond its contig's end.
    """
    names = reconcile_contigs(candidates.frame["chrom"].unique(), lengths)
    where = candidates.table.where
    # a genome without them is another genome: of candidates none is left out in silence
    is_unknown = ~candidates.frame["chrom"].is_in(list(names))
    for row in is_unknown.arg_true().head(1):
        contig = candidates.frame["chrom"][row]
        raise InputError(
            f"{where(row)}: {genome} has no contig {contig!r}, it has {first_few([*lengths])}"
        )
    frame = _renamed(candidates.frame, names)
    length = frame["chrom"].replace_strict(lengths, return_dtype=pl.Int64)
    is_beyond = frame["end"] > length
    for row in is_beyond.arg_true().head(1):
        contig, end = frame.select("chrom", "end").row(row)
        raise InputError(
            f"{where(row)}: ends at base {end:,}, {contig} of {genome} has {length[row]:,}. "
            "Are the candidates of the same assembly?"
        )
    return replace(candidates, frame=frame)


def genes_on_genome(
    genes: GeneTable,
    lengths: Mapping[str, int],
    genome: str,
) -> GeneTable:
    """The genes that lie on the genome's contigs, called as the genome calls them.

    Lists of genes know more than a genome that is a part of one: genes on other contigs, and beyond the ends of its
    own, are left out.

    Raises:
        InputError: where none is left.
    """
    names = reconcile_contigs(genes.frame["chrom"].unique(), lengths)
    is_known = pl.col("chrom").is_in(list(names))
    known = genes.frame.filter(is_known)
    frame = _renamed(known, names)
    length = pl.col("chrom").replace_strict(lengths, return_dtype=pl.Int64)
    # of a minus gene the TSS is the base behind its first one: at a contig's very end, its length
    inside = frame.filter(pl.col("tss") <= length)
    if not inside.height:
        contigs = genes.frame["chrom"].unique(maintain_order=True).to_list()
        raise InputError(
            f"{genes.name}: no gene lies on {genome}: genes are on {first_few(contigs)}, it has "
            f"{first_few([*lengths])}. Are the genes of the same assembly?"
        )
    left_out = genes.frame.height - inside.height
    notes = genes.notes
    if left_out:
        lie = agreeing(left_out, "does not lie", "do not lie")
        are = agreeing(left_out, "is", "are")
        notes += (
            f"{genes.name}: {counted(left_out, 'TSSs')} {lie} on {genome}, and {are} left out",
        )
    return replace(genes, frame=inside, notes=notes)


def _renamed(frame: pl.DataFrame, names: Mapping[str, str]) -> pl.DataFrame:
    return frame.with_columns(pl.col("chrom").replace(names))

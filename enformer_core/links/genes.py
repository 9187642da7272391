"""Genes and where they are transcribed from, as one table, whatever files they come from.

Reads BED of genes or of the places around their TSSs, and the GeneList of the ABC program, whose rules are kept: the
TSS of a gene on the minus strand is its `end`, one more than its first base. Does not know elements.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from jaxtyping import Bool

from enformer_core.errors import InputError, nearest
from enformer_core.genome.contig_names import Lengths
from enformer_core.genome.genes import Gene, Genes
from enformer_core.genome.tss_windows import TssWindows, window_middle
from enformer_core.links.candidates import notes_of_names, read_places, refuse_beyond_contigs
from enformer_core.links.tables import Table, WholeNumbers
from enformer_core.words import agreeing, counted

_NAMES = ("symbol", "gene_name", "gene", "name")
_IDENTIFIERS = ("Ensembl_ID", "gene_id")
_TYPES = ("gene_type", "gene_biotype", "biotype")

_COLUMNS = {
    "gene": pl.String,
    "gene_id": pl.String,
    "chrom": pl.String,
    "tss": pl.Int64,
    "first_base": pl.Int64,
    "start": pl.Int64,
    "end": pl.Int64,
    "is_expressed": pl.Boolean,
}

EXPRESSION = ("Expression", "PromoterActivityQuantile")
"""Columns of the ABC program's list that say together whether a gene is expressed."""

_BED12_COLUMNS = 12

_LEAST_EXPRESSION = 1.0
_LEAST_PROMOTER_QUANTILE = 0.3
"""From which on the ABC program calls a gene expressed; of promoters where the expression is not known."""


@dataclass(frozen=True)
class GeneTable:
    """TSSs in the order of their file; a gene has a row for each of its TSSs.

    Attributes:
        frame: `gene`, `gene_id` (null where the file has none), `chrom`, `tss`, `first_base` (that is transcribed, and
            of a gene on the minus strand the base before `tss`; `tss` where no strand is known), `start` and `end`
            (0-based, half-open; null where only TSSs are known), `is_expressed` (null where nothing is known).
        name: of the file, for messages.
        notes: what was taken for what, for people.
        unknown_expression: the columns by which `is_expressed` would be known, and that the file has not.
    """

    frame: pl.DataFrame
    name: str
    notes: tuple[str, ...] = ()
    unknown_expression: tuple[str, ...] = EXPRESSION


def annotated_genes(genes: Genes, *, all_tss: bool) -> GeneTable:
    """The genes of an annotation.

    Args:
        genes: as `read_genes` gives them.
        all_tss: whether each TSS of a gene is a row, or the outermost only.
    """
    rows = [row for gene in genes for row in _gene_rows(gene, all_tss=all_tss)]
    frame = pl.DataFrame(rows, schema=_COLUMNS, orient="row")
    others = genes.called_otherwise
    notes = (*genes.notes, f"{genes.file}: {others}") if others else genes.notes
    return GeneTable(frame, genes.file, notes)


def _gene_rows(gene: Gene, *, all_tss: bool) -> Iterator[tuple[object, ...]]:
    is_plus = gene.strand == "+"
    outermost = gene.tss[0] if is_plus else gene.tss[-1]
    first_bases = gene.tss if all_tss else (outermost,)
    # an annotation does not say in which cells a gene is expressed
    is_expressed = None
    for first_base in first_bases:
        # as the program counts: behind the first base of a minus gene
        tss = first_base if is_plus else first_base + 1
        yield (
            gene.name,
            gene.id,
            gene.chrom,
            tss,
            first_base,
            gene.start,
            gene.end,
            is_expressed,
        )


def read_gene_table(
    table: Table,
    *,
    gene_types: Sequence[str] = (),
    contigs: Lengths | None = None,
) -> GeneTable:
    """The genes of a table: with a column `tss`, or with strands, from which a gene's TSS follows.

    Rows may be windows around TSSs, which lie in their middle: `tss_windows` says which are.

    Args:
        table: with names of genes, and their places.
        gene_types: only genes of these types; all by default.
        contigs: a genome's, as for `read_places`.

    Raises:
        InputError: for a table without names, or with neither strands nor TSSs; for places that cannot be.
    """
    _refuse_elements(table)
    # of some types alone there may be one window, of which nothing would say what it is
    windows = _windows(read_places(table))
    has_strands = _has_strands(table)
    window_bp = windows.length_bp(has_strands=has_strands, has_blocks=_has_blocks(table))
    table = _of_types(table, gene_types)
    names = _names(table)
    places = read_places(table, contigs)
    given = table.find(["tss"])
    notes: tuple[str, ...] = ()
    if given is not None:
        tss = _given_tss(table, given)
    elif window_bp is not None:
        tss = _middles(table, places, window_bp)
        # where the genes themselves begin and end is not known
        nowhere = pl.lit(None, pl.Int64)
        places = places.with_columns(start=nowhere, end=nowhere)
    else:
        tss = _ends_of_transcription(table, places)
    said = windows.said(has_strands=has_strands)
    if said is not None and given is None and not _has_blocks(table):
        notes = (f"{table.name}: {said}",)
    notes += notes_of_names(table, contigs)
    # of a minus gene the base before, as its TSS is the end of an interval; True is 1
    first_base = tss - _is_minus(table)
    frame = places.with_columns(
        names.alias("gene"),
        _identifiers(table),
        pl.Series("tss", tss),
        pl.Series("first_base", first_base),
        _expressed(table),
    )
    columns = list(_COLUMNS)
    unknown = tuple(name for name in EXPRESSION if table.find([name]) is None)
    distinct = _without_repeats(frame.select(columns), table.name, notes)
    return replace(distinct, unknown_expression=unknown)


def _names(table: Table) -> pl.Series:
    names = table.texts(table.column(_NAMES))
    unnamed = names.is_null().arg_true()
    if unnamed.len():
        first = int(unnamed[0])
        raise InputError(f"{table.where(first)}: a gene without a name")
    return names


def _identifiers(table: Table) -> pl.Series:
    column = table.find(_IDENTIFIERS)
    if column is None:
        unknown = [None] * table.rows.height
        return pl.Series("gene_id", unknown, pl.String)
    return table.texts(column).alias("gene_id")


def _of_types(table: Table, wanted: Sequence[str]) -> Table:
    if not wanted:
        return table
    column = table.find(_TYPES)
    if column is None:
        raise InputError(f"{table.name}: has no types of genes. Leave out --gene-types.")
    types = table.texts(column)
    known = types.drop_nulls().unique().sort().to_list()
    for name in wanted:
        if name not in known:
            raise InputError(
                f"--gene-types {name}: {table.name} has no gene of this type{nearest(name, known)}"
            )
    is_wanted = types.is_in(list(wanted))
    return table.kept(is_wanted.fill_null(False))


def _refuse_elements(table: Table) -> None:
    element = table.find(["activity_base", "isPromoterElement"])
    if element is not None:
        raise InputError(
            f"{table.name}: looks like a list of elements, with its column {element}. "
            "Were --genes and --candidates exchanged?"
        )


def _given_tss(table: Table, column: str) -> WholeNumbers:
    tss = table.whole_numbers(column)
    negative = np.flatnonzero(tss < 0)
    if negative.size:
        row = int(negative[0])
        raise InputError(f"{table.where(row)}: {column} {tss[row]}; TSSs count from 0")
    refuse_beyond_contigs(table, tss)
    return tss


def _windows(places: pl.DataFrame) -> TssWindows:
    windows = TssWindows()
    for start, end in places.select("start", "end").iter_rows():
        windows.add(start, end)
    return windows


def _has_strands(table: Table) -> bool:
    column = table.find(["strand"])
    if column is None:
        return False
    # BED has a full stop where nothing is known
    return bool(table.texts(column).is_in(["+", "-"]).any())


def _has_blocks(table: Table) -> bool:
    """Whether rows have exons, as BED12's."""
    # without a header, twelve columns are BED12
    has_names = table.has_header
    return table.find(["blockSizes"]) is not None or (
        not has_names and table.rows.width >= _BED12_COLUMNS
    )


def _middles(table: Table, places: pl.DataFrame, window_bp: int) -> WholeNumbers:
    """TSSs of windows around them; of a minus gene the TSS is the end of a base, as everywhere in this module."""
    rows = zip(places["end"].to_list(), _is_minus(table).tolist(), strict=True)
    # of 1 bp from 600000 the minus gene has 600001, whose first base is that one; True is 1
    tss = [window_middle(end, window_bp, is_minus=minus) + minus for end, minus in rows]
    return np.array(tss, dtype=np.int64)


def _ends_of_transcription(table: Table, places: pl.DataFrame) -> WholeNumbers:
    """The start of genes on the plus strand, the end of those on the minus strand."""
    # both are named where neither is there: either would do
    strand = table.texts(table.column(["strand", "tss"]))
    is_known = strand.fill_null(".").is_in(["+", "-"])
    strange = (~is_known).arg_true()
    if strange.len():
        row = int(strange[0])
        raise InputError(
            f"{table.where(row)}: strand {strand[row] or '.'!r}; a gene has + or -, from which its TSS follows. "
            "Were --genes and --candidates exchanged?"
        )
    is_plus: Bool[np.ndarray, " rows"] = (strand == "+").to_numpy()
    start = places["start"].to_numpy()
    end = places["end"].to_numpy()
    tss: WholeNumbers = np.where(is_plus, start, end)
    return tss


def _is_minus(table: Table) -> Bool[np.ndarray, " rows"]:
    """Which genes are known to lie on the minus strand."""
    column = table.find(["strand"])
    if column is None:
        return np.zeros(table.rows.height, dtype=bool)
    is_minus = table.texts(column) == "-"
    return is_minus.fill_null(False).to_numpy()


def _expressed(table: Table) -> pl.Series:
    """Whether each gene is expressed, by the ABC program's rule; null where the table says nothing of it."""
    expression, quantile = (table.find([name]) for name in EXPRESSION)
    if expression is None or quantile is None:
        unknown = [None] * table.rows.height
        return pl.Series("is_expressed", unknown, pl.Boolean)
    measured = table.numbers(expression)
    is_high = measured >= _LEAST_EXPRESSION
    is_active = table.numbers(quantile) >= _LEAST_PROMOTER_QUANTILE
    is_expressed = np.where(np.isnan(measured), is_active, is_high)
    return pl.Series("is_expressed", is_expressed)


def _of_repeats(name: str, rows: int) -> str:
    repeat = agreeing(
        rows, "repeats a gene and its TSS, and counts", "repeat a gene and its TSS, and count"
    )
    return f"{name}: {counted(rows, 'rows')} {repeat} once"


def _without_repeats(
    frame: pl.DataFrame,
    name: str,
    notes: tuple[str, ...],
) -> GeneTable:
    # a gene's transcripts may share a TSS, and the ABC score must not count it twice
    distinct = frame.unique(
        ["gene", "gene_id", "chrom", "tss"],
        keep="first",
        maintain_order=True,
    )
    repeats = frame.height - distinct.height
    if repeats:
        notes += (_of_repeats(name, repeats),)
    return GeneTable(distinct, name, notes)

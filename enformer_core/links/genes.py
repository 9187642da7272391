"""Genes and where they are transcribed from, as tables of elements and genes have them.

Reads BED of genes or of the places around their TSSs, and the GeneList of the ABC program, whose rules are kept: the
TSS of a gene on the minus strand is its `end`. Does not know elements.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool

from enformer_core.errors import InputError
from enformer_core.links.candidates import read_places
from enformer_core.links.tables import Table, WholeNumbers

_NAMES = ("symbol", "gene_name", "gene", "name")
_IDENTIFIERS = ("Ensembl_ID", "gene_id")

_LEAST_EXPRESSION = 1.0
_LEAST_PROMOTER_QUANTILE = 0.3
"""From which on the ABC program calls a gene expressed; of promoters where the expression is not known."""

_LONGEST_TSS_REGION_BP = 5_000


@dataclass(frozen=True)
class Genes:
    """TSSs in the order of their file; a gene has a row for each of its TSSs.

    Attributes:
        frame: `gene`, `gene_id` (null where the file has none), `chrom`, `tss`, `start` and `end` (0-based, half-open;
            null where only TSSs are known), `is_expressed` (null where nothing is known).
        name: of the file, for messages.
        notes: what was taken for what, for people.
    """

    frame: pl.DataFrame
    name: str
    notes: tuple[str, ...] = ()


def read_gene_table(table: Table) -> Genes:
    """The genes of a table: with a column `tss`, or with strands, from which a gene's TSS follows.

    Intervals that are all of one length, and short, are regions around TSSs, which lie in their middle.

    Raises:
        InputError: for a table without names, or with neither strands nor TSSs; for places that cannot be.
    """
    _refuse_elements(table)
    names = table.texts(table.column(_NAMES))
    unnamed = names.is_null().arg_true()
    if unnamed.len():
        raise InputError(f"{table.where(int(unnamed[0]))}: a gene without a name")
    places = read_places(table)
    given = table.find(["tss"])
    notes: tuple[str, ...] = ()
    if given is not None:
        tss = table.whole_numbers(given)
    elif _are_tss_regions(places):
        tss = ((places["start"] + places["end"]) // 2).to_numpy()
        bp = places["end"][0] - places["start"][0]
        notes = (f"{table.name}: {bp} bp each, taken for regions with the TSS in the middle",)
        places = places.with_columns(start=pl.lit(None, pl.Int64), end=pl.lit(None, pl.Int64))
    else:
        tss = _ends_of_transcription(table, places)
    identifier = table.find(_IDENTIFIERS)
    frame = places.with_columns(
        names.alias("gene"),
        pl.Series("gene_id", [None] * names.len(), pl.String)
        if identifier is None
        else table.texts(identifier).alias("gene_id"),
        pl.Series("tss", tss),
        _expressed(table),
    )
    return _without_repeats(frame, table.name, notes)


def _refuse_elements(table: Table) -> None:
    element = table.find(["activity_base", "isPromoterElement"])
    if element is not None:
        raise InputError(
            f"{table.name}: looks like a list of elements, with its column {element}. "
            "Were --genes and --candidates exchanged?"
        )


def _are_tss_regions(places: pl.DataFrame) -> bool:
    lengths = (places["end"] - places["start"]).unique()
    return places.height > 1 and lengths.len() == 1 and lengths[0] <= _LONGEST_TSS_REGION_BP


def _ends_of_transcription(table: Table, places: pl.DataFrame) -> WholeNumbers:
    """The start of genes on the plus strand, the end of those on the minus strand."""
    strand = table.texts(table.column(["strand", "tss"]))
    strange = (~strand.fill_null(".").is_in(["+", "-"])).arg_true()
    if strange.len():
        row = int(strange[0])
        raise InputError(
            f"{table.where(row)}: strand {strand[row] or '.'!r}; a gene has + or -, from which its TSS follows. "
            "Were --genes and --candidates exchanged?"
        )
    is_plus: Bool[np.ndarray, " rows"] = (strand == "+").to_numpy()
    tss: WholeNumbers = np.where(is_plus, places["start"].to_numpy(), places["end"].to_numpy())
    return tss


def _expressed(table: Table) -> pl.Series:
    """Whether each gene is expressed, by the ABC program's rule; null where the table says nothing of it."""
    expression = table.find(["Expression"])
    quantile = table.find(["PromoterActivityQuantile"])
    if expression is None or quantile is None:
        return pl.Series("is_expressed", [None] * table.rows.height, pl.Boolean)
    measured = table.numbers(expression)
    is_active = table.numbers(quantile) >= _LEAST_PROMOTER_QUANTILE
    is_expressed = np.where(np.isnan(measured), is_active, measured >= _LEAST_EXPRESSION)
    return pl.Series("is_expressed", is_expressed)


def _without_repeats(frame: pl.DataFrame, name: str, notes: tuple[str, ...]) -> Genes:
    distinct = frame.unique(["gene", "gene_id", "chrom", "tss"], keep="first", maintain_order=True)
    repeats = frame.height - distinct.height
    if repeats:
        notes += (f"{name}: {repeats:,} rows repeat a gene and its TSS, and count once",)
    return Genes(distinct, name, notes)

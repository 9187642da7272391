"""Tables of variants with what an experiment says of them, read by the readers that `score` has.

So every format, every name of a column and every way of writing an allele that can be scored can be evaluated. Knows
rows and cells. Does not know a run.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import pyarrow as pa

from enformer_core.errors import InputError
from enformer_core.evaluate.row_buckets import Bucket, open_rows, put, undecided
from enformer_core.evaluate.variant_layouts import Layout
from enformer_core.genome.fasta import Genome
from enformer_core.links.tables import FALSE_WORDS, TRUE_WORDS
from enformer_core.storage.open import local_path
from enformer_core.variants.formats.given import GivenColumns
from enformer_core.variants.formats.reader import kept_role
from enformer_core.variants.harmonise import harmonise_alleles
from enformer_core.variants.input_files import InputDigest, InputFile, input_digests
from enformer_core.variants.kept_columns import find_kept
from enformer_core.variants.source import Source, open_source

_LONGEST_ALLELE_BP = 1 << 30
"""None is too long to be found in a run: that decided what it scores."""

_TRUE = (*TRUE_WORDS, "y", "1.0", "positive")
_FALSE = (*FALSE_WORDS, "n", "0.0", "negative")

_AS_READ = {
    "input_line": "line",
    "input_chrom": "contig",
    "start": "written_pos",
    "input_ref": "written_ref",
    "input_alt": "written_alt",
    "id": "id",
    "status": "read_status",
    "reason": "read_reason",
    "declares_ref": "declares_ref",
}
"""Columns of alleles as they are read, and what they are called here."""

_AS_PLACED = {
    "chrom": "chrom",
    "start": "pos",
    "ref": "ref",
    "alt": "alt",
    "effect_sign": "sign",
    "status": "placed_status",
    "reason": "placed_reason",
    "flags": "flags",
}
"""The same of alleles in normal form."""


@dataclass(frozen=True)
class VariantTable:
    """A table that is not read yet.

    Attributes:
        name: as its user calls it.
        source: of its records.
        layout: what its columns say.
        unit: what its rows are counted by: `line`, or `row` of Parquet.
    """

    name: str
    source: Source
    layout: Layout

    @property
    def unit(self) -> str:
        """What its rows are counted by."""
        return "row" if self.source.format == "Parquet" else "line"

    def digest(self) -> InputDigest:
        """Name and sha256, as a run that scored this very file has them."""
        (digest,) = input_digests([InputFile(self.source.path, self.name)])
        return digest

    def rows(self, genome: Genome | None) -> pl.DataFrame:
        """A row for each record, those that cannot be read in their bucket.

        Columns: `line`, `variant` (as written, for people), `contig`, `written_pos` (from 1), `written_ref` and
        `written_alt` in capital letters, `cell:NAME` of each column of the layout, and where a genome is given
        `chrom`, `pos`, `ref`, `alt` in normal form and `sign`, -1 where REF and ALT had to change places.

        Args:
            genome: in which the alleles are found; None to keep them as they are written.

        Raises:
            InputError: when the file is damaged, or has no rows.
        """
        frames = [self._frame(raw, genome) for raw in self.source.batches()]
        if not any(frame.height for frame in frames):
            raise InputError(f"{self.name}: has no rows, only a header")
        rows = undecided(_one_a_record(pl.concat(frames)))
        status = pl.col("read_status")
        why = pl.col("read_reason")
        rows = put(rows, Bucket.UNREADABLE, status.is_not_null(), why, status)
        alts = pl.col("alts")
        several = pl.format("has {} ALTs; write a row for each", alts)
        rows = put(rows, Bucket.UNREADABLE, alts > 1, several)
        if genome is None:
            return rows
        status = pl.col("placed_status")
        why = pl.col("placed_reason")
        return put(rows, Bucket.UNPLACED, status != "ok", why, status)

    def cell(self, column: str) -> pl.Expr:
        """A column of the layout as text, null where nothing stands there."""
        return pl.col(f"cell:{column}")

    def numbers(
        self,
        rows: pl.DataFrame,
        column: str,
    ) -> pl.Series:
        """A column of numbers, null where nothing stands there.

        Raises:
            InputError: naming a cell that is none.
        """
        cell = self.cell(column)
        number = cell.cast(pl.Float64, strict=False)
        self.check(rows, number.is_not_null() | cell.is_null(), column, "is not a number")
        return rows.select(number).to_series()

    def truths(
        self,
        rows: pl.DataFrame,
        column: str,
    ) -> pl.Series:
        """A column of labels, null where nothing stands there.

        Raises:
            InputError: naming a cell that is neither true nor false.
        """
        word = self.cell(column).str.to_lowercase()
        is_true = word.is_in(_TRUE)
        is_label = is_true | word.is_in(_FALSE)
        self.check(rows, is_label, column, "is no label: true or false, 1 or 0, yes or no")
        return rows.select(is_true).to_series()

    def check(
        self,
        rows: pl.DataFrame,
        is_fine: pl.Expr,
        column: str,
        why: str,
    ) -> None:
        """Refuse a table of which a row that can be read has a cell that cannot be meant.

        Args:
            rows: of the table.
            is_fine: of each row; null, where nothing stands, is fine.
            column: that holds the cell.
            why: what is wrong with a cell that is not fine.

        Raises:
            InputError: naming the first such cell.
        """
        bad = open_rows(rows).filter(~is_fine).head(1)
        if bad.height:
            line = bad["line"][0]
            cell = bad[f"cell:{column}"][0]
            raise InputError(f"{self.name}, {self.unit} {line}: {column} {cell!r} {why}")

    def _frame(
        self,
        raw: pa.Table,
        genome: Genome | None,
    ) -> pl.DataFrame:
        """A batch of alleles: as they are written, and where a genome is given in normal form."""
        columns = {name: raw[role] for role, name in _AS_READ.items()}
        for name in self.layout.columns:
            columns[f"cell:{name}"] = raw[kept_role(name)]
        if genome is not None:
            placed = harmonise_alleles(
                raw,
                genome,
                max_allele_bp=_LONGEST_ALLELE_BP,
                allow_swapped=True,
            )
            columns |= {name: placed[role] for role, name in _AS_PLACED.items()}
        frame = pl.DataFrame(pl.from_arrow(pa.table(columns)))
        starts = [name for name in ("written_pos", "pos") if name in columns]
        return frame.with_columns(
            # from 0 until here
            pl.col(starts) + 1,
            pl.col("written_ref", "written_alt").str.to_uppercase(),
        )


def open_variant_table(
    name: str,
    layout_of: Callable[[Sequence[str]], Layout],
    *,
    columns: GivenColumns,
    sites: str | None = None,
) -> VariantTable:
    """Find out what a table is. Only its beginning is read.

    Args:
        name: a path or an object's address.
        layout_of: told the names of its columns, says which of them are judged by.
        columns: places and alleles that the user named.
        sites: a file that has the places of identifiers.

    Raises:
        InputError: when it is no table of variants, or lacks a column.
    """
    path = Path(local_path(name))
    located = None if sites is None else InputFile(Path(local_path(sites)), sites)
    source = open_source(path, given=name, columns=columns, sites=located)
    layout = layout_of(source.columns.names)
    reader, kept = find_kept(source.reader, path, layout.columns)
    source = replace(source, reader=reader, rules=replace(source.rules, kept=kept))
    return VariantTable(name, source, layout)


def _one_a_record(rows: pl.DataFrame) -> pl.DataFrame:
    """The first ALT of each record, the number of its ALTs, and what it is called for people."""
    pos = pl.col("written_pos").cast(pl.String)
    parts = [pl.col("contig"), pos, pl.col("written_ref"), pl.col("written_alt")]
    known = [part.fill_null("?") for part in parts]
    spelled = pl.concat_str(known, separator=":")
    # what was looked up and not found has no alleles: its identifier says more
    has_no_place = pl.col("contig").is_null()
    named = pl.when(has_no_place).then(pl.col("id"))
    counted = rows.with_columns(
        pl.len().over("line").alias("alts"),
        pl.coalesce(named, spelled).alias("variant"),
    )
    return counted.unique("line", keep="first", maintain_order=True)

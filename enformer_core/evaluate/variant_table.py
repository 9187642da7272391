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
from enformer_core.evaluate.row_buckets import Bucket, put, undecided
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

_AS_WRITTEN = {
    "input_line": "line",
    "input_chrom": "contig",
    "input_ref": "written_ref",
    "input_alt": "written_alt",
    "id": "id",
    "alt_index": "alt_index",
}


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
        rows = pl.concat(frames) if frames else pl.DataFrame()
        if not rows.height:
            raise InputError(f"{self.name}: has no rows, only a header")
        rows = undecided(_one_a_record(rows))
        unread = pl.col("read_status").is_not_null()
        rows = put(rows, Bucket.UNREADABLE, unread, pl.col("read_reason"), pl.col("read_status"))
        several = pl.format("has {} ALTs; write a row for each", pl.col("alts"))
        rows = put(rows, Bucket.UNREADABLE, pl.col("alts") > 1, several)
        if genome is not None:
            is_placed = pl.col("placed_status") == "ok"
            kind = pl.col("placed_status")
            rows = put(rows, Bucket.UNPLACED, ~is_placed, pl.col("placed_reason"), kind)
        return rows

    def cell(self, column: str) -> pl.Expr:
        """A column of the layout as text, null where nothing stands there."""
        return pl.col(f"cell:{column}")

    def numbers(self, rows: pl.DataFrame, column: str) -> pl.Series:
        """A column of numbers, null where nothing stands there.

        Raises:
            InputError: naming a cell that is none.
        """
        cells = rows.select(self.cell(column)).to_series()
        values = cells.cast(pl.Float64, strict=False)
        self._refuse(rows, values.is_null() & cells.is_not_null(), column, "is not a number")
        return values

    def truths(self, rows: pl.DataFrame, column: str) -> pl.Series:
        """A column of labels, null where nothing stands there.

        Raises:
            InputError: naming a cell that is neither true nor false.
        """
        words = rows.select(self.cell(column).str.to_lowercase()).to_series()
        is_true = words.is_in(_TRUE)
        is_false = words.is_in(_FALSE)
        strange = ~is_true & ~is_false & words.is_not_null()
        self._refuse(rows, strange, column, "is no label: true or false, 1 or 0, yes or no")
        return is_true

    def _refuse(self, rows: pl.DataFrame, is_bad: pl.Series, column: str, why: str) -> None:
        # of a row that cannot be read nobody knows which cell is which
        readable = rows["bucket"].is_null()
        bad = rows.filter(is_bad & readable).head(1)
        if bad.height:
            cell = bad[f"cell:{column}"][0]
            raise InputError(f"{self.name}, {self.unit} {bad['line'][0]}: {column} {cell!r} {why}")

    def _frame(self, raw: pa.Table, genome: Genome | None) -> pl.DataFrame:
        columns = {name: raw[role] for role, name in _AS_WRITTEN.items()}
        columns |= {"start": raw["start"]}
        columns |= {"read_status": raw["status"], "read_reason": raw["reason"]}
        for name in self.layout.columns:
            columns[f"cell:{name}"] = raw[kept_role(name)]
        if genome is not None:
            placed = harmonise_alleles(
                raw, genome, max_allele_bp=_LONGEST_ALLELE_BP, allow_swapped=True
            )
            columns |= {name: placed[name] for name in ("chrom", "ref", "alt")}
            columns |= {"placed_start": placed["start"], "sign": placed["effect_sign"]}
            columns |= {"placed_status": placed["status"], "placed_reason": placed["reason"]}
        frame = pl.DataFrame(pl.from_arrow(pa.table(columns)))
        if genome is not None:
            frame = frame.with_columns(
                (pl.col("placed_start") + 1).alias("pos"),
                pl.col("sign").fill_null(1),
            )
        return frame.with_columns(
            (pl.col("start") + 1).alias("written_pos"),
            pl.col("written_ref").str.to_uppercase(),
            pl.col("written_alt").str.to_uppercase(),
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
    """The first ALT of each record, the number of its ALTs, and how it is called."""
    alts = pl.len().over("line").alias("alts")
    place = [pl.col("contig"), pl.col("written_pos").cast(pl.String)]
    alleles = [pl.col("written_ref"), pl.col("written_alt")]
    parts = [part.fill_null("?") for part in (*place, *alleles)]
    variant = pl.concat_str(parts, separator=":").alias("variant")
    # what was looked up and not found has no alleles: its identifier says more
    named = pl.when(pl.col("contig").is_null()).then(pl.col("id")).otherwise(variant)
    counted = rows.with_columns(alts, pl.coalesce(named, variant).alias("variant"))
    return counted.unique("line", keep="first", maintain_order=True)

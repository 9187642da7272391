"""A run's first table as tab-separated text, without the lists over tracks: a spreadsheet's view of it."""

from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.stored_tables import stored_tables
from enformer_core.errors import InputError
from enformer_core.export.whole_file import whole_file


def export_tsv(ledger: Ledger, path: Path) -> int:
    """Write a line for each row, first the contig, then the scalar columns in the table's order.

    Lists of text, such as flags, are joined by commas. What is null is an empty field. The file appears
    under its name when it is whole.

    Returns:
        How many rows there are.

    Raises:
        InputError: when the file cannot be written, or the table's rows say nothing but lists.
    """
    table_of_values = ledger.run_type.value_tables[0]
    rows = 0
    with whole_file(path) as out:
        for chrom, table in stored_tables(ledger, table_of_values.name):
            lines = _scalars(chrom, table)
            if lines.width <= 1 + len(table_of_values.key_columns):
                raise InputError(
                    f"{table_of_values.name}: holds lists over tracks and nothing beside them, for "
                    "which a line of text has no place. Ask with `enformer-ray query`."
                )
            text = lines.write_csv(
                include_header=not rows,
                separator="\t",
                quote_style="necessary",  # cut and awk do not know quotes
            )
            out.write(text.encode())  # by Python, whose errors say when a reader has left
            rows += lines.height
    return rows


def _scalars(chrom: str | None, table: pa.Table) -> pl.DataFrame:
    columns = {"chrom": pa.array([chrom] * table.num_rows, pa.string())}
    for field in table.schema:
        if field.type == pa.list_(pa.string()):
            joined = pc.binary_join(table[field.name], ",")
            # no flags are an empty field, not a quoted empty text
            columns[field.name] = pc.if_else(pc.equal(joined, ""), None, joined)
        elif not pa.types.is_nested(field.type):
            columns[field.name] = table[field.name]
    return pl.DataFrame(pl.from_arrow(pa.table(columns)))

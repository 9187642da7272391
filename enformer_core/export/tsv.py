"""A run's first table as tab-separated text, without the lists over tracks: a spreadsheet's view of it."""

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.stored_tables import stored_tables
from enformer_core.errors import InputError

_OPTIONS = pa_csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="needed")


def export_tsv(ledger: Ledger, path: Path) -> int:
    """Write a line for each row, first the contig, then the scalar columns in the table's order.

    Lists of text, such as flags, are joined by commas. What is null is an empty field. The file appears
    under its name when it is whole.

    Returns:
        How many rows there are.

    Raises:
        InputError: when the file cannot be written.
    """
    name = ledger.run_type.value_tables[0].name
    rows = 0
    try:
        with tempfile.NamedTemporaryFile(
            "wb", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as out:
            for number, (chrom, table) in enumerate(stored_tables(ledger, name)):
                lines = _scalars(chrom, table)
                if not number:
                    out.write(("\t".join(lines.column_names) + "\n").encode())
                pa_csv.write_csv(lines, out, _OPTIONS)
                rows += lines.num_rows
        Path(out.name).replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
    return rows


def _scalars(chrom: str | None, table: pa.Table) -> pa.Table:
    columns = {"chrom": pa.array([chrom] * table.num_rows, pa.string())}
    for field in table.schema:
        if field.type == pa.list_(pa.string()):
            columns[field.name] = pc.binary_join(table[field.name], ",")
        elif not pa.types.is_nested(field.type):
            columns[field.name] = table[field.name]
    return pa.table(columns)

"""A table of a run as tab-separated text: a spreadsheet's view of it.

Of a list over tracks a line has the strongest value with its sign, and what the track of that is called.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset.absent_tables import SUMMARY_MAKERS, why_absent
from enformer_core.dataset.codec import from_parquet
from enformer_core.dataset.keys import TRACKS_KEY
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.schemas import SEQUENCE
from enformer_core.dataset.stored_tables import stored_tables
from enformer_core.dataset.summary_tables import summary_receipts
from enformer_core.errors import DatasetError, InputError
from enformer_core.export.text_file import text_file
from enformer_core.text_cells import one_line_cells

_NAMES = ("identifier", "description")


def export_tsv(
    ledger: Ledger,
    path: Path,
    *,
    table: str | None = None,
) -> int:
    """Write a line for each row, first the contig, then the scalar columns in the table's order.

    Behind the number of the strongest track, `max_abs_sad_track`, stand its value with its sign and its names:
    `max_abs_sad_value`, `max_abs_sad_identifier`, `max_abs_sad_description`. Where every track has 0 none is the
    strongest: its number and names are empty. Lists of text, such as flags, are joined by commas. What is null is an
    empty field. The file appears under its name when it is whole.

    Args:
        ledger: of the run.
        path: of the file.
        table: one of the run's tables, or of those beside it; its first by default.

    Returns:
        How many rows there are.

    Raises:
        InputError: for a table that the run does not have, when the file cannot be written, or the table's rows say
            nothing but lists.
        DatasetError: when a table is missing or damaged, that of the tracks among them.
    """
    name = ledger.run_type.tables[0] if table is None else table
    _check_known(ledger, name)
    keys, lists = _keys_and_lists(ledger, name)
    tracks = _tracks(ledger)
    rows = 0
    with text_file(path) as out:
        for chrom, stored in stored_tables(ledger, name):
            strongest = _strongest(stored, lists, tracks)
            lines = _scalars(chrom, stored, strongest)
            # nothing beside the contig and what names a row
            if lists and lines.width <= 1 + len(keys):
                raise InputError(_only_lists(ledger, name, lists[0]))
            text = one_line_cells(lines).write_csv(
                include_header=not rows,
                separator="\t",
                # cut and awk do not know quotes
                quote_style="necessary",
            )
            # by Python, whose errors say when a reader has left
            out.write(text.encode())
            rows += lines.height
    return rows


def _check_known(ledger: Ledger, table: str) -> None:
    run_type = ledger.run_type
    tables = [*run_type.tables, *summary_receipts(ledger)]
    if table not in tables:
        if table in SUMMARY_MAKERS:
            raise InputError(why_absent(ledger, table, ledger.store.location))
        known = ", ".join(tables)
        location = ledger.store.location
        raise InputError(
            f"{location}: a run of {run_type.unit} has no table {table!r} to write; it has {known}. Tracks and views "
            f"such as top are asked for: `enformer-ray query {location} 'FROM tracks' --output tracks.tsv`"
        )


def _keys_and_lists(ledger: Ledger, table: str) -> tuple[Sequence[str], Sequence[str]]:
    """The columns that name a row, and those of lists over tracks; a derived table has neither."""
    run_type = ledger.run_type
    for known in run_type.value_tables:
        if known.name == table:
            return known.key_columns, run_type.value_columns(known, ledger.run)
    return (), ()


def _tracks(ledger: Ledger) -> pa.Table:
    content = ledger.store.get(TRACKS_KEY)
    if content is None:
        raise DatasetError(
            f"{TRACKS_KEY}: missing; `enformer-ray verify {ledger.store.location}` says more"
        )
    return from_parquet(content, TRACKS_KEY)[0]


def _only_lists(ledger: Ledger, table: str, values: str) -> str:
    """Why a table has no lines of text, and the query that gives one track of it."""
    sql = query_of_first_track(table, values)
    return (
        f"{table}: holds lists over tracks and nothing beside them, for which a line of text has no place. Ask for the "
        f"tracks that you want, 1 for the run's first: `enformer-ray query {ledger.store.location} '{sql}' > FILE`"
    )


def query_of_first_track(table: str, values: str) -> str:
    """SQL of one track of a table that holds lists over tracks along the genome."""
    # item 1 is the run's first track, in SQL as in `list_position`
    return f'SELECT chrom, start, "end", {values}[1] AS value FROM {table} ORDER BY ALL'  # noqa: S608


Columns = dict[str, pl.Series]


def _strongest(
    table: pa.Table,
    lists: Sequence[str],
    tracks: pa.Table,
) -> dict[str, Columns]:
    """Number, value and names of each list's strongest track, by the column that has the track's number."""
    found: dict[str, Columns] = {}
    for name in lists:
        strongest = f"max_abs_{name}"
        numbers = f"{strongest}_track"
        if numbers not in table.column_names:
            continue
        # Tracks 0, 5, 7 are items 0, 1, 2 of a list: of the number 7 that is item 2, and row 2 of the tracks.
        item = pc.index_in(table[numbers], value_set=tracks["index"])
        value = pl.Series(table[name]).list.get(pl.Series(item), null_on_oob=True)
        # where all are 0 the smallest number stands there, which is no stronger than the others
        has_effect = pc.not_equal(table[strongest], 0)
        number = pc.if_else(has_effect, table[numbers], None)
        columns = {numbers: pl.Series(number)}
        columns[f"{strongest}_value"] = value
        named_item = pc.if_else(has_effect, item, None)
        for label in _NAMES:
            names = tracks[label].take(named_item)
            columns[f"{strongest}_{label}"] = pl.Series(names)
        found[numbers] = columns
    return found


def _scalars(
    chrom: str | None,
    table: pa.Table,
    strongest: Mapping[str, Columns],
) -> pl.DataFrame:
    columns = {"chrom": pa.array([chrom] * table.num_rows, pa.string())}
    for field in table.schema:
        # a window's letters are more than a cell of a spreadsheet takes
        if field.name == SEQUENCE:
            continue
        if field.type == pa.list_(pa.string()):
            joined = pc.binary_join(table[field.name], ",")
            is_empty = pc.equal(joined, "")
            # no flags are an empty field, not a quoted empty text
            columns[field.name] = pc.if_else(is_empty, None, joined)
        elif not pa.types.is_nested(field.type):
            columns[field.name] = table[field.name]
    lines = pl.DataFrame(pl.from_arrow(pa.table(columns)))
    for number, behind in strongest.items():
        place = lines.columns.index(number)
        lines = lines.drop(number)
        for further, (name, column) in enumerate(behind.items()):
            lines.insert_column(place + further, column.rename(name))
    return lines

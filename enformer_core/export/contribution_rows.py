"""Rows of a run of contributions, one after another, as the exports of contributions want them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, UInt8

from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.run_type import ValueTable
from enformer_core.dataset.schemas import CONTRIBUTIONS, REF, contribution_lists
from enformer_core.dataset.stored_tables import stored_tables
from enformer_core.errors import InputError
from enformer_core.genome.alphabet import encode

_SCALARS = [
    "target",
    "group",
    "allele",
    "start",
    "contig_bp",
    "target_start",
    "target_end",
    "sequence",
]


@dataclass(frozen=True)
class ContributionRow:
    """One target, group and allele with values.

    Attributes:
        contig: the genome's own name.
        contig_bp: its length.
        target: as the table names it.
        group: of tracks.
        allele: `ref` or `alt`.
        start: first base of the window; negative near a contig's start.
        target_start: where the target lies on the contig.
        target_end: the first base behind it.
        codes: base codes of the window.
        values: contributions of its bases.
        hypothetical: those of every letter, a row for each of A, C, G, T; None where the run has none.
    """

    contig: str
    contig_bp: int
    target: str
    group: str
    allele: str
    start: int
    target_start: int
    target_end: int
    codes: UInt8[np.ndarray, " length"]
    values: Float32[np.ndarray, " length"]
    hypothetical: Float32[np.ndarray, "4 length"] | None

    @property
    def is_reference(self) -> bool:
        """Whether its bases are the genome's, so that each has a place there."""
        return self.allele == REF

    def on_contig(self) -> slice:
        """The bases that lie on the contig: beyond its ends a window has N."""
        # a window that begins at -5 has the contig's first base at 5
        first = max(-self.start, 0)
        end = min(self.codes.size, self.contig_bp - self.start)
        return slice(first, end)


def contribution_rows(ledger: Ledger) -> Iterator[ContributionRow]:
    """Every row that has values, in the order of the plan.

    Raises:
        InputError: at once, for a run of another kind, naming what it has.
        DatasetError: for an object that is missing or damaged.
    """
    # no generator: a run of another kind is refused before a file is begun
    table = _table(ledger)
    columns = ledger.run_type.value_columns(table, ledger.run)
    return _rows_of_run(ledger, table, columns)


def _table(ledger: Ledger) -> ValueTable:
    run_type = ledger.run_type
    for table in run_type.value_tables:
        if table.name == CONTRIBUTIONS:
            return table
    raise InputError(
        f"{ledger.store.location}: a run of {run_type.unit} with the tables {', '.join(run_type.tables)}; "
        "contributions come from `enformer-ray attribute`"
    )


def _rows_of_run(
    ledger: Ledger,
    value_table: ValueTable,
    columns: Sequence[str],
) -> Iterator[ContributionRow]:
    for contig, table in stored_tables(ledger, value_table.name):
        # what has no place has no values
        if contig is not None:
            yield from _rows(contig, table, columns)


def _rows(
    contig: str,
    table: pa.Table,
    columns: Sequence[str],
) -> Iterator[ContributionRow]:
    has_letters = len(columns) > 1
    lists = contribution_lists(hypothetical=has_letters)
    # one at a time: of Enformer a row with hypothetical contributions is 4 MB
    for batch in table.to_batches(max_chunksize=1):
        if batch.column("values").null_count:
            continue
        (row,) = batch.select(_SCALARS).to_pylist()
        values, *letters = [np.asarray(batch.column(name).flatten()) for name in lists]
        codes = encode(row.pop("sequence"))
        yield ContributionRow(
            contig=contig,
            codes=codes,
            values=values,
            hypothetical=np.stack(letters) if has_letters else None,
            **row,
        )

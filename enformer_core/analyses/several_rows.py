"""Kinds of runs that answer a planned row with several rows of a table: one for each group, layer or gene.

Knows lists of a plan and the rows that they come to. Does not know what is computed of them. Loads no torch.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset.run_type import RunType


class SeveralRowsType(RunType):
    """A kind of run whose first value table has one row or more for each planned one, with one status."""

    def statuses(
        self,
        planned: pa.Table,
        stored: pa.Table,
    ) -> pa.ChunkedArray:
        """What became of each planned row: what the first of its rows says, since all say the same."""
        keys = self.expected_keys(self.value_tables[0], planned)
        rows = np.asarray(keys["row"])
        # rows 0 0 1 1 2 of three planned ones: the first of each stand at 0, 2 and 4
        _, firsts = np.unique(rows, return_index=True)
        statuses = stored["status"]
        return statuses.take(pa.array(firsts))


def keys_of_entries(
    planned: pa.Table,
    keys: Sequence[str],
    lists: pa.Array,
    column: str,
) -> pa.Table:
    """The keys of a table that has a row for each entry of a list of every planned row.

    Args:
        planned: rows of the plan.
        keys: its columns that are keys of the table too.
        lists: a list for each planned row; without entries, or null, where the table has no row for it.
        column: the key that an entry is.

    Returns:
        All keys, and `row`: which of the planned rows (from 0) each answers.
    """
    # lists [a b] [] [c] of three rows come to entries a b c and rows 0 0 2
    entries = pc.list_flatten(lists)
    parents = pc.list_parent_indices(lists)
    row = pc.cast(parents, pa.int64())
    key_columns = planned.select(list(keys))
    of_entries = key_columns.take(row)
    with_entries = of_entries.append_column(column, entries)
    return with_entries.append_column("row", row)


def layers_with_mean(layers: int) -> list[int | None]:
    """The layers of a model as tables number them, behind the mean over them, which has no number.

    Two layers come to None, 1, 2.
    """
    return [None, *range(1, layers + 1)]

"""The largest value of a column over a whole run, from what the footers of its files say: no row is read."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.stored_tables import stored_objects
from enformer_core.errors import DatasetError
from enformer_core.storage.fenced_files import fenced_files

NO_EFFECT = 1e-6
"""A part of the run's largest value of a statistic: what is no larger is what rounding leaves of nothing."""


def largest_value(ledger: Ledger, table: str, column: str) -> float:
    """The largest value of a column in what is committed and there; 0 where it has none, or footers do not say.

    Args:
        ledger: of the run.
        table: one of its tables.
        column: of numbers that are not negative.
    """
    sizes: dict[str, int | None] = {**stored_objects(ledger)[table]}
    objects = fenced_files(ledger.store.location, sizes)

    def largest(key: str) -> float:
        try:
            with objects.open(key) as content:
                return max(_largest_of_groups(pq.read_metadata(content), column), default=0.0)
        except DatasetError:  # it is lost: whoever reads its rows says so
            return 0.0

    # a request takes milliseconds of waiting
    with ThreadPoolExecutor(ledger.readers) as pool:
        return max(pool.map(largest, sizes), default=0.0)


def silent_rows(ledger: Ledger, table: str, column: str) -> tuple[int, int]:
    """How many rows have a value that is no larger than what rounding leaves of nothing, and how many have one.

    Of each file that column alone is read.

    Args:
        ledger: of the run.
        table: one of its tables.
        column: of numbers that are not negative.

    Raises:
        DatasetError: for a file that is missing or damaged.
    """
    bound = NO_EFFECT * largest_value(ledger, table, column)
    sizes: dict[str, int | None] = {**stored_objects(ledger)[table]}
    objects = fenced_files(ledger.store.location, sizes)

    def of_file(key: str) -> tuple[int, int]:
        with objects.open(key) as content:
            values = pq.read_table(content, columns=[column])[column].drop_null()
        silent = pc.sum(pc.less_equal(values, pa.scalar(bound, values.type))).as_py()
        return silent or 0, len(values)

    with ThreadPoolExecutor(ledger.readers) as pool:
        found = [*pool.map(of_file, sizes)]
    return sum(silent for silent, _ in found), sum(rows for _, rows in found)


def _largest_of_groups(footer: pq.FileMetaData, column: str) -> Iterator[float]:
    names = [footer.schema.column(place).path for place in range(footer.num_columns)]
    if column not in names:
        return
    place = names.index(column)
    for group in range(footer.num_row_groups):
        statistics = footer.row_group(group).column(place).statistics
        if statistics is not None and statistics.has_min_max:
            yield float(statistics.max)

"""A number for each allele of a run by an expression of SQL over its tables, behind the fence that queries have.

max_abs_sad
list_max([abs(x) FOR x IN sad])
percentiles.max_sad_phred
(SELECT max(abs(e.value)) FROM effects e WHERE e.variant_id = scores.variant_id)
"""

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float64

from enformer_core.dataset.fenced_tables import (
    create_table_views,
    fenced_connection,
    sizes_of,
    spill_folder,
    table_objects,
)
from enformer_core.dataset.joined_scores import rows_of_scores
from enformer_core.dataset.ledger import Ledger
from enformer_core.errors import DatasetError, InputError, StorageError
from enformer_core.finemapping.run_alleles import RunAlleles
from enformer_core.storage.fenced_files import FencedFiles, fenced_files
from enformer_core.variants.arrow import in_full
from enformer_core.variants.table import Flag, Status

_ASKED = """
SELECT scores.variant_id, CAST((
{expression}
) AS DOUBLE) AS prior
FROM {rows}
WHERE scores.status = '{status}' AND NOT list_contains(coalesce(scores.flags, []), '{repeat}')
"""


def numbers_of(
    ledger: Ledger,
    alleles: RunAlleles,
    expression: str,
    option: str = "--prior",
) -> Float64[np.ndarray, " alleles"]:
    """What an expression over the columns of `scores` comes to, for each allele; NaN where it is null.

    Args:
        ledger: of the run.
        alleles: of the run.
        expression: of SQL; it may ask the run's other tables, and name the columns of those beside it: `pca.pc1`.
        option: by which it was given, for messages.

    Raises:
        InputError: for SQL that DuckDB refuses, with its reason, and for what gives no number for each allele.
        DatasetError: for a file of the run that is missing or damaged.
    """
    tables = table_objects(ledger)
    files = fenced_files(ledger.store.location, sizes_of(tables))
    sql = _ASKED.format(
        expression=expression,
        rows=rows_of_scores(ledger, expression),
        status=Status.OK.value,
        repeat=Flag.DUPLICATE.value,
    )
    given = f"{option} {expression!r}"
    try:
        with spill_folder() as spill, fenced_connection(files, spill) as connection:
            create_table_views(connection, tables)
            answer = connection.sql(sql).to_arrow_table()
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise _refusal(error, files, given) from error
    return _of_alleles(answer, alleles, given)


def _of_alleles(
    answer: pa.Table, alleles: RunAlleles, given: str
) -> Float64[np.ndarray, " alleles"]:
    """The numbers in the order of the alleles, of which each has one."""
    names = in_full(answer, "variant_id")
    if len(names) != len(alleles):
        raise InputError(
            f"{given}: gives {len(names):,} numbers for {len(alleles):,} alleles; give an expression "
            "over the columns of scores, such as max_abs_sad"
        )
    at = pc.index_in(alleles.column("variant_id"), value_set=names)
    numbers = pc.fill_null(in_full(answer, "prior"), np.nan)
    return np.asarray(numbers.take(at), dtype=np.float64)


def _refusal(
    error: Exception,
    files: FencedFiles,
    given: str,
) -> Exception:
    """What went wrong: with a file of the run, or with the SQL."""
    if isinstance(files.failure, DatasetError | StorageError):
        return files.failure
    said = str(files.failure or error).partition("\n")[0]
    return InputError(
        f"{given}: this SQL was refused: {said}. Give an expression over the columns of scores, such as max_abs_sad; "
        "a column that a table beside the run has too is written with its table, scores.pos"
    )

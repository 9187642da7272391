"""Small changes to tables of records. Does not know what a column means."""

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.variants.arrow import Column


def with_fault(records: pa.Table, fault: Column) -> pa.Table:
    """The records with one more possible fault; what was found before comes first."""
    if "fault" not in records.column_names:
        return records.append_column("fault", fault)
    return with_columns(records, {"fault": pc.coalesce(records["fault"], fault)})


def with_columns(records: pa.Table, columns: dict[str, Column]) -> pa.Table:
    """The records with other columns in the place of those of the same names."""
    for name, column in columns.items():
        at = records.schema.get_field_index(name)
        records = records.set_column(at, name, column)
    return records

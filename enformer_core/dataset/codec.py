"""Tables as Parquet that carries a footer, and JSON: as bytes and back."""

import io
import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from enformer_core.errors import DatasetError

_FOOTER = b"enformer_ray"

_ROW_GROUP_ROWS = 1_000


def to_parquet(table: pa.Table, footer: Mapping[str, Any]) -> bytes:
    """A table as one Parquet file that carries `footer`.

    Lists of floats are BYTE_STREAM_SPLIT, zstd-1; only scalar columns have minimum and maximum.
    """
    lists = [field.name for field in table.schema if field.type == pa.list_(pa.float32())]
    scalars = [field.name for field in table.schema if not pa.types.is_nested(field.type)]
    annotated = table.replace_schema_metadata({_FOOTER: canonical_json(footer)})
    sink = io.BytesIO()
    pq.write_table(
        annotated,
        sink,
        compression="zstd",
        compression_level=1,
        use_dictionary=False,
        column_encoding={f"{name}.list.element": "BYTE_STREAM_SPLIT" for name in lists},
        write_statistics=scalars,
        write_page_checksum=True,
        row_group_size=_ROW_GROUP_ROWS,
    )
    return sink.getvalue()


def from_parquet(content: bytes, name: str) -> tuple[pa.Table, dict[str, Any]]:
    """A table and the footer it carries.

    Raises:
        DatasetError: when these bytes are not a Parquet file of a run.
    """
    try:
        table = pq.read_table(pa.BufferReader(content), page_checksum_verification=True)
        footer = json.loads((table.schema.metadata or {})[_FOOTER])
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise DatasetError(f"{name}: damaged, or not written by this program: {error}") from error
    return table.replace_schema_metadata(None), footer


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: equal values, equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def readable_json(value: Any) -> bytes:
    """JSON for people."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()

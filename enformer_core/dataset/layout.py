"""The names and columns of everything in an output directory, and how tables become Parquet and back.

Knows schemas and keys; does not know how scores come about or when they are written. Positions leave as VCF has them,
1-based; this is where they are turned.
"""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from enformer_core.conventions import Statistic
from enformer_core.errors import DatasetError

RUN_KEY = "run.json"
TRACKS_KEY = "tracks.parquet"
MANIFEST_KEY = "manifest.json"
UNPLACED = "__unplaced__"
"""The partition of rows without a place on the genome."""

_FOOTER = b"enformer_ray"
_ROW_GROUP_ROWS = 1_000
KEY_COLUMNS = ("input_file", "input_line", "alt_index")
"""What names an input allele; unique over a run."""

_ALLELE_COLUMNS = [
    pa.field("variant_id", pa.string()),
    pa.field("pos", pa.int64()),
    pa.field("id", pa.string()),
    pa.field("ref", pa.string()),
    pa.field("alt", pa.string()),
    pa.field("input_file", pa.string()),
    pa.field("input_line", pa.int64()),
    pa.field("alt_index", pa.int32()),
    pa.field("input_ref", pa.string()),
    pa.field("input_alt", pa.string()),
    pa.field("status", pa.string()),
    pa.field("reason", pa.string()),
    pa.field("flags", pa.list_(pa.string())),
    pa.field("effect_sign", pa.int8()),
    pa.field("window_start", pa.int64()),
    pa.field("offset_bp", pa.int32()),
]

EFFECTS_SCHEMA = pa.schema(
    [
        pa.field("track", pa.int32()),
        pa.field("variant_id", pa.string()),
        pa.field("pos", pa.int64()),
        pa.field("ref", pa.string()),
        pa.field("alt", pa.string()),
        pa.field("statistic", pa.string()),
        pa.field("value", pa.float32()),
        pa.field("rank", pa.int32()),
    ]
)

PREDICTIONS_SCHEMA = pa.schema(
    [pa.field("start", pa.int64()), pa.field("end", pa.int64()), pa.field("values", pa.list_(pa.float32()))]
)
"""A bin of a contig, 0-based and half-open as in BED, and its prediction for each track."""


def scores_schema(statistics: Sequence[Statistic]) -> pa.Schema:
    """Columns of a scores file: the allele, a list over tracks per statistic, and the strongest of each."""
    lists = [pa.field(name, pa.list_(pa.float32())) for name in statistics]
    strongest = [
        field
        for name in statistics
        for field in (
            pa.field(f"max_abs_{name}", pa.float32()),
            pa.field(f"max_abs_{name}_track", pa.int32()),
        )
    ]
    return pa.schema([*_ALLELE_COLUMNS, *lists, *strongest])


def plan_key(part: int) -> str:
    """Key of one part of the plan."""
    return f"plan/part-{part:05d}.parquet"


def table_key(table: str, chrom: str | None, shard: int) -> str:
    """Key of one of a shard's tables; None is the partition of rows without a place."""
    return f"{table}/{_partition(chrom)}/shard-{shard:08d}.parquet"


def receipt_key(shard: int) -> str:
    """Key of the receipt that makes a shard count as done."""
    return f"commits/shard-{shard:08d}.json"


def receipt_block_key(block: int) -> str:
    """Key of the receipts of many shards in one object, derived from theirs."""
    return f"receipts/block-{block:06d}.jsonl"


def shard_of_receipt(key: str) -> int:
    """The shard that a receipt's key names."""
    return int(key.removeprefix("commits/shard-").removesuffix(".json"))


def chrom_of_key(key: str) -> str:
    """The contig in whose partition an object lies."""
    return unquote(key.split("/")[1].removeprefix("chrom="))


def _partition(chrom: str | None) -> str:
    # Contigs such as `HLA*01:01` are quoted as every hive reader unquotes them.
    return f"chrom={UNPLACED if chrom is None else quote(chrom, safe='')}"


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


def sha256(content: bytes) -> str:
    """Digest of an object as stored."""
    return hashlib.sha256(content).hexdigest()


def content_digest(table: pa.Table) -> str:
    """Digest of a table's decoded values: the same whatever the encoding, chunks or version of the writer."""
    digest = hashlib.sha256()
    for field, column in zip(table.schema, table.columns, strict=True):
        # a list's inner field is named by whoever wrote the file: it is no part of the values
        kind = f"list<{field.type.value_type}>" if pa.types.is_list(field.type) else field.type
        digest.update(f"{field.name}:{kind}:{len(column)};".encode())
        _digest_values(digest, column.combine_chunks())
    return digest.hexdigest()


def _digest_values(digest: Any, array: Any) -> None:
    array = pa.concat_arrays([array]) if isinstance(array, pa.Array) else pa.concat_arrays(array.chunks)
    digest.update(np.asarray(array.is_valid()).tobytes())
    if pa.types.is_list(array.type):
        digest.update(np.asarray(array.value_lengths().fill_null(0), dtype=np.int64).tobytes())
        _digest_values(digest, array.flatten())
    elif pa.types.is_string(array.type):
        letters = array.fill_null("")
        digest.update(np.asarray(pa.compute.binary_length(letters), dtype=np.int64).tobytes())
        digest.update("".join(letters.to_pylist()).encode())
    else:
        digest.update(np.asarray(array.fill_null(0)).tobytes())

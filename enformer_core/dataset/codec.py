"""Everything in a run's directory as bytes and back: Parquet that carries a footer, and JSON.

The dataclasses of the contract are encoded and checked by msgspec. Digests are taken of canonical
JSON, whose bytes follow from the value alone.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import UNSET, UnsetType

from enformer_core.dataset.meanings import with_meanings, without_meanings
from enformer_core.errors import DatasetError

T = TypeVar("T")
JsonObject = dict[str, Any]
"""A JSON object whose fields are not known here."""

_FOOTER = b"enformer_ray"
_ROW_GROUP_ROWS = 1_000


@dataclass(frozen=True)
class Footer:
    """What the Parquet files of a run say of themselves.

    Attributes:
        kind: the table's name.
        identity: digest of the run's identity.
        notice: what a demonstration says.
        shard: the shard's number; None for tables of the whole run.
        reused: which rows were copied from other runs, as the receipt has it: it goes with the values, whoever puts the
            receipt. No part of what the file must be, and no field where none were.
    """

    kind: str
    identity: str
    notice: str | None
    shard: int | None = None
    reused: tuple[JsonObject, ...] | UnsetType = field(default=UNSET, compare=False)


def to_parquet(table: pa.Table, footer: Footer) -> bytes:
    """A table as one Parquet file that carries `footer`.

    Lists of floats are BYTE_STREAM_SPLIT, zstd-1; only scalar columns have minimum and maximum. Fields say what they
    mean.
    """
    lists = [column.name for column in table.schema if column.type == pa.list_(pa.float32())]
    scalars = [column.name for column in table.schema if not pa.types.is_nested(column.type)]
    sink = io.BytesIO()
    pq.write_table(
        with_footer(with_meanings(table, footer.kind), footer),
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


def with_footer(table: pa.Table, footer: Footer) -> pa.Table:
    """The same table, which says what it is when it is written, however that is done."""
    return table.replace_schema_metadata({_FOOTER: canonical_json(footer)})


def from_parquet(
    content: bytes,
    name: str,
    *,
    columns: Sequence[str] | None = None,
) -> tuple[pa.Table, Footer]:
    """A table and the footer that it carries.

    Args:
        content: of the file.
        name: of the file, for messages.
        columns: those that are read, which must be there; all by default.

    Raises:
        DatasetError: when these bytes are not a Parquet file of a run.
    """
    try:
        # pages have their own checksums: a flipped bit is found even where no receipt is at hand
        wanted = None if columns is None else list(columns)
        table = pq.read_table(
            pa.BufferReader(content),
            columns=wanted,
            page_checksum_verification=True,
        )
        footer = (table.schema.metadata or {})[_FOOTER]
    except (pa.ArrowException, OSError, KeyError) as error:
        message = f"{name}: damaged, or not written by this program: {error}"
        raise DatasetError(message) from error
    plain = without_meanings(table).replace_schema_metadata(None)
    return plain, decode(footer, Footer, name)


def canonical_json(value: object) -> bytes:
    """JSON with sorted keys and no spaces: equal values, equal bytes."""
    builtins = _builtins(value)
    text = json.dumps(builtins, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def readable_json(value: object) -> bytes:
    """JSON for people: indented, with a line end."""
    text = json.dumps(_builtins(value), indent=2, ensure_ascii=False)
    return f"{text}\n".encode()


def json_line(content: bytes) -> bytes:
    """A JSON document without white space, so that it fits on one line; its fields stay as they are."""
    return msgspec.json.format(content, indent=-1)


def as_json_object(value: object) -> JsonObject:
    """A dataclass of the contract as the object that its JSON is."""
    builtins: JsonObject = json.loads(canonical_json(value))
    return builtins


def decode(
    content: bytes | None,
    wanted: type[T],
    name: str,
) -> T:
    """A value of the contract from its JSON.

    Args:
        content: the JSON; None where the object is missing.
        wanted: a dataclass; fields that it does not know are passed over.
        name: the object's name, for messages.

    Raises:
        DatasetError: naming the object and the field that does not fit.
    """
    try:
        return msgspec.json.decode(content or b"", type=wanted)
    # letters that are not UTF-8 are no msgspec error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DatasetError(f"{name}: damaged: {error}") from error


def convert(raw: JsonObject, wanted: type[T], name: str) -> T:
    """A value of the contract from a JSON object that is parsed already.

    Raises:
        DatasetError: naming the object and the field that does not fit.
    """
    try:
        return msgspec.convert(raw, type=wanted)
    except msgspec.MsgspecError as error:
        raise DatasetError(f"{name}: damaged: {error}") from error


def parse_object(content: bytes | None, name: str) -> JsonObject:
    """A JSON object whose fields are not known.

    Raises:
        DatasetError: for bytes that are no JSON object.
    """
    return decode(content, dict, name)


def _builtins(value: object) -> Any:
    return msgspec.to_builtins(value, enc_hook=_plain)


def _plain(value: object) -> Any:
    # msgspec knows dict, not every Mapping: read-only views stand in many frozen dataclasses
    if isinstance(value, Mapping):
        return dict(value)
    # a subclass, as torch's version is
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")

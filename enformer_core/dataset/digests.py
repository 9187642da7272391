"""Digests of objects as stored, and of what they say."""

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa


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
    array = (
        pa.concat_arrays([array]) if isinstance(array, pa.Array) else pa.concat_arrays(array.chunks)
    )
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

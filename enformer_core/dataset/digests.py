"""Digests of objects as stored, and of what they say."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def sha256(content: bytes) -> str:
    """Digest of an object as stored."""
    return hashlib.sha256(content).hexdigest()


def content_digest(table: pa.Table) -> str:
    """Digest of a table's decoded values: the same whatever the encoding, chunks or writer's version."""
    digest = hashlib.sha256()
    for field, column in zip(table.schema, table.columns, strict=True):
        # a list's inner field is named by whoever wrote the file: it is no part of the values
        is_list = pa.types.is_list(field.type)
        kind = f"list<{field.type.value_type}>" if is_list else field.type
        # with the length, so that no values of one column can pass for those of the next
        heading = f"{field.name}:{kind}:{len(column)};"
        digest.update(heading.encode())
        values = column.combine_chunks()
        _digest_values(digest, values)
    return digest.hexdigest()


def _digest_values(digest: "hashlib._Hash", values: pa.Array | pa.ChunkedArray) -> None:
    # a copy without offset: a slice's buffers hold values that are not its own
    chunks = [values] if isinstance(values, pa.Array) else values.chunks
    array = pa.concat_arrays(chunks)
    _add(digest, array.is_valid())
    if pa.types.is_list(array.type):
        lengths = array.value_lengths().fill_null(0)
        _add(digest, lengths.cast(pa.int64()))
        _digest_values(digest, array.flatten())
    elif pa.types.is_string(array.type):
        # lengths and letters: "ab", "c" and "a", "bc" are different
        texts = array.fill_null("")
        lengths = pc.binary_length(texts)
        _add(digest, lengths.cast(pa.int64()))
        letters = "".join(texts.to_pylist())
        digest.update(letters.encode())
    else:
        # what stands below a null is arbitrary
        zero = pa.scalar(0).cast(array.type)
        filled = array.fill_null(zero)
        _add(digest, filled)


def _add(digest: "hashlib._Hash", array: pa.Array) -> None:
    digest.update(np.asarray(array).tobytes())

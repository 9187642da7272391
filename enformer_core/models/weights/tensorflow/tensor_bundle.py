"""TensorFlow's checkpoint format (TensorBundle), read without TensorFlow.

`PREFIX.index` is a sorted table as LevelDB writes it: the empty key holds a header, every other key a tensor's type,
shape, place and checksum in `PREFIX.data-00000-of-00001`. Every checksum (CRC-32C) of what is read is verified.
Sources: tensorflow/core/util/tensor_bundle, tensorflow/core/protobuf/tensor_bundle.proto,
tensorflow/core/lib/io/format.cc, leveldb/doc/table_format.md.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from enformer_core.errors import InputError
from enformer_core.models.weights.tensorflow.wire import (
    fields_of,
    message,
    number,
    varint,
    verify_checksum,
)

INDEX_MAGIC = bytes.fromhex("57fb808b247547db")

_FOOTER_BYTES = 48

_TRAILER_BYTES = 5  # compression type, checksum

# How a block is compressed: public TensorFlow writes plain ones, others may not.
_PLAIN = 0
_SNAPPY = 1

# NumPy's types by TensorFlow's numbers, tensorflow/core/framework/types.proto
_DTYPES = MappingProxyType({1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"})

_CHECKPOINT_PATH = re.compile(r'^model_checkpoint_path:\s*"([^"]+)"', re.MULTILINE)


@dataclass(frozen=True)
class Entry:
    """Where a tensor lies: `size` bytes from `offset` in the data file number `shard`."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc32c: int
    sliced: bool


@dataclass(frozen=True)
class TensorBundle:
    """The tensors of a checkpoint, by name; their values stay on disk until they are read."""

    prefix: Path
    shards: int
    entries: Mapping[str, Entry]

    @property
    def names(self) -> Iterable[str]:
        """Names of the tensors, which are paths in a tree of objects."""
        return self.entries.keys()

    @property
    def files(self) -> tuple[Path, ...]:
        """The index and the data files, for digests."""
        return (_index(self.prefix), *(self.data(shard) for shard in range(self.shards)))

    def read(self, name: str) -> np.ndarray:
        """Values of a tensor, read-only, in the type and order of the file.

        Raises:
            InputError: A data file is missing, truncated or damaged, or the type is not numeric.
        """
        entry = self.entries[name]
        path = self.data(entry.shard)
        if entry.dtype not in _DTYPES or entry.sliced:
            kind = "is stored in slices" if entry.sliced else f"has TensorFlow type {entry.dtype}"
            raise InputError(
                f"{path}: {name} {kind}, which is not read here. Save it as one float32 tensor."
            )
        dtype = np.dtype(_DTYPES[entry.dtype])
        if entry.size != math.prod(entry.shape) * dtype.itemsize:
            raise InputError(
                f"{path}: {name} of shape {entry.shape} and type {dtype} cannot have {entry.size} bytes."
            )
        content = _slice(path, entry)
        verify_checksum(content, entry.crc32c, f"{path}: {name}")
        return np.frombuffer(content, dtype).reshape(entry.shape)

    def data(self, shard: int) -> Path:
        """Path of the data file of a shard, which is counted from 0."""
        return self.prefix.with_name(f"{self.prefix.name}.data-{shard:05d}-of-{self.shards:05d}")


def open_bundle(prefix: Path) -> TensorBundle:
    """Read the index of a checkpoint.

    Raises:
        InputError: The index is missing, damaged, or of a kind that is not read here; a data file is missing or short.
    """
    path = _index(prefix)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}). Fetch the checkpoint's index."
        ) from error
    if len(content) < _FOOTER_BYTES or not content.endswith(INDEX_MAGIC):
        raise InputError(
            f"{path}: is not the index of a TensorFlow checkpoint, or truncated at {len(content)} bytes."
        )
    try:
        bundle = _bundle(prefix, dict(_table(content, str(path))))
        _check_sizes(bundle)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: is damaged ({error!r}). Fetch it again.") from error
    return bundle


def bundle_prefix(path: Path) -> Path:
    """What stands before `.index` and `.data-00000-of-00001` in the names of a checkpoint's files.

    Args:
        path: the prefix itself; the path of the index; or a directory with the file `checkpoint`, which names it.

    Raises:
        InputError: The directory has no such file, or the file does not name a prefix.
    """
    if not path.is_dir():
        return path.with_suffix("") if path.suffix == ".index" else path
    try:
        named = _CHECKPOINT_PATH.search((path / "checkpoint").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: has no readable file `checkpoint`. Name the prefix of the checkpoint."
        ) from error
    if named is None:
        raise InputError(
            f"{path / 'checkpoint'}: names no model_checkpoint_path. Name the prefix of the checkpoint."
        )
    return path / named[1]


def _bundle(prefix: Path, rows: dict[bytes, bytes]) -> TensorBundle:
    header = fields_of(rows.pop(b""))
    if number(header, 2):
        raise InputError(
            f"{_index(prefix)}: was written on a big-endian machine, which is not read here."
        )
    entries = {name.decode(): _entry(row) for name, row in rows.items()}
    return TensorBundle(prefix, number(header, 1), MappingProxyType(entries))


def _index(prefix: Path) -> Path:
    return prefix.with_name(prefix.name + ".index")


def _check_sizes(bundle: TensorBundle) -> None:
    """Every data file reaches as far as the index says, so that the slow reading does not begin in vain."""
    ends = dict.fromkeys(range(bundle.shards), 0)
    for entry in bundle.entries.values():
        ends[entry.shard] = max(ends[entry.shard], entry.offset + entry.size)
    for shard, end in ends.items():
        path = bundle.data(shard)
        try:
            size = path.stat().st_size
        except OSError as error:
            raise InputError(
                f"{path}: cannot be read ({error.strerror}). Fetch all files of the checkpoint."
            ) from error
        if size < end:
            raise InputError(
                f"{path}: truncated at {size} bytes, its index goes to {end}. Fetch it again."
            )


def _slice(path: Path, entry: Entry) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(entry.offset)
            return file.read(entry.size)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}). Fetch all files of the checkpoint."
        ) from error


# The table: blocks of rows, an index of the blocks, and a footer that says where the index is.


class _Handle(NamedTuple):
    """Where a block lies in the index, without the bytes behind it."""

    offset: int
    size: int


def _table(content: bytes, source: str) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of the table, in the order of the keys."""
    footer = content[-_FOOTER_BYTES:]
    metaindex, at = _handle(footer, 0)
    index, _ = _handle(footer, at)
    _block(content, metaindex, source)  # verified, though bundles leave it empty
    for _, stored_handle in _rows(_block(content, index, source)):
        handle, _ = _handle(stored_handle, 0)
        yield from _rows(_block(content, handle, source))


def _handle(data: bytes, at: int) -> tuple[_Handle, int]:
    """A handle from index `at`, and the index behind it."""
    offset, at = varint(data, at)
    size, at = varint(data, at)
    return _Handle(offset, size), at


def _block(content: bytes, handle: _Handle, source: str) -> bytes:
    """A block's content; behind it in the file stand a byte for its compression and its checksum."""
    offset, size = handle
    stored = content[offset : offset + size + _TRAILER_BYTES]
    if len(stored) != size + _TRAILER_BYTES:
        raise InputError(
            f"{source}: truncated at {len(content)} bytes, a block ends at {offset + size}. Fetch it again."
        )
    checksum = int.from_bytes(stored[size + 1 :], "little")
    verify_checksum(stored[: size + 1], checksum, f"{source}: block at byte {offset}")
    method = stored[size]
    if method not in (_PLAIN, _SNAPPY):
        raise InputError(
            f"{source}: block at byte {offset} is compressed by the unknown method {method}."
        )
    return stored[:size] if method == _PLAIN else uncompress(stored[:size])


def _rows(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values; a key gives only what differs from the key before it.

    After `stem/w`, a key that shares 5 bytes and adds `b` is `stem/b`. The block ends with the places of keys that are
    given whole, four bytes each, and their number, which are not needed here.
    """
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 * (restarts + 1)
    key = b""
    at = 0
    while at < end:
        shared, at = varint(block, at)
        unshared, at = varint(block, at)
        size, at = varint(block, at)
        key = key[:shared] + block[at : at + unshared]
        at += unshared
        yield key, block[at : at + size]
        at += size


# The values: protobuf messages.


def _entry(data: bytes) -> Entry:
    """A BundleEntryProto; its field 2 is a TensorShapeProto, of whose field 2 each holds a size as its field 1."""
    fields = fields_of(data)
    dimensions = fields_of(message(fields, 2)).get(2, [])
    return Entry(
        dtype=number(fields, 1),
        shape=tuple(
            number(fields_of(dimension), 1)
            for dimension in dimensions
            if isinstance(dimension, bytes)
        ),
        shard=number(fields, 3),
        offset=number(fields, 4),
        size=number(fields, 5),
        crc32c=number(fields, 6),
        sliced=7 in fields,
    )


# Compression


def uncompress(data: bytes) -> bytes:
    """Undo Snappy's raw format (no frames), which begins with the length of what it holds.

    Raises:
        ValueError: The data are not of this format, or do not give the length that they promise.
        IndexError: The data end within the length.
    """
    length, _ = varint(data, 0)
    try:
        return pa.decompress(data, decompressed_size=length, codec="snappy", asbytes=True)
    except OSError as error:  # of damage, Arrow speaks as of files
        raise ValueError(f"damaged snappy data: {error}") from error

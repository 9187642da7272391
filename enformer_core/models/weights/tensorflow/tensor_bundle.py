"""TensorFlow's checkpoint format (TensorBundle), read without TensorFlow.

`PREFIX.index` is a sorted table as LevelDB writes it: the empty key holds a header, every other key a tensor's type,
shape, place and checksum in `PREFIX.data-00000-of-00001`. Every checksum (CRC-32C) of what is read is verified. Knows
bytes and arrays; does not know what the tensors mean. Sources: tensorflow/core/util/tensor_bundle,
tensorflow/core/protobuf/tensor_bundle.proto, tensorflow/core/lib/io/format.cc, leveldb/doc/table_format.md.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from enformer_core.errors import InputError

INDEX_MAGIC = bytes.fromhex("57fb808b247547db")

_FOOTER_BYTES = 48

_TRAILER_BYTES = 5  # compression type, checksum

_PLAIN, _SNAPPY = 0, 1  # public TensorFlow writes plain blocks, others may not

_MASK_DELTA = 0xA282EAD8

_WORD = 2**32

_DTYPES = MappingProxyType(
    {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}
)  # tensorflow/core/framework/types.proto

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # protobuf wire types

Fields = dict[int, list[int | bytes]]


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
        _verify(content, entry.crc32c, f"{path}: {name}")
        return np.frombuffer(content, dtype).reshape(entry.shape)

    def data(self, shard: int) -> Path:
        """Path of a data file."""
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


def _bundle(prefix: Path, rows: dict[bytes, bytes]) -> TensorBundle:
    header = _fields(rows.pop(b""))
    if _number(header, 2):
        raise InputError(
            f"{_index(prefix)}: was written on a big-endian machine, which is not read here."
        )
    entries = {name.decode(): _entry(row) for name, row in rows.items()}
    return TensorBundle(prefix, _number(header, 1), MappingProxyType(entries))


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


# The table


def _table(content: bytes, source: str) -> Iterator[tuple[bytes, bytes]]:
    footer = content[-_FOOTER_BYTES:]
    metaindex, at = _handle(footer, 0)
    index, _ = _handle(footer, at)
    _block(content, metaindex, source)  # verified, though bundles leave it empty
    for _, handle in _rows(_block(content, index, source)):
        yield from _rows(_block(content, _handle(handle, 0)[0], source))


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    offset, at = varint(data, at)
    size, at = varint(data, at)
    return (offset, size), at


def _block(content: bytes, handle: tuple[int, int], source: str) -> bytes:
    offset, size = handle
    stored = content[offset : offset + size + _TRAILER_BYTES]
    if len(stored) != size + _TRAILER_BYTES:
        raise InputError(
            f"{source}: truncated at {len(content)} bytes, a block ends at {offset + size}. Fetch it again."
        )
    _verify(
        stored[: size + 1],
        int.from_bytes(stored[size + 1 :], "little"),
        f"{source}: block at byte {offset}",
    )
    method = stored[size]
    if method not in (_PLAIN, _SNAPPY):
        raise InputError(
            f"{source}: block at byte {offset} is compressed by the unknown method {method}."
        )
    return stored[:size] if method == _PLAIN else uncompress(stored[:size])


def _rows(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values; a key gives only what differs from the key before it."""
    restarts = int.from_bytes(block[-4:], "little")
    end, at, key = len(block) - 4 * (restarts + 1), 0, b""
    while at < end:
        shared, at = varint(block, at)
        unshared, at = varint(block, at)
        size, at = varint(block, at)
        key = key[:shared] + block[at : at + unshared]
        at += unshared
        yield key, block[at : at + size]
        at += size


# The values


def _entry(data: bytes) -> Entry:
    fields = _fields(data)
    dimensions = _fields(_message(fields, 2)).get(2, [])
    return Entry(
        dtype=_number(fields, 1),
        shape=tuple(
            _number(_fields(dimension), 1)
            for dimension in dimensions
            if isinstance(dimension, bytes)
        ),
        shard=_number(fields, 3),
        offset=_number(fields, 4),
        size=_number(fields, 5),
        crc32c=_number(fields, 6),
        sliced=7 in fields,
    )


def _fields(data: bytes) -> Fields:
    """Fields of a protobuf message by number, each with all of its values."""
    fields: Fields = {}
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        value: int | bytes
        if tag & 7 == _VARINT:
            value, at = varint(data, at)
        elif tag & 7 in (_FIXED32, _FIXED64):
            width = 4 if tag & 7 == _FIXED32 else 8
            value, at = int.from_bytes(data[at : at + width], "little"), at + width
        elif tag & 7 == _BYTES:
            size, at = varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            raise ValueError(f"protobuf wire type {tag & 7}")
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def _number(fields: Fields, field: int) -> int:
    value = fields.get(field, [0])[-1]
    if isinstance(value, bytes):
        raise TypeError(f"field {field} is no number")
    return value


def _message(fields: Fields, field: int) -> bytes:
    value = fields.get(field, [b""])[-1]
    if isinstance(value, int):
        raise TypeError(f"field {field} is no message")
    return value


# Checksums


def _verify(content: bytes, stored: int, item: str) -> None:
    crc = _crc32c()(content)
    found = ((crc >> 15 | crc << 17) + _MASK_DELTA) % _WORD
    if found != stored:
        raise InputError(
            f"{item} has checksum {found:08x}, recorded is {stored:08x}: damaged. Fetch the file again."
        )


def _crc32c() -> Callable[[bytes], int]:
    try:
        from google_crc32c import value  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise InputError(
            "TensorFlow checkpoints need google-crc32c. Install the extra `sonnet`."
        ) from error
    return value


_LITERAL = 0


def uncompress(data: bytes) -> bytes:
    """Undo Snappy's raw format (no frames).

    Raises:
        ValueError: The data are not of this format, or do not give the length that they promise.
        IndexError: The data end within an element.
    """
    length, at = varint(data, 0)
    out = bytearray()
    while at < len(data):
        tag = data[at]
        if tag & 3 == _LITERAL:
            size, at = _literal_size(data, at)
            out += data[at : at + size]
            at += size
        else:
            size, offset, at = _copy(data, at)
            _repeat(out, offset, size)
    if len(out) != length:
        raise ValueError(f"snappy data give {len(out)} bytes and promise {length}")
    return bytes(out)


def _literal_size(data: bytes, at: int) -> tuple[int, int]:
    """Size of a literal and the index where it starts; from 60 on, the size stands in 1 to 4 bytes of its own."""
    size = data[at] >> 2
    if size < 60:
        return size + 1, at + 1
    width = size - 59
    return int.from_bytes(data[at + 1 : at + 1 + width], "little") + 1, at + 1 + width


def _copy(data: bytes, at: int) -> tuple[int, int, int]:
    """Size and offset of a copy, and the index behind it."""
    tag = data[at]
    if tag & 3 == 1:
        return (tag >> 2 & 7) + 4, tag >> 5 << 8 | data[at + 1], at + 2
    width = 2 if tag & 3 == 2 else 4
    return (tag >> 2) + 1, int.from_bytes(data[at + 1 : at + 1 + width], "little"), at + 1 + width


def _repeat(out: bytearray, offset: int, size: int) -> None:
    """Append `size` bytes from `offset` bytes back; the copy may run into what it appends."""
    if not 0 < offset <= len(out):
        raise ValueError(f"snappy copy from {offset} bytes back after {len(out)}")
    source = bytes(out[-offset:])
    out += (source * (size // offset + 1))[:size]


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, the lowest first, from index `at`; and the index behind it.

    Raises:
        IndexError: The data end within the number.
    """
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at

"""Sequences and targets of Basenji's and Borzoi's TFRecord files, without TensorFlow."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

_BYTES = 2
"""Protocol buffers' type of a field that is so many bytes."""


def examples(path: Path) -> Iterator[dict[str, bytes]]:
    """The features of each record of a file that is compressed as a whole; each is one string of bytes."""
    whole = zlib.decompress(path.read_bytes())
    at = 0
    while at < len(whole):
        # length and its checksum, the record and its checksum
        (length,) = struct.unpack_from("<Q", whole, at)
        record = whole[at + 12 : at + 12 + length]
        at += 12 + length + 4
        (features,) = _fields(record)
        yield dict(_feature(entry) for entry in _fields(features))


def _feature(entry: bytes) -> tuple[str, bytes]:
    name, feature = _fields(entry)
    (listed,) = _fields(feature)
    (value,) = _fields(listed)
    return name.decode(), value


def _fields(message: bytes) -> Iterator[bytes]:
    """The fields of a message, all of which are bytes here."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        assert key & 7 == _BYTES
        length, at = _varint(message, at)
        yield message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, the lowest first, and the place behind it."""
    # 0xAC 0x02 is 0x2C + (2 << 7) = 300
    number, shift = 0, 0
    while True:
        byte = message[at]
        number |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return number, at
        shift += 7

"""TensorFlow's record files, read without TensorFlow: one record after another, each held against its checksums.

A record is its length in 8 bytes, the length's checksum, the record, the record's checksum; the file may be packed as a
whole by zlib or gzip. Records of data sets are `tf.train.Example`: named features, each a list of texts or numbers.
Sources: tensorflow/core/lib/io/record_writer.h, tensorflow/core/example/example.proto and feature.proto.
"""

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol, runtime_checkable

from enformer_core.errors import InputError
from enformer_core.models.weights.tensorflow.wire import fields_of, message, verify_checksum

_HEAD_BYTES = 12
_TAIL_BYTES = 4
_LENGTH_BYTES = 8

_CHUNK_BYTES = 1 << 20

_GZIP_MAGIC = b"\x1f\x8b"
_ZLIB_FIRST = 0x78
"""Of 32 kB of memory, with which everybody packs; a plain file begins with a length, see `_is_zlib`."""

_EITHER_HEADER = 32 + zlib.MAX_WBITS
"""Of zlib's settings: the header says whether it is zlib's or gzip's."""

_FEATURES, _ENTRY, _NAME, _FEATURE, _TEXTS, _TEXT = 1, 1, 1, 2, 1, 1
"""Numbers of the fields on the way from an Example to a feature's text."""


@runtime_checkable
class _Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes: ...


def read_examples(path: Path) -> Iterator[Mapping[str, bytes]]:
    """The features of each record that are one text of bytes, by their names; one record is in memory at a time.

    Raises:
        InputError: for a file that cannot be read, is cut or damaged, or holds something else.
    """
    for number, record in enumerate(read_records(path)):
        try:
            yield _features(record)
        except (IndexError, ValueError, TypeError) as error:
            raise InputError(
                f"{path}: record {number} is no tf.train.Example: {error}. Give TFRecords of Basenji's, Enformer's or "
                "Borzoi's data."
            ) from error


def read_records(path: Path) -> Iterator[bytes]:
    """The records of a file, packed or not.

    Raises:
        InputError: for a file that cannot be read, is cut, or whose bytes are not those of its checksums.
    """
    with _errors_of(path), path.open("rb") as file:
        stream = _unpacked(file)
        number = 0
        while head := stream.read(_HEAD_BYTES):
            where = f"{path}: record {number}"
            if len(head) < _HEAD_BYTES:
                raise _cut(where)
            verify_checksum(head[:_LENGTH_BYTES], _whole(head[_LENGTH_BYTES:]), f"{where}: length")
            length = _whole(head[:_LENGTH_BYTES])
            content = stream.read(length + _TAIL_BYTES)
            if len(content) < length + _TAIL_BYTES:
                raise _cut(where)
            record = content[:length]
            verify_checksum(record, _whole(content[length:]), where)
            yield record
            number += 1


def _whole(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _cut(where: str) -> InputError:
    return InputError(f"{where}: the file ends within it. Fetch it again.")


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except zlib.error as error:
        raise InputError(f"{path}: damaged: {error}. Fetch it again.") from error


def _unpacked(file: IO[bytes]) -> _Readable:
    """The bytes of a file, unpacked where it is packed."""
    first = file.read(_LENGTH_BYTES)
    file.seek(0)
    if first[:2] == _GZIP_MAGIC or _is_zlib(first):
        return _Unpacked(file)
    return file


def _is_zlib(first: bytes) -> bool:
    """Whether a file begins with zlib's two bytes: a number whose lower byte is 0x78, and which 31 divides.

    A plain file of a record of 0x…78 bytes could begin so too; but its length has zeros behind.
    """
    return (
        first[:1] == bytes([_ZLIB_FIRST])
        and int.from_bytes(first[:2], "big") % 31 == 0
        and any(first[4:])
    )


class _Unpacked:
    """What a packed file holds, read in order; only what is asked for is in memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._zlib = zlib.decompressobj(_EITHER_HEADER)
        self._ready = bytearray()

    def read(self, size: int, /) -> bytes:
        """So many bytes; fewer where the content ends, and then none."""
        while len(self._ready) < size and self._more():
            pass
        taken = bytes(self._ready[:size])
        del self._ready[:size]
        return taken

    def _more(self) -> bool:
        """Unpack a little more; False where nothing is left.

        Raises:
            zlib.error: for what is damaged or cut.
        """
        if self._zlib.eof:
            return False
        packed = self._zlib.unconsumed_tail or self._file.read(_CHUNK_BYTES)
        if not packed:
            raise zlib.error("the packed content ends too early")
        self._ready += self._zlib.decompress(packed, _CHUNK_BYTES)
        return True


def _features(record: bytes) -> dict[str, bytes]:
    """Features of an Example by name. Those that are lists of numbers are passed over."""
    entries = fields_of(message(fields_of(record), _FEATURES)).get(_ENTRY, [])
    features = {}
    for entry in entries:
        if isinstance(entry, int):
            raise TypeError("a feature is a number")
        named = fields_of(entry)
        texts = fields_of(message(named, _FEATURE)).get(_TEXTS)
        if texts is not None and isinstance(texts[-1], bytes):
            features[message(named, _NAME).decode()] = message(fields_of(texts[-1]), _TEXT)
    return features

"""What TensorFlow's files are made of: protobuf's numbers and fields, and masked checksums.

Sources: protobuf.dev/programming-guides/encoding, tensorflow/core/lib/hash/crc32c.h. Knows bytes. Does not know which
file they are of.
"""

from collections.abc import Callable

from enformer_core.errors import InputError

Fields = dict[int, list[int | bytes]]
"""Fields of a protobuf message by number, each with all of its values."""


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, the lowest first, from index `at`; and the index behind it.

    Every byte but the last has its highest bit set: AC 02 is 0x2C + (0x02 << 7) = 300.

    Raises:
        IndexError: The data end within the number.
    """
    value = 0
    shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields_of(data: bytes) -> Fields:
    """The fields of a message. Each begins with a tag: its number, and in the lowest three bits its wire type."""
    fields: Fields = {}
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        value, at = _value(data, at, wire_type=tag & 7)
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def _value(
    data: bytes,
    at: int,
    *,
    wire_type: int,
) -> tuple[int | bytes, int]:
    """A field's value from index `at`, and the index behind it."""
    match wire_type:
        case 0:  # a varint
            return varint(data, at)
        case 1:  # 8 bytes
            return int.from_bytes(data[at : at + 8], "little"), at + 8
        case 2:  # bytes behind their number
            size, at = varint(data, at)
            return data[at : at + size], at + size
        case 5:  # 4 bytes
            return int.from_bytes(data[at : at + 4], "little"), at + 4
    raise ValueError(f"protobuf wire type {wire_type}")


def number(fields: Fields, field: int) -> int:
    """The last value of a field, as protobuf takes it; 0 where it is absent.

    Raises:
        TypeError: for a field of bytes.
    """
    value = fields.get(field, [0])[-1]
    if isinstance(value, bytes):
        raise TypeError(f"field {field} is no number")
    return value


def message(fields: Fields, field: int) -> bytes:
    """The same of a field of bytes, a message or a text; empty where it is absent.

    Raises:
        TypeError: for a field that is a number.
    """
    value = fields.get(field, [b""])[-1]
    if isinstance(value, int):
        raise TypeError(f"field {field} is no message")
    return value


def verify_checksum(content: bytes, recorded: int, item: str) -> None:
    """Compare a checksum, which is stored masked: rotated right by 15 bits, plus a constant.

    Args:
        content: what it is of.
        recorded: as the file has it.
        item: what the message calls the content.

    Raises:
        InputError: where they differ, or google-crc32c is not installed.
    """
    crc = _crc32c()(content)
    rotated = crc >> 15 | crc << 17
    masked = (rotated + 0xA282EAD8) % 2**32  # tensorflow/core/lib/hash/crc32c.h
    if masked != recorded:
        raise InputError(
            f"{item} has checksum {masked:08x}, recorded is {recorded:08x}: damaged. Fetch the file again."
        )


def _crc32c() -> Callable[[bytes], int]:
    try:
        from google_crc32c import value  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise InputError(
            "TensorFlow's files need google-crc32c. Install the extra `sonnet`."
        ) from error
    return value

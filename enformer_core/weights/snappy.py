"""Snappy, uncompressed in plain Python: enough for the small index of a checkpoint.

Source: google/snappy, format_description.txt. Knows bytes only.
"""

from enformer_core.weights.varint import varint

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

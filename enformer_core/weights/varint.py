"""Numbers of varying length, as protobuf, LevelDB and Snappy write them."""


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

"""Files packed as bgzip packs them, so that a part can be read by itself: `.vcf.gz`.

BGZF (SAM specification, section 4.1) is gzip in members of at most 64 KiB, each saying its own length in an extra
field `BC`; an empty member marks the end. Knows bytes. Does not know what they mean.
"""

import struct
import zlib
from collections.abc import Callable

MAGIC = b"\x1f\x8b\x08\x04"
"""How a member begins: gzip, deflated, with an extra field."""

END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
"""The empty member at the end; a file that lacks it was cut short."""

_MEMBER_TEXT_BYTES = 0xFF00
"""As bgzip cuts: what cannot be packed at all must stay below 64 KiB with its head."""

_HEAD = struct.Struct("<4sIBBHBBHH")
_TAIL = struct.Struct("<II")
_LEVEL = 6


class BgzfWriter:
    """Packs what is written, member by member.

    Args:
        put: takes the packed bytes, such as the `write` of a file.
    """

    def __init__(self, put: Callable[[bytes], object]) -> None:
        self._put = put
        self._waiting = bytearray()

    def write(self, data: bytes) -> None:
        """Add bytes; they are put when a member is full."""
        self._waiting += data
        whole = len(self._waiting) // _MEMBER_TEXT_BYTES * _MEMBER_TEXT_BYTES
        for first in range(0, whole, _MEMBER_TEXT_BYTES):
            self._put(_member(self._waiting[first : first + _MEMBER_TEXT_BYTES]))
        del self._waiting[:whole]

    def finish(self) -> None:
        """Write what is left, and the end marker."""
        if self._waiting:
            self._put(_member(self._waiting))
            self._waiting.clear()
        self._put(END)


def _member(text: bytes | bytearray) -> bytes:
    # negative: deflated without a header of its own
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(text) + packer.flush()
    bytes_in_all = _HEAD.size + len(packed) + _TAIL.size
    # no time, no flags, no system; 6 bytes of extra field: BC, 2 bytes of value, the length less one
    head = _HEAD.pack(MAGIC, 0, 0, 255, 6, ord("B"), ord("C"), 2, bytes_in_all - 1)
    return head + packed + _TAIL.pack(zlib.crc32(text), len(text))

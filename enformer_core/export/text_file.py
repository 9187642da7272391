"""Files of text, packed by blocks where their names end as packed files do.

What bgzip packs is gzip: every program reads it, and tabix finds its way in it. Knows names and bytes.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from enformer_core.errors import InputError
from enformer_core.export.whole_file import whole_file
from enformer_core.storage.bgzf import BgzfWriter

PACKED = (".gz", ".bgz", ".bgzf")
_UNKNOWN = (".zst", ".bz2", ".xz", ".zip", ".lz4")


def is_packed(path: Path) -> bool:
    """Whether a file of this name is packed by blocks."""
    return path.suffix.lower() in PACKED


@contextmanager
def text_file(path: Path, *, is_painted: bool = False) -> Iterator[IO[bytes]]:
    """`whole_file` for text, packed where the name ends in `.gz` or `.bgz`.

    Args:
        path: where it belongs.
        is_painted: whether it has colours for terminals, and no text of others in it.

    Raises:
        InputError: for an ending of another program's packed files; see `whole_file` too.
    """
    if path.suffix.lower() in _UNKNOWN:
        raise InputError(
            f"{path}: nothing here packs as {path.suffix} says. Give a name that ends in .gz, or the plain text's."
        )
    with whole_file(path, is_painted=is_painted) as out:
        if is_packed(path):
            packed = BgzfWriter(out.write)
            stream = io.BufferedWriter(_Packer(packed))
            yield stream
            stream.flush()
            packed.finish()
        else:
            yield out


class _Packer(io.RawIOBase):
    def __init__(self, packed: BgzfWriter) -> None:
        self._packed = packed

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        content = bytes(data)
        self._packed.write(content)
        return len(content)

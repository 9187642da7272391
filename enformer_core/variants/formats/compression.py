"""A variant file's bytes, decompressed: plain, gzip (of any number of members) or BGZF, and what is no text refused.

Knows compression, magic numbers and line ends. Does not know columns.
"""

import os
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from enformer_core.errors import InputError
from enformer_core.mistaken import mistaken_for

BLOCK_BYTES = 1 << 23
"""Decompressed bytes that are looked at together."""

HEAD_BYTES = 1 << 16

LONGEST_LINE_BYTES = 1 << 28
"""A line of a million samples has some 50 MB; a longer one than this is none of a table, and would fill the memory."""

PROBE_BYTES = 1 << 17
"""Bytes that are read at one place of a sample: more than one BGZF block, and some lines at least."""

GZIP_MAGIC = b"\x1f\x8b"

_PROBE_LINES = 1_000

_TAB = 9

# BGZF (SAM specification, section 4.1): gzip members of at most 64 KiB with an extra field BC, so that a file can be
# entered at any of them; an empty member marks the end
_BGZF_MAGIC = b"\x1f\x8b\x08\x04"
_BGZF_HEAD_BYTES = 18
_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")

_GZIP_WINDOW_BITS = 31  # zlib's number for a gzip header, with the largest window

# what spreadsheets put before text: UTF-8's is taken off, UTF-16 is refused with the remedy
_UTF8_BOM = b"\xef\xbb\xbf"

_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


def whole_lines(path: Path, *, block_bytes: int | None = None) -> Iterator[bytes]:
    """The file's text in blocks that end at a line's end; a last line without one is given one.

    The next block is decompressed in another thread while one is looked at.

    Args:
        path: the file.
        block_bytes: some bytes of a block; by default BLOCK_BYTES.

    Raises:
        InputError: when the file is not text, is compressed and damaged, or has a line beyond LONGEST_LINE_BYTES.
    """
    unfinished: list[bytes] = []
    unfinished_bytes = 0
    lines = 0
    for piece in _ahead(_pieces(path, block_bytes or BLOCK_BYTES)):
        end = piece.rfind(b"\n") + 1
        if end:
            # a very long line comes in many pieces: joined once, not piece by piece
            yield b"".join([*unfinished, memoryview(piece)[:end]])
            lines += piece.count(b"\n")
            unfinished = []
            unfinished_bytes = 0
        if end < len(piece):
            unfinished.append(piece[end:])
            unfinished_bytes += len(piece) - end
        if unfinished_bytes > LONGEST_LINE_BYTES:
            raise InputError(
                f"{path}: line {lines + 1:,} has more than {LONGEST_LINE_BYTES:,} bytes. Is it a table of variants?"
            )
    if unfinished:
        yield b"".join(unfinished) + b"\n"


def _ahead(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same pieces, each made while the one before is used."""
    # Arrow decompresses without the interpreter's lock, so this is a second core's work
    with ThreadPoolExecutor(1) as thread:
        upcoming = thread.submit(next, pieces, None)
        while (piece := upcoming.result()) is not None:
            upcoming = thread.submit(next, pieces, None)
            yield piece


def _pieces(path: Path, block_bytes: int) -> Iterator[bytes]:
    """The file's text in pieces of any length, decompressed."""
    with path.open("rb") as beginning:
        head = beginning.read(HEAD_BYTES)
    is_gzip = head.startswith(GZIP_MAGIC)
    if _is_bgzf(head):
        _check_bgzf_end(path)
    # by its bytes: a name need not be UTF-8
    file = pa.OSFile(os.fsencode(path))
    with pa.input_stream(file, compression="gzip" if is_gzip else None) as stream:
        piece = _read(stream, path, block_bytes)
        if not piece:
            return
        _check_text(piece[:HEAD_BYTES], path)
        yield piece.removeprefix(_UTF8_BOM)
        while piece := _read(stream, path, block_bytes):
            yield piece


def _read(stream: Any, path: Path, size: int) -> bytes:
    try:
        piece: bytes = stream.read(size)
    except OSError as error:
        # Arrow says both by one exception, in words
        what = "cut short" if "runcated" in str(error) else "damaged"
        raise InputError(
            f"{path}: this gzip file is {what} ({error}). Copy or download it again."
        ) from error
    return piece


def _is_bgzf(head: bytes) -> bool:
    return head.startswith(_BGZF_MAGIC) and head[12:14] == b"BC"


def _check_bgzf_end(path: Path) -> None:
    """A BGZF file that was cut between two of its blocks is valid gzip; only its end marker is missing."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - len(_BGZF_END), 0))
        if file.read() == _BGZF_END:
            return
    raise InputError(
        f"{path}: this BGZF file is cut short: its end marker is missing. Copy or download it again; "
        f"if it is whole, write it anew: gunzip -c {path.name} | bgzip > whole.{path.name}"
    )


def _check_text(head: bytes, path: Path) -> None:
    if head.startswith(b">"):
        raise InputError(f"{path}: a FASTA file, not variants. Give the genome with --genome.")
    mistaken = mistaken_for(head, path)
    if mistaken is not None:
        raise InputError(f"{path}: no variants but {mistaken}")
    if head.startswith(_UTF16_BOMS):
        raise InputError(
            f"{path}: text in UTF-16. Write it as UTF-8: iconv -f UTF-16 -t UTF-8 {path.name}"
        )
    # text has no byte below the tab
    if np.frombuffer(head, dtype=np.uint8).min() < _TAB:
        raise InputError(
            f"{path}: a binary file, not variants. Give VCF, delimited text or Parquet."
        )


def lines_at(path: Path, *, probes: int) -> bytes:
    """Some whole lines from each of so many places spread over the file; none of gzip other than BGZF."""
    with path.open("rb") as file:
        head = file.read(_BGZF_HEAD_BYTES)
    is_bgzf = _is_bgzf(head)
    if head.startswith(GZIP_MAGIC) and not is_bgzf:
        return b""
    return b"".join(_probed_lines(path, probes, is_bgzf=is_bgzf))


def _probed_lines(
    path: Path,
    probes: int,
    *,
    is_bgzf: bool,
) -> Iterator[bytes]:
    size = path.stat().st_size
    with path.open("rb") as file:
        for number in range(1, probes + 1):
            file.seek(size * number // (probes + 1))
            content = file.read(PROBE_BYTES)
            text = _inflated(content) if is_bgzf else content
            # the place is within some line, and the bytes end within another
            first = text.find(b"\n") + 1
            end = text.rfind(b"\n") + 1
            if 0 < first < end:
                yield from text[first:end].splitlines(keepends=True)[:_PROBE_LINES]


def _inflated(content: bytes) -> bytes:
    """The text of the first whole BGZF blocks among these bytes, as much as a sample needs."""
    at = content.find(_BGZF_MAGIC)
    while at >= 0:
        text = _inflated_from(content[at:])
        if text:
            return text
        at = content.find(_BGZF_MAGIC, at + 1)
    return b""


def _inflated_from(content: bytes) -> bytes:
    text = b""
    try:
        while (
            content.startswith(_BGZF_MAGIC)
            and len(text) < PROBE_BYTES
            and text.count(b"\n") < _PROBE_LINES
        ):
            member = zlib.decompressobj(_GZIP_WINDOW_BITS)
            piece = member.decompress(content)
            if not member.eof:
                break
            text += piece
            content = member.unused_data
    except zlib.error:
        pass  # the magic number by chance, inside a block
    return text

"""A variant file's bytes, decompressed: plain, gzip (of any number of members) or BGZF, and what is no text refused.

Knows compression, magic numbers and line ends. Does not know columns.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from enformer_core.errors import InputError

BLOCK_BYTES = 1 << 23
"""Decompressed bytes that are looked at together."""

HEAD_BYTES = 1 << 16

_TAB = 9

_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")

_UTF8_BOM = b"\xef\xbb\xbf"

_GZIP = b"\x1f\x8b"

_REFUSED = {
    b">": "a FASTA file, not variants. Give the genome with --genome.",
    b"PK\x03\x04": "a ZIP archive. Unpack it: unzip {name}",
    b"BZh": "compressed by bzip2. Compress it by gzip: bunzip2 -c {name} | gzip > {stem}.gz",
    b"\xfd7zXZ": "compressed by xz. Compress it by gzip: xz -dc {name} | gzip > {stem}.gz",
    b"\x28\xb5\x2f\xfd": "compressed by zstd. Compress it by gzip: zstd -dc {name} | gzip > {stem}.gz",
    b"l\x1b": "PLINK genotypes. Give the .bim or .pvar file beside it.",
}


def is_bcf(path: Path) -> bool:
    """Whether the file is BCF, compressed or not."""
    with path.open("rb") as file:
        head = file.read(4)
    if head[:3] == b"BCF":
        return True
    if head[:2] != _GZIP:
        return False
    try:
        with pa.input_stream(str(path), compression="gzip") as stream:
            return bool(stream.read(3) == b"BCF")
    except OSError:
        return False  # damaged: reading it as text says so


def whole_lines(path: Path, *, block_bytes: int | None = None) -> Iterator[bytes]:
    """The file's text in blocks that end at a line's end; a last line without one is given one.

    The next block is decompressed in another thread while one is looked at.

    Args:
        path: the file.
        block_bytes: some bytes of a block; by default BLOCK_BYTES.

    Raises:
        InputError: when the file is not text, or is compressed and damaged.
    """
    unfinished: list[bytes] = []
    for piece in _ahead(_pieces(path, block_bytes or BLOCK_BYTES)):
        end = piece.rfind(b"\n") + 1
        if end:
            yield b"".join([*unfinished, memoryview(piece)[:end]])
            unfinished = []
        if end < len(piece):
            unfinished.append(piece[end:])
    if unfinished:
        yield b"".join(unfinished) + b"\n"


def _ahead(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same pieces, each made while the one before is used."""
    with ThreadPoolExecutor(1) as thread:
        upcoming = thread.submit(next, pieces, None)
        while (piece := upcoming.result()) is not None:
            upcoming = thread.submit(next, pieces, None)
            yield piece


def _pieces(path: Path, block_bytes: int) -> Iterator[bytes]:
    """The file's text in pieces of any length, decompressed."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    compressed = head.startswith(_GZIP)
    if compressed:
        _check_bgzf_end(path, head)
    with pa.input_stream(str(path), compression="gzip" if compressed else None) as stream:
        first = True
        while piece := _read(stream, path, block_bytes):
            if first:
                _check_text(piece[:HEAD_BYTES], path)
                piece = piece.removeprefix(_UTF8_BOM)
            first = False
            yield piece


def _read(stream: Any, path: Path, size: int) -> bytes:
    try:
        piece: bytes = stream.read(size)
    except OSError as error:
        what = "cut short" if "runcated" in str(error) else "damaged"
        raise InputError(
            f"{path}: this gzip file is {what} ({error}). Copy or download it again."
        ) from error
    return piece


def _check_bgzf_end(path: Path, head: bytes) -> None:
    """A BGZF file that was cut between two of its blocks is valid gzip; only its end marker is missing."""
    if head[3:4] != b"\x04" or head[12:14] != b"BC":
        return
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - len(_BGZF_END), 0))
        if file.read() == _BGZF_END:
            return
    raise InputError(
        f"{path}: this BGZF file is cut short: its end marker is missing. Copy or download it again; "
        f"if it is whole, write it anew: gunzip -c {path.name} | bgzip > whole.{path.name}"
    )


def _check_text(head: bytes, path: Path) -> None:
    for magic, message in _REFUSED.items():
        if head.startswith(magic):
            raise InputError(f"{path}: {message.format(name=path.name, stem=path.stem)}")
    if head[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise InputError(
            f"{path}: text in UTF-16. Write it as UTF-8: iconv -f UTF-16 -t UTF-8 {path.name}"
        )
    if np.frombuffer(head, dtype=np.uint8).min() < _TAB:
        raise InputError(
            f"{path}: a binary file, not variants. Give VCF, delimited text or Parquet."
        )

"""VCF and tab-separated text, plain or gzip, as columns of strings with the true line numbers.

Works on blocks of whole lines held as bytes in NumPy, so that no record becomes a Python object. Knows tabs, line ends,
headers and compression. Does not know what a position or an allele is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int64, UInt8

from enformer_core.errors import InputError
from enformer_core.variants.columns import REQUIRED, VCF_COLUMNS, find_columns, listed

_BLOCK_BYTES = 1 << 24
_TAB, _LF, _CR = 9, 10, 13
_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_UTF8_BOM = b"\xef\xbb\xbf"


def read_delimited(path: Path) -> Iterator[pa.Table]:
    """Blocks of records: line (int64, 1-based), fields (int64) and, as strings, chrom, pos, id, ref, alt as written.

    A column is null where its line ends before it, id also where the file has none. `fields` counts the line's columns;
    `wanted` (int64) how many are needed to reach the last required one. Empty lines are no records.

    Raises:
        InputError: when the file is not text, has no usable header, or is compressed and damaged.
    """
    blocks = _whole_lines(_pieces(path))
    header, rest = _find_header(blocks, path)
    line = header.body_line
    if rest:
        yield _split(rest, header.columns, line)
        line += rest.count(b"\n")
    for block in blocks:
        yield _split(block, header.columns, line)
        line += block.count(b"\n")


def _pieces(path: Path) -> Iterator[bytes]:
    """The file's text in pieces of any length, decompressed."""
    with path.open("rb") as file:
        head = file.read(1 << 16)
    compressed = head.startswith(b"\x1f\x8b")
    if compressed:
        _check_bgzf_end(path, head)
    elif head.startswith(b">"):
        raise InputError(f"{path}: a FASTA file, not variants. Give the genome with --genome.")
    with pa.input_stream(str(path), compression="gzip" if compressed else None) as stream:
        first = True
        while piece := _read(stream, path):
            if first:
                _check_text(piece[: 1 << 16], path)
                piece = piece.removeprefix(_UTF8_BOM)
            first = False
            yield piece


def _read(stream: Any, path: Path) -> bytes:
    try:
        piece: bytes = stream.read(_BLOCK_BYTES)
    except OSError as error:
        what = "cut short" if "runcated" in str(error) else "damaged"
        raise InputError(f"{path}: this gzip file is {what} ({error}). Copy or download it again.") from error
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
    if head.startswith(b"BCF"):
        raise InputError(f"{path}: BCF is not read. Convert it: bcftools view -Oz -o {path.stem}.vcf.gz {path.name}")
    if head.startswith(b">"):
        raise InputError(f"{path}: a FASTA file, not variants. Give the genome with --genome.")
    if np.frombuffer(head, dtype=np.uint8).min() < _TAB:
        raise InputError(f"{path}: a binary file, not variants. Give VCF, tab-separated text or Parquet.")


def _whole_lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Blocks that end at a line's end; a last line without one is given one."""
    unfinished: list[bytes] = []
    for piece in pieces:
        end = piece.rfind(b"\n") + 1
        if end:
            yield b"".join([*unfinished, piece[:end]])
            unfinished = []
        unfinished.append(piece[end:])
    if last := b"".join(unfinished):
        yield last + b"\n"


@dataclass(frozen=True)
class _Header:
    """Where the columns are (0-based), and the line on which records begin (1-based)."""

    columns: Mapping[str, int]
    body_line: int


def _find_header(blocks: Iterator[bytes], path: Path) -> tuple[_Header, bytes]:
    """The header, and what remains of its block: the first records."""
    number, is_vcf, named = 0, False, False
    for block in blocks:
        position = 0
        while position < len(block):
            start, position, number = position, block.index(b"\n", position) + 1, number + 1
            line = block[start:position].rstrip(b"\r\n")
            if not line or line.startswith(b"##"):
                is_vcf |= line.startswith(b"##fileformat=VCF")
                continue
            names = line.decode("utf-8", "backslashreplace").split("\t")
            columns = find_columns(names, f"{path}, line {number}")
            if columns is not None:
                return _Header(columns, number + 1), block[position:]
            if not line.startswith(b"#"):
                if is_vcf and not named and _is_vcf_record(names):
                    return _Header(VCF_COLUMNS, number), block[start:]
                raise _no_header(path, number, names, is_vcf=is_vcf)
            named |= line.upper().startswith(b"#CHROM")
    raise InputError(f"{path}: no header line that names the columns #CHROM, POS, REF and ALT, and no records")


def _is_vcf_record(fields: list[str]) -> bool:
    """Some programs leave out `#CHROM`; after `##fileformat=VCF` the order of columns is known all the same."""
    return len(fields) > VCF_COLUMNS["alt"] and fields[VCF_COLUMNS["pos"]].isdecimal()


def _no_header(path: Path, number: int, names: list[str], *, is_vcf: bool) -> InputError:
    if is_vcf:
        return InputError(f"{path}: line {number} comes before any #CHROM line with POS, REF and ALT. Add that line.")
    return InputError(
        f"{path}: not a variant file. Line {number} should name columns {', '.join(REQUIRED)}, separated by tabs; "
        f"it has {listed(names)}. Give VCF, tab-separated text with such a header, or Parquet."
    )


def _split(block: bytes, columns: Mapping[str, int], first_line: int) -> pa.Table:
    """Cut a block of whole lines into columns."""
    text = np.frombuffer(block, dtype=np.uint8)
    ends = np.flatnonzero(text == _LF)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lines = np.arange(first_line, first_line + ends.size)
    ends = ends - ((text[ends - 1] == _CR) & (ends > starts))  # a CR before LF belongs to the line's end
    filled = ends > starts
    starts, ends, lines = starts[filled], ends[filled], lines[filled]
    tabs = np.append(np.flatnonzero(text == _TAB), 0)  # the last is never read as a tab; it keeps indices inside
    first_tab = np.searchsorted(tabs[:-1], starts)
    fields = np.searchsorted(tabs[:-1], ends) - first_tab + 1

    def column(name: str) -> pa.Array:
        index = columns.get(name)
        if index is None:
            return pa.nulls(starts.size, pa.string())
        begins = starts if index == 0 else tabs[np.minimum(first_tab + index - 1, tabs.size - 1)] + 1
        stops = np.where(index < fields - 1, tabs[np.minimum(first_tab + index, tabs.size - 1)], ends)
        return _strings(text, begins, stops, index < fields)

    return pa.table(
        {
            "line": lines,
            "fields": fields,
            "wanted": np.full(lines.size, 1 + max(columns[name] for name in REQUIRED)),
            **{name: column(name) for name in VCF_COLUMNS},
        }
    )


def _strings(
    text: UInt8[np.ndarray, " length"],
    begins: Int64[np.ndarray, " rows"],
    ends: Int64[np.ndarray, " rows"],
    present: Bool[np.ndarray, " rows"],
) -> pa.Array:
    """The pieces [begin, end) of the text as an Arrow column; null where not present."""
    sizes = np.where(present, ends - begins, 0)
    offsets = np.zeros(sizes.size + 1, dtype=np.int32)
    np.cumsum(sizes, out=offsets[1:])
    letters = text[np.arange(offsets[-1]) + np.repeat(begins - offsets[:-1], sizes)]
    validity = np.packbits(present, bitorder="little")
    buffers = [pa.py_buffer(array) for array in (validity, offsets, letters)]
    column = pa.Array.from_buffers(pa.binary(), sizes.size, buffers)
    try:
        return pc.cast(column, pa.string())
    except pa.ArrowInvalid:  # not UTF-8, most likely Latin-1 in an identifier: kept readable as \xe9
        return pa.array([cell and cell.decode("utf-8", "backslashreplace") for cell in column.to_pylist()], pa.string())

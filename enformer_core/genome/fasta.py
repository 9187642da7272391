"""A FASTA file's base codes in a file that is mapped, not read: any place of a large genome at the cost of a page.

Made once for each FASTA, in one pass over it, in the user's cache and never beside the file; 1 byte a base. Processes
of one machine share its pages, and memory holds what is being looked at. Does not know variants or windows. Positions
are 0-based and half-open.
"""

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyfaidx
from jaxtyping import UInt8

from enformer_core.errors import InputError
from enformer_core.genome.alphabet import N_CODE, decode, encode
from enformer_core.machine import CACHE_VARIABLE, cache_directory


class Genome:
    """A FASTA file, plain or BGZF, opened when first read, so that it can be sent to another process.

    One contig is kept in memory as base codes (1 byte a base). Indices (`.fai`, `.gzi`) beside the file are used where
    they are not older than it; otherwise they are made in the user's cache, never beside the file.

    Raises:
        InputError: when the file is missing, empty, not FASTA, or compressed by plain gzip.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise InputError(f"{self.path}: no such FASTA file")
        self._fasta: Any = None
        self._cached: tuple[str, UInt8[np.ndarray, " length"]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_fasta": None, "_cached": None}

    def _open(self) -> Any:
        if self._fasta is None:
            self._fasta = _open_fasta(self.path)
        return self._fasta

    @property
    def contigs(self) -> Mapping[str, int]:
        """Length of each contig in bp, in the file's order."""
        fasta = self._open()
        return MappingProxyType({name: len(fasta[name]) for name in fasta.keys()})  # noqa: SIM118 - not a dict

    def codes(self, contig: str) -> UInt8[np.ndarray, " length"]:
        """Base codes of a whole contig; do not write to them."""
        if self._cached is None or self._cached[0] != contig:
            self._cached = None  # free the last contig before the next is read
            self._cached = (contig, self._read(contig))
        return self._cached[1]

    def _read(self, contig: str) -> UInt8[np.ndarray, " length"]:
        try:
            return encode(self._open()[contig][:])
        except KeyError:
            raise InputError(f"{self.path}: there is no contig {contig!r}") from None
        except ValueError as error:
            raise InputError(f"{self.path}: contig {contig}: {error}") from None

    def fetch(self, contig: str, start: int, end: int) -> UInt8[np.ndarray, " length"]:
        """Base codes of [start, end); what lies beyond the contig's ends is N."""
        codes = self.codes(contig)
        inside = codes[max(start, 0) : max(end, 0)]
        if inside.size == end - start:
            return inside
        padded = np.full(end - start, N_CODE, dtype=np.uint8)
        offset = max(-start, 0)
        padded[offset : offset + inside.size] = inside
        return padded

    def sha256(self, contig: str) -> str:
        """Digest of the contig's letters as scored: upper case, with N for every ambiguity."""
        return hashlib.sha256(decode(self.codes(contig)).encode("ascii")).hexdigest()


def _open_fasta(path: Path) -> Any:
    fai, gzi = _index_paths(path)
    try:
        fasta = pyfaidx.Fasta(str(path), as_raw=True, indexname=fai, gzi_indexname=gzi)
    except pyfaidx.UnsupportedCompressionFormat:
        raise InputError(
            f"{path}: compressed by plain gzip, which cannot be read at random. "
            f"Run `gunzip {path.name}` and, to keep it small, `bgzip {path.stem}`"
        ) from None
    except (
        pyfaidx.FastaIndexingError,
        pyfaidx.IndexNotFoundError,
        ValueError,
        OSError,
        EOFError,
    ) as error:
        raise InputError(f"{path}: not a readable FASTA file: {error}") from error
    if not list(fasta.keys()):
        raise InputError(f"{path}: no sequence in this FASTA file")
    return fasta


def _index_paths(path: Path) -> tuple[str, str]:
    beside = (Path(f"{path}.fai"), Path(f"{path}.gzi"))
    wanted = beside if path.suffix in {".gz", ".bgz"} else beside[:1]
    made = path.stat().st_mtime
    if all(index.exists() and index.stat().st_mtime >= made for index in wanted):
        return str(beside[0]), str(beside[1])
    return _cached_index_paths(str(path.resolve()), made, path.stat().st_size)


@lru_cache(maxsize=16)
def _cached_index_paths(path: str, modified: float, size_bytes: int) -> tuple[str, str]:
    cache = cache_directory("fasta-indices")
    cache.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(f"{path}\0{modified}\0{size_bytes}".encode()).hexdigest()[:32]
    return str(cache / f"{key}.fai"), str(cache / f"{key}.gzi")


_FORMAT = 1

_PIECE_BYTES = 1 << 24

_LINE_ENDS = b"\r\n"

_ILLEGAL = 255


class MappedGenome(Genome):
    """A FASTA file, plain or BGZF (any gzip), as base codes in a mapped file; otherwise the same as `Genome`.

    The cache is made when it is first needed: some 5 s and 1 GB of disk for every 10⁹ bases. It belongs to the FASTA
    file of this path, size and time of change; one of an earlier state is removed. It is safe to use from threads.

    Raises:
        InputError: when the file is missing, empty, damaged or not FASTA, or the cache cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        self._index: _Index | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_index": None}

    def index(self) -> "_Index":
        """Where each contig lies in the cache, which is made if need be."""
        if self._index is None:
            self._index = _open_index(self.path)
        return self._index

    @property
    def contigs(self) -> Mapping[str, int]:
        """Length of each contig in bp, in the file's order."""
        return MappingProxyType(
            {name: entry.length_bp for name, entry in self.index().contigs.items()}
        )

    def codes(self, contig: str) -> UInt8[np.ndarray, " length"]:
        """Base codes of a whole contig, mapped; they cannot be written to."""
        entry = self._entry(contig)
        if not entry.length_bp:
            return np.empty(0, dtype=np.uint8)
        path = self.index().path
        # Not kept: pages that were looked at count as this process's memory for as long as they are mapped.
        return np.asarray(
            np.memmap(path, np.uint8, mode="r", offset=entry.first_byte, shape=(entry.length_bp,))
        )

    def sha256(self, contig: str) -> str:
        """Digest of the contig's letters as scored: upper case, with N for every ambiguity; known from the cache."""
        return self._entry(contig).sha256

    def _entry(self, contig: str) -> "_Contig":
        entry = self.index().contigs.get(contig)
        if entry is None:
            raise InputError(f"{self.path}: there is no contig {contig!r}")
        if entry.illegal is not None:
            raise InputError(f"{self.path}: contig {contig}: {entry.illegal}")
        return entry


@dataclass
class _Contig:
    """One contig of the cache; `illegal` says what is in it that is no nucleotide."""

    first_byte: int
    length_bp: int = 0
    sha256: str = ""
    illegal: str | None = None


@dataclass(frozen=True)
class _Index:
    path: Path
    contigs: Mapping[str, _Contig]


def _open_index(fasta: Path) -> _Index:
    codes = _cache_path(fasta)
    index = codes.with_suffix(".json")
    if not index.exists() or not codes.exists():
        _build(fasta, codes)
    read = json.loads(index.read_text())
    contigs = {name: _Contig(**entry) for name, entry in read.items()}
    expected = sum(entry.length_bp for entry in contigs.values())
    if codes.stat().st_size != expected:
        raise InputError(
            f"{codes}: has {codes.stat().st_size:,} bytes, expected {expected:,}. Remove it and {index}."
        )
    return _Index(codes, contigs)


def _cache_path(fasta: Path) -> Path:
    """The cache of this file in this state; the first half of its name is the path's."""
    state = fasta.stat()
    place = hashlib.sha256(str(fasta.resolve()).encode()).hexdigest()[:16]
    stamp = hashlib.sha256(f"{_FORMAT}\0{state.st_mtime_ns}\0{state.st_size}".encode()).hexdigest()[
        :16
    ]
    cache = cache_directory("base-codes")
    return cache / f"{place}-{stamp}.codes"


def _build(fasta: Path, codes: Path) -> None:
    """Write the cache under other names, and give it its own when it is whole."""
    try:
        codes.parent.mkdir(parents=True, exist_ok=True)
        for earlier in codes.parent.glob(f"{codes.stem.split('-')[0]}-*"):
            earlier.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(dir=codes.parent, prefix="unfinished-") as unfinished:
            written = Path(unfinished) / "codes"
            with written.open("wb") as out:
                contigs = _convert(fasta, out)
            listed = {name: asdict(entry) for name, entry in contigs.items()}
            (Path(unfinished) / "json").write_text(json.dumps(listed))
            written.replace(codes)
            (Path(unfinished) / "json").replace(codes.with_suffix(".json"))
    except OSError as error:
        remedy = (
            "Free 1 byte a base there, or"
            if error.errno == errno.ENOSPC
            else "Make it writable, or"
        )
        raise InputError(
            f"{codes.parent}: the base codes of {fasta.name} cannot be written: {error}. "
            f"{remedy} name another cache directory by {CACHE_VARIABLE}."
        ) from error


def _convert(fasta: Path, out: IO[bytes]) -> dict[str, _Contig]:
    """Write the codes of all contigs end to end."""
    to_code, to_letter = (
        _code_table(),
        decode(np.arange(5, dtype=np.uint8)).encode().ljust(256, b"?"),
    )
    contigs: dict[str, _Contig] = {}
    current, digest = _Contig(0), hashlib.sha256()
    for name, letters in _sequences(fasta):
        if name is not None:
            current.sha256 = digest.hexdigest()
            if name in contigs:
                raise InputError(f"{fasta}: two contigs are named {name!r}. Rename or drop one.")
            current, digest = _Contig(out.tell()), hashlib.sha256()
            contigs[name] = current
            continue
        codes = letters.translate(to_code, _LINE_ENDS)
        if codes and not contigs:
            raise InputError(
                f"{fasta}: not a readable FASTA file: it begins with {letters[:20]!r}, not with '>'"
            )
        if current.illegal is None and _ILLEGAL in codes:
            current.illegal = _illegal(letters, codes.index(_ILLEGAL), current.length_bp)
        digest.update(codes.translate(to_letter))
        out.write(codes)
        current.length_bp += len(codes)
    current.sha256 = digest.hexdigest()
    if not contigs:
        raise InputError(f"{fasta}: no sequence in this FASTA file")
    return contigs


def _illegal(letters: bytes, index: int, before_bp: int) -> str:
    letter = letters.translate(None, _LINE_ENDS)[index : index + 1].decode("latin-1")
    return f"{letter!r} at position {before_bp + index + 1} is not a nucleotide"


def _code_table() -> bytes:
    table = bytearray([_ILLEGAL]) * 256
    for letter in range(256):
        try:
            table[letter] = int(encode(chr(letter))[0])
        except ValueError:
            continue
    return bytes(table)


def _sequences(fasta: Path) -> Iterator[tuple[str | None, bytes]]:
    """A contig's name, then pieces of its lines with None; lines may be of any length."""
    header: bytes | None = None  # a header line whose end has not come yet
    last = b"\n"
    for piece in _pieces(fasta):
        at = 0
        while at < len(piece):
            if header is not None:
                end = piece.find(b"\n", at)
                header += piece[at : end if end >= 0 else len(piece)]
                if end < 0:
                    break
                yield _name(header, fasta), b""
                header, at = None, end + 1
                continue
            start = piece.find(b">", at)
            stop = start if start >= 0 else len(piece)
            yield None, piece[at:stop]
            if start >= 0:
                if (piece[start - 1 : start] or last) != b"\n":
                    raise InputError(
                        f"{fasta}: not a readable FASTA file: '>' stands inside a line"
                    )
                header = b""
            at = stop + 1
        last = piece[-1:]
    if header is not None:
        yield _name(header, fasta), b""


def _name(header: bytes, fasta: Path) -> str:
    words = header.decode("utf-8", "backslashreplace").split()
    if not words:
        raise InputError(f"{fasta}: not a readable FASTA file: a contig has no name")
    return words[0]


def _pieces(fasta: Path) -> Iterator[bytes]:
    with fasta.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    try:
        with pa.input_stream(str(fasta), compression="gzip" if compressed else None) as stream:
            while piece := stream.read(_PIECE_BYTES):
                yield piece
    except OSError as error:
        raise InputError(f"{fasta}: not a readable FASTA file: {error}") from error

"""A FASTA file as base codes: any interval of any contig, padded with N.

Knows contigs, lengths and letters. Does not know variants or windows. Positions are 0-based and half-open.
"""

import hashlib
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyfaidx
from jaxtyping import UInt8

from enformer_core.bases import N_CODE, decode, encode
from enformer_core.errors import InputError


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
    except (pyfaidx.FastaIndexingError, pyfaidx.IndexNotFoundError, ValueError, OSError, EOFError) as error:
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
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "enformer-ray" / "fasta-indices"
    cache.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(f"{path}\0{modified}\0{size_bytes}".encode()).hexdigest()[:32]
    return str(cache / f"{key}.fai"), str(cache / f"{key}.gzi")

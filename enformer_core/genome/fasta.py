"""A genome: the base codes of a FASTA file in a file that is mapped, not read, so that any place costs a page.

The codes are made once for each FASTA, in one pass over it, in the user's cache and never beside the file; 1 byte a
base. Processes of one machine share the mapped pages, and memory holds what is being looked at. Does not know variants
or windows. Positions are 0-based and half-open.
"""

import errno
import hashlib
import json
import mmap
import os
import tempfile
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO

import numpy as np
import pyarrow as pa
from filelock import FileLock, Timeout

from enformer_core.errors import InputError
from enformer_core.genome.alphabet import (
    CODE_OF_LETTER,
    ILLEGAL_CODE,
    LETTER_OF_CODE,
    N_CODE,
    Codes,
)
from enformer_core.machine import CACHE_VARIABLE, cache_directory
from enformer_core.mistaken import mistaken_for
from enformer_core.user_path import named_as_given, why_unwritable

_CACHE_FORMAT = 1  # of the files in the cache; part of their names

_PIECE_BYTES = 1 << 24

_LONGEST_WAIT_S = 3600.0

_UNUSED_S = 3 * 24 * 3600.0

_HEAD_BYTES = 1024

_GZIP_MAGIC = b"\x1f\x8b"

_LINE_ENDS = b"\r\n"

# Tables for bytes.translate: one C loop over a piece, with no array between.
_TO_CODE = CODE_OF_LETTER.tobytes()
_TO_LETTER = LETTER_OF_CODE.ljust(256, b"?")


class Genome:
    """A FASTA file's contigs as base codes; it can be sent to another process and used from several threads.

    The file may be plain text, or packed by bgzip or gzip, whatever its name ends in; its lines may be of any length.
    The cache is made when it is first needed: some 5 s and 1 GB of disk for every 10⁹ bases. It belongs to the FASTA
    file of this path in this state: size, times, and the file itself, so that one exchanged under the same name, size
    and date is noticed. Caches of earlier states are removed when nobody has opened them for some days.

    Raises:
        InputError: when the file is missing, empty, damaged or not FASTA, or the cache cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], given: str | None = None) -> None:
        """Name the file; nothing of it is read yet.

        Args:
            path: on this machine.
            given: what messages call it, where it is the copy of an object.
        """
        self.path = Path(path)
        self.called = given or str(self.path)
        if not self.path.is_file():
            raise InputError(f"{self.called}: no such FASTA file")
        self._cache: _Cache | None = None

    def __getstate__(self) -> dict[str, Path | str | None]:
        return {
            "path": self.path,
            "called": self.called,
            "_cache": None,
        }  # the receiver has a cache of its own

    @property
    def contigs(self) -> Mapping[str, int]:
        """Length of each contig in bp, in the file's order."""
        contigs = self._open_cache().contigs
        return MappingProxyType({name: contig.length_bp for name, contig in contigs.items()})

    @property
    def codes_path(self) -> Path:
        """The mapped file: the codes of all contigs, end to end."""
        return self._open_cache().codes

    def codes(self, contig: str) -> Codes:
        """Return the base codes of a whole contig, mapped; they cannot be written to.

        Raises:
            InputError: when there is no such contig, or it has a letter that is no nucleotide.
        """
        entry = self._entry(contig)
        if not entry.length_bp:
            return np.empty(0, dtype=np.uint8)  # no file can be mapped in a length of 0
        # Not kept: pages that were looked at count as this process's memory for as long as they are mapped.
        return _mapped(self._open_cache().descriptor, entry.first_byte, entry.length_bp)

    def fetch(self, contig: str, start: int, end: int) -> Codes:
        """Return the base codes of [start, end); what lies beyond the contig's ends is N.

        Raises:
            InputError: as `codes`.
        """
        codes = self.codes(contig)
        inside = codes[max(start, 0) : max(end, 0)]
        if inside.size == end - start:
            return inside
        padded = np.full(end - start, N_CODE, dtype=np.uint8)
        first = max(-start, 0)
        padded[first : first + inside.size] = inside
        return padded

    def sha256(self, contig: str) -> str:
        """Return the digest of a contig's letters as scored: upper case, with N for every ambiguity.

        Raises:
            InputError: as `codes`.
        """
        return self._entry(contig).sha256

    def _open_cache(self) -> "_Cache":
        if self._cache is None:
            with named_as_given(self.path, self.called):
                cache = _load_cache(self.path)
            # open for as long as this genome is used: whoever removes the file takes nothing from it
            weakref.finalize(self, os.close, cache.descriptor)
            self._cache = cache
        return self._cache

    def _entry(self, contig: str) -> "_Contig":
        entry = self._open_cache().contigs.get(contig)
        if entry is None:
            raise InputError(f"{self.called}: there is no contig {contig!r}")
        if entry.illegal is not None:
            raise InputError(f"{self.called}: contig {contig}: {entry.illegal}")
        return entry


@dataclass
class _Contig:
    """One contig of the cache; `illegal` says what is in it that is no nucleotide."""

    first_byte: int
    length_bp: int = 0
    sha256: str = ""
    illegal: str | None = None


@dataclass(frozen=True)
class _Cache:
    """Both files: `codes` is mapped through its descriptor, and its neighbour `.json` says where each contig lies."""

    codes: Path
    contigs: Mapping[str, _Contig]
    descriptor: int


def _mapped(descriptor: int, first_byte: int, length: int) -> Codes:
    """These bytes of an open file, mapped to be read."""
    # a mapping begins at a page's beginning
    start = first_byte - first_byte % mmap.ALLOCATIONGRANULARITY
    skipped = first_byte - start
    pages = mmap.mmap(descriptor, skipped + length, access=mmap.ACCESS_READ, offset=start)
    return np.frombuffer(pages, np.uint8, offset=skipped)


def _load_cache(fasta: Path) -> _Cache:
    codes = _cache_path(fasta)
    index = _index_path(codes)
    if not _is_made(codes):
        _make(fasta, codes)
    entries = json.loads(index.read_text())
    with suppress(OSError):  # a cache that may only be read; then nobody removes it either
        os.utime(index)  # when it was last opened
    contigs = {name: _Contig(**entry) for name, entry in entries.items()}
    expected_bytes = sum(contig.length_bp for contig in contigs.values())
    descriptor = os.open(codes, os.O_RDONLY)
    actual_bytes = os.fstat(descriptor).st_size
    if actual_bytes != expected_bytes:
        os.close(descriptor)
        raise InputError(
            f"{codes}: has {actual_bytes:,} bytes, expected {expected_bytes:,}. "
            f"Remove it and {index}."
        )
    return _Cache(codes, contigs, descriptor)


def _cache_path(fasta: Path) -> Path:
    """Where the codes of this file in this state lie; the first half of the name is the path's, so others are found."""
    # Of the resolved path: a link and the file that it points to share one cache.
    state = fasta.stat()
    of_path = _short_digest(str(fasta.resolve()))
    # Size and date stay where a masked or patched genome is put in place by `cp -p` or `rsync -t`; what the file system
    # alone sets, its number and the time at which anything of it changed, does not.
    stamp = (state.st_mtime_ns, state.st_size, state.st_ino, state.st_ctime_ns)
    of_state = _short_digest("\0".join(map(str, (_CACHE_FORMAT, *stamp))))
    return cache_directory("base-codes") / f"{of_path}-{of_state}.codes"


def _short_digest(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:16]


def _index_path(codes: Path) -> Path:
    return codes.with_suffix(".json")


def _is_made(codes: Path) -> bool:
    return codes.exists() and _index_path(codes).exists()


def _make(fasta: Path, codes: Path) -> None:
    """Make the cache; of several processes one does so, and the others wait for it."""
    of_path, _, _ = codes.stem.partition("-")
    # Beside the directory: in it there are caches only.
    lock = codes.parent.with_name(f"{of_path}.lock")
    try:
        codes.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, timeout=_LONGEST_WAIT_S):
            # Asked again: who waited here finds that another has made it.
            if not _is_made(codes):
                _remove_unused(codes.parent, of_path)
                _write(fasta, codes)
    except Timeout as error:
        raise InputError(
            f"{fasta}: another process has been making its base codes for "
            f"{_LONGEST_WAIT_S / 60:.0f} minutes ({lock}). End that process if it hangs."
        ) from error
    except OSError as error:
        full = error.errno == errno.ENOSPC
        remedy = "Free 1 byte a base there" if full else "Make it writable"
        raise InputError(
            f"{codes.parent}: the base codes of {fasta.name} cannot be written: {why_unwritable(codes, error)}. "
            f"{remedy}, or name another cache directory by {CACHE_VARIABLE}."
        ) from error


def _remove_unused(folder: Path, of_path: str) -> None:
    """Remove caches of earlier states of a FASTA, but those that another run may have open."""
    # on a shared disk what another machine removes is gone even from those who have it open
    for index in folder.glob(f"{of_path}-*.json"):
        if time.time() - index.stat().st_mtime > _UNUSED_S:
            index.unlink(missing_ok=True)
            index.with_suffix(".codes").unlink(missing_ok=True)


def _write(fasta: Path, codes: Path) -> None:
    """Write both files under other names, and give them their own when they are whole."""
    with tempfile.TemporaryDirectory(dir=codes.parent, prefix="unfinished-") as name:
        unfinished_codes = Path(name) / "codes"
        unfinished_index = Path(name) / "json"
        with unfinished_codes.open("wb") as out:
            contigs = _convert(fasta, out)
        entries = {contig: asdict(entry) for contig, entry in contigs.items()}
        unfinished_index.write_text(json.dumps(entries))
        if _cache_path(fasta) != codes:
            raise InputError(f"{fasta}: was changed while it was read. Run the command again.")
        # The index last: a cache is made when it has both, and whoever finds both may read them.
        unfinished_codes.replace(codes)
        unfinished_index.replace(_index_path(codes))


def _convert(fasta: Path, out: IO[bytes]) -> dict[str, _Contig]:
    """Write the codes of all contigs end to end; a contig with an illegal letter is noted, and refused when asked for.

    Raises:
        InputError: when the file is not FASTA, or two of its contigs have one name.
    """
    contigs: dict[str, _Contig] = {}
    current: _Contig | None = None
    digest = hashlib.sha256()
    for part in _names_and_letters(fasta):
        if isinstance(part, str):
            if part in contigs:
                raise InputError(f"{fasta}: two contigs are named {part!r}. Rename or drop one.")
            digest = hashlib.sha256()
            current = _Contig(first_byte=out.tell(), sha256=digest.hexdigest())
            contigs[part] = current
            continue
        codes = part.translate(_TO_CODE, _LINE_ENDS)
        if not codes:
            continue
        if current is None:
            raise _no_fasta(fasta, part)
        # Not refused here: a genome may have odd contigs that nobody asks for.
        if current.illegal is None and ILLEGAL_CODE in codes:
            current.illegal = _illegal(part, codes, current.length_bp)
        digest.update(codes.translate(_TO_LETTER))
        out.write(codes)
        current.length_bp += len(codes)
        current.sha256 = digest.hexdigest()
    if not contigs:
        raise InputError(f"{fasta}: no sequence in this FASTA file")
    return contigs


def _no_fasta(fasta: Path, beginning: bytes) -> InputError:
    head = beginning[:_HEAD_BYTES]
    words = "variants (VCF). Give the genome by --genome, and variants without an option."
    what = words if head.startswith(b"##fileformat=VCF") else mistaken_for(head, fasta)
    is_what = f". It is {what}" if what else ""
    return InputError(
        f"{fasta}: not a readable FASTA file: it begins with {beginning[:20]!r}, not with '>'{is_what}"
    )


def _illegal(letters: bytes, codes: bytes, before_bp: int) -> str:
    index = codes.index(ILLEGAL_CODE)
    bases = letters.translate(None, _LINE_ENDS)
    letter = chr(bases[index])
    return f"{letter!r} at position {before_bp + index + 1} is not a nucleotide"


def _names_and_letters(fasta: Path) -> Iterator[str | bytes]:
    """Yield each contig's name, then its lines, in as many pieces as they come in, line ends among them."""
    unfinished_header = b""
    before = b"\n"  # the byte before the text that is looked at
    for piece in _pieces(fasta):
        text = unfinished_header + piece
        unfinished_header = b""
        at = 0
        while (header := text.find(b">", at)) >= 0:
            yield text[at:header]
            if (text[header - 1 : header] or before) != b"\n":
                raise InputError(f"{fasta}: not a readable FASTA file: '>' stands inside a line")
            # Another ">" in this line is part of the description.
            header_end = text.find(b"\n", header)
            if header_end < 0:
                unfinished_header = text[header:]
                break
            yield _name(text[header + 1 : header_end], fasta)
            at = header_end + 1
        else:
            yield text[at:]
        # An unfinished header begins the next text, and was seen to stand at the beginning of its line.
        before = b"\n" if unfinished_header else text[-1:]
    if unfinished_header:
        yield _name(unfinished_header[1:], fasta)


def _name(header: bytes, fasta: Path) -> str:
    words = header.decode("utf-8", "backslashreplace").split()
    if not words:
        raise InputError(f"{fasta}: not a readable FASTA file: a contig has no name")
    return words[0]


def _pieces(fasta: Path) -> Iterator[bytes]:
    """Yield the text, unpacked where the first bytes say so; to gzip, bgzip is a file of many members."""
    with fasta.open("rb") as file:
        compressed = file.read(2) == _GZIP_MAGIC
    try:
        # by its bytes: a name need not be UTF-8
        packed = pa.OSFile(os.fsencode(fasta))
        with pa.input_stream(packed, compression="gzip" if compressed else None) as stream:
            while piece := stream.read(_PIECE_BYTES):
                yield piece
    except OSError as error:
        raise InputError(f"{fasta}: not a readable FASTA file: {error}") from error

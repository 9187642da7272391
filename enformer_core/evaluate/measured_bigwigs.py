"""Measured tracks of bigWig files that a table names, as means over bins; read by pyBigWig, which is an extra.

A base without a value is no zero here, unless that is asked for: a bin has the mean of its bases that have one, and a
bin of which none has is missing.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64, Int64

from enformer_core.errors import InputError, first_few, nearest
from enformer_core.genome.assemblies import different_lengths, known_build
from enformer_core.genome.contig_names import Lengths, reconcile_contigs
from enformer_core.models.tracks.table import Track, Tracks

Gaps = Literal["missing", "zero"]
"""What a base without a value is: `mean` and `mean0` of UCSC's bigWigAverageOverBed."""

_COLUMNS = ("track", "path")

_OPEN_FILES = 200
"""At once; others are opened for each region. Systems allow some 1,000."""

Bases = Int64[np.ndarray, " bins"]


@dataclass(frozen=True)
class MeasuredTracks:
    """The tracks that a table names, and their files.

    Attributes:
        tracks: in ascending order.
        files: of each.
    """

    tracks: Tracks
    files: tuple[str, ...]


def read_measured_tracks(table: str, tracks: Tracks) -> MeasuredTracks:
    """Read a table of the columns `track` and `path`, separated by tabs; paths begin at its own directory.

    Args:
        table: text with a header.
        tracks: what may be named, by the column of the head or by its identifier.

    Raises:
        InputError: for a table without these columns, and a track that is unknown, not told apart, or named twice.
    """
    file_of: dict[int, str] = {}
    for where, name, path in _rows(Path(table)):
        track = _find(name, tracks, where)
        if track.index in file_of:
            raise InputError(f"{where}: track {name} is named before")
        file_of[track.index] = str(Path(table).parent / path)
    if not file_of:
        raise InputError(f"{table}: names no track")
    rows = tuple(track for track in tracks.rows if track.index in file_of)
    files = tuple(file_of[track.index] for track in rows)
    return MeasuredTracks(replace(tracks, rows=rows), files)


def _rows(table: Path) -> Iterator[tuple[str, str, str]]:
    """Of each row where it stands, its track and its path."""
    # the readers of other tables take a first line that begins with `track` for a browser's
    try:
        lines = table.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{table}: cannot be read as text: {error}") from error
    header = lines[0].split("\t") if lines else []
    if not set(_COLUMNS) <= set(header):
        raise InputError(
            f"{table}: is no directory with statistics.json, and its first line has no columns track and path, "
            f"separated by a tab, but {first_few(header)!r}"
        )
    places = [header.index(name) for name in _COLUMNS]
    for number, line in enumerate(lines[1:], start=2):
        where = f"{table}, line {number}"
        if not line.strip():
            continue
        cells = [*line.split("\t"), *[""] * len(header)]
        name, path = (cells[place].strip() for place in places)
        if not name or not path:
            raise InputError(f"{where}: has no track or no path")
        yield where, name, path


def _find(name: str, tracks: Tracks, where: str) -> Track:
    if name.isdecimal():
        found = [track for track in tracks.rows if track.index == int(name)]
    else:
        found = [track for track in tracks.rows if track.identifier == name]
    if len(found) == 1:
        return found[0]
    if found:
        places = first_few([str(track.index) for track in found])
        raise InputError(f"{where}: track {name} is the identifier of {places}; give the number")
    known = [track.identifier for track in tracks.rows if track.identifier]
    of = f"of {len(tracks):,} tracks of head {tracks.head}"
    raise InputError(f"{where}: track {name}: none {of} is called so{nearest(name, known)}")


class BigwigTracks:
    """Some bigWig files, of which each is a track; used as a context.

    Args:
        library: pyBigWig.
        files: of the tracks, in their order.
        genome: lengths of its contigs, against which those of the files are held.
        called: what messages call the genome.
        gaps: what bases without a value are.

    Raises:
        InputError: for a file that cannot be read, or is of another assembly.
    """

    def __init__(
        self,
        library: ModuleType,
        files: Sequence[str],
        genome: Lengths,
        *,
        called: str,
        gaps: Gaps = "missing",
    ) -> None:
        self._library = library
        self._files = tuple(files)
        self._gaps = gaps
        self._open: dict[str, Any] = {}
        # of each file its own names of the genome's contigs
        self._names: list[Mapping[str, str]] = []
        for file in self._files:
            with self._opened(file) as opened:
                self._names.append(_own_names(file, opened.chroms(), genome, called))

    def __enter__(self) -> "BigwigTracks":
        return self

    def __exit__(self, *error: object) -> None:
        for opened in self._open.values():
            opened.close()

    def means(self, contig: str, starts: Bases, ends: Bases) -> Float64[np.ndarray, "bins tracks"]:
        """The mean of each track over each bin; NaN where nothing was measured.

        Args:
            contig: the genome's own name.
            starts: first base of each bin, ascending; below 0 nothing was measured.
            ends: the base behind its last.
        """
        means = np.full((starts.size, len(self._files)), np.nan)
        for place, (file, names) in enumerate(zip(self._files, self._names, strict=True)):
            if contig in names and starts.size:
                with self._opened(file) as opened:
                    means[:, place] = self._of_file(opened, names[contig], starts, ends)
        return means

    def _of_file(
        self, opened: Any, contig: str, starts: Bases, ends: Bases
    ) -> Float64[np.ndarray, " bins"]:
        begin = max(int(starts[0]), 0)
        end = min(int(ends[-1]), opened.chroms(contig))
        if begin >= end:
            return np.full(starts.size, np.nan)
        values = np.array(opened.values(contig, begin, end), dtype=np.float64)
        is_known = np.isfinite(values)
        # sums up to each base: of 1 - 3 they are 0 1 1 4, and bases [1, 3) have 4 - 1 of one base
        known_before = np.append(0, np.cumsum(is_known))
        first = np.clip(starts - begin, 0, values.size)
        last = np.clip(ends - begin, 0, values.size)
        known = known_before[last] - known_before[first]
        # bin by bin: differences of a running sum would lose digits behind high peaks
        filled = np.append(np.where(is_known, values, 0.0), 0.0)
        pairs = np.stack([first, last], axis=1).ravel()
        total = np.add.reduceat(filled, pairs)[::2]
        bases = ends - starts if self._gaps == "zero" else known
        with np.errstate(invalid="ignore", divide="ignore"):
            means = total / bases
        return np.where((bases > 0) & (last > first), means, np.nan)

    @contextmanager
    def _opened(self, file: str) -> Iterator[Any]:
        if file in self._open:
            yield self._open[file]
            return
        try:
            opened = self._library.open(file)
        except (RuntimeError, OSError) as error:
            raise InputError(f"{file}: is no bigWig that can be read: {error}") from error
        if len(self._open) < _OPEN_FILES:
            self._open[file] = opened
            yield opened
            return
        try:
            yield opened
        finally:
            opened.close()


def _own_names(file: str, chroms: Lengths, genome: Lengths, called: str) -> Mapping[str, str]:
    """A file's name of each of the genome's contigs that it has.

    Raises:
        InputError: for a file of another assembly.
    """
    names = reconcile_contigs(chroms, genome)
    if not names:
        raise InputError(
            f"{file}: has the contigs {first_few(list(chroms))}, none of which {called} has. Is it of another genome?"
        )
    for theirs, (theirs_bp, ours_bp) in different_lengths(chroms, genome).items():
        build = known_build(chroms)
        of = "" if build is None else f", as in {build}"
        raise InputError(
            f"{file}: its {theirs} has {theirs_bp:,} bp{of}, that of {called} {ours_bp:,}. Give tracks of the same "
            "assembly."
        )
    return {ours: theirs for theirs, ours in names.items()}

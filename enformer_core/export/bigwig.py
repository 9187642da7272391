"""A run as bigWig: contributions, a file for each target and group; predicted tracks, a file for each."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np

from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.schemas import CONTRIBUTIONS
from enformer_core.errors import InputError
from enformer_core.export.bigwig_tracks import PREDICTIONS, export_tracks
from enformer_core.export.contribution_rows import (
    ContributionRow,
    contribution_rows,
)
from enformer_core.export.file_names import FileNames
from enformer_core.export.igv_session import SESSION, SessionTrack, write_session
from enformer_core.genome.bigwig_library import import_pybigwig
from enformer_core.user_path import why_unwritable
from enformer_core.words import counted

_BYTES_A_BASE = 8
"""A value has 4, and all its summaries come to less than that again; packed, both are less."""

_OTHER_BYTES = 1 << 16

_FLANK_BP = 1_000
"""To either side of a target, that are seen first."""


def export_bigwig(
    ledger: Ledger,
    path: Path,
    *,
    genome: str | None = None,
    tracks: str | None = None,
) -> int:
    """Write `TARGET.GROUP.bw` into a directory for each target and group, or of tiles `NUMBER.IDENTIFIER.bw` a track.

    Beside them lies `igv.xml`, a session that opens them all in IGV.

    A bigWig has one value a base, and windows of targets that lie close overlap: hence the many files. The alternate
    sequence of a variant is no part of the genome, and is left out. All are written by pyBigWig, which is an extra.

    Args:
        ledger: of a run of contributions, or over tiles.
        path: of the directory.
        genome: of tiles, where it is no longer at its place.
        tracks: of tiles, a selector of those that are written.

    Returns:
        How many files there are.

    Raises:
        InputError: for a run of another kind, where pyBigWig is not installed, or nothing can be written.
    """
    if is_of_tiles(ledger):
        library = import_pybigwig("written", "ask for bins by enformer-ray query")
        with _errors_of(path):
            return export_tracks(library, ledger, path, genome=genome, tracks=tracks)
    if genome is not None or tracks is not None:
        raise InputError(
            "--genome and --tracks are of tiles; contributions are those of the run's groups"
        )
    if CONTRIBUTIONS not in ledger.run_type.tables:
        raise InputError(
            f"{ledger.store.location}: a run of {ledger.run_type.unit} with the tables "
            f"{', '.join(ledger.run_type.tables)}; bigWigs are of runs of `enformer-ray tiles` and `attribute`"
        )
    rows = contribution_rows(ledger)
    library = import_pybigwig("written", "give --bedgraph FILE")
    names = FileNames()
    session = _Session()
    with _errors_of(path):
        path.mkdir(parents=True, exist_ok=True)
        for row in rows:
            if row.is_reference:
                name = f"{names.of(row.target, row.group, safe=' @+')}.bw"
                _write(library, row, path, name)
                session.add(row, name)
        session.write(path, ledger)
    return len(session.tracks)


class _Session:
    """What IGV is told of the files: those of one group of tracks have one axis, since their unit is the same."""

    def __init__(self) -> None:
        self.tracks: list[SessionTrack] = []
        self._contigs: dict[str, int] = {}
        self._locus: str | None = None

    def add(self, row: ContributionRow, file: str) -> None:
        """A file of this row was written."""
        name = f"{row.target} {row.group}"
        self.tracks.append(SessionTrack(file, name, row.group, scale=row.group))
        self._contigs[row.contig] = row.contig_bp
        if self._locus is None:
            first = max(row.target_start - _FLANK_BP, 0) + 1
            last = min(row.target_end + _FLANK_BP, row.contig_bp)
            self._locus = f"{row.contig}:{first}-{last}"

    def write(self, folder: Path, ledger: Ledger) -> None:
        """Write the session into the folder of the files."""
        named = (ledger.run.configuration or {}).get("genome")
        fasta = str(Path(str(named)).absolute()) if named else None
        write_session(folder, self.tracks, contigs=self._contigs, fasta=fasta, locus=self._locus)


def bigwig_written(ledger: Ledger, files: int) -> str:
    """How many files were written and what they are called, in words."""
    named = "NUMBER.IDENTIFIER.bw" if is_of_tiles(ledger) else "TARGET.GROUP.bw"
    return f"{counted(files, 'files')}, {named}; {SESSION} opens them in IGV"


def is_of_tiles(ledger: Ledger) -> bool:
    """Whether a run has predicted tracks."""
    return PREDICTIONS in ledger.run_type.tables


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written: {why_unwritable(path / 'x', error)}"
        ) from error
    except RuntimeError as error:  # the library's own
        raise InputError(f"{path}: cannot be written: {error}") from error


def _write(
    library: ModuleType,
    row: ContributionRow,
    folder: Path,
    name: str,
) -> None:
    """One file, which takes its name when it is whole."""
    scratch = folder / f".{name}.{secrets.token_hex(4)}"
    bases = row.on_contig()
    try:
        # room is taken first: the library ends the whole process where it cannot open a file or write it
        scratch.write_bytes(bytes(room_bytes(row.values[bases].size)))
        file = library.open(str(scratch), "w")
        file.addHeader([(row.contig, row.contig_bp)])
        file.addEntries(
            row.contig,
            row.start + bases.start,
            values=row.values[bases].astype(np.float64),
            span=1,
            step=1,
        )
        file.close()
        scratch.replace(folder / name)
    finally:
        scratch.unlink(missing_ok=True)


def room_bytes(bases: int) -> int:
    """How many bytes a file of so many bases has at most."""
    return _BYTES_A_BASE * bases + _OTHER_BYTES

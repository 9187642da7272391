"""Predicted tracks as bigWig, a file for each; written by pyBigWig, which is an extra."""

import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float32, Int64

from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.run_tracks import ChosenTracks, few_or_chosen
from enformer_core.dataset.stored_tables import stored_tables
from enformer_core.errors import InputError
from enformer_core.export.file_names import FileNames
from enformer_core.export.igv_session import SessionTrack, write_session
from enformer_core.export.run_input import run_genome
from enformer_core.models.tracks.table import Track
from enformer_core.words import bytes_in_words

PREDICTIONS = "predictions"

_OPEN_FILES = 200
"""At once; of more tracks the run is read again for each further so many. Systems allow some 1,000."""

_BYTES_A_BIN = 16
"""A value has 4, its summaries some 5, and heads of blocks and the index come to less than that again."""

_BYTES_A_CONTIG = 128
_OTHER_BYTES = 1 << 16

Numbers = Int64[np.ndarray, " bins"]


def export_tracks(
    library: ModuleType,
    ledger: Ledger,
    path: Path,
    *,
    genome: str | None,
    tracks: str | None,
) -> int:
    """Write `NUMBER.IDENTIFIER.bw` into a directory for each track, and a session that opens them in IGV.

    Bins without values are left out.

    Args:
        library: pyBigWig.
        ledger: of a run over tiles.
        path: of the directory.
        genome: the run's, where it is no longer at its place.
        tracks: a selector of the tracks that are written; all of a run that has few by default.

    Returns:
        How many files there are.

    Raises:
        InputError: where the genome is not there, tracks are many and none are chosen, or there is no room.
        OSError: where nothing can be written.
        RuntimeError: by the library, likewise.
    """
    chosen = few_or_chosen(ledger, tracks, "as many files")
    found = run_genome(ledger, genome)
    if found is None:
        raise InputError(
            "a bigWig begins with the lengths of all contigs, and the run's genome is not at its place, or is another "
            "one; name it by --genome FILE"
        )
    lengths = dict(found.contigs)
    rows = chosen.tracks.rows
    # before the folder is made, which would be left empty
    _check_room(ledger, path, min(len(rows), _OPEN_FILES), lengths)
    path.mkdir(parents=True, exist_ok=True)
    for first in range(0, len(rows), _OPEN_FILES):
        some = range(first, min(first + _OPEN_FILES, len(rows)))
        _check_room(ledger, path, len(some), lengths)
        with _files(library, [path / file_name(rows[at]) for at in some], lengths) as files:
            _add_all(ledger, chosen, dict(zip(some, files, strict=True)))
    write_session(
        path,
        [_in_session(track) for track in rows],
        contigs=lengths,
        fasta=str(found.path.absolute()),
        locus=_first_stretch(ledger),
    )
    return len(rows)


def _in_session(track: Track) -> SessionTrack:
    # each has a unit of its own, and so an axis
    called = track.description or track.identifier or f"track {track.index}"
    return SessionTrack(file_name(track), called, track.assay or "")


def _first_stretch(ledger: Ledger) -> str | None:
    """Where values begin, `chr20:1-114688`; None of a run without any."""
    for chrom, stored in stored_tables(ledger, PREDICTIONS):
        bins = stored.filter(pc.is_valid(stored["values"]))
        if chrom is not None and bins.num_rows:
            stretch = next(_stretches(bins))
            start, end = bins["start"][stretch.start], bins["end"][stretch.stop - 1]
            return f"{chrom}:{start.as_py() + 1}-{end.as_py()}"
    return None


def file_name(track: Track) -> str:
    """What a track's file is called: its number tells it from all others, the rest says what it is."""
    called = track.identifier or track.description
    parts = (str(track.index), called) if called else (str(track.index),)
    return f"{FileNames().of(*parts, safe=' @+')}.bw"


def room_bytes(bins: int, contigs: int) -> int:
    """About how many bytes a file of so many bins has at most."""
    return _BYTES_A_BIN * bins + _BYTES_A_CONTIG * contigs + _OTHER_BYTES


def _check_room(ledger: Ledger, folder: Path, files: int, lengths: Mapping[str, int]) -> None:
    # the library ends the whole process where it cannot write
    bins = sum(receipt.tables[PREDICTIONS].rows for receipt in ledger.receipts())
    needed = files * room_bytes(bins, len(lengths))
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise InputError(
            f"{folder}: {files:,} files of {bins:,} bins may take {bytes_in_words(needed)}, and "
            f"{bytes_in_words(free)} are free. Choose fewer by --tracks, or give another place."
        )


@contextmanager
def _files(
    library: ModuleType,
    paths: list[Path],
    lengths: Mapping[str, int],
) -> Iterator[list[Any]]:
    """Files that take their names when the block ends well."""
    scratch = [path.with_name(f".{path.name}.{secrets.token_hex(4)}") for path in paths]
    try:
        files = []
        for each in scratch:
            each.touch()  # what forbids it is an error here, and the end of the process in the library
            file = library.open(str(each), "w")
            file.addHeader(list(lengths.items()))
            files.append(file)
        yield files
        for file, each, path in zip(files, scratch, paths, strict=True):
            file.close()
            each.replace(path)
    finally:
        for each in scratch:
            each.unlink(missing_ok=True)


def _add_all(ledger: Ledger, chosen: ChosenTracks, files: Mapping[int, Any]) -> None:
    for chrom, stored in stored_tables(ledger, PREDICTIONS):
        bins = stored.filter(pc.is_valid(stored["values"]))
        if chrom is None or not bins.num_rows:
            continue
        values = chosen.values(bins["values"])
        for stretch in _stretches(bins):
            for at, file in files.items():
                _add(file, chrom, bins, stretch, values[:, at])


def _add(
    file: Any,
    chrom: str,
    bins: pa.Table,
    stretch: slice,
    values: Float32[np.ndarray, " bins"],
) -> None:
    start = bins["start"][stretch.start].as_py()
    bin_bp = bins["end"][stretch.start].as_py() - start
    of_stretch = values[stretch].astype(np.float64)
    file.addEntries(chrom, start, values=of_stretch, span=bin_bp, step=bin_bp)


def _stretches(bins: pa.Table) -> Iterator[slice]:
    """Rows that follow each other without a gap and are of one length."""
    starts = np.asarray(bins["start"])
    lengths = np.asarray(bins["end"]) - starts
    # starts 0 128 256 512, lengths 128 128 100 128: stretches [0, 2), [2, 3) and [3, 4)
    follows = starts[1:] == starts[:-1] + lengths[:-1]
    is_alike = lengths[1:] == lengths[:-1]
    begins = np.flatnonzero(np.append(True, ~(follows & is_alike)))
    ends = np.append(begins[1:], starts.size)
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        yield slice(begin, end)

"""Sequences with measured tracks as Basenji, Enformer and Borzoi publish them: a directory of TFRecords and tables.

`statistics.json` says how long sequences and targets are, `sequences.bed` where each lies and which split it is of;
`tfrecords/SPLIT-NUMBER.tfr`, or `SPLIT-NUMBER-NUMBER.tfr`, have sequences and targets in that order.
Sources: calico/basenji, bin/basenji_data.py and basenji/dataset.py; calico/baskerville, dataset.py.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from jaxtyping import Float16, UInt8

from enformer_core.errors import InputError, first_few
from enformer_core.evaluate.tfrecords import read_examples
from enformer_core.genome.alphabet import N_CODE
from enformer_core.genome.whole_number import whole_number
from enformer_core.words import counted

STATISTICS = "statistics.json"
SEQUENCES = "sequences.bed"
RECORDS = "tfrecords"

_SHOWN_LETTERS = 60


class _Sizes(msgspec.Struct, frozen=True):
    """What is read of `statistics.json`."""

    num_targets: int
    seq_length: int
    target_length: int
    pool_width: int


@dataclass(frozen=True)
class SetPlace:
    """Where a sequence's targets lie: [start, end) of a contig, as the table names it."""

    contig: str
    start: int
    end: int


@dataclass(frozen=True)
class SetSequence:
    """One sequence.

    Attributes:
        place: of its targets.
        codes: of all its bases, of which the middle has the targets.
        targets: measured, NaN where the file has NaN.
    """

    place: SetPlace
    codes: UInt8[np.ndarray, " bases"]
    targets: Float16[np.ndarray, "bins tracks"]


@dataclass(frozen=True)
class PublishedSet:
    """One split of a published set.

    Attributes:
        folder: as its user called it.
        split: `test`, `valid`, `fold3` and so on.
        tracks: how many there are.
        sequence_bp: bases of a sequence.
        bins: of a target.
        bin_bp: bases of a bin.
        places: of the split's sequences, in the order of their records.
        files: with the records.
    """

    folder: str
    split: str
    tracks: int
    sequence_bp: int
    bins: int
    bin_bp: int
    places: tuple[SetPlace, ...]
    files: tuple[Path, ...]

    def sequences(self) -> Iterator[SetSequence]:
        """Every sequence, of which one is in memory at a time.

        Raises:
            InputError: for a damaged file, a record of other sizes, or another number of records than of places.
        """
        read = 0
        for path in self.files:
            for record in read_examples(path):
                if read < len(self.places):
                    yield self._sequence(record, self.places[read], f"{path}: sequence {read}")
                read += 1
        if read != len(self.places):
            raise InputError(
                f"{self.folder}: the split {self.split} has {counted(len(self.places), 'rows')} in {SEQUENCES} and "
                f"{counted(read, 'records')} in {counted(len(self.files), 'files')}. Fetch all files of the split."
            )

    def _sequence(self, record: Mapping[str, bytes], place: SetPlace, where: str) -> SetSequence:
        for name in ("sequence", "target"):
            if name not in record:
                raise InputError(f"{where}: has no feature {name!r}, but {first_few(list(record))}")
        return SetSequence(
            place, self._codes(record["sequence"], where), self._targets(record, where)
        )

    def _codes(self, stored: bytes, where: str) -> UInt8[np.ndarray, " bases"]:
        """Codes of bases: a byte each, or four of which one is 1 (older sets; none for N)."""
        values = np.frombuffer(stored, dtype=np.uint8)
        if values.size == self.sequence_bp:
            # 4 is N there too
            codes = np.minimum(values, N_CODE)
        elif values.size == 4 * self.sequence_bp:
            letters = values.reshape(-1, 4)
            codes = np.where(letters.any(axis=1), letters.argmax(axis=1), N_CODE)
        else:
            raise InputError(
                f"{where}: has {values.size:,} bytes of sequence; {STATISTICS} says {self.sequence_bp:,} bases, of a "
                "byte each or four"
            )
        return codes.astype(np.uint8)

    def _targets(
        self, record: Mapping[str, bytes], where: str
    ) -> Float16[np.ndarray, "bins tracks"]:
        stored = record["target"]
        expected = self.bins * self.tracks * np.dtype(np.float16).itemsize
        if len(stored) != expected:
            raise InputError(
                f"{where}: has {len(stored):,} bytes of targets; {self.bins:,} bins of {self.tracks:,} tracks in "
                f"float16 are {expected:,}. Does {STATISTICS} belong to these files?"
            )
        return np.frombuffer(stored, dtype="<f2").reshape(self.bins, self.tracks)


def is_published_set(folder: str) -> bool:
    """Whether this is a directory of a published set."""
    return (Path(folder) / STATISTICS).is_file()


def open_published_set(folder: str, split: str) -> PublishedSet:
    """Find the tables and files of one split; no record is read yet.

    Raises:
        InputError: for a table that is absent or damaged, and a split that the set does not have.
    """
    root = Path(folder)
    sizes = _sizes(root / STATISTICS)
    places = _places(root / SEQUENCES, split)
    output_bp = sizes.target_length * sizes.pool_width
    for place in places:
        if place.end - place.start not in (output_bp, sizes.seq_length):
            raise InputError(
                f"{root / SEQUENCES}: {place.contig}:{place.start}-{place.end} has {place.end - place.start:,} bases; "
                f"{STATISTICS} says targets of {output_bp:,} and sequences of {sizes.seq_length:,}"
            )
    return PublishedSet(
        folder=folder,
        split=split,
        tracks=sizes.num_targets,
        sequence_bp=sizes.seq_length,
        bins=sizes.target_length,
        bin_bp=sizes.pool_width,
        places=tuple(_middle(place, output_bp) for place in places),
        files=_files(root / RECORDS, split),
    )


def _middle(place: SetPlace, output_bp: int) -> SetPlace:
    """The bases with targets, where the table has whole sequences."""
    beside_bp = (place.end - place.start - output_bp) // 2
    start = place.start + beside_bp
    return SetPlace(place.contig, start, start + output_bp)


def _sizes(path: Path) -> _Sizes:
    try:
        sizes = msgspec.json.decode(path.read_bytes(), type=_Sizes)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: is not as Basenji's and Borzoi's programs write it: {error}"
        ) from error
    if min(sizes.num_targets, sizes.seq_length, sizes.target_length, sizes.pool_width) < 1:
        raise InputError(f"{path}: has a size below 1")
    if sizes.target_length * sizes.pool_width > sizes.seq_length:
        raise InputError(
            f"{path}: targets of {sizes.target_length:,} bins of {sizes.pool_width} bp are longer than a sequence of "
            f"{sizes.seq_length:,} bp"
        )
    return sizes


def _places(path: Path, split: str) -> list[SetPlace]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    rows = [_row(path, *numbered) for numbered in enumerate(lines, start=1) if numbered[1].strip()]
    places = [place for place, of in rows if of == split]
    if not places:
        splits = list(dict.fromkeys(of for _, of in rows))
        raise InputError(
            f"{path}: has no sequence of the split {split!r}; --split is one of {first_few(splits, 10)}"
        )
    return places


def _row(path: Path, number: int, line: str) -> tuple[SetPlace, str]:
    """Place and split of one line."""
    try:
        contig, start, end, split, *_ = line.split("\t")
        return SetPlace(contig, whole_number(start), whole_number(end)), split
    except ValueError as error:
        raise InputError(
            f"{path}: line {number} is not contig, start, end and split: {line[:_SHOWN_LETTERS]!r}"
        ) from error


def _files(folder: Path, split: str) -> tuple[Path, ...]:
    """The record files of a split by their numbers: test-0-2 before test-0-10."""
    called = re.compile(rf"{re.escape(split)}((?:-\d+)+)\.tfr")
    numbered = {}
    for path in folder.glob("*.tfr"):
        match = called.fullmatch(path.name)
        if match:
            numbered[tuple(map(int, match[1].split("-")[1:]))] = path
    if not numbered:
        raise InputError(f"{folder}: has no files {split}-0.tfr or {split}-0-0.tfr and so on")
    for *before, last in numbered:
        for number in range(last):
            if (*before, number) not in numbered:
                name = "-".join(map(str, [split, *before, number]))
                raise InputError(f"{folder}: {name}.tfr is missing. Fetch all files.")
    return tuple(numbered[numbers] for numbers in sorted(numbered))

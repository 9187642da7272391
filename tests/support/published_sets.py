"""Published sets of sequences and tracks, as Basenji's and Borzoi's programs write them."""

import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import google_crc32c
import numpy as np


def framed(record: bytes) -> bytes:
    """A record with its length and both checksums."""
    length = len(record).to_bytes(8, "little")
    return length + masked(length) + record + masked(record)


def masked(content: bytes) -> bytes:
    """A checksum as TensorFlow stores it."""
    crc = google_crc32c.value(content)
    rotated = (crc >> 15 | crc << 17) & 0xFFFFFFFF
    return ((rotated + 0xA282EAD8) % 2**32).to_bytes(4, "little")


def example(features: Mapping[str, bytes]) -> bytes:
    """A tf.train.Example whose features are texts."""
    entries = b""
    for name, value in features.items():
        feature = _field(1, _field(1, value))
        entries += _field(1, _field(1, name.encode()) + _field(2, feature))
    return _field(1, entries)


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    groups = []
    while number >= 0x80:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])


def write_set(
    folder: Path,
    codes: Sequence[np.ndarray],
    targets: Sequence[np.ndarray],
    places: Sequence[tuple[str, int, int]],
    *,
    bin_bp: int,
    split: str = "test",
    a_file: int = 2,
) -> Path:
    """A set with one split of sequences of one length, so many in a file."""
    (folder / "tfrecords").mkdir(parents=True)
    bins, tracks = targets[0].shape
    sizes = {
        "num_targets": tracks,
        "seq_length": len(codes[0]),
        "target_length": bins,
        "pool_width": bin_bp,
    }
    (folder / "statistics.json").write_text(json.dumps(sizes))
    rows = [f"{contig}\t{start}\t{end}\t{split}\n" for contig, start, end in places]
    (folder / "sequences.bed").write_text("".join(rows))
    records = [
        framed(
            example(
                {
                    "target": of_one.astype("<f2").tobytes(),
                    "sequence": letters.astype(np.uint8).tobytes(),
                }
            )
        )
        for letters, of_one in zip(codes, targets, strict=True)
    ]
    for number, first in enumerate(range(0, len(records), a_file)):
        packed = zlib.compress(b"".join(records[first : first + a_file]))
        (folder / "tfrecords" / f"{split}-{number}.tfr").write_bytes(packed)
    return folder

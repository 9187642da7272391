"""TFRecords without TensorFlow: those of others, and what is damaged in them."""

import gzip
import zlib
from pathlib import Path

import numpy as np
import pytest

from enformer_core.errors import InputError
from enformer_core.evaluate.tfrecords import read_examples, read_records
from tests.support.published_sets import example, framed

RECORDS = [b"", b"first", bytes(300_000)]
WHOLE = b"".join(map(framed, RECORDS))


def written(folder: Path, content: bytes) -> Path:
    path = folder / "a.tfr"
    path.write_bytes(content)
    return path


def test_files_that_tensorflow_wrote_are_read(golden_dir: Path):
    files = sorted((golden_dir / "borzoi" / "tiny" / "tfrecords").glob("test-*.tfr"))
    examples = [each for file in files for each in read_examples(file)]
    assert len(examples) == 10
    for each in examples:
        assert each.keys() == {"sequence", "target"}
        codes = np.frombuffer(each["sequence"], np.uint8)
        assert codes.shape == (131_072,)
        assert set(np.unique(codes)) <= {0, 1, 2, 3, 4}
        targets = np.frombuffer(each["target"], np.float16).reshape(2048, 74)
        assert np.isfinite(targets).all()
        assert targets.max() > 1


@pytest.mark.parametrize("pack", [bytes, zlib.compress, gzip.compress])
def test_packed_or_not_the_records_are_the_same(tmp_path: Path, pack):
    assert list(read_records(written(tmp_path, pack(WHOLE)))) == RECORDS


def test_a_plain_file_whose_first_length_looks_like_zlib_is_plain(tmp_path: Path):
    # lengths begin with the lowest byte: 0x9C78 is 40,056
    record = bytes(0x9C78)
    assert list(read_records(written(tmp_path, framed(record)))) == [record]


def test_every_changed_byte_is_seen(tmp_path: Path):
    whole = framed(b"first") + framed(b"second")
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 0x10
        with pytest.raises(InputError, match=r"a\.tfr: record [01]"):
            list(read_records(written(tmp_path, bytes(changed))))


def test_every_cut_is_seen(tmp_path: Path):
    whole = framed(b"first") + framed(b"second")
    between = len(framed(b"first"))
    for end in range(1, len(whole)):
        path = written(tmp_path, whole[:end])
        if end == between:
            assert list(read_records(path)) == [b"first"]
            continue
        with pytest.raises(InputError, match="the file ends within it"):
            list(read_records(path))


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress])
def test_damage_of_the_packing_is_named(tmp_path: Path, pack):
    packed = pack(WHOLE)
    for damaged in (packed[:-9], packed[: len(packed) // 2]):
        with pytest.raises(InputError, match=r"a\.tfr: damaged: the packed content ends too early"):
            list(read_records(written(tmp_path, damaged)))
    changed = bytearray(packed)
    changed[len(packed) // 2] ^= 0xFF
    with pytest.raises(InputError, match=r"a\.tfr"):
        list(read_records(written(tmp_path, bytes(changed))))


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        list(read_records(tmp_path / "a.tfr"))


def test_features_come_by_name(tmp_path: Path):
    features = {"sequence": bytes(range(200)), "target": b""}
    assert list(read_examples(written(tmp_path, framed(example(features))))) == [features]


def test_a_record_of_something_else_is_refused(tmp_path: Path):
    # no messages, and a number where the features should be
    for record in (b"\xff\xff", b"letters of a poem", b"\x08\x01"):
        path = written(tmp_path, framed(record))
        with pytest.raises(InputError, match=r"record 0 is no tf\.train\.Example"):
            list(read_examples(path))

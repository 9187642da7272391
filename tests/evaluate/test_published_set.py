"""Published sets: which sequence lies where, and what does not fit together."""

import json
from pathlib import Path

import numpy as np
import pytest

from enformer_core.errors import InputError
from enformer_core.evaluate.published_set import is_published_set, open_published_set
from tests.support.published_sets import write_set

BINS, TRACKS, BIN_BP, BEYOND_BP = 6, 3, 4, 8
SEQUENCE_BP = BINS * BIN_BP + 2 * BEYOND_BP


def made(folder: Path, *, sequences: int = 5, start: int = 100, **more) -> tuple[Path, list, list]:
    """A set whose sequences lie side by side, with its letters and targets."""
    rng = np.random.default_rng(3)
    codes = [rng.integers(0, 5, SEQUENCE_BP).astype(np.uint8) for _ in range(sequences)]
    targets = [rng.gamma(1, 1, (BINS, TRACKS)).astype(np.float16) for _ in range(sequences)]
    places = [
        ("chr1", start + 24 * number, start + 24 * number + 24) for number in range(sequences)
    ]
    return write_set(folder / "set", codes, targets, places, bin_bp=BIN_BP, **more), codes, targets


def test_the_published_test_sequences_are_read_in_order(golden_dir: Path):
    folder = golden_dir / "borzoi" / "tiny"
    assert is_published_set(str(folder))
    published = open_published_set(str(folder), "test")
    assert (published.bins, published.bin_bp, published.tracks) == (2048, 32, 74)
    assert published.sequence_bp == 131_072
    sequences = list(published.sequences())
    rows = [line.split("\t") for line in (folder / "sequences.bed").read_text().splitlines()]
    expected = [(row[0], int(row[1])) for row in rows if row[3] == "test"]
    assert [(each.place.contig, each.place.start) for each in sequences] == expected
    for each in sequences:
        assert each.targets.shape == (2048, 74)
        assert each.codes.shape == (131_072,)
    # Pearson of a track with itself would say nothing: sums over bins are known
    assert all(each.targets.astype(float).sum() > 0 for each in sequences)


def test_records_keep_their_order_over_many_files(tmp_path: Path):
    folder, codes, targets = made(tmp_path, sequences=12, a_file=1)
    found = list(open_published_set(str(folder), "test").sequences())
    for each, letters, of_one in zip(found, codes, targets, strict=True):
        np.testing.assert_array_equal(each.codes, letters)
        np.testing.assert_array_equal(each.targets, of_one)


def test_files_of_two_numbers_are_in_order_too(tmp_path: Path):
    folder, codes, _ = made(tmp_path, sequences=12, a_file=1)
    records = folder / "tfrecords"
    for number in range(12):
        # of the second shard the numbers begin anew
        name = f"test-{number // 11}-{number % 11}.tfr"
        (records / f"test-{number}.tfr").rename(records / f".{name}")
    for path in list(records.iterdir()):
        path.rename(records / path.name.removeprefix("."))
    (records / "test-extra.tfr").write_bytes(b"")
    (records / "testing-0.tfr").write_bytes(b"")
    found = list(open_published_set(str(folder), "test").sequences())
    for each, letters in zip(found, codes, strict=True):
        np.testing.assert_array_equal(each.codes, letters)
    (records / "test-0-7.tfr").unlink()
    assert "test-0-7.tfr is missing" in refused(folder)


def test_one_hot_letters_of_older_sets_are_read(tmp_path: Path):
    rows = np.vstack([np.eye(4, dtype=np.uint8), np.zeros((1, 4), np.uint8)])
    letters = np.arange(SEQUENCE_BP) % 5
    one_hot = rows[letters].ravel()
    targets = [np.ones((BINS, TRACKS))]
    folder = write_set(tmp_path / "set", [one_hot], targets, [("chr1", 0, 24)], bin_bp=BIN_BP)
    sizes = json.loads((folder / "statistics.json").read_text())
    (folder / "statistics.json").write_text(json.dumps(sizes | {"seq_length": SEQUENCE_BP}))
    (found,) = open_published_set(str(folder), "test").sequences()
    np.testing.assert_array_equal(found.codes, letters)


def test_rows_of_whole_sequences_mean_their_middle(tmp_path: Path):
    folder, _, _ = made(tmp_path, sequences=1)
    (folder / "sequences.bed").write_text(f"chr1\t92\t{92 + SEQUENCE_BP}\ttest\n")
    (found,) = open_published_set(str(folder), "test").sequences()
    assert (found.place.start, found.place.end) == (100, 124)


def refused(folder: Path, split: str = "test") -> str:
    with pytest.raises(InputError) as error:
        list(open_published_set(str(folder), split).sequences())
    return str(error.value)


def test_what_does_not_fit_is_said(tmp_path: Path):
    folder, _, _ = made(tmp_path)
    said = refused(folder, "fold3")
    assert "has no sequence of the split 'fold3'; --split is one of test" in said
    bed = folder / "sequences.bed"
    rows = bed.read_text()
    bed.write_text(rows + "chr1\t900\t924\ttest\n")
    assert "has 6 rows in sequences.bed and 5 records in 3 files" in refused(folder)
    bed.write_text(rows.replace("\t124", "\t132"))
    assert "chr1:100-132 has 32 bases" in refused(folder)
    bed.write_text("chr1\tten\t124\ttest\n")
    assert "line 1 is not contig, start, end and split" in refused(folder)
    bed.write_text(rows)
    sizes = folder / "statistics.json"
    text = sizes.read_text()
    sizes.write_text(text.replace('"num_targets": 3', '"num_targets": 4'))
    assert "has 36 bytes of targets; 6 bins of 4 tracks in float16 are 48" in refused(folder)
    sizes.write_text("{}")
    assert "is not as Basenji's and Borzoi's programs write it" in refused(folder)
    sizes.write_text(text.replace('"seq_length": 40', '"seq_length": 30'))
    assert "40 bytes of sequence" in refused(folder)
    sizes.write_text(text)
    (folder / "tfrecords" / "test-1.tfr").unlink()
    assert "test-1.tfr is missing" in refused(folder)


def test_damage_in_a_file_is_named_with_the_file(tmp_path: Path):
    folder, _, _ = made(tmp_path)
    path = folder / "tfrecords" / "test-1.tfr"
    path.write_bytes(path.read_bytes()[:-20])
    assert "test-1.tfr: damaged" in refused(folder)

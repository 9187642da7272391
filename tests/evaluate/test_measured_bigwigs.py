"""bigWig files as measured tracks: means over bins, gaps, names, and files of another genome."""

from pathlib import Path

import numpy as np
import pyBigWig
import pytest

from enformer_core.errors import InputError
from enformer_core.evaluate.measured_bigwigs import BigwigTracks, read_measured_tracks
from enformer_core.models.tracks.table import Track, Tracks

GENOME = {"chr1": 1_000, "chr2": 50}

NAN = np.nan


def write_bigwig(path: Path, values: dict[str, list[tuple[int, int, float]]], lengths=None) -> str:
    """A bigWig of (start, end, value) by contig."""
    with pyBigWig.open(str(path), "w") as file:
        file.addHeader(list((lengths or GENOME).items()))
        for contig, rows in values.items():
            starts, ends, levels = map(list, zip(*rows, strict=True))
            file.addEntries(
                [contig] * len(rows), starts, ends=ends, values=[float(x) for x in levels]
            )
    return str(path)


def means(files, contig, starts, ends, **more) -> np.ndarray:
    with BigwigTracks(pyBigWig, files, GENOME, called="hg.fa", **more) as tracks:
        return tracks.means(contig, np.array(starts), np.array(ends))


def test_a_bin_has_the_mean_of_the_bases_that_were_measured(tmp_path: Path):
    # bases 10 and 11 have 3, 12 to 19 have 1, 24 has 8; bins of 10 from 10 on
    first = write_bigwig(tmp_path / "a.bw", {"chr1": [(10, 12, 3), (12, 20, 1), (24, 25, 8)]})
    second = write_bigwig(tmp_path / "b.bw", {"chr1": [(0, 1000, 2)]})
    starts, ends = [10, 20, 30], [20, 30, 40]
    found = means([first, second], "chr1", starts, ends)
    np.testing.assert_array_equal(found, [[1.4, 2], [8, 2], [NAN, 2]])
    as_zero = means([first, second], "chr1", starts, ends, gaps="zero")
    np.testing.assert_array_equal(as_zero, [[1.4, 2], [0.8, 2], [0, 2]])


def test_bins_need_not_lie_side_by_side_nor_be_of_one_length(tmp_path: Path):
    rng = np.random.default_rng(4)
    levels = np.round(rng.gamma(1, 2, 1_000), 3).astype(np.float32)
    levels[rng.random(1_000) < 0.3] = NAN
    rows = [(at, at + 1, level) for at, level in enumerate(levels) if np.isfinite(level)]
    file = write_bigwig(tmp_path / "a.bw", {"chr1": rows})
    starts = np.array([0, 128, 384, 512, 900])
    ends = np.array([128, 256, 512, 640, 1_000])
    expected = [
        np.nanmean(levels[start:end].astype(float)) for start, end in zip(starts, ends, strict=True)
    ]
    np.testing.assert_allclose(means([file], "chr1", starts, ends)[:, 0], expected, rtol=1e-12)


def test_high_peaks_take_no_digits_from_bins_behind_them(tmp_path: Path):
    file = write_bigwig(tmp_path / "a.bw", {"chr1": [(0, 10, 1e30), (10, 20, 1e-3)]})
    found = means([file], "chr1", [0, 10], [10, 20])
    np.testing.assert_allclose(found[:, 0], [1e30, 1e-3], rtol=1e-6)


def test_what_lies_beyond_a_file_is_missing(tmp_path: Path):
    file = write_bigwig(tmp_path / "a.bw", {"chr1": [(990, 1_000, 1)]}, {"chr1": 1_000})
    np.testing.assert_array_equal(means([file], "chr2", [0], [10]), [[NAN]])
    np.testing.assert_array_equal(
        means([file], "chr1", [-10, 980, 1_000], [0, 1_000, 1_010]), [[NAN], [1], [NAN]]
    )


def test_names_of_contigs_may_differ_by_chr(tmp_path: Path):
    file = write_bigwig(tmp_path / "a.bw", {"1": [(0, 10, 5)]}, {"1": 1_000})
    assert means([file], "chr1", [0], [10]) == 5


def test_files_of_another_genome_are_refused(tmp_path: Path):
    longer = write_bigwig(tmp_path / "a.bw", {"chr1": [(0, 1, 1)]}, {"chr1": 1_001})
    with pytest.raises(InputError, match=r"its chr1 has 1,001 bp, that of hg\.fa 1,000"):
        means([longer], "chr1", [0], [10])
    human = write_bigwig(tmp_path / "b.bw", {"chr1": [(0, 1, 1)]}, {"chr1": 249_250_621})
    with pytest.raises(InputError, match=r"249,250,621 bp, as in GRCh37 \(hg19\)"):
        means([human], "chr1", [0], [10])
    other = write_bigwig(tmp_path / "c.bw", {"chrU": [(0, 1, 1)]}, {"chrU": 9})
    with pytest.raises(InputError, match=r"has the contigs chrU, none of which hg\.fa has"):
        means([other], "chr1", [0], [10])
    text = tmp_path / "d.bw"
    text.write_text("no bigWig")
    with pytest.raises(InputError, match=r"d\.bw: is no bigWig that can be read"):
        means([str(text)], "chr1", [0], [10])


def test_more_files_than_may_be_open_are_read(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("enformer_core.evaluate.measured_bigwigs._OPEN_FILES", 1)
    files = [
        write_bigwig(tmp_path / f"{number}.bw", {"chr1": [(0, 10, number)]}) for number in range(4)
    ]
    assert means(files, "chr1", [0], [10]).tolist() == [[0, 1, 2, 3]]


TRACKS = Tracks(
    "human",
    9,
    tuple(
        Track(index=index, identifier=name)
        for index, name in enumerate(["ENC1", "ENC2", "twice", "twice", None, "ENC6"])
    ),
)


def table(folder: Path, *rows: str, header: str = "track\tpath") -> str:
    path = folder / "measured.tsv"
    path.write_text("\n".join([header, *rows, ""]))
    return str(path)


def test_tracks_are_named_by_number_or_identifier(tmp_path: Path):
    found = read_measured_tracks(table(tmp_path, "ENC6\tb.bw", "0\t/data/a.bw"), TRACKS)
    assert found.tracks.indices() == [0, 5]
    assert found.files == ("/data/a.bw", str(tmp_path / "b.bw"))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["ENC7\ta.bw"], "track ENC7: none of 6 tracks of head human is called so"),
        (["7\ta.bw"], "track 7: none of 6 tracks"),
        (["twice\ta.bw"], "track twice is the identifier of 2, 3; give the number"),
        (["ENC2\ta.bw", "1\tb.bw"], "line 3: track 1 is named before"),
        (["ENC1\t"], "line 2: has no track or no path"),
    ],
)
def test_rows_that_name_no_track_are_refused(tmp_path: Path, rows, said):
    with pytest.raises(InputError) as error:
        read_measured_tracks(table(tmp_path, *rows), TRACKS)
    assert said in str(error.value)


def test_a_table_of_something_else_is_refused(tmp_path: Path):
    with pytest.raises(
        InputError, match=r"no columns track and path, separated by a tab, but 'name, file'"
    ):
        read_measured_tracks(table(tmp_path, "a\tb", header="name\tfile"), TRACKS)

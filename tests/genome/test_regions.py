"""Regions are the bases that they come to, in whatever words and order they were given."""

import gzip
import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.genome.region_text import split_regions
from enformer_core.genome.regions import (
    merge_intervals,
    place_regions,
    read_regions,
    regions_digest,
)

intervals = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 12)).map(lambda pair: (pair[0], sum(pair))),
    min_size=1,
    max_size=12,
)


@given(intervals)
def test_merged_intervals_cover_the_same_bases_once(given_intervals):
    merged = merge_intervals(np.array(given_intervals))
    covered = {base for start, end in given_intervals for base in range(start, end)}
    assert [base for start, end in merged.tolist() for base in range(start, end)] == sorted(covered)
    assert (merged[1:, 0] > merged[:-1, 1]).all()  # touching ones are joined


@pytest.fixture
def genome(tmp_path):
    path = tmp_path / "g.fa"
    path.write_text(f">chr1\n{'ACGT' * 30}\n>chr2\n{'A' * 50}\n")
    return Genome(path)


def test_what_the_genome_calls_otherwise_is_said_once(genome, tmp_path):
    bed = tmp_path / "r.bed"
    bed.write_text("2\t10\t20\nchr1\t0\t10\n2\t20\t30\n")
    said = []
    places = list(place_regions(str(bed), genome, option="target", warn=said.append))
    assert [place.contig for place in places] == ["chr2", "chr1", "chr2"]
    assert said == [f"{bed}: 2 is called chr2 in the genome, here and in the output"]
    said.clear()
    list(place_regions("chr2:1-5", genome, option="target", warn=said.append))
    assert not said


def test_the_digest_is_of_the_bases(genome, tmp_path):
    bed = tmp_path / "r.bed"
    bed.write_text("2\t10\t20\nchr1\t0\t10\nchr2\t20\t30\nchr1\t5\t8\n")
    digest = regions_digest(read_regions(str(bed), genome))
    assert digest == hashlib.sha256(b'{"chr1":[[0,10]],"chr2":[[10,30]]}').hexdigest()
    assert regions_digest({"chr2": np.array([[10, 30]]), "chr1": np.array([[0, 10]])}) == digest
    assert regions_digest(read_regions("chr1:1-10", genome)) != digest


def test_a_damaged_bed_is_refused(genome, tmp_path):
    path = tmp_path / "r.bed.gz"
    packed = bytearray(gzip.compress(b"chr1\t0\t10\n" * 50))
    packed[12] ^= 0xFF
    path.write_bytes(packed)
    with pytest.raises(InputError, match=r"r\.bed\.gz: cannot be read as BED"):
        read_regions(str(path), genome)


@pytest.mark.parametrize(
    "text",
    ["chr1:1,0-1,00", "chr1:10-100", "chr1: 10 - 100", "chr1:10–100", " chr1:10-100 ", "1:10-1,00"],
)
def test_a_region_in_the_words_of_people(genome, text):
    assert read_regions(text, genome)["chr1"].tolist() == [[9, 100]]


@pytest.mark.parametrize(
    ("text", "regions"),
    [
        ("chr20:4,600,000-4,796,608", ["chr20:4,600,000-4,796,608"]),
        ("chr20:4,600,000-4,796,608,chr21", ["chr20:4,600,000-4,796,608", "chr21"]),
        ("chr1:1-5,chr2,a.bed", ["chr1:1-5", "chr2", "a.bed"]),
        ("1:1-5,2:3-4", ["1:1-5", "2:3-4"]),
        ("1:1-5,10:3-4,200", ["1:1-5", "10:3-4,200"]),
        ("chr1:999-1,000,chr2:1,000-1,999", ["chr1:999-1,000", "chr2:1,000-1,999"]),
        ("chr1:4600000-4796608,chr2", ["chr1:4600000-4796608", "chr2"]),
        ("20,21,22", ["20", "21", "22"]),
        ("chr1: 1,000 – 2,000 , chr2", ["chr1: 1,000 – 2,000", "chr2"]),
    ],
)
def test_commas_within_numbers_do_not_part_regions(text, regions):
    assert split_regions(text) == regions


def test_the_mark_that_windows_puts_before_text_is_no_part_of_it(genome, tmp_path):
    bed = tmp_path / "r.bed"
    bed.write_text("\ufeffchr1\t3\t5\n")
    assert read_regions(str(bed), genome)["chr1"].tolist() == [[3, 5]]


@pytest.mark.parametrize("number", ["1_0", "１０", "9" * 19])
def test_positions_are_digits(genome, tmp_path, number):
    bed = tmp_path / "r.bed"
    bed.write_text(f"chr1\t{number}\t{number}\n")
    with pytest.raises(InputError, match=r"line 1: .* is not BED"):
        read_regions(str(bed), genome)


@pytest.mark.parametrize("region", [f"chr1:1-{'9' * 20}", f"chr1:{'9' * 5000}-{'9' * 5000}"])
def test_no_contig_has_so_many_bases(genome, region):
    with pytest.raises(InputError, match=r"base 9{18}…: no contig has so many bases"):
        read_regions(region, genome)


def test_digits_of_other_scripts_are_no_region(genome):
    with pytest.raises(InputError, match="has no contig 'chr1:１-５'"):
        read_regions("chr1:１-５", genome)

"""Bases of regions are found by their number, with the letters around them."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enformer_core.genome.alphabet import decode
from enformer_core.genome.fasta import Genome
from enformer_core.genome.region_list import RegionList
from enformer_core.genome.regions import PlacedRegion, place_regions
from tests.support.genomes import write_fasta

LETTERS = {"chr1": "ACGTACGTNN", "chr2": "TTGCA"}


@pytest.fixture
def genome(tmp_path):
    return Genome(write_fasta(tmp_path / "g.fa", LETTERS))


regions = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 50), st.integers(1, 9)),
    max_size=8,
).map(lambda rows: [PlacedRegion(c, start, start + bp, None) for c, start, bp in rows])


@given(regions, st.integers(1, 7))
def test_bases_come_in_order_however_many_at_a_time(given_regions, rows):
    listed = RegionList.of(given_regions)
    expected = [
        (number, region.contig, base)
        for number, region in enumerate(given_regions)
        for base in range(region.start, region.end)
    ]
    found = []
    for bases in listed.blocks(rows):
        assert 1 <= bases.number.size <= rows
        assert bases.number[0] == len(found)
        contigs = [listed.contigs[index] for index in bases.contig]
        found += zip(bases.region.tolist(), contigs, bases.start.tolist(), strict=True)
    assert found == expected
    assert listed.bases == len(expected)
    assert listed.longest_bp == max((r.end - r.start for r in given_regions), default=0)


def test_letters_around_a_base_are_n_beyond_its_contig(genome):
    listed = RegionList.of(
        [PlacedRegion("chr2", 0, 2, None), PlacedRegion("chr1", 7, 10, None)],
    )
    bases = listed.find(np.arange(5))
    letters = listed.codes(bases, genome, before=1, behind=2)
    assert [decode(row) for row in letters] == ["NTTG", "TTGC", "GTNN", "TNNN", "NNNN"]


def test_regions_keep_their_names_and_order(genome, tmp_path):
    bed = tmp_path / "r.bed"
    bed.write_text("track\n2\t1\t4\tpeak 1\nchr1\t0\t2\n\nchr1\t1\t3\t\n")
    listed = RegionList.of(place_regions(str(bed), genome, option="--mutagenesis"))
    assert listed.contigs == ("chr2", "chr1")
    assert listed.name.to_pylist() == ["peak 1", "chr1:1-2", "chr1:2-3"]
    lines = "chr2\t1\t4\tpeak 1\nchr1\t0\t2\tchr1:1-2\nchr1\t1\t3\tchr1:2-3\n"
    assert listed.digest() == (hashlib.sha256(lines.encode()).hexdigest(), len(lines))

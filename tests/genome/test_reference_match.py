"""Alleles' letters are looked up where they are said to be, whatever their lengths and contigs."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enformer_core.genome.fasta import Genome
from enformer_core.genome.reference_match import by_contig, genome_has

CONTIGS = {"a": "ACGTACGTTTGACA", "b": "GGGGC", "c": "TTTTTTTTTT"}


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "g.fa"
    path.write_text("".join(f">{name}\n{letters}\n" for name, letters in CONTIGS.items()))
    return Genome(path)


alleles = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(-3, 16), st.text("ACGT", min_size=1, max_size=4)),
    max_size=12,
)


@given(alleles)
def test_the_same_as_looking_each_up(genome, rows):
    expected = [
        start >= 0 and CONTIGS[contig][start : start + len(letters)] == letters
        for contig, start, letters in rows
    ]
    chrom, start, letters = (
        (list(column) for column in zip(*rows, strict=True)) if rows else [[]] * 3
    )
    found = genome_has(
        genome,
        pa.array(chrom, pa.string()),
        np.array(start, dtype=np.int64),
        pa.array(letters, pa.string()),
    )
    assert found.tolist() == expected


@pytest.mark.parametrize(
    ("chrom", "expected"),
    [
        ("abacb", {"a": [0, 2], "b": [1, 4], "c": [3]}),
        ("bb", {"b": [0, 1]}),
        ("", {}),
    ],
)
def test_rows_of_each_contig_keep_their_order(chrom, expected):
    found = dict(by_contig(pa.array(list(chrom), pa.string())))
    assert {name: rows.tolist() for name, rows in found.items()} == expected

"""Every change of some bases, counted by hand, and each deletion held against the sequence that it should leave."""

import random

import pyarrow as pa
import pytest

from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.genome.region_list import RegionList
from enformer_core.genome.regions import PlacedRegion
from enformer_core.variants import mutagenesis
from enformer_core.variants.harmonise import harmonise_alleles
from enformer_core.variants.mutagenesis import Target, mutated, unknown_bases
from enformer_core.variants.table import RAW_SCHEMA
from tests.support.genomes import random_letters, write_fasta

CHR1 = "ACGTNACGGGGTTAC"


@pytest.fixture
def genome(tmp_path):
    return Genome(write_fasta(tmp_path / "g.fa", {"chr1": CHR1, "chr2": random_letters(3000)}))


def target(*regions, name="t"):
    return Target(name, RegionList.of(PlacedRegion(*each) for each in regions))


def rows_of(source):
    tables = [RAW_SCHEMA.empty_table(), *source.batches()]
    return pa.concat_tables(tables).to_pylist()


def test_every_other_base_at_every_base_that_is_known(genome):
    (source,) = mutated([target(("chr1", 2, 6, "peak"))], genome, deletions_bp=None)
    rows = rows_of(source)
    assert [
        (row["input_line"], row["alt_index"], row["start"], row["input_ref"], row["input_alt"])
        for row in rows
    ] == [
        (1, 1, 2, "G", "A"),
        (1, 2, 2, "G", "C"),
        (1, 3, 2, "G", "T"),
        (2, 1, 3, "T", "A"),
        (2, 2, 3, "T", "C"),
        (2, 3, 3, "T", "G"),
        # the third is N
        (4, 1, 5, "A", "C"),
        (4, 2, 5, "A", "G"),
        (4, 3, 5, "A", "T"),
    ]
    assert {row["input_file"] for row in rows} == {"mutagenesis:t"}
    assert {row["id"] for row in rows} == {"peak"}
    assert {row["status"] for row in rows} == {None}
    assert unknown_bases([source]) == 1
    rows_of(source)
    assert unknown_bases([source]) == 1  # of one reading, not of all


def test_a_region_s_name_is_no_identifier_of_a_variant(genome):
    (source,) = mutated([target(("chr2", 100, 110, None))], genome, deletions_bp=None)
    (batch,) = source.batches()
    placed = harmonise_alleles(batch, genome, max_allele_bp=50)
    assert set(placed["status"].to_pylist()) == {"ok"}
    assert placed["id"].to_pylist()[0] == "chr2:101-110"
    assert not any(placed["flags"].to_pylist())


@pytest.mark.parametrize("deleted_bp", [1, 2, 3, 7])
def test_each_stretch_is_removed_once(genome, deleted_bp):
    regions = [("chr1", 0, 15, None), ("chr2", 40, 60, None), ("chr2", 2990, 3000, None)]
    *_, source = mutated([target(*regions)], genome, deletions_bp=deleted_bp)
    assert source.name == f"deletions-{deleted_bp}:t"
    letters = {"chr1": CHR1, "chr2": random_letters(3000)}
    expected = {}
    unknown = line = 0
    for contig, start, end, _ in regions:
        for base in range(start, end):
            line += 1
            stretch = letters[contig][base : base + deleted_bp]
            around = letters[contig][max(base - 1, 0) : base + deleted_bp + 1]
            if base + deleted_bp > end:
                continue
            # an anchor that is no N is needed, too
            if "N" in stretch or not around.replace("N", "").removeprefix(stretch):
                unknown += 1
                continue
            expected[line] = letters[contig][:base] + letters[contig][base + deleted_bp :]
    found = {}
    for row in rows_of(source):
        whole = letters[row["input_chrom"]]
        end = row["start"] + len(row["input_ref"])
        assert whole[row["start"] : end] == row["input_ref"]
        assert len(row["input_ref"]) == deleted_bp + 1
        assert len(row["input_alt"]) == 1
        assert row["input_line"] not in found
        found[row["input_line"]] = whole[: row["start"]] + row["input_alt"] + whole[end:]
    assert found == expected
    assert unknown_bases([source]) == unknown > 0


def test_a_deletion_is_written_with_the_base_before_it_where_there_is_one(genome):
    regions = [("chr1", 0, 3, None), ("chr1", 5, 8, None)]
    *_, source = mutated([target(*regions)], genome, deletions_bp=2)
    written = [(row["start"], row["input_ref"], row["input_alt"]) for row in rows_of(source)]
    # at the contig's start and behind an N, the base behind
    assert written == [(0, "ACG", "G"), (0, "ACG", "A"), (5, "ACG", "G"), (5, "ACG", "A")]


def test_deletions_of_a_repeat_come_to_one_allele(genome):
    *_, source = mutated([target(("chr1", 6, 12, None))], genome, deletions_bp=1)
    (batch,) = source.batches()
    placed = harmonise_alleles(batch, genome, max_allele_bp=50)
    alleles = list(
        zip(*(placed[name].to_pylist() for name in ("start", "ref", "alt")), strict=True)
    )
    # C GGGG T: the four Gs are one change
    assert alleles == [(5, "AC", "A"), *[(6, "CG", "C")] * 4, (10, "GT", "G")]


@pytest.mark.parametrize("deletions_bp", [None, 4])
def test_blocks_join_without_a_seam(genome, monkeypatch, deletions_bp):
    regions = [("chr2", 5, 700, "a"), ("chr1", 0, 15, "b"), ("chr2", 600, 1300, "c")]
    whole = mutated([target(*regions)], genome, deletions_bp=deletions_bp)
    monkeypatch.setattr(mutagenesis, "BLOCK_BASES", 7)
    in_pieces = mutated([target(*regions)], genome, deletions_bp=deletions_bp)
    for one, other in zip(whole, in_pieces, strict=True):
        assert len(list(one.batches())) == 1
        assert len(list(other.batches())) > 100
        assert rows_of(one) == rows_of(other)
        assert unknown_bases([one]) == unknown_bases([other]) > 0


def test_long_deletions_come_in_smaller_batches(tmp_path):
    genome = Genome(write_fasta(tmp_path / "long.fa", {"c": random_letters(9000)}))
    *_, source = mutated([target(("c", 0, 9000, None))], genome, deletions_bp=4000)
    sizes = [batch.num_rows for batch in source.batches()]
    assert sum(sizes) == 5001
    assert max(sizes) * 4000 <= mutagenesis._BLOCK_LETTERS


def test_a_large_region_is_made_a_block_at_a_time(tmp_path):
    bases = 3 * mutagenesis.BLOCK_BASES + 5
    letters = "".join(random.Random(1).choices("ACGT", k=1000)) * (bases // 1000 + 1)
    genome = Genome(write_fasta(tmp_path / "large.fa", {"c": letters}))
    (source,) = mutated([target(("c", 0, bases, None))], genome, deletions_bp=None)
    sizes = [batch.num_rows for batch in source.batches()]
    assert sizes == [3 * mutagenesis.BLOCK_BASES] * 3 + [15]


def test_no_region_is_long_enough(genome):
    with pytest.raises(InputError, match="--deletions 6: the longest region has 5 bases"):
        mutated([target(("chr2", 5, 10, None))], genome, deletions_bp=6)

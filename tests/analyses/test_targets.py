"""Where windows of targets lie, what their bins are, and what files are taken for, counted by hand."""

import gzip
from dataclasses import replace

import pytest

from enformer_core.analyses.target_kind import target_kind
from enformer_core.analyses.targets import (
    distinct,
    gene_targets,
    interval_target,
    interval_window,
    point_window,
    target_table,
)
from enformer_core.genome.fasta import Genome
from enformer_core.genome.genes import Gene
from enformer_core.genome.regions import PlacedRegion, place_regions
from enformer_core.models.geometry import BASENJI2, ENFORMER, Geometry
from tests.support.genomes import write_fasta


def test_the_golden_window():
    """The original's contributions of snv1: window 4,601,301, bins 447 … 449."""
    assert interval_window(4_699_477, 4_699_861, ENFORMER) == (4_601_301, range(447, 450))


@pytest.mark.parametrize("geometry", [ENFORMER, BASENJI2])
@pytest.mark.parametrize(
    ("length_bp", "bins"),
    [
        (1, range(448, 449)),
        (128, range(448, 449)),
        (129, range(447, 449)),
        (256, range(447, 449)),
        (384, range(447, 450)),
        (114_688, range(896)),
    ],
)
def test_an_interval_begins_with_its_first_bin(geometry, length_bp, bins):
    start, found = interval_window(1_000_000, 1_000_000 + length_bp, geometry)
    assert found == bins
    assert start + geometry.crop_bp + bins.start * 128 == 1_000_000


def test_a_point_is_the_first_base_right_of_the_centre():
    start, bins = point_window(500_000, ENFORMER)
    assert start == 500_000 - 98_304
    assert bins == range(447, 450)


FINER = Geometry(131_072, 32, 2048, bins_per_token=4)
"""Tokens of 128 bp, of which each becomes four bins."""


def test_of_smaller_bins_more_are_averaged_around_a_point():
    start, bins = point_window(500_000, FINER)
    # its own, 1,024, begins with it; 416 bp are the least around a middle bin that hold three tokens
    assert start == 500_000 - 32_768 - 1024 * 32
    assert bins == range(1018, 1031)
    assert interval_window(500_000, 500_384, FINER) == (
        500_000 - 32_768 - 1018 * 32,
        range(1018, 1030),
    )


def test_tsss_are_together_within_a_token_where_bins_are_smaller():
    gene = Gene("id", "name", None, "chr1", "+", 500_000, 510_000, (500_000, 500_127, 500_128), ())
    targets = gene_targets([gene], FINER)
    assert [(target.start, target.end) for target in targets] == [
        (500_000, 500_128),
        (500_128, 500_129),
    ]


def test_a_gene_has_a_target_for_each_bin_of_tsss():
    """Its first TSS in the order of transcription is the centre; those within 128 bp of it are with it."""
    sites = (500_000, 500_100, 500_127, 500_128)
    gene = Gene("id", "name", None, "chr1", "+", 500_000, 510_000, sites, ())
    first, second = gene_targets([gene], ENFORMER)
    assert (first.start, first.end, first.bins) == (500_000, 500_128, range(447, 450))
    assert (second.start, second.end) == (500_128, 500_129)
    assert [target.window_start + 98_304 for target in (first, second)] == [500_000, 500_128]
    turned = replace(gene, strand="-")
    first, second = gene_targets([turned], ENFORMER)
    assert (first.start, first.end) == (500_100, 500_129)
    assert first.window_start + 98_304 == 500_128
    assert (second.start, second.end, second.strand) == (500_000, 500_001, "-")
    # of four windows two are the same as the others: one question, asked once
    labels = [target.label for target in distinct(gene_targets([gene, turned], ENFORMER))]
    assert labels == ["name@chr1:500001-500128", "name@chr1:500129-500129"]


@pytest.fixture
def genome(tmp_path):
    return Genome(write_fasta(tmp_path / "g.fa", {"chr2": "A" * 900, "chr1": "C" * 900}))


def placed(*rows):
    return [PlacedRegion(*row, f"line {at}") for at, row in enumerate(rows, 1)]


def test_names_are_unique_and_the_order_is_the_genomes(genome):
    given = placed(
        ("chr1", 300, 428, "gene", "+"),
        ("chr1", 300, 428, "gene", "+"),
        ("chr1", 100, 228, "gene", "-"),
        ("chr2", 500, 600, ".", None),
        ("chr1", 300, 428, "other", None),
    )
    targets = distinct(interval_target(region, ENFORMER) for region in given)
    table = target_table(targets, genome.contigs, ["a", "b"], 3).to_pylist()
    assert [(row["chrom"], row["target"], row["strand"]) for row in table] == [
        ("chr2", "chr2:501-600", None),
        ("chr1", "gene@chr1:101-228", "-"),
        ("chr1", "gene@chr1:301-428", "+"),
        ("chr1", "other", None),
    ]
    assert table[0]["groups"] == ["a", "b"]
    assert table[0]["layers"] == 3
    assert table[0]["alleles"] == ["ref"]


def test_names_with_places_are_not_those_that_were_given():
    given = placed(
        ("chr1", 100, 228, "A", None),
        ("chr1", 300, 428, "A", None),
        ("chr1", 500, 628, "A@chr1:101-228", None),
        ("chr1", 600, 728, "chr1:701-828", None),
        ("chr1", 700, 828, None, None),
    )
    targets = distinct(interval_target(region, ENFORMER) for region in given)
    assert [target.label for target in targets] == [
        "A@chr1:101-228#2",
        "A@chr1:301-428",
        "A@chr1:101-228",
        "chr1:701-828@chr1:601-728",
        "chr1:701-828@chr1:701-828",
    ]


def test_names_and_strands_of_bed(tmp_path, genome):
    path = tmp_path / "a.bed.gz"
    lines = "track name=x\nchr1 1 9\n1\t1\t9\t\nchr1\t1\t9\tA b\t0\t-\nchr1\t1\t9\t.\t0\t.\n"
    path.write_bytes(gzip.compress(lines.encode()))
    regions = list(place_regions(str(path), genome, option="target"))
    assert [region.where.rpartition(", ")[2] for region in regions] == [
        *("line 2", "line 3", "line 4", "line 5")
    ]
    targets = [interval_target(region, ENFORMER) for region in regions]
    assert [(target.contig, target.name, target.strand) for target in targets] == [
        ("chr1", None, None),
        ("chr1", None, None),
        ("chr1", "A b", "-"),
        ("chr1", None, None),
    ]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("chr1\t1\t9\n", "intervals"),
        ("#chrom\tstart\tend\nchr1\t1\t9\tgene\t0\t+\n", "intervals"),
        ("browser x\ntrack y\nchr1 1 9 . 0 +\n", "intervals"),
        ('#!genome-build x\nchr1\ta\tgene\t5\t9\t.\t+\t.\tgene_id "x";\n', "genes"),
        ("chr1\t9\t1\n", "intervals"),  # which its reader refuses by line
        ("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\nchr1\t5\t7\tA\tC\n", "variants"),
        ("chr1\t5\t5\tA\tC\n", "variants"),
        ("chr1\t5\trs1\tA\tC\n", "variants"),
        ("rs123\nrs124\n", "variants"),
        ("SNP\tCHR\tBP\nrs1\t1\t5\n", "variants"),
    ],
)
def test_kinds_of_files(tmp_path, text, kind):
    path = tmp_path / "targets.txt"
    path.write_text(text)
    assert target_kind(path) == kind
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert target_kind(path) == kind
    path.write_bytes(gzip.compress(text.encode()))
    assert target_kind(path) == kind

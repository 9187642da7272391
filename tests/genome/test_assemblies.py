"""Assemblies are told by lengths; the table of their chromosomes is whole."""

import re

from enformer_core.genome.assemblies import different_lengths, known_build
from enformer_core.genome.contig_names import known_contigs, reconcile_contigs

HUMAN = ("GRCh37 (hg19)", "GRCh38 (hg38)", "T2T-CHM13v2.0")


def test_builds_by_length():
    assert known_build({"chr20": 64444167, "chr21": 5}) == "GRCh38 (hg38)"
    assert known_build({"NC_000020.10": 63025520}) == "GRCh37 (hg19)"
    assert known_build({"chr1": 195154279}) == "GRCm39 (mm39)"
    assert known_build({"1": 7, "CP068258.2": 66210255}) == "T2T-CHM13v2.0"
    assert known_build({"chr1": 7}) is None
    assert known_build({"chr20": 64444167, "chr21": 48129895}) is None
    assert different_lengths({"1": 5, "2": 6, "9": 1}, {"chr1": 5, "chr2": 7}) == {"2": (6, 7)}


def test_the_table_has_each_human_chromosome_once_with_both_accessions():
    for assembly in HUMAN:
        contigs = [contig for contig in known_contigs() if contig.assembly == assembly]
        nuclear = [contig for contig in contigs if contig.chromosome != "MT"]
        assert [contig.chromosome for contig in nuclear] == [*map(str, range(1, 23)), "X", "Y"]
        assert all(len(contig.accessions) == 2 for contig in nuclear)
        total_bp = sum(contig.length_bp or 0 for contig in nuclear)
        assert 3.0e9 < total_bp < 3.2e9
    accessions = [name for contig in known_contigs() for name in contig.accessions]
    assert len(accessions) == len(set(accessions)) == 3 * 24 * 2 + 3
    assert all(re.fullmatch(r"(NC_|CM|CP|J)\d+\.\d+", name) for name in accessions)


def test_an_accession_is_another_name_of_the_same_sequence():
    assert reconcile_contigs(["NC_000001.11", "CM000663.2"], {"chr1": 9}) == {
        "NC_000001.11": "chr1",
        "CM000663.2": "chr1",
    }
    assert reconcile_contigs(["NC_000001.11"], {"CM000663.1": 9, "CM000663.2": 9}) == {
        "NC_000001.11": "CM000663.2"
    }

"""What is said of a file's columns, and what a sample of it shows against its name."""

from dataclasses import replace

import pytest

from enformer_core.variants.assembly_check import AssemblyCheck
from enformer_core.variants.assembly_sample import ContigFit
from enformer_core.variants.columns_taken import columns_taken, doubts
from enformer_core.variants.source import open_source

NAMES = {
    "ukb_chr20.tsv": "called after chr20, and has records on 21; the records count",
    "chr21.tsv": None,
    "cohort_chr20_chr21.tsv": None,
    "cohort.tsv": None,
    "mychr20b.tsv": None,
}


@pytest.mark.parametrize("name", NAMES)
def test_a_file_called_after_another_chromosome(tmp_path, name):
    path = tmp_path / name
    path.write_text("chr\tpos\tref\talt\n21\t5\tA\tC\n")
    check = AssemblyCheck(name, "x.fa", True, {"21": ContigFit(checked=1)}, {}, {})
    said = doubts(open_source(path), check)
    assert list(said) == ([] if NAMES[name] is None else [f"{name}: {NAMES[name]}"])


SAID = {
    "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\n21\t5\t.\tA\tC\n": "x (VCF): chrom #CHROM, pos POS, "
    "ref REF, alt ALT; positions from 1; alleles by the format: REF and ALT as VCF defines them",
    "chr\tpos\tref\talt\n21\t5\tA\tC\n": "x (tab-separated text): chrom chr, pos pos, ref ref, alt alt; "
    "positions from 1; alleles by the columns' names: one is called REF",
}


def test_a_list_of_identifiers_says_where_places_and_alleles_come_from(tmp_path):
    path = tmp_path / "ids.txt"
    path.write_text("rs5\nrs7\n")
    sites = tmp_path / "sites.vcf"
    sites.write_text("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\n21\t5\trs5\tA\tC\n")
    (taken,) = columns_taken([open_source(path, sites=sites)])
    places = "positions of sites.vcf (VCF), where identifiers are looked up, from 1"
    assert f"; {places}; alleles by the format: those of sites.vcf" in str(taken)


@pytest.mark.parametrize("text", SAID)
def test_columns_are_said_in_one_order_wherever_they_come_from(tmp_path, text):
    path = tmp_path / "x"
    path.write_text(text)
    (taken,) = columns_taken([open_source(path)])
    assert str(taken) == SAID[text]
    # run.json has its keys in the alphabet's order
    assert str(replace(taken, columns=dict(sorted(taken.columns.items())))) == SAID[text]

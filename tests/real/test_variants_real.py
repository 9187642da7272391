"""Public variant files on the genomes they were made for, counted independently line by line."""

import gzip
from collections import Counter

import pytest

from enformer_core.errors import InputError
from enformer_core.genome import Genome
from enformer_core.variants.place import place_alleles
from enformer_core.variants.readers import describe_inputs, read_alleles

MAX_ALLELE_BP = 10_000


def expected_keys(path):
    """(line, ALT index, chrom, 0-based start, REF, ALT) of each ALT, by plain Python."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content).decode()
    for number, line in enumerate(text.split("\n"), start=1):
        if line and not line.startswith("#"):
            chrom, pos, _, ref, alts = line.split("\t")[:5]
            for index, alt in enumerate(alts.split(","), start=1):
                yield number, index, chrom, int(pos) - 1, ref, alt


def check_place(path, fasta):
    """Statuses of a file's alleles, after all of its rows were compared with the independent ones."""
    raw = read_alleles([path])
    names = ("input_line", "alt_index", "input_chrom", "start", "input_ref", "input_alt")
    assert list(zip(*[raw[name].to_pylist() for name in names], strict=True)) == list(expected_keys(path))
    placed = place_alleles(raw, Genome(fasta), max_allele_bp=MAX_ALLELE_BP)
    [described] = describe_inputs([path], placed)
    return Counter(placed["status"].to_pylist()), described["records"], placed


def test_cohort_calls_all_agree_with_the_genome(data_dir):
    statuses, records, placed = check_place(
        data_dir / "variants" / "dv_cohort-chr20_100k.vcf.gz",
        data_dir / "reference" / "grch38.chr20_and_21_10M.fa.gz",
    )
    assert records == 1_354
    assert statuses == {"ok": 1_473}
    assert set(placed["chrom"].to_pylist()) == {"chr20"}


def test_sites_with_rsids_all_agree_with_the_genome(data_dir):
    statuses, records, placed = check_place(
        data_dir / "variants" / "grch38_chr20_1-10M_rsids.vcf.gz",
        data_dir / "reference" / "grch38.chr20_and_21_10M.fa.gz",
    )
    assert records == 28_536
    assert set(statuses) == {"ok"}
    assert all(name.startswith("rs") for name in placed["id"].to_pylist())


def test_thousand_genomes_has_symbolic_and_multiallelic_sites(data_dir):
    statuses, records, placed = check_place(
        data_dir / "variants" / "vg_1kgp3_chr20_1mb.vcf.gz", data_dir / "variants" / "vg_1mb1kgp_z.fa"
    )
    assert records == 28_998
    assert statuses["symbolic"] == 24
    assert set(statuses) == {"ok", "symbolic"}
    lines_with_second_alt = [row for row in placed["alt_index"].to_pylist() if row == 2]
    assert len(lines_with_second_alt) == 138


def test_a_vcf_without_column_names(data_dir):
    fasta = data_dir / "reference" / "hg38_chr1_1m.fa.gz"
    statuses, records, _ = check_place(data_dir / "variants" / "baskerville_eqtl.vcf", fasta)
    assert (statuses, records) == ({"ok": 8}, 8)
    flipped = read_alleles([data_dir / "variants" / "baskerville_eqtl_flip.vcf"])
    with pytest.raises(InputError, match=r"0 of 8 REF.*REF and ALT in this order"):
        place_alleles(flipped, Genome(fasta), max_allele_bp=MAX_ALLELE_BP)


def test_another_genome_is_refused(data_dir):
    raw = read_alleles([data_dir / "variants" / "vg_1kgp3_chr20_1mb.vcf.gz"])
    grch38 = Genome(data_dir / "reference" / "grch38.chr20_and_21_10M.fa.gz")
    with pytest.raises(InputError, match=r"shares no contig.*It has z; the genome has chr20, chr21"):
        place_alleles(raw, grch38, max_allele_bp=MAX_ALLELE_BP)


@pytest.mark.parametrize("version", ["4.2", "4.3"])
def test_conforming_files_are_read_whole(data_dir, version):
    paths = sorted((data_dir / "vcf_conformance" / version / "passed").iterdir())
    assert len(paths) == 25
    for path in paths:
        raw = read_alleles([path])
        assert raw["reason"].null_count == raw.num_rows, path.name
        keys = [(row["input_line"], row["alt_index"], row["input_alt"]) for row in raw.to_pylist()]
        assert keys == [(line, index, alt) for line, index, _, _, _, alt in expected_keys(path)], path.name


@pytest.mark.parametrize("version", ["4.2", "4.3"])
def test_files_against_the_specification_give_rows_or_a_message(data_dir, version):
    refused = {}
    for path in sorted((data_dir / "vcf_conformance" / version / "failed").iterdir()):
        try:
            raw = read_alleles([path])
        except InputError as error:
            refused[path.name] = str(error)
            continue
        lines = path.read_bytes().split(b"\n")
        body = {number for number, line in enumerate(lines, start=1) if line.strip() and not line.startswith(b"#")}
        assert set(raw["input_line"].to_pylist()) == body, path.name
    assert {f"failed_meta_00{number}.vcf" for number in (2, 4, 5)} <= set(refused)
    assert all(name in message for name, message in refused.items())

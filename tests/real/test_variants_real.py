"""Public variant files on the genomes they were made for: every record answered, alleles as bcftools writes them.

Counts are those of the table in docs/variants.md. The independent readings are by plain Python, line by line.
"""

from collections import Counter
from pathlib import Path

import pytest

from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.variants.assembly_check import check_assembly
from enformer_core.variants.harmonise import harmonise_alleles
from enformer_core.variants.source import open_source
from tests.support.bcftools import norm, read_text
from tests.support.variants import count_records, read_alleles

MAX_ALLELE_BP = 10_000
GRCH38 = "reference/grch38.chr20_and_21_10M.fa.gz"
GRCH37_CHR22 = "reference/grch37_chr22_1-22000000.fa.gz"
HG38_CHR1 = "reference/hg38_chr1_1m.fa.gz"
COHORT = "variants/dv_cohort-chr20_100k.vcf.gz"
RSIDS = "variants/grch38_chr20_1-10M_rsids.vcf.gz"
THOUSAND, THOUSAND_FASTA = "variants/vg_1kgp3_chr20_1mb.vcf.gz", "variants/vg_1mb1kgp_z.fa"
BIM, SUMSTATS = "gwas/prscs_test.bim", "gwas/prscs_sumstats.txt"
CATALOGUE = "gwas/gwas_catalog_ebicat38_on_stretches.tsv"

# file, genome, sites: format, records, rows by status, flags
FILES = {
    (THOUSAND, THOUSAND_FASTA, None): ("VCF", 28_998, {"ok": 29_120, "symbolic": 24}, {}),
    (RSIDS, GRCH38, None): ("VCF", 28_536, {"ok": 28_648}, {}),
    (COHORT, GRCH38, None): ("VCF", 1_354, {"ok": 1_473}, {}),
    ("variants/baskerville_eqtl.vcf", HG38_CHR1, None): ("VCF", 8, {"ok": 8}, {}),
    ("normalisation/norm.vcf", "normalisation/norm.fa", None): (
        "VCF",
        24,
        {"ok": 35, "ref_mismatch": 1, "no_alt": 1, "symbolic": 1, "bad_allele": 1},
        {},
    ),
    (BIM, GRCH37_CHR22, None): ("PLINK 1 .bim", 1_000, {"ok": 1_000}, {"ref_swapped": 236}),
    (SUMSTATS, GRCH37_CHR22, BIM): (
        "summary statistics",
        1_000,
        {"ok": 1_000},
        {"ref_swapped": 1_000},
    ),
    ("gwas/gwas_catalog_2020_chr20_GRCh38_rsid_joined.tsv", GRCH38, None): (
        "tab-separated text",
        420,
        {"ok": 421},
        {},
    ),
    # four risk alleles are on the other strand: rs6035126-A where the genome's strand has C and T
    (CATALOGUE, GRCH38, RSIDS): (
        "GWAS Catalog associations",
        140,
        {"ok": 62, "not_found": 79},
        {"effect_unmatched": 4},
    ),
    ("gwas/standard_0000123.tsv", HG38_CHR1, None): (
        "GWAS-SSF",
        5,
        {"ref_mismatch": 1, "out_of_bounds": 1, "unknown_contig": 3},
        {},
    ),
}


def body(path):
    """Numbers and fields of the lines that are records."""
    lines = enumerate(read_text(path).split("\n"), start=1)
    kept = [
        (number, line.split("\t")) for number, line in lines if line and not line.startswith("#")
    ]
    return kept if path.suffix in {".vcf", ".gz", ".bim"} else kept[1:]


@pytest.fixture
def harmonise_file(data_dir):
    """Source and placed alleles of a file."""

    def call(file, fasta, sites=None, **how):
        source = open_source(data_dir / file, sites=None if sites is None else data_dir / sites)
        genome = Genome(data_dir / fasta)
        check = check_assembly(source, genome, allow_mismatch=True, **how)
        raw = read_alleles([data_dir / file], sites=None if sites is None else data_dir / sites)
        placed = harmonise_alleles(
            raw,
            genome,
            max_allele_bp=MAX_ALLELE_BP,
            allow_swapped=check.allow_swapped,
        )
        return source, check, placed

    return call


@pytest.mark.parametrize("case", FILES, ids=lambda case: Path(case[0]).name)
def test_every_record_is_answered(data_dir, harmonise_file, case):
    kind, records, statuses, flags = FILES[case]
    source, _, placed = harmonise_file(*case)
    assert source.format == kind
    assert count_records(placed) == {source.name: records}
    assert Counter(placed["status"].to_pylist()) == statuses
    assert Counter(flag for row in placed["flags"].to_pylist() for flag in row) == flags
    assert list(dict.fromkeys(placed["input_line"].to_pylist())) == [
        number for number, _ in body(data_dir / case[0])
    ]


@pytest.mark.parametrize(
    "file", [THOUSAND, RSIDS, COHORT, "variants/baskerville_eqtl.vcf", "normalisation/norm.vcf"]
)
def test_rows_keep_what_the_line_says(data_dir, file):
    raw = read_alleles([data_dir / file])
    names = ("input_line", "alt_index", "input_chrom", "start", "input_ref", "input_alt")
    expected = [
        (number, index, chrom, int(pos) - 1, ref, alt)
        for number, (chrom, pos, _, ref, alts, *_) in body(data_dir / file)
        for index, alt in enumerate(alts.split(","), start=1)
    ]
    assert list(zip(*[raw[name].to_pylist() for name in names], strict=True)) == expected


@pytest.mark.parametrize(
    ("file", "fasta"),
    [(THOUSAND, THOUSAND_FASTA), (RSIDS, GRCH38), (COHORT, GRCH38)],
    ids=lambda name: Path(name).name,
)
def test_alleles_are_those_of_bcftools(data_dir, harmonise_file, file, fasta):
    _, _, placed = harmonise_file(file, fasta)
    rows = [row for row in placed.to_pylist() if row["status"] == "ok"]
    ours = Counter((row["chrom"], row["start"], row["ref"], row["alt"]) for row in rows)
    theirs = Counter(
        (chrom, start, ref.upper(), alt.upper())
        for chrom, start, _, ref, alt in norm(data_dir / file, data_dir / fasta)
        if not alt.startswith("<")
    )
    assert ours == theirs
    assert (
        sum(row["ref"] != row["input_ref"] for row in rows) > 0
    )  # some were not in their normal form


def test_the_cases_of_bcftools_own_test(data_dir, harmonise_file):
    _, _, placed = harmonise_file("normalisation/norm.vcf", "normalisation/norm.fa")
    ours = Counter(
        (row["chrom"], row["start"], row["ref"], row["alt"])
        for row in placed.to_pylist()
        if row["status"] == "ok"
    )
    written = norm(
        data_dir / "normalisation" / "norm.vcf", data_dir / "normalisation" / "norm.fa", "-cx"
    )
    theirs = Counter(
        (chrom, start, ref, alt) for chrom, start, _, ref, alt in written if set(alt) <= set("ACGT")
    )
    assert ours == theirs
    # and its published output, where a record has one ALT
    text = read_text(data_dir / "normalisation" / "norm.out")
    lines = [line.split("\t")[:5] for line in text.split("\n") if line and not line.startswith("#")]
    published = {
        (chrom, int(pos) - 1, ref, alt)
        for chrom, pos, _, ref, alt in lines
        if set(alt) <= set("ACGT")
    }
    assert len(published) == 13
    assert published <= set(ours)


def test_effects_turn_with_the_alleles(data_dir, harmonise_file):
    """A1 of the summary statistics and of the .bim are two effect alleles of the same sites."""
    _, _, bim = harmonise_file(BIM, GRCH37_CHR22)
    _, _, stats = harmonise_file(SUMSTATS, GRCH37_CHR22, BIM)
    for one, other in zip(bim.to_pylist(), stats.to_pylist(), strict=True):
        assert [one[name] for name in ("id", "start", "ref", "alt")] == [
            other[name] for name in ("id", "start", "ref", "alt")
        ]
        for row in (one, other):
            assert row["input_alt"] == (row["alt"] if row["effect_sign"] == 1 else row["ref"])
            assert ("ref_swapped" in row["flags"]) == (row["effect_sign"] == -1)
    differ = sum(
        one["effect_sign"] != other["effect_sign"]
        for one, other in zip(bim.to_pylist(), stats.to_pylist(), strict=True)
    )
    assert differ == 764


def test_swapped_columns_stop_and_go_on_when_allowed(data_dir, harmonise_file):
    flipped = "variants/baskerville_eqtl_flip.vcf"
    source, genome = open_source(data_dir / flipped), Genome(data_dir / HG38_CHR1)
    with pytest.raises(InputError, match=r"0\.0% of 8.*look swapped: 100\.0%.*--allow-swapped"):
        check_assembly(source, genome)
    _, _, swapped = harmonise_file(flipped, HG38_CHR1, allow_swapped=True)
    _, _, right = harmonise_file("variants/baskerville_eqtl.vcf", HG38_CHR1)
    same = ["id", "chrom", "start", "ref", "alt", "status"]
    assert swapped.select(same) == right.select(same)
    assert swapped["effect_sign"].to_pylist() == [-1] * 8
    assert swapped["flags"].to_pylist() == [["ref_swapped"]] * 8


def test_another_genome_is_refused(data_dir):
    source = open_source(data_dir / THOUSAND)
    with pytest.raises(
        InputError, match=r"shares no contig.*It has z; the genome has chr20, chr21"
    ):
        check_assembly(source, Genome(data_dir / GRCH38))


def test_another_assembly_is_refused(data_dir, tmp_path):
    """Positions of GRCh37 chromosome 20 on that of GRCh38."""
    lines = []
    for _, (_, pos, *rest) in body(data_dir / THOUSAND):
        lines.append("\t".join(["20", str(int(pos) + 1_000_000), *rest]))
    path = tmp_path / "grch37.vcf"
    head = "##fileformat=VCFv4.1\n##contig=<ID=20,length=63025520>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    path.write_text(head + "\n".join(lines) + "\n")
    message = r"of 29,120 sampled REF.*another assembly \(the header's contigs are those of GRCh37 \(hg19\)"
    with pytest.raises(InputError, match=message):
        check_assembly(open_source(path), Genome(data_dir / GRCH38))

"""Every format is told by its content, and says the same of the same variants."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from enformer_core.errors import InputError
from enformer_core.variants.source import open_source, open_sources
from enformer_core.variants.table import RAW_SCHEMA
from tests.support.bcftools import to_bcf
from tests.support.bgzf import write_bgzf
from tests.support.variants import read_alleles

SHORT = (
    "input_line",
    "alt_index",
    "input_chrom",
    "start",
    "id",
    "input_ref",
    "input_alt",
    "effect",
    "status",
)

VCF = "##fileformat=VCFv4.{}\n##contig=<ID=1,length=1000>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


@pytest.fixture
def write(tmp_path):
    def call(content, name="x"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return call


def rows(source):
    tables = list(source.batches())
    assert all(table.schema == RAW_SCHEMA for table in tables)
    return [tuple(row[name] for name in SHORT) for table in tables for row in table.to_pylist()]


# text, format, whether REF is declared, rows of its two records: 1:5 A>C rs1 (C tested) and 1:7 AT>A rs2
FORMATS = {
    "bim": ("1\trs1\t0\t5\tC\tA\n1\trs2\t0.5\t7\tA\tAT\n", "PLINK 1 .bim", False),
    "bim, spaces": (" 1  rs1  0  5  C  A\n 1  rs2  0.5  7  A  AT \n", "PLINK 1 .bim", False),
    "bim, no centimorgans": ("1 rs1 5 C A\n1 rs2 7 A AT\n", "PLINK 1 .bim", False),
    "pvar": (
        "#CHROM\tPOS\tID\tREF\tALT\tCM\n1\t5\trs1\tA\tC\t0\n1\t7\trs2\tAT\tA\t0\n",
        "PLINK 2 .pvar",
        True,
    ),
    "gwas-ssf": (
        "chromosome\tbase_pair_location\teffect_allele\tother_allele\tbeta\trsid\n1\t5\tC\tA\t.1\trs1\n1\t7\tA\tAT\t1\trs2\n",
        "GWAS-SSF",
        False,
    ),
    "harmonised": (
        "hm_rsid\thm_chrom\thm_pos\thm_other_allele\thm_effect_allele\tchromosome\tbase_pair_location\teffect_allele\t"
        "other_allele\nrs1\t1\t5\tA\tC\t9\t99\tT\tG\nrs2\t1\t7\tAT\tA\t9\t99\tT\tG\n",
        "GWAS-SSF",
        False,
    ),
    "plink assoc": (
        " CHR SNP BP A1 F_A F_U A2 CHISQ P OR\n 1 rs1 5 C .1 .1 A 1 1 1\n 1 rs2 7 A 0 0 AT 1 1 1\n",
        "summary statistics",
        False,
    ),
    "plink2 glm": (
        "#CHROM\tPOS\tID\tREF\tALT\tA1\tTEST\tBETA\tP\n1\t5\trs1\tA\tC\tC\tADD\t1\t1\n1\t7\trs2\tAT\tA\tA\tADD\t1\t1\n",
        "summary statistics",
        True,
    ),
    "regenie": (
        "CHROM GENPOS ID ALLELE0 ALLELE1 A1FREQ N BETA\n1 5 rs1 A C .1 9 1\n1 7 rs2 AT A .1 9 1\n",
        "summary statistics",
        False,
    ),
    "bolt": (
        "SNP CHR BP GENPOS ALLELE1 ALLELE0 A1FREQ BETA\nrs1 1 5 0.1 C A .1 1\nrs2 1 7 0.2 A AT .1 1\n",
        "summary statistics",
        False,
    ),
    "saige": (
        "CHR\tPOS\tMarkerID\tAllele1\tAllele2\tAC_Allele2\tAF_Allele2\n1\t5\trs1\tA\tC\t1\t.1\n1\t7\trs2\tAT\tA\t1\t.1\n",
        "summary statistics",
        False,
    ),
    "ldsc-like csv": (
        "SNP,CHR,POS,EA,NEA,P\nrs1,1,5,C,A,1\nrs2,1,7,A,AT,1\n",
        "summary statistics",
        False,
    ),
    "quoted csv": (
        '"chrom","pos","ref","alt","rsid"\n"1","5","A","C","rs1"\n1,7,"AT",A,rs2\n',
        "CSV",
        True,
    ),
    "tsv": (
        "chrom\tpos\tref\talt\tsnp\n1\t5\tA\tC\trs1\n1\t7\tAT\tA\trs2\n",
        "tab-separated text",
        True,
    ),
    "bed": ("1\t4\t5\trs1\tA\tC\n1\t6\t8\trs2\tAT\tA\n", "BED-like text", True),
    "bed, header": (
        "track name=x\n#chrom\tchromStart\tchromEnd\tref\talt\tname\n1\t4\t5\tA\tC\trs1\n1\t6\t8\tAT\tA\trs2\n",
        "BED-like text",
        True,
    ),
    "start and end from 0": (
        "chr\tstart\tend\tref\talt\tid\n1\t4\t5\tA\tC\trs1\n1\t6\t8\tAT\tA\trs2\n",
        "BED-like text",
        True,
    ),
    "start and end from 1": (
        "Chr\tStart\tEnd\tRef\tAlt\tid\n1\t5\t5\tA\tC\trs1\n1\t7\t8\tAT\tA\trs2\n",
        "BED-like text",
        True,
    ),
    "floats": (
        "chrom\tpos\tref\talt\tid\n1\t5.0\tA\tC\trs1\n1\t7.0\tAT\tA\trs2\n",
        "tab-separated text",
        True,
    ),
}


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("packed", [False, True])
def test_formats_of_text(write, kind, packed):
    text, name, declares_ref = FORMATS[kind]
    source = open_source(write(gzip.compress(text.encode()) if packed else text, "odd.name"))
    assert (source.format, source.declares_ref) == (name, declares_ref)
    found = [row[1:7] for row in rows(source)]
    assert found == [(1, "1", 4, "rs1", "A", "C"), (1, "1", 6, "rs2", "AT", "A")]
    names_effect = not declares_ref or "A1" in text
    assert [row[7:] for row in rows(source)] == [(1 if names_effect else None, None)] * 2
    lines = [
        number for number, line in enumerate(text.split("\n"), 1) if "rs1" in line or "rs2" in line
    ]
    assert [row[0] for row in rows(source)] == lines


@pytest.mark.parametrize("version", range(1, 6))
def test_vcf_versions_and_header_contigs(write, version):
    source = open_source(write(VCF.format(version) + "1\t5\trs1\tA\tC\t.\tq10\tAF=0.3\n"))
    assert (source.format, source.declares_ref, source.header_contigs) == ("VCF", True, {"1": 1000})
    [plain] = list(source.batches())
    [detailed] = list(source.batches(details=True))
    assert plain["frequency"].to_pylist() == plain["passed"].to_pylist() == [None]
    assert (detailed["frequency"].to_pylist(), detailed["passed"].to_pylist()) == ([0.3], [False])


@pytest.mark.parametrize("first", ["##fileformat=VCFv4.3\n", ""])
def test_samples_may_have_the_names_of_columns(write, first):
    samples = "FORMAT\tchrom\tA1\tpos\tmaf\tfilter"
    header = first + f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\t{samples}\n"
    source = open_source(write(header + "1\t5\trs1\tA\tC\t.\t.\t.\tGT\t0/1\t0/1\t0/1\t0/1\t0/1\n"))
    assert [row[2:] for row in rows(source)] == [("1", 4, "rs1", "A", "C", None, None)]


def test_frequencies_of_each_alt(write):
    infos = {
        "AF=0.1,0.2;AC=7,8;AN=100": [0.1, 0.2],
        "DP=3;AC=7,8;AN=100": [0.07, 0.08],
        "MAF=0.4": [0.4, 0.4],
        "AC=7,8;AN=0": [None, None],
        "XAF=0.1": [None, None],
        "AF=.,1e-3": [None, 0.001],
        ".": [None, None],
    }
    body = "".join(f"1\t5\t.\tA\tC,G\t.\tPASS\t{info}\n" for info in infos)
    [table] = list(open_source(write(VCF.format(2) + body)).batches(details=True))
    assert table["frequency"].to_pylist() == [value for pair in infos.values() for value in pair]
    assert set(table["passed"].to_pylist()) == {True}


def test_bcf_gives_the_same_as_its_vcf(tmp_path, write):
    pytest.importorskip("pysam")
    header = VCF.format(2).replace(
        "#CHROM", '##INFO=<ID=AF,Number=A,Type=Float,Description="x">\n#CHROM'
    )
    body = "1\t5\trs1\tA\tC,<DEL>\t.\tPASS\tAF=0.25,0.5\n1\t7\t.\tAT\tA\t.\t.\tAF=0.5\n1\t9\t.\tA\t.\t.\tPASS\t.\n"
    text = write(header + body, "x.vcf")
    to_bcf(text, tmp_path / "x.bin")
    source = open_source(tmp_path / "x.bin")
    assert (source.format, source.header_contigs) == ("BCF", {"1": 1000})
    [ours], [theirs] = (
        list(source.batches(details=True)),
        list(open_source(text).batches(details=True)),
    )
    same = [
        name for name in RAW_SCHEMA.names if name not in {"input_file", "input_line", "input_alt"}
    ]
    assert ours.select(same) == theirs.select(same)
    assert ours["input_line"].to_pylist() == [1, 1, 2, 3]
    assert [alt or "." for alt in ours["input_alt"].to_pylist()] == theirs["input_alt"].to_pylist()
    cut = write((tmp_path / "x.bin").read_bytes()[:-60], "cut.bcf")
    with pytest.raises(InputError, match=r"cut\.bcf.*cannot be read"):
        read_alleles([cut])


def test_bcf_without_pysam(write, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pysam", None)
    with pytest.raises(InputError, match=r"pip install pysam.*bcftools view"):
        open_source(write(b"BCF\2\2more"))


def test_a_directory_of_parquet_and_globs(tmp_path, write):
    parts = tmp_path / "parts"
    (parts / "chrom=1").mkdir(parents=True)
    for part, pos in (("b", 7), ("a", 5)):
        table = pa.table({"chrom": ["1"], "pos": [pos], "ref": ["A"], "alt": ["C"], "af": [0.5]})
        pq.write_table(table, parts / "chrom=1" / f"{part}.parquet")
    found = read_alleles([parts])
    assert (found["input_file"].to_pylist(), found["start"].to_pylist()) == (
        ["a.parquet", "b.parquet"],
        [4, 6],
    )
    assert [one.name for one in open_sources([parts / "*" / "*.parquet"])] == [
        "a.parquet",
        "b.parquet",
    ]
    [first, _] = open_sources([parts])
    assert next(first.batches(details=True))["frequency"].to_pylist() == [0.5]
    with pytest.raises(InputError, match="no file matches"):
        open_sources([tmp_path / "*.vcf"])


SITES = "chr1\t5\trs1\tA\tC\nchr1\t7\trs2;rs22\tAT\tA,G\nchr2\t9\trs3\tG\tT\nchr2\t9\trs3\tGA\tG\n"


@pytest.fixture
def sites(write):
    return write("#CHROM\tPOS\tID\tREF\tALT\n" + SITES, "sites.vcf")


def test_a_list_of_rsids(write, sites):
    path = write("rs3\nrs9\nrs22\n\nrs1\n", "list.txt")
    with pytest.raises(
        InputError, match=r"list\.txt: list of rsIDs, without places and alleles.*--sites"
    ):
        open_source(path)
    assert rows(open_source(path, sites=sites)) == [
        (1, 1, "chr2", 8, "rs3", "G", "T", None, None),
        (1, 2, "chr2", 8, "rs3", "GA", "G", None, None),
        (2, 1, None, None, "rs9", None, None, None, "not_found"),
        (3, 1, "chr1", 6, "rs22", "AT", "A", None, None),
        (3, 2, "chr1", 6, "rs22", "AT", "G", None, None),
        (5, 1, "chr1", 4, "rs1", "A", "C", None, None),
    ]
    reasons = read_alleles([path], sites=sites)["reason"].to_pylist()
    assert reasons[2] == "rs9 is not in sites.vcf"


def test_summary_statistics_without_places(write, sites):
    path = write("SNP\tA1\tA2\tBETA\nrs3\tG\tGA\t1\nrs1\tA\tC\t1\n.\tA\tC\t1\nrs9\tA\tC\t1\n")
    with pytest.raises(InputError, match="without places"):
        open_source(path)
    source = open_source(path, sites=sites)
    assert not source.declares_ref
    assert rows(source) == [
        (2, 1, "chr2", 8, "rs3", "GA", "G", 1, None),  # the site that has these alleles
        (3, 1, "chr1", 4, "rs1", "C", "A", 1, None),
        (4, 1, None, None, None, "C", "A", 1, "malformed"),
        (5, 1, None, None, "rs9", "C", "A", 1, "not_found"),
    ]


def test_catalogue_of_risk_alleles(write, sites):
    header = "CHR_ID\tCHR_POS\tSTRONGEST SNP-RISK ALLELE\tSNPS\tP-VALUE\n"
    path = write(header + "1\t5\trs1-A\trs1\t1\n1\t7\trs2-G\trs2\t1\n1\t5\trs1-?\trs1\t1\n")
    places = r"GWAS Catalog associations, with places \(CHR_ID, CHR_POS\) but without alleles\. Give a file"
    with pytest.raises(InputError, match=f"{places}.*ref=…,alt=…"):
        open_source(path)
    assert [(row[1], row[5], row[6], row[7]) for row in rows(open_source(path, sites=sites))] == [
        (1, "A", "C", -1),
        (1, "AT", "G", 1),
        (1, "A", "C", None),
    ]


def test_names_that_hold_the_alleles(write):
    path = write("chr1_5_A_C_b38\n1:7:AT:A\n1-9-G-T\nrs5\n")
    found = rows(open_source(path))
    assert [row[2:4] + row[5:7] for row in found] == [
        ("chr1", 4, "A", "C"),
        ("1", 6, "AT", "A"),
        ("1", 8, "G", "T"),
        (None, None, None, None),
    ]
    assert [row[-1] for row in found] == [None, None, None, "malformed"]


@pytest.mark.parametrize(
    ("text", "effects"),
    [
        ("variant_id\tgene_id\tmaf\tslope\n{}\tE\t.1\t.1\n{}\tE\t.1\t.1\n", [None, None]),  # GTEx
        ("variant\tminor_allele\tbeta\n{}\tC\t.1\n{}\tA\t.1\n", [None, None]),  # UK Biobank, Neale
        ("SNP A1 A2 freq b se p N\n{} C A .1 1 1 1 9\n{} AT A .1 1 1 1 9\n", [1, -1]),  # COJO
        ("MarkerName\tAllele1\tAllele2\tEffect\n{}\ta\tc\t1\n{}\ta\tat\t1\n", [-1, 1]),  # METAL
    ],
)
@pytest.mark.parametrize("names", [("chr1_5_A_C_b38", "chr1_7_AT_A_b38"), ("1:5:A:C", "1:7:AT:A")])
@pytest.mark.parametrize("as_parquet", [False, True])
def test_tables_whose_identifiers_hold_the_alleles(write, text, effects, names, as_parquet):
    path = write(text.format(*names))
    if as_parquet:
        head, *body = [line.split() for line in path.read_text().splitlines()]
        pq.write_table(
            pa.table(dict(zip(head, map(list, zip(*body, strict=True)), strict=True))), path
        )
    source = open_source(path)
    chrom = names[0][: names[0].index("_" if "_" in names[0] else ":")]
    assert [row[2:] for row in rows(source)] == [
        (chrom, 4, names[0], "A", "C", effects[0], None),
        (chrom, 6, names[1], "AT", "A", effects[1], None),
    ]
    assert source.declares_ref


def test_records_stay_whole_in_batches_of_any_size(write):
    body = "".join(f"1\t{pos}\t.\tA\tC,G,T\t.\t.\t.\n" for pos in range(1, 200))
    source = open_source(write(VCF.format(2) + body))
    whole = read_alleles([source.path])
    for size in (1, 7, 1000):
        tables = list(source.batches(rows=size))
        assert all(
            table.num_rows <= 3 * size and table["alt_index"][0].as_py() == 1 for table in tables
        )
        assert pa.concat_tables(tables).combine_chunks() == whole.combine_chunks()


def test_ragged_lines_answer_for_themselves_among_even_ones(write):
    lines = [f"1\t{pos}\t.\tA\tC\t.\t.\t." for pos in range(1, 50)]
    lines[20], lines[30] = "1\t21\t.\tA", lines[30] + "\textra\tcolumns"
    found = rows(open_source(write(VCF.format(2) + "\n".join(lines))))
    assert [row[0] for row in found] == list(range(4, 53))
    assert [row[-1] for row in found] == [None] * 20 + ["malformed"] + [None] * 28
    odd = '1\t5\t"rs\tA\tC\t.\t.\t"\n1\t6\t"\tA\tC\t.\t.\t.\n'  # quotes mean nothing
    assert [row[4] for row in rows(open_source(write(VCF.format(2) + odd)))] == ['"rs', '"']


def test_a_very_long_line(write):
    allele = "ACGT" * 3_000_000
    found = read_alleles(
        [write(VCF.format(2) + f"1\t5\t.\tA\t{allele}\t.\t.\t.\n1\t6\t.\tA\tC\t.\t.\t.\n")]
    )
    assert [len(alt) for alt in found["input_alt"].to_pylist()] == [len(allele), 1]


def test_what_end_says_of_the_start(write):
    text = (
        "chrom\tstart\tend\tref\talt\n1\t4\t5\tA\tC\n1\t5\t5\tA\tC\n1\t5\t9\tA\tC\n1\t5\tx\tA\tC\n"
    )
    found = rows(open_source(write(text)))
    assert [row[3] for row in found[:2]] == [4, 4]
    assert [row[-1] for row in found] == [None, None, "malformed", "malformed"]


REFUSED = {
    b"PK\x03\x04zip": "ZIP",
    b"BZh91AY": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"l\x1b\x01": r"\.bim or \.pvar",
    "chrom\tpos\n".encode("utf-16"): "UTF-16",
    b"SNP\tP\nrs1\t1\n": "without places and alleles",
    b"chrom\tpos\teffect_allele\tP\n1\t5\tA\t1\n": "not a variant file",
}


@pytest.mark.parametrize("content", REFUSED)
def test_what_is_refused(write, content):
    with pytest.raises(InputError, match=REFUSED[content]):
        open_source(write(content))


def test_bgzf_is_read_through_the_gaps_of_its_blocks(tmp_path):
    lines = [f"1\t{pos}\t.\tA\tC\t.\t.\t.\n" for pos in range(1, 30_000)]
    write_bgzf(tmp_path / "x.gz", (VCF.format(3) + "".join(lines)).encode())
    found = read_alleles([tmp_path / "x.gz"])
    assert found["input_line"].to_pylist() == list(range(4, 30_003))
    assert found["start"].to_pylist() == list(range(29_999))


def test_a_null_among_the_alts_of_a_list_leaves_the_others(tmp_path):
    lists = pa.array([["G", None], None, ["C"], [None, "A"]], pa.list_(pa.string()))
    cells = {"chrom": ["1"] * 4, "pos": [1, 2, 3, 4], "ref": ["T"] * 4, "alt": lists}
    pq.write_table(pa.table(cells), tmp_path / "x.parquet")
    found = read_alleles([tmp_path / "x.parquet"])["input_alt"].to_pylist()
    assert found == ["G", ".", None, "C", ".", "A"]

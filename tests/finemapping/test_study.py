"""Rows of a study: z of every dialect, sample sizes, weights, a locus of a large file, and what cannot be used."""

import gzip
import math

import numpy as np
import polars as pl
import pytest

from enformer_core.errors import InputError
from enformer_core.finemapping.study import Locus, StudyFile
from enformer_core.finemapping.variant_names import read_names
from enformer_core.variants.formats.given import GivenColumns

DIALECTS = {
    "regenie": (
        "CHROM GENPOS ID ALLELE0 ALLELE1 A1FREQ INFO N TEST BETA SE CHISQ LOG10P EXTRA\n"
        "20 100 rs1 G A 0.3 1 5000 ADD 0.2 0.1 4 1.3 NA\n"
    ),
    "SAIGE": (
        "CHR\tPOS\tMarkerID\tAllele1\tAllele2\tAC_Allele2\tAF_Allele2\tBETA\tSE\tTstat\tp.value\tN\n"
        "20\t100\trs1\tG\tA\t10\t0.3\t0.2\t0.1\t1\t0.05\t5000\n"
    ),
    "PLINK 2": (
        "#CHROM\tPOS\tID\tREF\tALT\tA1\tTEST\tOBS_CT\tBETA\tSE\tT_STAT\tP\n"
        "20\t100\trs1\tA\tG\tA\tADD\t5000\t0.2\t0.1\t2\t0.05\n"
    ),
    "GWAS-SSF": (
        "chromosome\tbase_pair_location\teffect_allele\tother_allele\tbeta\tstandard_error\tp_value\trsid\tn\n"
        "20\t100\tA\tG\t0.2\t0.1\t0.05\trs1\t5000\n"
    ),
    "COJO": "SNP A1 A2 freq b se p N\nrs1 A G 0.3 0.2 0.1 0.05 5000\n",
    "LDSC": "SNP\tA1\tA2\tZ\tN\nrs1\tA\tG\t2.0\t5000\n",
    "odds": f"CHR,BP,SNP,A1,A2,OR,SE,N\n20,100,rs1,A,G,{math.exp(0.2)},0.1,5000\n",
    "z alone": "id\tz\tn\nrs1\t2.0\t5000\n",
    "cases": "SNP A1 A2 Z N_CASES N_CONTROLS\nrs1 A G 2 2000 3000\n",
}


@pytest.fixture
def written(tmp_path):
    def write(text, name="study.tsv"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_says_the_same(written, dialect):
    study = StudyFile(written(DIALECTS[dialect])).read()
    assert study.z == pytest.approx([2.0])
    assert study.people == 5_000
    assert study.names.id == ["rs1"]
    if dialect != "z alone":
        assert (study.names.effect, study.names.other) == (["A"], ["G"])
    if study.names.chrom != [None]:
        assert study.names.chrom == ["20"]
        assert study.names.pos.tolist() == [100]
    assert study.reasons == [None]


def test_z_of_beta_and_p(written):
    study = StudyFile(
        written("SNP A1 A2 BETA P N\nrs1 A G -0.3 0.05 100\nrs2 A G 2 1e-400 100\n")
    ).read()
    assert study.z[0] == pytest.approx(-1.959964, abs=1e-6)
    assert study.z[1] > 42


def test_the_effect_allele_may_be_named(written):
    text = "CHR BP SNP A1 A2 Z N\n20 100 rs1 A G 2 100\n"
    study = StudyFile(written(text), columns=GivenColumns.parse((), "A2")).read()
    assert study.names.effect == ["G"]


def test_parquet_is_read(tmp_path):
    path = tmp_path / "study.parquet"
    frame = {
        "SNP": ["rs1"],
        "CHR": [20],
        "BP": [100],
        "A1": ["A"],
        "A2": ["G"],
        "Z": [2.0],
        "N": [7],
    }
    pl.DataFrame(frame | {"SNPVAR": [0.25]}).write_parquet(path)
    study = StudyFile(str(path), weights="SNPVAR").read()
    assert (study.z[0], study.people) == (2, 7)
    assert study.weights is not None
    assert study.weights.tolist() == [0.25]


def test_names_that_hold_the_alleles(written):
    study = StudyFile(written("variant z n\n20:100:G:A 2 50\n")).read()
    assert (study.names.chrom, study.names.effect, study.names.other) == (["20"], ["A"], ["G"])
    assert study.names.pos.tolist() == [100]


LARGE = "CHR\tBP\tSNP\tA1\tA2\tZ\tN\n" + "".join(
    f"{chrom}\t{100 * each}\trs{chrom}_{each}\tA\tG\t{each / 10}\t1000\n"
    for chrom in (19, 20, 21)
    for each in range(1, 41)
)


@pytest.mark.parametrize("contig", ["20", "chr20", "Chr20"])
def test_a_locus_of_a_large_file(tmp_path, contig):
    path = tmp_path / "study.tsv.gz"
    path.write_bytes(gzip.compress(LARGE.encode()))
    locus = Locus(f"{contig}:500-700", contig, 500, 700)
    study = StudyFile(str(path), locus=locus).read()
    assert study.names.id == ["rs20_5", "rs20_6", "rs20_7"]
    assert study.line.tolist() == [46, 47, 48]
    assert study.place.tolist() == [44, 45, 46]
    assert study.rows == 120
    assert study.where(0) == f"{path}, line 46 (rs20_5)"


def test_a_locus_without_rows(written):
    path = written(LARGE)
    with pytest.raises(InputError, match=r"--locus 20:1-9: none of the 120 rows of .*study\.tsv"):
        StudyFile(path, locus=Locus("20:1-9", "20", 1, 9)).read()
    path = written("SNP Z N\nrs1 1 9\n")
    with pytest.raises(InputError, match=r"says of no variant where it lies. Leave out --locus"):
        StudyFile(path, locus=Locus("20:1-9", "20", 1, 9)).read()


def test_sample_sizes(written):
    text = "SNP Z N\nrs1 1 900\nrs2 1 1000\nrs3 1 1000\nrs4 1 NA\n"
    study = StudyFile(written(text)).read()
    assert study.people == 1_000
    assert "sample sizes are 900 to 1,000; the median, 1,000" in study.notes[0]
    assert StudyFile(written(text), people=77.0).read().people == 77
    with pytest.raises(
        InputError, match=r"has no column of sample sizes \(N\); it has SNP, Z.*--n N"
    ):
        StudyFile(written("SNP Z\nrs1 1\n")).read()
    with pytest.raises(InputError, match="no variant has a sample size"):
        StudyFile(written("SNP Z N\nrs1 1 0\n")).read()
    for people in (2.0, 1e308, math.inf, math.nan):
        with pytest.raises(InputError, match=r"--n .*: must be at least 3, and at most 1e\+12"):
            StudyFile(written(text), people=people).read()
    with pytest.raises(InputError, match="no variant has a sample size"):
        StudyFile(written("SNP Z N\nrs1 1 1e308\nrs2 1 1e308\n")).read()


def test_no_z_can_be_made(written):
    with pytest.raises(InputError, match="no z can be made of its columns"):
        StudyFile(written("SNP A1 A2 P N\nrs1 A G 0.1 50\n")).read()


def test_rows_that_cannot_be_used_say_why(written):
    text = (
        "CHR\tBP\tSNP\tA1\tA2\tBETA\tSE\tN\n"
        "20\t1\trs1\tA\tG\t0.2\t0.1\t50\n"
        "20\t2\trs2\tA\tG\t0.2\t0\t50\n"
        "20\t3\trs3\tA\tG\tinf\t0.1\t50\n"
        "20\t4\trs4\tA\tG\t0.2\t-0.1\t50\n"
        "20\t5\trs5\tA\n"
        "20\t6\trs6\tA,T\tG\t0.2\t0.1\t50\n"
        "20\t1\trs1\tG\tA\t-0.2\t0.1\t50\n"
        "20\t8\trs8\tA\tG\tNA\tNA\t50\n"
        "20\t9\trs9\tA\tG\t-1e308\t1e-300\t50\n"
        "20\t10\trs10\tA\tG\t1000001\t1\t50\n"
    )
    study = StudyFile(written(text)).read()
    assert study.reasons == [
        None,
        "has no finite z: BETA 0.2, SE 0",
        "has no finite z: BETA inf, SE 0.1",
        "has no finite z: BETA 0.2, SE -0.1",
        "is on a line that cannot be read",
        "has several ALTs for one effect, or no effect allele",
        "is the variant of line 2 again",
        "has no finite z: BETA NA, SE NA",
        "has no finite z: BETA -1e308, SE 1e-300",
        "has no z within ±1,000,000: BETA 1000001, SE 1",
    ]
    assert np.isnan(study.z).tolist() == [False] + [True] * 9


@pytest.mark.parametrize("second", ["rs1 A G 3", "rs1 G A 2"])
def test_two_z_of_one_variant_are_refused(written, second):
    text = f"SNP A1 A2 Z N\nrs1 A G 2 50\n{second} 50\n"
    with pytest.raises(InputError, match=r"lines 2 and 3 are one variant, rs1, with z 2 and [23]"):
        StudyFile(written(text)).read()


def test_several_alleles_of_one_name_are_several_variants(written):
    study = StudyFile(written("SNP A1 A2 Z N\nrs1 A G 2 50\nrs1 A C 3 50\n")).read()
    assert study.reasons == [None, None]


def test_weights(written):
    study = StudyFile(written("SNP Z N w\nrs1 1 9 0\nrs2 1 9 2e-3\n"), weights="w").read()
    assert study.weights is not None
    assert study.weights.tolist() == [0, 0.002]
    assert StudyFile(written("SNP Z N w\nrs1 1 9 x\n")).read().weights is None


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("-1", r"line 2 \(rs1\): w '-1' is no prior weight"),
        ("NA", r"line 2 \(rs1\): w .* is no prior weight"),
        ("inf", "w 'inf' is no prior weight"),
        ("0", "all weights in .* are 0"),
    ],
)
def test_what_is_no_weight(written, cell, message):
    with pytest.raises(InputError, match=message):
        StudyFile(written(f"SNP Z N w\nrs1 1 9 {cell}\n"), weights="w").read()


def test_a_column_of_weights_that_is_not_there(written):
    with pytest.raises(InputError, match=r"--prior-column ww: .*no such column; did you mean w"):
        StudyFile(written("SNP Z N w\nrs1 1 9 1\n"), weights="ww").read()


def test_names_of_a_panel(written):
    bim = read_names(written("20 rs1 0 100 A G\n20 . 0 200 t c\n", "x.bim"))
    assert bim.id == ["rs1", None]
    assert bim.effect == ["A", "T"]
    assert bim.shown(1) == "20:200:C:T"
    polyfun = "rsid\tchromosome\tposition\tallele1\tallele2\nrs1\t20\t100\tA\tG\n"
    assert read_names(written(polyfun, "x.tsv")).other == ["G"]
    assert read_names(written("#ID\nsnp 1\n".replace(" ", ""), "x.vars")).id == ["snp1"]
    assert read_names(written("a\nb\n", "x.snplist")).id == ["a", "b"]
    assert read_names(written("a\n", "x.snplist")).shown(0) == "a"

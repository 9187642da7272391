"""Summary statistics of many makers read into the same arrays, and what is said of rows that cannot be used."""

import gzip
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enformer_core.errors import InputError
from enformer_core.finemapping.p_values import z_of_log_p
from enformer_core.finemapping.statistic_names import find_statistics
from enformer_core.finemapping.statistic_texts import as_floats, as_log_p
from enformer_core.finemapping.study import StudyFile
from enformer_core.finemapping.sumstats import read_sumstats
from enformer_core.variants.formats.given import GivenColumns
from enformer_core.variants.source import open_source

PLAIN = ["CHR BP SNP A1 A2 BETA SE P N", "1 100 rs1 A G 0.1 0.05 0.0455 1000"]


def written(folder, lines, name="s.tsv", separator="\t"):
    path = folder / name
    path.write_text("\n".join(line.replace(" ", separator) for line in lines) + "\n")
    return path


def read(folder, *lines, **options):
    return read_sumstats(written(folder, lines), **options)


def test_a_row_is_read_by_the_names_of_its_columns(tmp_path):
    sumstats = read(tmp_path, *PLAIN, "chr2 7 . t C -0.3 0.1 0.003 900")
    assert sumstats.chrom.to_pylist() == ["1", "chr2"]
    assert sumstats.pos.tolist() == [100, 7]
    assert sumstats.id.to_pylist() == ["rs1", None]
    assert sumstats.effect_allele.to_pylist() == ["A", "T"]
    assert sumstats.other_allele.to_pylist() == ["G", "C"]
    assert sumstats.line.tolist() == [2, 3]
    assert sumstats.z == pytest.approx([2, -3])
    assert sumstats.p.tolist() == pytest.approx([0.0455, 0.003])
    assert sumstats.n.tolist() == [1000, 900]
    assert np.isnan(sumstats.maf).all()
    assert sumstats.counts() == {"ok": 2}
    assert "those of A1, which its name alone does not say" in sumstats.notes()[0]


DIALECTS = {
    "GWAS-SSF": "chromosome base_pair_location effect_allele other_allele beta standard_error "
    "effect_allele_frequency p_value rsid n",
    "regenie": "CHROM GENPOS ALLELE1 ALLELE0 BETA SE A1FREQ LOG10P ID N",
    "SAIGE": "CHR POS Allele2 Allele1 BETA SE AF_Allele2 p.value MarkerID N",
    "METAL": "Chromosome Position Allele1 Allele2 Effect StdErr Freq1 P-value MarkerName N",
    "COJO": "chr bp A1 A2 b se freq p SNP N",
    "harmonised": "hm_chrom hm_pos hm_effect_allele hm_other_allele hm_beta standard_error "
    "hm_effect_allele_frequency p_value hm_rsid n",
    "eQTL": "chr pos effect_allele other_allele slope slope_se maf pval_nominal rsid n",
}


@pytest.mark.parametrize("header", DIALECTS.values(), ids=DIALECTS)
def test_a_dialect_gives_the_same_row(tmp_path, header):
    p_or_log = "1.3419" if "LOG10P" in header else "0.0455"
    sumstats = read(tmp_path, header, f"1 100 A G 0.1 0.05 0.75 {p_or_log} rs1 1000")
    assert sumstats.effect_allele.to_pylist() == ["A"]
    assert sumstats.other_allele.to_pylist() == ["G"]
    assert sumstats.z == pytest.approx([2])
    assert sumstats.maf == pytest.approx([0.25])
    assert sumstats.p == pytest.approx([0.0455], rel=1e-3)
    assert sumstats.n.tolist() == [1000]
    assert sumstats.counts() == {"ok": 1}


def test_what_harmonisation_turned_is_not_taken_from_the_author(tmp_path):
    # the author's BETA is of the allele that harmonisation exchanged
    header = "hm_chrom hm_pos hm_effect_allele hm_other_allele hm_beta beta standard_error"
    sumstats = read(tmp_path, header, "1 100 A G -0.1 0.1 0.05")
    assert sumstats.z == pytest.approx([-2])
    alone = "hm_chrom hm_pos hm_effect_allele hm_other_allele beta standard_error"
    with pytest.raises(InputError, match="no z can be made"):
        read(tmp_path, alone, "1 100 A G 0.1 0.05")


def test_packed_text_commas_and_parquet_are_the_same(tmp_path):
    plain = read(tmp_path, *PLAIN)
    packed = tmp_path / "s.gz"
    packed.write_bytes(gzip.compress(written(tmp_path, PLAIN).read_bytes()))
    commas = written(tmp_path, PLAIN, "s.csv", ",")
    parquet = tmp_path / "s.parquet"
    columns = dict(zip(PLAIN[0].split(), PLAIN[1].split(), strict=True))
    typed = {
        name: [float(cell)] if name in ("BETA", "SE", "P") else [cell]
        for name, cell in columns.items()
    }
    pq.write_table(pa.table({**typed, "BP": [100], "N": [1000]}), parquet)
    for path in (packed, commas, parquet):
        other = read_sumstats(path)
        assert other.z.tolist() == plain.z.tolist()
        assert other.p.tolist() == plain.p.tolist()
        assert other.n.tolist() == plain.n.tolist()
        assert other.effect_allele == plain.effect_allele
        assert other.pos.tolist() == plain.pos.tolist()


@pytest.mark.parametrize(
    ("header", "cells", "z", "beta", "se"),
    [
        ("Z", "-2.5", -2.5, np.nan, np.nan),
        ("BETA SE", "-0.1 0.05", -2, -0.1, 0.05),
        ("OR SE", "2 0.34657359", 2, np.log(2), 0.34657359),
        ("Z BETA SE", "1.9 0.1 0.05", 1.9, 0.1, 0.05),
        ("Z BETA SE", "NA 0.1 0.05", 2, 0.1, 0.05),
        ("BETA P", "-0.1 0.0455002638963584", -2, -0.1, 0.05),
        ("OR P", "0.5 0.0455002638963584", -2, np.log(0.5), np.log(2) / 2),
        ("BETA LOG10P", "0.1 1.341986", 2, 0.1, 0.05),
        ("BETA OR SE", "NA 2 0.34657359", 2, np.log(2), 0.34657359),
        ("BETA SE P", "0.1 NA 0.0455002638963584", 2, 0.1, 0.05),
        ("BETA P", "0.1 1", 0, 0.1, np.nan),
    ],
)
def test_z_is_made_of_what_the_row_has(tmp_path, header, cells, z, beta, se):
    sumstats = read(tmp_path, f"CHR BP A1 A2 {header}", f"1 100 A G {cells}")
    assert sumstats.z == pytest.approx([z], abs=1e-6)
    assert sumstats.beta == pytest.approx([beta], nan_ok=True)
    assert sumstats.se == pytest.approx([se], rel=1e-5, nan_ok=True)
    assert sumstats.counts() == {"ok": 1}


FAULTS = {
    "malformed": "1 x rs A G 0.1 0.05",
    "several_alts": "1 200 rs A,T G 0.1 0.05",
    "bad_allele": "1 100 rs I D 0.1 0.05",
    "bad_se": "1 100 rs A G 0.1 0",
    "no_z": "1 100 rs A G NA 0.05",
}


@pytest.mark.parametrize(("status", "line"), FAULTS.items(), ids=FAULTS)
def test_a_row_that_cannot_be_used_is_counted_and_said(tmp_path, status, line):
    sumstats = read(tmp_path, "CHR BP SNP A1 A2 BETA SE", line, "1 100 rs1 G A 0.1 0.05")
    assert sumstats.counts() == {status: 1, "ok": 1}
    assert sumstats.status.to_pylist() == [status, "ok"]
    assert sumstats.usable().id.to_pylist() == ["rs1"]
    assert "1 row not used: " in sumstats.notes()[0]


@pytest.mark.parametrize("number", ["inf", "-Inf", "nan", "word", "1e999", ""])
def test_what_is_no_finite_number_gives_no_z(tmp_path, number):
    sumstats = read(tmp_path, "CHR BP A1 A2 Z N", f"1 100 A G {number} 5", "1 200 A G 1 5")
    assert sumstats.counts() == {"no_z": 1, "ok": 1}


def test_of_rows_with_one_place_and_pair_the_first_usable_one_counts(tmp_path):
    lines = ["1 5 A G NA", "1 5 A G 1", "1 5 G A 2", "1 5 A C 3", "1 6 A G 4", "2 5 A G 5"]
    sumstats = read(tmp_path, "CHR BP A1 A2 Z", *lines)
    assert sumstats.status.to_pylist() == ["no_z", "ok", "duplicate", "ok", "ok", "ok"]


def test_an_insertion_and_a_deletion_at_one_place_are_two(tmp_path):
    lines = ["1 5 C CT 1", "1 5 CT C 2", "1 5 C CT 3", "1 5 CTT CT 4", "1 5 CT CTT 5"]
    for header in ("CHR BP A1 A2 Z", "CHR POS REF ALT Z"):
        sumstats = read(tmp_path, header, *lines)
        assert sumstats.status.to_pylist() == ["ok", "ok", "duplicate", "ok", "ok"]
    header = "#CHROM POS ID REF ALT A1 Z"
    tested = read(tmp_path, header, "1 5 a C CT CT 1", "1 5 b C CT C -1", "1 5 c CT C CT 1")
    assert tested.status.to_pylist() == ["ok", "duplicate", "ok"]


def test_ref_and_alt_without_an_effect_allele_are_of_alt_and_that_is_said(tmp_path):
    sumstats = read(tmp_path, "CHR POS REF ALT BETA SE", "1 100 A G 0.1 0.05")
    assert sumstats.effect_allele.to_pylist() == ["G"]
    assert sumstats.effect_is_ref.tolist() == [False]
    assert "those of ALT: no column names an effect allele" in sumstats.notes()[0]


def test_plink2_names_the_allele_that_is_tested(tmp_path):
    header = "#CHROM POS ID REF ALT A1 TEST OBS_CT BETA SE P"
    rows = ["1 100 a A G G ADD 9 0.1 0.05 0.1", "1 200 b A G A ADD 9 0.1 0.05 0.1"]
    sumstats = read(tmp_path, header, *rows, "1 300 c A G T ADD 9 0.1 0.05 0.1")
    assert sumstats.effect_allele.to_pylist()[:2] == ["G", "A"]
    assert sumstats.other_allele.to_pylist()[:2] == ["A", "G"]
    assert sumstats.effect_is_ref.tolist()[:2] == [False, True]
    assert sumstats.status.to_pylist() == ["ok", "ok", "effect_unmatched"]
    assert sumstats.n.tolist() == [9, 9, 9]


def test_a_strand_column_turns_alleles_before(tmp_path):
    sumstats = read(tmp_path, "CHR BP A1 A2 STRAND Z", "1 100 A G - 1", "1 200 A G + 1")
    assert sumstats.effect_allele.to_pylist() == ["T", "A"]
    assert sumstats.other_allele.to_pylist() == ["C", "G"]


def test_the_user_says_which_allele_it_is(tmp_path):
    columns = GivenColumns.parse([], "A2")
    sumstats = read(tmp_path, *PLAIN, columns=columns)
    assert sumstats.effect_allele.to_pylist() == ["G"]
    assert not sumstats.notes()


def test_n_is_the_users_the_columns_or_cases_and_controls(tmp_path):
    assert read(tmp_path, *PLAIN, n=7.0).n.tolist() == [7]
    both = read(tmp_path, "CHR BP A1 A2 Z N_CASES N_CONTROLS", "1 100 A G 1 30 70")
    assert both.n.tolist() == [100]
    both.check_n()
    gap = read(tmp_path, "CHR BP A1 A2 Z N", "1 100 A G 1 NA")
    with pytest.raises(InputError, match="1 row without an N above 0"):
        gap.check_n()
    none = read(tmp_path, "CHR BP A1 A2 Z", "1 100 A G 1")
    with pytest.raises(InputError, match=r"no column of sample sizes.*it has CHR, BP.*--n N"):
        none.check_n()


def test_a_file_without_statistics_is_refused_with_its_columns(tmp_path):
    with pytest.raises(InputError, match=r"s\.tsv: no z .*it has CHR, BP, SNP, A1, A2, N"):
        read(tmp_path, "CHR BP SNP A1 A2 N", "1 100 rs1 A G 5")
    with pytest.raises(InputError, match="no rows below its header"):
        read(tmp_path, PLAIN[0])


def test_places_of_identifiers_come_from_sites(tmp_path):
    munged = written(tmp_path, ["SNP A1 A2 Z N", "rs2 A G 2 5"])
    with pytest.raises(InputError, match="--sites"):
        read_sumstats(munged)
    sites = written(tmp_path, ["chrom pos rsid ref alt", "1 100 rs1 A G", "3 9 rs2 A G"], "d.tsv")
    sumstats = read_sumstats(munged, sites=sites)
    assert (sumstats.chrom.to_pylist(), sumstats.pos.tolist()) == (["3"], [9])
    assert sumstats.effect_allele.to_pylist() == ["A"]


@pytest.mark.parametrize("p", [1.0, 0.9999, 0.5, 0.05, 5e-8, 1e-15, 1e-100, 1e-300])
def test_z_of_p_is_that_of_the_standard_library(p):
    expected = abs(NormalDist().inv_cdf(p / 2))
    assert z_of_log_p(np.log([p])) == pytest.approx([expected], rel=1e-11, abs=1e-13)


@given(st.floats(min_value=0, max_value=1500))
def test_z_of_p_turns_the_tail_back(z):
    # log(1 - Φ(z)) by its continued fraction where erfc is 0
    if z < 5:
        log_p = np.log(2 * NormalDist().cdf(-z))
    else:
        below = z
        for step in range(200, 0, -1):
            below = z + step / below
        log_p = np.log(2) - z * z / 2 - np.log(2 * np.pi) / 2 - np.log(below)
    assert z_of_log_p(np.array([log_p])) == pytest.approx([z], rel=1e-9, abs=1e-8)


def test_what_is_no_p_has_no_z():
    assert np.isnan(z_of_log_p(np.array([0.1, np.nan]))).all()


def test_p_too_small_for_floats_keeps_its_size():
    texts = pa.array(["1e-400", "2.5E-1000", "0", "0.0", "1", "-1", None])
    log_p = as_log_p(texts)
    assert log_p[0] == pytest.approx(-400 * np.log(10))
    assert log_p[1] == pytest.approx(np.log(2.5) - 1000 * np.log(10))
    assert log_p[2] == log_p[3] == -np.inf
    assert log_p[4] == 0
    assert np.isnan(log_p[5:]).all()


def test_numbers_are_those_of_their_texts():
    texts = pa.array(["+.5", "5.", "-1E-3", "0x1", "1_0", "1,5", " 1"])
    assert as_floats(texts)[:3].tolist() == [0.5, 5, -0.001]
    assert np.isnan(as_floats(texts)[3:]).all()


def test_names_count_in_any_case_and_in_one_order():
    found = find_statistics(["#b", '"Beta"', "STDERR", "Effect"], harmonised=False)
    assert found.names == {"beta": "Beta", "se": "STDERR"}


def test_batches_are_joined_and_repeats_found_across_them(tmp_path, monkeypatch):
    def by_two(*words, **options):
        return replace(open_source(*words, **options), batch_rows=2)

    monkeypatch.setattr("enformer_core.finemapping.sumstats.open_source", by_two)
    lines = [f"1 {5 + number // 2} {'A' if number % 2 else 'G'} C {number}" for number in range(7)]
    header = "CHR BP A1 A2 Z"
    sumstats = read(tmp_path, header, *lines, "1 5 C G 3", "1 9 A T NA")
    assert sumstats.line.tolist() == list(range(2, 11))
    assert sumstats.z[:7].tolist() == list(range(7))
    assert sumstats.status.to_pylist() == ["ok"] * 7 + ["duplicate", "no_z"]


def test_real_statistics_have_the_z_of_their_p(data_dir):
    folder = data_dir / "gwas"
    sumstats = read_sumstats(folder / "prscs_sumstats.txt", sites=folder / "prscs_test.bim")
    assert sumstats.counts() == {"ok": 1000}
    for row in (0, 1, 999):
        expected = NormalDist().inv_cdf(sumstats.p[row] / 2)
        assert abs(sumstats.z[row]) == pytest.approx(-expected, rel=1e-9)
        assert np.sign(sumstats.z[row]) == np.sign(sumstats.beta[row])


@pytest.mark.parametrize(
    ("columns", "cells", "used", "others"),
    [
        ("Z BETA SE", ("2 0.1 0.05", "2 -0.1 0.05"), "Z", "BETA"),
        ("BETA SE OR", ("0.1 0.05 1.1", "0.1 0.05 0.9"), "BETA", "OR"),
    ],
)
def test_signs_that_contradict_are_counted_and_refused_where_most_do(
    tmp_path, columns, cells, used, others
):
    def study(contrary):
        rows = [f"1 {at} A G {cells[at <= contrary]}" for at in range(1, 5)]
        # without a sign there is nothing to compare
        return (f"CHR BP A1 A2 {columns}", *rows, f"1 9 A G {'NA ' * len(columns.split())}")

    said = f"in 2 of 4 rows the sign of {used} is not that of {others}; {used} counts"
    assert said in " ".join(read(tmp_path, *study(2)).notes())
    assert "the sign of" not in " ".join(read(tmp_path, *study(0)).notes())
    with pytest.raises(InputError, match=f"in 3 of 4 rows the sign of {used} is not that"):
        read(tmp_path, *study(3))
    # finemap reads a locus by another way
    written(tmp_path, [f"{study(2)[0]} N", *(f"{row} 500" for row in study(2)[1:])])
    assert said in " ".join(StudyFile(str(tmp_path / "s.tsv")).read().notes)
    written(tmp_path, [f"{study(3)[0]} N", *(f"{row} 500" for row in study(3)[1:])])
    with pytest.raises(InputError, match="rename it"):
        StudyFile(str(tmp_path / "s.tsv")).read()

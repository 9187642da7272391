"""Rows of sumstats matched with a run's alleles: every way of writing two alleles, and counts that add up."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enformer_core.errors import InputError
from enformer_core.finemapping.orientation import orient
from enformer_core.finemapping.orientation_report import report_in_words
from enformer_core.finemapping.run_alleles import RunAlleles
from enformer_core.finemapping.sumstats import read_sumstats
from enformer_core.genome.fasta import Genome
from tests.support.genomes import write_fasta
from tests.support.scored_files import scored_file_run

COMPLEMENT = {"A": "T", "C": "G", "G": "C", "T": "A"}

SNVS = list(permutations("ACGT", 2))

PLAIN = [pair for pair in SNVS if COMPLEMENT[pair[0]] != pair[1]]
PALINDROMES = [pair for pair in SNVS if COMPLEMENT[pair[0]] == pair[1]]


def alleles_of(*rows):
    """A run's alleles: chrom, pos, ref, alt."""
    chrom, pos, ref, alt = zip(*rows, strict=True)
    names = ["{}:{}:{}:{}".format(*row) for row in rows]
    columns = {"chrom": chrom, "variant_id": names, "pos": pos, "ref": ref, "alt": alt}
    return RunAlleles("run", pa.table({**columns, "id": pa.nulls(len(rows), pa.string())}))


@pytest.fixture
def study(tmp_path):
    def make(*rows, header="CHR BP A1 A2 Z"):
        path = tmp_path / "s.tsv"
        lines = [header, *(" ".join(map(str, row)) for row in rows)]
        path.write_text("\n".join(lines).replace(" ", "\t") + "\n")
        return read_sumstats(path)

    return make


def check_adds_up(report):
    assert report.rows == (
        report.matched
        + report.unusable
        + report.not_in_run
        + report.ambiguous_dropped
        + report.duplicates
    )
    assert report.matched == (
        report.as_written + report.swapped + report.turned + report.turned_and_swapped
    )
    assert report.alleles == report.matched + report.not_in_sumstats
    assert min(report.counts().values()) >= 0


def written(ref, alt, *, swapped, turned):
    """Effect and other allele of a study that has measured ALT's effect, or REF's, on either strand."""
    effect, other = (ref, alt) if swapped else (alt, ref)
    if turned:
        return COMPLEMENT[effect], COMPLEMENT[other]
    return effect, other


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(("ref", "alt"), PLAIN)
def test_every_way_of_writing_an_snv_finds_it_with_its_sign(study, ref, alt, swapped, turned):
    effect, other = written(ref, alt, swapped=swapped, turned=turned)
    oriented = orient(study(("1", 5, effect, other, 2)), alleles_of(("chr1", 5, ref, alt)))
    assert oriented.row.tolist() == oriented.allele.tolist() == [0]
    assert oriented.sign.tolist() == [-1 if swapped else 1]
    assert oriented.is_turned.tolist() == [turned]
    name = {
        (False, False): "as_written",
        (True, False): "swapped",
        (False, True): "turned",
        (True, True): "turned_and_swapped",
    }[swapped, turned]
    assert oriented.report.counts()[name] == oriented.report.matched == 1
    check_adds_up(oriented.report)


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(("ref", "alt"), PALINDROMES)
def test_a_palindrome_is_as_written_where_nothing_speaks_against_it(study, ref, alt, swapped):
    effect, other = written(ref, alt, swapped=swapped, turned=False)
    sumstats = study(("1", 5, effect, other, 2))
    alleles = alleles_of(("chr1", 5, ref, alt))
    for rule in ("majority", "keep"):
        oriented = orient(sumstats, alleles, ambiguous=rule)
        assert oriented.sign.tolist() == [-1 if swapped else 1]
        assert oriented.report.ambiguous_kept == 1
        check_adds_up(oriented.report)
    with pytest.raises(InputError, match="--ambiguous keep"):
        orient(sumstats, alleles, ambiguous="drop")


@pytest.mark.parametrize(
    ("turned", "expected"), [(0, 1), (1, 1), (2, None), (98, None), (99, -1), (100, -1)]
)
def test_the_other_rows_say_on_which_strand_a_palindrome_is(study, turned, expected):
    # 100 A/G of which so many are written T/C, and one A/T
    rows = [("1", at, *(("C", "T") if at <= turned else ("G", "A")), 1) for at in range(1, 101)]
    sumstats = study(*rows, ("1", 200, "T", "A", 3))
    places = [("chr1", at, "A", "G") for at in range(1, 101)]
    alleles = alleles_of(*places, ("chr1", 200, "A", "T"))
    oriented = orient(sumstats, alleles)
    check_adds_up(oriented.report)
    signs = dict(zip(oriented.row.tolist(), oriented.sign.tolist(), strict=True))
    assert signs.get(100) == expected
    assert all(signs[row] == 1 for row in range(100))
    assert oriented.report.ambiguous_dropped == (expected is None)
    kept = orient(sumstats, alleles, ambiguous="keep")
    assert kept.sign.tolist() == [1] * 101
    dropped = orient(sumstats, alleles, ambiguous="drop")
    assert dropped.row.tolist() == list(range(100))
    assert "strand or order nothing shows is left out" in " ".join(dropped.notes)


GENOME = "TTGACACACTTTTCGGATTACA"
# pos    1234567890123456789012


@pytest.fixture
def genome(tmp_path):
    return Genome(write_fasta(tmp_path / "g.fa", {"chr1": GENOME}))


# other, effect, at; the run's normal form of it, and the sign of its ALT
INDELS = [
    (("ACA", "A", 6), (3, "GAC", "G"), 1),  # one AC less, written at its right end
    (("CACT", "CT", 7), (3, "GAC", "G"), 1),
    (("A", "ACA", 8), (3, "G", "GAC"), 1),  # one AC more
    (("T", "TT", 12), (9, "C", "CT"), 1),
    (("GG", "G", 15), (14, "CG", "C"), 1),
    (("GGAT", "GGCT", 15), (17, "A", "C"), 1),  # a base, with its neighbours
]


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(("written", "normal", "sign"), INDELS)
def test_an_indel_is_found_in_its_normal_form(study, genome, written, normal, sign, swapped):
    other, effect, pos = written
    pair = (other, effect) if swapped else (effect, other)
    sumstats = study(("1", pos, *pair, 2))
    oriented = orient(sumstats, alleles_of(("chr1", *normal)), genome=genome)
    assert oriented.sign.tolist() == [-sign if swapped else sign]
    assert not oriented.notes
    check_adds_up(oriented.report)


def test_without_the_genome_indels_are_trimmed_and_that_is_said(study):
    sumstats = study(("1", 14, "CT", "CGT", 1), ("1", 6, "A", "ACA", 1))
    alleles = alleles_of(("chr1", 14, "CG", "C"), ("chr1", 3, "GAC", "G"))
    oriented = orient(sumstats, alleles)
    assert oriented.row.tolist() == [0]
    assert "indels are matched as they are written" in oriented.notes[0]


def test_of_an_indel_in_both_orders_the_written_one_counts_unless_ref_is_declared(study, genome):
    # where the genome has TT, C/CT and CT/C are two alleles
    alleles = alleles_of(("chr1", 9, "C", "CT"), ("chr1", 9, "CT", "C"))
    sumstats = study(("1", 9, "CT", "C", 1))
    oriented = orient(sumstats, alleles, genome=genome)
    assert (oriented.allele.tolist(), oriented.sign.tolist()) == ([0], [1])
    assert oriented.report.ambiguous_kept == 1
    with pytest.raises(InputError, match="--ambiguous keep"):
        orient(sumstats, alleles, genome=genome, ambiguous="drop")
    swapped_only = alleles_of(("chr1", 9, "CT", "C"))
    assert orient(sumstats, swapped_only, genome=genome).sign.tolist() == [-1]
    declared = study(("1", 9, "C", "CT", 1), header="CHR POS REF ALT Z")
    with pytest.raises(InputError, match="1 are at a place of the run"):
        orient(declared, swapped_only, genome=genome)
    assert orient(declared, alleles, genome=genome).allele.tolist() == [0]


@pytest.mark.parametrize(("swapped", "stays"), [(0, True), (1, True), (2, False), (100, False)])
def test_where_substitutions_are_swapped_the_order_of_an_indel_says_nothing(study, swapped, stays):
    # 100 substitutions A>G of which so many are written with the genome's allele as effect, and an indel
    rows = [("1", at, *("AG" if at <= 100 + swapped else "GA"), 1) for at in range(101, 201)]
    places = [("chr1", at, "A", "G") for at in range(101, 201)]
    alleles = alleles_of(*places, ("chr1", 9, "C", "CT"), ("chr1", 9, "CT", "C"))
    sumstats = study(*rows, ("1", 9, "CT", "C", 1), ("1", 9, "C", "CT", 1))
    oriented = orient(sumstats, alleles)
    fates = oriented.fate.to_pylist()[100:]
    # never its opposite, nor a duplicate of that
    assert fates == (["scored"] * 2 if stays else ["ambiguous"] * 2)
    said = "(1:9:C:CT, 1:9:CT:C): others of the file are swapped"
    assert (said in " ".join(oriented.notes)) is not stays
    check_adds_up(oriented.report)
    kept = orient(sumstats, alleles, ambiguous="keep")
    assert kept.fate.to_pylist()[100:] == ["scored"] * 2
    # where REF is declared the order says all
    declared = study(
        *((c, at, "A", "G", "A", 1) for c, at, *_ in rows),
        ("1", 9, "C", "CT", "C", 1),
        header="CHR POS REF ALT A1 Z",
    )
    oriented = orient(declared, alleles)
    assert (oriented.report.swapped, oriented.report.ambiguous_dropped) == (101, 0)


def test_an_indel_is_not_looked_for_on_the_other_strand(study, genome):
    with pytest.raises(InputError, match="none of its 1 row"):
        orient(study(("1", 9, "GA", "G", 1)), alleles_of(("chr1", 9, "C", "CT")), genome=genome)


def test_declared_ref_that_is_the_effect_allele(study, genome):
    header = "#CHROM POS ID REF ALT A1 Z"
    sumstats = study(("1", 9, "x", "C", "CT", "C", 1), header=header)
    oriented = orient(sumstats, alleles_of(("chr1", 9, "C", "CT")), genome=genome)
    assert oriented.sign.tolist() == [-1]


def test_everything_is_counted_once(study):
    sumstats = study(
        ("1", 1, "G", "A", 1),  # as written
        ("1", 2, "A", "G", 1),  # swapped
        ("1", 3, "C", "T", 1),  # turned
        ("1", 4, "T", "C", 1),  # both
        ("chr1", 1, "G", "A", 1),  # the first once more
        ("1", 5, "T", "A", 1),  # a palindrome, in a file of both strands
        ("1", 6, "C", "A", 1),  # other alleles
        ("1", 99, "C", "A", 1),  # another place
        ("7", 1, "G", "A", 1),  # another contig
        ("1", 7, "G", "A", "NA"),
    )
    rows = [("chr1", at, "A", "G") for at in (1, 2, 3, 4, 6, 7)]
    oriented = orient(sumstats, alleles_of(*rows, ("chr1", 5, "A", "T")))
    assert oriented.report.counts() == {
        "rows": 10,
        "matched": 4,
        "as_written": 1,
        "swapped": 1,
        "turned": 1,
        "turned_and_swapped": 1,
        "ambiguous_kept": 0,
        "ambiguous_dropped": 1,
        "unusable": 1,
        "not_in_run": 3,
        "other_alleles": 1,
        "duplicates": 1,
        "alleles": 7,
        "not_in_sumstats": 3,
    }
    check_adds_up(oriented.report)
    assert oriented.fate.to_pylist() == [
        *["scored"] * 4,
        "duplicate",
        "ambiguous",
        *["not_in_run"] * 3,
        "no_z",
    ]
    assert report_in_words(oriented.report) == (
        "4 of 10 rows matched (1 swapped, 1 turned, 1 turned and swapped), 1 not usable, 3 not in the run, 1 ambiguous "
        "and left out, 1 duplicates, 3 of 7 alleles of the run not in it"
    )


def test_contigs_are_taken_for_one_another_and_others_are_not(study):
    alleles = alleles_of(("chrX", 5, "A", "G"), ("chr2", 5, "A", "G"))
    oriented = orient(study(("23", 5, "G", "A", 1), ("02", 5, "G", "A", 1)), alleles)
    assert oriented.allele.tolist() == [0, 1]
    with pytest.raises(InputError, match="it has the contigs 7, the run chrX, chr2"):
        orient(study(("7", 5, "G", "A", 1)), alleles)


def test_another_assembly_is_said(study):
    alleles = alleles_of(*(("chr1", at, "A", "G") for at in range(1, 41)))
    moved = study(*(("1", at + 1000, "G", "A", 1) for at in range(1, 41)))
    with pytest.raises(InputError, match="another assembly than the run's genome"):
        orient(moved, alleles)
    by_chance = study(("1", 1, "G", "A", 1), *(("1", at, "C", "A", 1) for at in range(2, 41)))
    notes = orient(by_chance, alleles).notes
    assert "only 1 of 40" in notes[0]
    assert "39 rows are at a place of the run with other alleles" in notes[0]


def test_sumstats_without_a_usable_row_say_why(study):
    with pytest.raises(InputError, match="1 row not used: no finite z"):
        orient(study(("1", 5, "G", "A", "NA")), alleles_of(("chr1", 5, "A", "G")))


@given(st.data())
def test_any_file_adds_up_and_the_order_of_rows_does_not_matter(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "s.tsv"
    row = st.tuples(
        st.sampled_from(["1", "chr1", "2"]),
        st.integers(1, 4),
        st.sampled_from(["A", "C", "G", "T", "AT"]),
        st.sampled_from(["A", "C", "G", "T"]),
        st.sampled_from(["1", "-2", "NA"]),
    )
    rows = data.draw(st.lists(row, min_size=1, max_size=12))
    first = [("1", 1, "G", "A", "1")]
    lines = ["CHR BP A1 A2 Z", *(" ".join(map(str, each)) for each in first + rows)]
    path.write_text("\n".join(lines) + "\n")
    sumstats = read_sumstats(path)
    alleles = alleles_of(
        *((c, at, "A", alt) for c in ("chr1", "chr2") for at in (1, 2, 3) for alt in "GT")
    )
    oriented = orient(sumstats, alleles)
    check_adds_up(oriented.report)
    assert len(set(oriented.allele.tolist())) == oriented.allele.size
    order = data.draw(st.permutations(range(len(sumstats))))
    moved = orient(sumstats.taken(np.array(order)), alleles)
    for name in ("matched", "not_in_run", "unusable", "duplicates", "ambiguous_dropped"):
        assert moved.report.counts()[name] == oriented.report.counts()[name]
    assert set(moved.allele.tolist()) == set(oriented.allele.tolist())


def test_a_run_of_the_same_file_matches_row_by_row(tmp_path):
    fasta = write_fasta(tmp_path / "g.fa", {"chr1": GENOME})
    path = tmp_path / "gwas.tsv"
    path.write_text(
        "CHR BP SNP A1 A2 BETA SE\n"
        "1 3 a A G 0.1 0.1\n"
        "1 3 b G A 0.1 0.1\n"
        "1 6 c ACA A 0.1 0.1\n"
        "1 5 d A C 0.1 0.1\n".replace("\t", " ")
    )
    run = scored_file_run(tmp_path / "run", [path], fasta)
    alleles = RunAlleles.read(run.ledger, "max_abs_sad")
    assert alleles.column("variant_id").to_pylist() == [
        "chr1:3:G:A",
        "chr1:3:G:GAC",
        "chr1:5:C:A",
    ]
    sumstats = read_sumstats(path)
    oriented = orient(sumstats, alleles, genome=Genome(fasta))
    # rows a and b are one pair, of which the first counts; the genome has both alleles of c, and A2 is written as REF
    assert oriented.row.tolist() == [0, 2, 3]
    assert oriented.allele.tolist() == [0, 1, 2]
    assert oriented.sign.tolist() == [1, 1, 1]
    one = replace(alleles, table=alleles.table.slice(0, 1))
    assert orient(sumstats, one).report.alleles == 1

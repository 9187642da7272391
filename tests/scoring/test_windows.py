"""Windows are counted by hand on a contig of 40 letters, and held against plain string surgery on random ones."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enformer_core.genome.alphabet import decode
from enformer_core.genome.fasta import Genome
from enformer_core.models.geometry import ENFORMER, Geometry
from enformer_core.scoring.conventions import Conventions
from enformer_core.scoring.windows import (
    Allele,
    Comparison,
    Pairing,
    Window,
    alternate_sequence,
    alternate_windows,
    compared_windows,
    pairings,
    reference_sequence,
    reference_windows,
    window_start,
)

CONTIG = "AAAACCCCGGGGTTTTACGTACGTGGGGCCCCTTTTAAAA"


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "c.fa"
    path.write_text(f">c\n{CONTIG}\n")
    return Genome(path)


@pytest.mark.parametrize(
    ("start", "ref", "alt", "reference", "alternate"),
    [
        # centre index 3 of 8: the allele's first base is the fourth letter
        (16, "A", "G", "TTTACGTA", "TTTGCGTA"),  # SNV
        (16, "ACG", "TTT", "TTTACGTA", "TTTTTTTA"),  # MNV
        (16, "A", "AGG", "TTTACGTA", "TTTAGGCG"),  # insertion: the right end is cut
        (16, "ACGT", "A", "TTTACGTA", "TTTAACGT"),  # deletion: the right end is extended
        (16, "A", "AGGGGGGGGG", "TTTACGTA", "TTTAGGGG"),  # an insertion longer than what is left
        (0, "A", "T", "NNNAAAAC", "NNNTAAAC"),  # over the contig's start
        (37, "AAA", "A", "TTAAAANN", "TTAANNNN"),  # a deletion at the contig's end draws in N
    ],
)
def test_the_left_flank_stays_and_the_right_end_gives(
    genome, start, ref, alt, reference, alternate
):
    at = start - 3
    assert decode(reference_sequence(genome, "c", Window(at), 8)) == reference
    assert (
        decode(alternate_sequence(genome, Allele("c", start, ref, alt), Window(at), 8)) == alternate
    )


@given(st.data())
def test_the_alternate_window_is_the_edited_contig_read_from_the_same_start(genome, data):
    start = data.draw(st.integers(0, len(CONTIG) - 1))
    ref = CONTIG[start : start + data.draw(st.integers(1, 6))]
    alt = data.draw(st.text("ACGT", min_size=1, max_size=12))
    left_bp = data.draw(st.integers(0, 9))
    edited = "N" * 100 + CONTIG[:start] + alt + CONTIG[start + len(ref) :] + "N" * 100
    begin = start - left_bp
    expected = edited[100 + begin : 100 + begin + 10]
    assert (
        decode(alternate_sequence(genome, Allele("c", start, ref, alt), Window(begin), 10))
        == expected
    )


@given(st.integers(3, 36), st.sampled_from("ACGT"))
def test_a_shift_moves_the_window_over_the_same_sequence(genome, start, alt):
    allele = Allele("c", start, CONTIG[start], alt)
    unmoved = decode(alternate_sequence(genome, allele, Window(start - 3), 8))
    assert (
        decode(alternate_sequence(genome, allele, Window(start - 3).moved(1), 8))[:7] == unmoved[1:]
    )


def test_an_allele_outside_the_window_is_refused(genome):
    with pytest.raises(ValueError, match="does not begin in the window"):
        alternate_sequence(genome, Allele("c", 5, "C", "A"), Window(6), 8)


# CONTIG from 8 on: G G G G T T T T A C G T A C G T G G G G; the variants begin at 16, index 3 of a window of 8 from 13
@pytest.mark.parametrize(
    ("rule", "ref", "alt", "reference", "alternate"),
    [
        ("left-fixed", "ACGT", "A", ["TTTACGTA"], ["TTTAACGT"]),
        # Calico: the reference is read 3 bp longer, TTTACGTACGT, and 3 // 2 = 1 is cut off its left
        ("centre-trim", "ACGT", "A", ["TTACGTAC"], ["TTTAACGT"]),
        # the edited window is 2 bp longer, TTTAGGCGTA, and 1 is cut off its left
        ("centre-trim", "A", "AGG", ["TTTACGTA"], ["TTAGGCGT"]),
        ("centre-trim", "A", "G", ["TTTACGTA"], ["TTTGCGTA"]),
        # right of the deletion the reference follows: its A of position 20 at index 4, as in the alternate
        ("stitched", "ACGT", "A", ["TTTACGTA", "ACGTACGT"], ["TTTAACGT"]),
        # right of the insertion the alternate follows: its C of position 17 at index 4, as in the reference
        ("stitched", "A", "AGG", ["TTTACGTA"], ["TTTAGGCG", "TAGGCGTA"]),
        ("stitched", "A", "G", ["TTTACGTA"], ["TTTGCGTA"]),
        # the same second windows, of all bins
        ("right-fixed", "ACGT", "A", ["ACGTACGT"], ["TTTAACGT"]),
        ("right-fixed", "A", "AGG", ["TTTACGTA"], ["TAGGCGTA"]),
        ("right-fixed", "A", "G", ["TTTACGTA"], ["TTTGCGTA"]),
    ],
)
def test_indel_rules(genome, rule, ref, alt, reference, alternate):
    allele = Allele("c", 16, ref, alt)
    ours = reference_windows(allele, 13, rule, 5)
    theirs = alternate_windows(allele, 13, rule, 5)
    assert [decode(reference_sequence(genome, "c", window, 8)) for window in ours] == reference
    assert [decode(alternate_sequence(genome, allele, window, 8)) for window in theirs] == alternate
    for windows in (ours, theirs):
        assert [window.first_bin for window in windows] == [0, 5][: len(windows)]


@given(
    st.integers(0, 30),
    st.integers(1, 8),
    st.text("ACGT", min_size=1, max_size=8),
    st.sampled_from(["stitched", "right-fixed"]),
)
def test_right_flanks_lie_at_the_same_place_in_both_alleles(genome, start, ref_bp, alt, rule):
    allele = Allele("c", start, CONTIG[start : start + ref_bp], alt)
    begin, length_bp = start - 10, 40
    last_ref = reference_windows(allele, begin, rule, 1)[-1]
    last_alt = alternate_windows(allele, begin, rule, 1)[-1]
    right_bp = length_bp - 10 - max(len(alt), len(allele.ref))
    ref_tail = decode(reference_sequence(genome, "c", last_ref, length_bp))[-right_bp:]
    alt_tail = decode(alternate_sequence(genome, allele, last_alt, length_bp))[-right_bp:]
    assert ref_tail == alt_tail


def test_compensated_has_two_pairings_of_an_indel_at_each_scored_shift():
    given = replace(
        conventions(0), indel_rule="compensated", shifts=(0, 1), average_shifts="scores"
    )
    begin, start = 1_697, 100_000  # the variant's first base at index 98,303
    at_1 = pairings(Allele("c", start, "ACGT", "A"), begin, given, 1)
    assert [pairing.references for pairing in at_1] == [(Window(1_698),), (Window(1_701),)]
    assert [pairing.alternates for pairing in at_1] == [(Window(1_698),), (Window(1_698),)]
    whole, cut = Window(begin), Window(begin, trim_bp=2)
    at_0 = pairings(Allele("c", start, "A", "AGG"), begin, given, 0)
    assert [pairing.references for pairing in at_0] == [(whole,), (whole,)]
    assert [pairing.alternates for pairing in at_0] == [(whole,), (cut,)]
    assert [pairing.rule for pairing in at_0] == ["left-fixed", "right-fixed"]
    (alone,) = pairings(Allele("c", start, "A", "G"), begin, given, 1)
    assert alone == Pairing("left-fixed", (Window(1_698),), (Window(1_698),))


def conventions(max_offset_bp):
    return Conventions(
        geometry=ENFORMER, statistics=("sad",), centre_index=98_303, max_offset_bp=max_offset_bp
    )


def test_without_an_offset_each_window_is_exactly_centred():
    assert window_start(500_000, conventions(0)) == 500_000 - 98_303


@given(st.integers(0, 250_000_000), st.sampled_from([64, 65, 127, 128, 1000, 20_000, 57_344]))
def test_shared_windows_lie_on_the_grid_no_further_off_than_allowed(position, max_offset_bp):
    start = window_start(position, conventions(max_offset_bp))
    assert start % 128 == 0
    assert abs(position - start - 98_303) <= max_offset_bp
    many = window_start(np.array([position, position]), conventions(max_offset_bp))
    assert many.tolist() == [start, start]


def test_shared_windows_lie_whole_tokens_apart_where_bins_are_smaller():
    # 500 bp to either side are 31 bins of 32 bp, but 7 tokens of 128 bp
    geometry = Geometry(window_bp=128 * 48, bin_bp=32, bins=82, bins_per_token=4)
    shared = Conventions(
        geometry=geometry, statistics=("sad",), centre_index=3_071, max_offset_bp=500
    )
    starts = np.unique(window_start(np.arange(100_000, 110_000), shared))
    assert set(np.diff(starts)) == {7 * 128}
    assert set(starts % 128) == {0}


def test_windows_are_compared_piece_by_piece_where_they_are_stitched():
    left, right = Window(0), Window(5, first_bin=4)
    assert compared_windows((left,), (left,), 9) == (Comparison(left, left, range(9)),)
    assert compared_windows((left, right), (left,), 9) == (
        Comparison(left, left, range(4)),
        Comparison(right, left, range(4, 9)),
    )

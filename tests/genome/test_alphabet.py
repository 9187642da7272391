import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enformer_core.genome.alphabet import decode, encode, reverse_complement

letters = st.text("ACGTN", max_size=200)


def test_lower_case_reads_as_upper_and_ambiguity_as_n():
    assert encode("acgtnACGTNryK").tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 4, 4, 4]


@pytest.mark.parametrize("illegal", ["ACXT", "AC T", "AC\n", "AC>T", "ACéT"])
def test_what_is_no_nucleotide_is_refused_with_its_position(illegal):
    with pytest.raises(ValueError, match="position 3"):
        encode(illegal)


@given(letters)
def test_letters_and_codes_go_round(text):
    assert decode(encode(text)) == text


@given(letters)
def test_reverse_complement_twice_is_identity(text):
    codes = encode(text)
    assert np.array_equal(reverse_complement(reverse_complement(codes)), codes)


def test_reverse_complement_reads_the_other_strand():
    assert decode(reverse_complement(encode("AACGTN"))) == "NACGTT"

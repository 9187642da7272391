"""What a key is, and which words are none."""

import pytest

from enformer_core.variants.allele_keys import AlleleKey, identifier_key, parse_key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("rs6052080", AlleleKey("rs6052080", id="rs6052080")),
        ("RS12", AlleleKey("RS12", id="rs12")),
        ("chr20:4,699,605", AlleleKey("chr20:4,699,605", chrom="chr20", pos=4699605)),
        ("HLA*01:01:7", AlleleKey("HLA*01:01:7", chrom="HLA*01:01", pos=7)),
        ("chr1:5:a:g", AlleleKey("chr1:5:a:g", chrom="chr1", pos=5, ref="A", alt="G")),
        ("1-5-A-G", AlleleKey("1-5-A-G", chrom="1", pos=5, ref="A", alt="G")),
        ("chr1_5_A_AT", AlleleKey("chr1_5_A_AT", chrom="chr1", pos=5, ref="A", alt="AT")),
        # beyond every contig, and beyond what a number can be
        (f"1:{'9' * 20}", AlleleKey(f"1:{'9' * 20}", chrom="1", pos=10**17)),
        (f"1:{'0' * 5000}7", AlleleKey(f"1:{'0' * 5000}7", chrom="1", pos=7)),
        # shared bases go: first those on the right, then those on the left, but for one
        ("chr1:100:CAT:CT", AlleleKey("chr1:100:CAT:CT", chrom="chr1", pos=100, ref="CA", alt="C")),
        (
            "chr1:100:CAT:CAG",
            AlleleKey("chr1:100:CAT:CAG", chrom="chr1", pos=102, ref="T", alt="G"),
        ),
    ],
)
def test_keys_are_read(text, key):
    assert parse_key(text) == key


@pytest.mark.parametrize(
    "word", ["scores", "./rs12", "s3://bucket/chr1:5", "run_12", "scores-2026", "rs", "a/1:2"]
)
def test_other_words_are_no_keys(word):
    assert parse_key(word) is None


@pytest.mark.parametrize("name", ["chr1:5", "COSV1", "a/b", "<x>", "rs7"])
def test_any_text_may_be_an_identifier(name):
    assert identifier_key(name) == AlleleKey(name, id=name.lower())

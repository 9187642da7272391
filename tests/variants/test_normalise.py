"""One change is written in one way: the haplotype stays, and bcftools writes the same."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enformer_core.genome.alphabet import encode
from enformer_core.variants.normalise import normalise, trimmed_bp
from tests.support.bcftools import norm

HEADER = "##fileformat=VCFv4.2\n##contig=<ID=c>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


def normal(letters, start, ref, alt):
    form = normalise(np.array([start]), pa.array([ref]), pa.array([alt]), encode(letters))
    return int(form.start[0]), form.ref[0].as_py(), form.alt[0].as_py()


@pytest.mark.parametrize(
    ("letters", "allele", "expected"),
    [
        ("GATTTC", (2, "T", "A"), (2, "T", "A")),
        ("GATTTC", (4, "T", "TT"), (1, "A", "AT")),  # an insertion moves to the start of its run
        ("GATTTC", (3, "TT", "T"), (1, "AT", "A")),
        ("GATTTC", (2, "TTTC", "TTC"), (1, "AT", "A")),
        ("GACACACT", (4, "CAC", "C"), (0, "GAC", "G")),  # a repeat of two letters
        ("GACACT", (2, "CACT", "CT"), (0, "GAC", "G")),  # trimmed by one, shifted by two
        ("GACACT", (2, "C", "CAC"), (0, "G", "GAC")),
        ("GATTTC", (1, "ATTTC", "AGTTC"), (2, "T", "G")),  # trimmed at both ends
        ("GATTTC", (1, "AT", "GC"), (1, "AT", "GC")),  # an MNV stays whole
        ("GATTTC", (1, "ATT", "GTC"), (1, "ATT", "GTC")),  # with what both share inside
        ("TTTG", (1, "TT", "T"), (0, "TT", "T")),  # the contig begins here
        ("TTTG", (0, "TT", "T"), (0, "TT", "T")),
        ("CATG", (0, "CA", "A"), (0, "CA", "A")),  # no base before it to lean on
        ("NTTG", (2, "T", "TT"), (1, "T", "TT")),  # not onto an N
        ("ACGT" * 50, (198, "GT", "GTACGT"), (0, "A", "ACGTA")),
    ],
)
def test_hand_made(letters, allele, expected):
    assert normal(letters, *allele) == expected


def test_far_to_the_left_through_many_pieces():
    letters = "G" + "T" * 100_000
    assert normal(letters, 100_000, "T", "TT") == (0, "G", "GT")


letters_of = st.text("ACGT", min_size=12, max_size=60) | st.text("AC", min_size=12, max_size=60)


@st.composite
def genome_and_allele(draw):
    letters = draw(letters_of)
    start = draw(st.integers(0, len(letters) - 1))
    ref = letters[start : start + draw(st.integers(1, 6))]
    alt = draw(st.text("ACGT", min_size=1, max_size=6).filter(lambda alt: alt != ref))
    return letters, start, ref, alt


@given(genome_and_allele())
def test_the_changed_sequence_stays_and_nothing_can_be_said_shorter(case):
    letters, start, ref, alt = case
    at, new_ref, new_alt = normal(*case)
    assert letters[at : at + len(new_ref)] == new_ref
    assert (
        letters[:at] + new_alt + letters[at + len(new_ref) :]
        == letters[:start] + alt + letters[start + len(ref) :]
    )
    shortest = min(len(new_ref), len(new_alt))
    assert shortest == 1 or (new_ref[0] != new_alt[0] and new_ref[-1] != new_alt[-1])
    assert at == 0 or new_ref[-1] != new_alt[-1]
    assert max(len(new_ref), len(new_alt)) <= max(len(ref), len(alt))
    assert trimmed_bp(ref, alt) >= trimmed_bp(new_ref, new_alt) == max(len(new_ref), len(new_alt))
    assert normal(letters, at, new_ref, new_alt) == (at, new_ref, new_alt)


@settings(max_examples=25)
@given(letters_of, st.randoms(use_true_random=False))
def test_bcftools_writes_the_same(tmp_path_factory, letters, random):
    folder = tmp_path_factory.mktemp("norm")
    alleles = []
    for _ in range(120):
        start = random.randrange(len(letters))
        ref = letters[start : start + random.randint(1, 6)]
        alt = "".join(random.choice("ACGT") for _ in range(random.randint(1, 6)))
        if random.random() < 0.6:  # nearly the same, so that there is something to trim and to move
            cut = random.randint(0, len(ref))
            alt = (
                ref[:cut] + random.choice(["", "A", "C", "AC"]) + ref[cut + random.randint(0, 2) :]
            )
        if alt and alt != ref:
            alleles.append((start, ref, alt))
    alleles.sort()
    (folder / "g.fa").write_text(f">c\n{letters}\n")
    body = "".join(
        f"c\t{start + 1}\t{i}\t{ref}\t{alt}\t.\t.\t.\n"
        for i, (start, ref, alt) in enumerate(alleles)
    )
    (folder / "x.vcf").write_text(HEADER + body)
    theirs = {
        int(name): (start, ref, alt)
        for _, start, name, ref, alt in norm(folder / "x.vcf", folder / "g.fa")
    }
    start, ref, alt = zip(*alleles, strict=True) if alleles else ((), (), ())
    ours = normalise(
        np.array(start, dtype=np.int64),
        pa.array(ref, pa.string()),
        pa.array(alt, pa.string()),
        encode(letters),
    )
    assert theirs == dict(
        enumerate(zip(ours.start.tolist(), ours.ref.to_pylist(), ours.alt.to_pylist(), strict=True))
    )

"""Which row of a panel is which variant: alleles in every order and strand, and what is left out."""

import numpy as np
import pytest

from enformer_core.finemapping.matching import match_variants
from enformer_core.finemapping.variant_names import VariantNames


def names(*rows):
    """Of each variant its identifier, contig, position, effect and other allele."""
    ids, chroms, positions, effects, others = zip(*rows, strict=True)
    return VariantNames(ids, chroms, np.array(positions), effects, others)


def one(effect, other, *, identifier="rs1", chrom="20", pos=100):
    return names((identifier, chrom, pos, effect, other))


@pytest.mark.parametrize(
    ("ours", "theirs", "sign"),
    [
        (("A", "G"), ("A", "G"), 1),
        (("A", "G"), ("G", "A"), -1),
        (("A", "G"), ("T", "C"), 1),
        (("A", "G"), ("C", "T"), -1),
        # strands cannot be told: as written
        (("A", "T"), ("A", "T"), 1),
        (("A", "T"), ("T", "A"), -1),
        (("AC", "A"), ("A", "AC"), -1),
        (("AC", "A"), ("GT", "T"), 1),
        (("A", None), ("A", "G"), 1),
        (("G", None), ("A", "G"), -1),
        ((None, None), ("A", "G"), 1),
        (("A", "G"), (None, None), 1),
        (("A", "G"), ("A", "C"), None),
        (("A", "AC"), ("A", "G"), None),
        (("C", None), ("A", "G"), 1),
    ],
)
def test_alleles(ours, theirs, sign):
    match = match_variants(one(*ours), one(*theirs), "panel")
    if sign is None:
        assert match.row.tolist() == [-1]
        assert "has the alleles" in match.reasons[0]
    else:
        assert match.row.tolist() == [0]
        # C without its partner is the other strand's G, which is not what is counted
        expected = -1 if ours == ("C", None) else sign
        assert match.sign.tolist() == [expected]


def test_by_identifier_else_by_place():
    study = names(
        ("rs1", "chr20", 100, "A", "G"),
        (None, "chr20", 200, "C", "T"),
        ("other", "chr20", 300, "A", "C"),
        ("rs4", None, 0, "A", "C"),
        ("rs5", "chr20", 500, "A", "C"),
    )
    panel = names(
        ("rs4", "20", 400, "C", "A"),
        ("20:300", "20", 300, "A", "C"),
        ("rs2", "20", 200, "C", "T"),
        ("rs1", "20", 100, "G", "A"),
    )
    match = match_variants(study, panel, "panel")
    assert match.row.tolist() == [3, 2, 1, 0, -1]
    assert match.sign.tolist() == [-1, 1, 1, -1, 1]
    assert match.reasons == [None, None, None, None, "is not in panel"]
    assert match.notes == ()


def test_places_of_another_assembly_are_not_compared():
    study = names(*[(f"rs{each}", "20", 1000 + each, "A", "G") for each in range(4)])
    panel = names(*[(f"rs{each}", "20", 1001 + each, "A", "G") for each in range(3)])
    match = match_variants(study, panel, "panel")
    # rs3's place is that of rs2 in the panel
    assert match.row.tolist() == [0, 1, 2, -1]
    assert "other positions there" in match.notes[0]


def test_a_place_with_several_alleles():
    panel = names(("m", "20", 5, "C", "A"), ("m", "20", 5, "G", "A"), ("m", "20", 5, "G", "A"))
    match = match_variants(names(("m", "20", 5, "G", "A")), panel, "panel")
    assert match.row.tolist() == [1]
    assert "1 variant fit several rows" in match.notes[0]


def test_what_is_taken_for_granted_is_counted():
    study = names(
        ("rs1", "20", 1, "A", "T"), ("rs2", "20", 2, "C", "G"), ("rs3", "20", 3, None, None)
    )
    match = match_variants(study, study, "panel")
    assert [note.split(": ")[1][:28] for note in match.notes] == [
        "1 variant is matched by name",
        "2 variants have alleles A/T ",
    ]

"""Records that only name a variant get the places and alleles of that variant's sites, and of no other."""

import pyarrow as pa
import pytest

from enformer_core.variants.rsids import Sites

SITES = [
    ("rs1", "1", "10", "A", "C"),
    (".", "1", "11", "A", "G"),
    ("rs2;rs3", "1", "12", "C", "T,G"),
    ("", "1", "13", "A", "T"),
    ("rs2", "2", "7", "G", "A"),
    (None, "1", "14", "C", "G"),
    ("rs9", "1", "15", "C", "G"),
]


def table(names, rows):
    columns = zip(*rows, strict=True)
    return pa.table(
        {name: pa.array(cells, pa.string()) for name, cells in zip(names, columns, strict=True)}
    )


def filled(records, *, has_alleles=False):
    sites = Sites.read(
        [table(("id", "chrom", "pos", "ref", "alt"), SITES)], records["id"].unique(), "known.vcf"
    )
    return sites.fill(records, has_alleles=has_alleles).to_pylist()


def test_a_record_becomes_one_for_each_site_with_its_alts_numbered_on():
    found = filled(table(("id",), [("rs2",), ("rs1",), ("rs3",)]))
    assert [
        (row["id"], row["chrom"], row["pos"], row["alt"], row["alt_offset"]) for row in found
    ] == [
        ("rs2", "1", "12", "T,G", 0),
        ("rs2", "2", "7", "A", 2),
        ("rs1", "1", "10", "C", 0),
        ("rs3", "1", "12", "T,G", 0),
    ]
    assert {row["status"] for row in found} == {None}


def test_a_record_without_an_identifier_has_no_site_though_sites_without_one_exist():
    found = filled(table(("id",), [(".",), ("",), (None,), ("rs7",)]))
    assert [(row["status"], row["reason"], row["pos"]) for row in found] == [
        ("malformed", "no identifier to look up", None),
        ("malformed", "no identifier to look up", None),
        ("malformed", "no identifier to look up", None),
        ("not_found", "rs7 is not in known.vcf", None),
    ]


def test_alleles_show_which_of_several_sites_is_meant():
    records = table(("id", "ref", "alt"), [("rs2", "A", "g"), ("rs2", "G", "C"), ("rs2", "T", "A")])
    found = filled(records, has_alleles=True)
    assert [row["pos"] for row in found] == ["7", "12", "12"]  # the last fits neither: the first


def test_an_effect_allele_shows_which_alt_is_meant():
    found = filled(table(("id", "effect"), [("rs3", "G"), ("rs3", "A"), ("rs1", "A")]))
    assert [row["alt"] for row in found] == ["G", "T,G", "C"]


@pytest.mark.parametrize("case", [str.upper, str.lower])
def test_an_effect_allele_shows_which_of_several_sites_is_meant(case):
    effects = [("rs2", case("A")), ("rs2", case("T")), ("rs2", "N"), ("rs2", None)]
    found = filled(table(("id", "effect"), effects))
    # G>A at 7 alone has A; at 12 alone T is an ALT; of what fits neither, or is not named, both sites come
    places = [(row["effect"], row["pos"], row["alt"]) for row in found]
    assert places[:2] == [(case("A"), "7", "A"), (case("T"), "12", "T")]
    assert [place[1:] for place in places[2:]] == [("12", "T,G"), ("7", "A")] * 2


def test_the_other_allele_alone_makes_its_partner_the_effect_allele():
    records = table(("id", "ref"), [("rs1", "a"), ("rs1", "C"), ("rs1", "T"), ("rs3", "C")])
    assert [row["effect"] for row in filled(records)] == ["C", "A", "T", None]

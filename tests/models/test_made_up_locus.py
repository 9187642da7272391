"""Every causal variant of the made-up locus changes one site, every neutral one none."""

import pytest

from tests.support.made_up_locus import DemoVariant, count_sites, demo_locus, write_demo

FLANK_BP = 30

NAMES = [variant.name for variant in demo_locus()[1]]


def test_the_locus_has_variants_of_each_kind():
    sequence, variants = demo_locus()
    causal = [variant for variant in variants if variant.name.startswith("causal")]
    assert len(sequence) == 300_000
    assert len(causal) == 12
    assert sum(len(variant.ref) > len(variant.alt) for variant in causal) == 2
    assert sum(len(variant.ref) < len(variant.alt) for variant in causal) == 2
    assert len({variant.name for variant in variants}) == len(variants)
    assert [variant.start for variant in variants] == sorted(variant.start for variant in variants)


@pytest.mark.parametrize("name", NAMES)
def test_a_variant_does_what_it_is_called(name):
    sequence, variants = demo_locus()
    variant = variants[NAMES.index(name)]
    kind, _, site = name.partition("_")
    motif, _, direction = site.partition("_")
    expected = {}
    if kind == "causal":
        expected = {motif: 1 if direction == "gain" else -1}
    assert changed_sites(sequence, variant) == expected


def changed_sites(sequence: str, variant: DemoVariant) -> dict[str, int]:
    """How many sites of which motif there are more with the ALT than with the REF."""
    end = variant.start + len(variant.ref)
    assert sequence[variant.start : end] == variant.ref
    left = sequence[variant.start - FLANK_BP : variant.start]
    right = sequence[end : end + FLANK_BP]
    before = count_sites(left + variant.ref + right)
    after = count_sites(left + variant.alt + right)
    return {name: after[name] - before[name] for name in before if after[name] != before[name]}


def test_files_are_the_same_every_time(tmp_path):
    first = write_demo(tmp_path / "a")
    second = write_demo(tmp_path / "b")
    assert first.genome.read_bytes() == second.genome.read_bytes()
    assert first.variants.read_bytes() == second.variants.read_bytes()

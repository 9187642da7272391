"""Every causal variant of the demo locus changes one site, every neutral one none."""

from jobs.demo import count_sites, demo_locus, write_demo


def test_variants_do_what_they_are_called():
    sequence, variants = demo_locus()
    assert len(sequence) == 300_000
    assert sum(variant.name.startswith("causal") for variant in variants) == 12
    assert sum(len(variant.ref) > len(variant.alt) for variant in variants) == 2
    assert sum(len(variant.ref) < len(variant.alt) for variant in variants) == 2
    assert len({variant.name for variant in variants}) == len(variants)
    for variant in variants:
        end = variant.start + len(variant.ref)
        assert sequence[variant.start : end] == variant.ref
        left, right = sequence[variant.start - 30 : variant.start], sequence[end : end + 30]
        before, after = (
            count_sites(left + variant.ref + right),
            count_sites(left + variant.alt + right),
        )
        change = {
            name: after[name] - before[name] for name in before if after[name] != before[name]
        }
        kind, _, name = variant.name.partition("_")
        motif, _, direction = name.partition("_")
        expected = {motif: 1 if direction == "gain" else -1} if kind == "causal" else {}
        assert change == expected, variant


def test_files_are_the_same_every_time(tmp_path):
    one, two = write_demo(tmp_path / "a"), write_demo(tmp_path / "b")
    assert one.genome.read_bytes() == two.genome.read_bytes()
    assert one.variants.read_bytes() == two.variants.read_bytes()

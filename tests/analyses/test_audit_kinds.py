"""Each kind of allele that a run has is audited, and an audit of a small run costs little."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from enformer_core.analyses.audit_kinds import AlleleKinds, WindowKinds, affordable, unknown_runs
from enformer_core.analyses.cost import Work, audit_operations, total_operations
from enformer_core.genome.fasta import Genome
from enformer_core.models.geometry import Geometry
from enformer_core.models.spec import PassOperations
from enformer_core.scoring.conventions import Conventions
from enformer_core.variants.audit_sample import AuditSample
from enformer_core.variants.hashing import allele_hashes
from tests.support.plans import placed_table

GEOMETRY = Geometry(window_bp=64, bin_bp=8, bins=4)
PASS = PassOperations(tower=300, after_tower=100)

Row = tuple[str, int, str, str]


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> AlleleKinds:
    path = tmp_path_factory.mktemp("genome") / "g.fa"
    letters = ["ACGT" * 2500, "ACGT" * 100]
    # two unknown bases at 6,000 and one at 9,000
    known = letters[0]
    letters[0] = known[:6000] + "NN" + known[6002:9000] + "N" + known[9001:]
    path.write_text("".join(f">{name}\n{text}\n" for name, text in zip("ab", letters, strict=True)))
    conventions = Conventions(geometry=GEOMETRY, statistics=("sad",), centre_index=31)
    return AlleleKinds(WindowKinds(Genome(path), GEOMETRY.window_bp), conventions)


def names(kinds: AlleleKinds, rows: Sequence[Row]) -> list[set[str]]:
    masks = kinds(placed_table(rows))
    return [{name for name, mask in masks.items() if mask[at]} for at in range(len(rows))]


def test_kinds_are_told_by_letters_with_and_without_an_anchor(kinds: AlleleKinds) -> None:
    letters = {
        ("A", "C"): "snv",
        ("AC", "GT"): "mnv",
        ("ACG", "T"): "mnv",
        ("A", "CTT"): "mnv",
        ("A", "ATT"): "insertion",
        ("", "TT"): "insertion",
        ("ATT", "A"): "deletion",
        ("TT", ""): "deletion",
    }
    rows = [("a", 5000, ref, alt) for ref, alt in letters]
    assert names(kinds, rows) == [{kind} for kind in letters.values()]


def test_windows_say_what_lies_beyond_and_what_is_unknown(kinds: AlleleKinds) -> None:
    centre = kinds.conventions.centre_index
    after = GEOMETRY.window_bp - centre  # bases from the allele's first to the window's end
    expected = {
        ("a", centre): set(),
        ("a", centre - 1): {"contig_end"},
        ("a", 10_000 - after): set(),
        ("a", 10_000 - after + 1): {"contig_end"},
        ("b", 400 - after + 1): {"contig_end"},
        ("a", 6000 - after): set(),
        ("a", 6000 - after + 1): {"unknown_bases"},
        ("a", 6001 + centre): {"unknown_bases"},
        ("a", 6002 + centre): set(),
        ("a", 9000): {"unknown_bases"},
        ("b", 200): set(),
    }
    found = names(kinds, [(contig, start, "A", "C") for contig, start in expected])
    assert found == [{"snv"} | of_window for of_window in expected.values()]


def test_unknown_stretches_are_those_of_a_plain_search() -> None:
    rng = np.random.default_rng(5)
    for size in (0, 1, 4095, 4096, 4097, 20_000):
        codes = rng.integers(0, 4, size).astype(np.uint8)
        for at in rng.integers(0, max(size, 1), 5 if size else 0):
            codes[at : at + rng.integers(1, 6000)] = 4
        begins, ends = unknown_runs(codes)
        padded = np.concatenate([[0], codes == 4, [0]])
        steps = np.diff(padded.astype(int))
        assert begins.tolist() == np.flatnonzero(steps == 1).tolist()
        assert ends.tolist() == np.flatnonzero(steps == -1).tolist()


def drawn(rows: Sequence[Row], sample: AuditSample, batch: int) -> set[Row]:
    placed = placed_table(rows)
    batches = [placed.slice(at, batch) for at in range(0, len(rows), batch)]
    choice = sample.choose(batches, lambda starts: starts // 1000)
    return {
        row for row, is_drawn in zip(rows, sample.drawn(placed, choice), strict=True) if is_drawn
    }


def many(snvs: int) -> list[Row]:
    """SNVs in the middle of a contig, and one allele of each other kind."""
    rows: list[Row] = [("a", 1000 + at, "A", "C") for at in range(snvs)]
    rare: list[Row] = [
        ("a", 3000, "A", "ATT"),
        ("a", 3001, "ATT", "A"),
        ("a", 3002, "AC", "GT"),
        ("a", 3, "A", "G"),
        ("a", 6000, "A", "G"),
    ]
    return [*rows[: snvs // 2], *rare, *rows[snvs // 2 :]]


@pytest.mark.parametrize("snvs", [40, 4000])
def test_of_each_kind_one_is_drawn_in_any_order_and_number_at_a_time(
    kinds: AlleleKinds, snvs: int
) -> None:
    rows = many(snvs)
    sample = AuditSample(0.01, 3, "run", kinds)
    found = drawn(rows, sample, len(rows))
    assert {name for each in names(kinds, sorted(found)) for name in each} == {
        *("insertion", "deletion", "mnv", "contig_end", "unknown_bases", "snv")
    }
    assert len(found) < 6 + 0.03 * snvs
    shuffled = [rows[at] for at in np.random.default_rng(1).permutation(len(rows))]
    for order, batch in [(rows, 7), (shuffled, len(rows)), (shuffled, 1000)]:
        assert drawn(order, sample, batch) == found


def test_a_kind_is_found_where_a_run_of_many_has_one_of_it_at_its_end(kinds: AlleleKinds) -> None:
    rows: list[Row] = [("a", 100 + at % 5000, "A", "CG"[at % 2]) for at in range(9000)]
    rows.append(("a", 7000, "ACG", "A"))
    sample = AuditSample(0.01, 3, "run", kinds)
    found = drawn(rows, sample, 2000)
    assert ("a", 7000, "ACG", "A") in found
    hashes = allele_hashes(placed_table(rows), "run")
    below = {row for row, value in zip(rows, hashes.tolist(), strict=True) if value < 0.01 * 2**64}
    assert found >= below


@pytest.mark.parametrize(("alleles", "windows"), [(1, 1), (5, 5), (60, 1), (60, 60), (900, 900)])
def test_the_audit_of_a_small_run_takes_a_tenth_or_one_allele(alleles: int, windows: int) -> None:
    most = affordable(PASS)(alleles, windows)
    for audited, fits in [(most, True), (most + 1, False)]:
        work = Work(
            alleles=alleles,
            alts=alleles,
            audited=audited,
            windows=windows,
            indels=0,
            towers=float(windows),
            overlapping=False,
        )
        total = total_operations(work, "delta", views=2, operations=PASS)
        share = 2 * audit_operations(audited, PASS) / total
        assert (share <= 0.1) == fits


def test_few_alleles_are_not_audited_for_each_kind(kinds: AlleleKinds) -> None:
    rows = many(9)
    sample = AuditSample(1e-9, 3, "run", kinds, lambda alleles, windows: alleles - 13)
    (only,) = drawn(rows, sample, 4)  # 14 alleles; one is the least, however little is affordable
    hashes = dict(zip(rows, allele_hashes(placed_table(rows), "run").tolist(), strict=True))
    assert only == min(rows, key=hashes.__getitem__)
    two = AuditSample(1e-9, 3, "run", kinds, lambda alleles, windows: 2)
    assert len(drawn(rows, two, 4)) == 2
    seen: list[tuple[int, int]] = []

    def counting(alleles: int, windows: int) -> int:
        seen.append((alleles, windows))
        return 0

    drawn([*rows, *rows], AuditSample(1e-9, 3, "run", kinds, counting), 5)
    assert seen == [(14, 4)]  # repeats are one allele; windows of a thousand bases


def test_one_in_three_is_held_against_float64(kinds: AlleleKinds) -> None:
    placed = placed_table([("a", 100 + at % 9000, "A", "CG"[at % 2]) for at in range(6000)])
    sample = AuditSample(1.0, 3, "run", kinds)
    choice = sample.choose([placed])
    mask = sample.drawn(placed, choice)
    described = sample.described(placed, mask, choice)
    part = float(np.mean(described["audit_float64"].to_numpy()))
    assert abs(part - 1 / 3) < 5 * np.sqrt(2 / 9 / 6000)
    few = placed.slice(0, 2)
    choice = sample.choose([few])
    rare = AuditSample(1e-9, 3, "run", kinds)
    for sample in (rare, AuditSample(1e-9, 1, "other", kinds)):
        choice = sample.choose([few])
        of_few = sample.described(few, sample.drawn(few, choice), choice)
        assert any(of_few["audit_float64"].to_pylist())  # of few, one for certain
        assert pa.types.is_string(of_few["audit_kinds"].type)

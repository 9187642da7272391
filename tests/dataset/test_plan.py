"""Every allele lands in one shard, wherever it stood in the input."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enformer_core.dataset.keys import plan_key
from enformer_core.dataset.plan_storage import read_plan, read_shard
from enformer_core.dataset.sharding import default_shard_size
from enformer_core.errors import DatasetError
from enformer_core.storage.local import LocalStore
from enformer_core.variants.audit_sample import AuditSample
from enformer_core.variants.hashing import allele_hashes
from tests.support.plans import contents, decoded, make_draft
from tests.support.plans import placed_table as table

CONTIGS = {"chr2": 1000, "chr10": 1000, "chr1": 1000}


def drafted(placed, shard_size, **how):
    """A plan, encoded, in which every allele has its own window unless `how` says otherwise."""
    own_window = {"window_starts": lambda starts: starts - 3}
    return make_draft(placed, CONTIGS, shard_size, **own_window | how)


def planned(placed, shard_size, **how):
    """The same, its rows in memory."""
    return decoded(drafted(placed, shard_size, **how))


alleles = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(list(CONTIGS)),
            st.integers(0, 12),
            st.sampled_from("AC"),
            st.sampled_from(["G", "GT"]),
        ),
        st.just((None, None, None, None)),
    ),
    min_size=1,
    max_size=60,
)


@given(alleles, st.integers(1, 20))
def test_each_allele_is_in_one_shard_of_its_contig(rows, shard_size):
    plan = planned(table(rows), shard_size)
    merged = pa.concat_tables(plan.parts)
    assert sorted(merged["input_line"].to_pylist()) == list(range(1, len(rows) + 1))
    assert [shard.number for shard in plan.shards] == list(range(len(plan.shards)))
    assert sum(shard.rows for shard in plan.shards) == len(rows)
    for shard in plan.shards:
        rows_of = plan.parts[shard.part].slice(shard.first_row, shard.rows)
        assert set(rows_of["chrom"].to_pylist()) == {shard.chrom}
        assert set(rows_of["shard"].to_pylist()) == {shard.number}


@given(alleles, st.integers(1, 20), st.randoms())
def test_the_order_of_the_input_does_not_matter(rows, shard_size, random):
    placed = table(rows)
    order = list(range(len(rows)))
    random.shuffle(order)
    shuffled, in_order = drafted(placed.take(order), shard_size), drafted(placed, shard_size)
    assert contents(shuffled) == contents(in_order)
    assert list(shuffled.shards) == list(in_order.shards)


@given(alleles, st.integers(1, 20))
def test_equal_alleles_stay_together_and_all_but_the_first_are_duplicates(rows, shard_size):
    plan = planned(table(rows), shard_size)
    seen = {}
    for row in pa.concat_tables(plan.parts).to_pylist():
        if row["status"] != "ok":
            assert row["flags"] == []
            continue
        key = (row["chrom"], row["start"], row["ref"], row["alt"])
        assert ("duplicate" in row["flags"]) == (key in seen)
        assert seen.setdefault(key, row["shard"]) == row["shard"]


def test_sorted_as_the_genome_is_with_the_unplaced_last():
    rows = [
        (None, None, None, None),
        ("chr1", 5, "A", "G"),
        ("chr10", 7, "A", "G"),
        ("chr2", 9, "A", "G"),
    ]
    plan = planned(table([*rows, ("chr2", 3, "A", "G")]), 10)
    assert [(shard.chrom, shard.rows) for shard in plan.shards] == [
        ("chr2", 2),
        ("chr10", 1),
        ("chr1", 1),
        (None, 1),
    ]
    assert pa.concat_tables(plan.parts)["start"].to_pylist() == [3, 9, 7, 5, None]


def test_shards_have_the_size_asked_for():
    draft = drafted(table([("chr1", start, "A", "G") for start in range(10)]), 4)
    assert [shard.rows for shard in draft.shards] == [4, 4, 2]
    assert draft.by_status == {"ok": 10}


def test_variants_of_a_window_stay_in_one_shard_where_that_costs_little():
    rows = [("chr1", start, "A", "G") for start in range(20)]
    by_fives = planned(table(rows), 4, window_starts=lambda starts: starts // 5 * 5)
    assert [shard.rows for shard in by_fives.shards] == [5, 5, 5, 5]
    one_window = planned(table(rows), 4, window_starts=lambda starts: starts * 0)
    assert [shard.rows for shard in one_window.shards] == [4] * 5


def test_only_what_is_scored_has_a_window():
    rows = planned(table([("chr1", 7, "A", "G"), (None, None, None, None)]), 4).parts[0].to_pylist()
    assert [row["window_start"] for row in rows] == [4, None]


@given(alleles, st.sampled_from([0.0, 0.01, 0.5, 1.0]))
def test_audits_are_drawn_from_what_is_scored_and_by_the_allele_and_the_seed_alone(rows, fraction):
    drawn = planned(table(rows), 4, audit=AuditSample(fraction, 3, "run")).parts[0].to_pylist()
    distinct = {row[:4] for row in rows if row[0]}
    audited = [row for row in drawn if row["audited"]]
    assert all(row["status"] == "ok" and "duplicate" not in row["flags"] for row in audited)
    least = min(3, len(distinct)) if fraction else 0
    assert least <= len(audited) <= len(distinct) * bool(fraction)
    assert fraction < 1 or len(audited) == len(distinct)
    assert planned(table(rows), 9, audit=AuditSample(fraction, 3, "run")).parts[0][
        "audited"
    ].to_pylist() == [row["audited"] for row in drawn]


@given(alleles, alleles)
def test_an_allele_drawn_by_the_fraction_is_drawn_whatever_else_is_scored(rows, others):
    def drawn(rows):
        audited = planned(table(rows), 4, audit=AuditSample(0.5, 0, "run")).parts[0].to_pylist()
        return {
            (row["chrom"], row["start"], row["ref"], row["alt"])
            for row in audited
            if row["audited"]
        }

    assert drawn(rows + others) == drawn(rows) | drawn(others)


def test_the_fraction_of_many_is_drawn_and_another_seed_draws_others():
    rows = [("chr1", start, "A", alt) for start in range(10_000) for alt in ("C", "GT")]
    placed, (one, other) = table(rows), (AuditSample(0.1, 3, "one"), AuditSample(0.1, 3, "other"))
    first, second = (audit.drawn(placed, audit.choose([placed])) for audit in (one, other))
    assert abs(first.sum() - 2000) < 5 * np.sqrt(20_000 * 0.1 * 0.9)
    assert abs((first & second).sum() - 200) < 5 * np.sqrt(20_000 * 0.01 * 0.99)


def test_hashes_of_neighbouring_alleles_differ_in_half_of_their_bits():
    letters = [a + b for a in "ACGT" for b in ("", *"ACGT")]
    rows = [
        (chrom, start, ref, alt)
        for chrom in ("chr1", "chr2")
        for start in (0, 1, 2**40)
        for ref in letters
        for alt in letters
    ]
    hashes = allele_hashes(table(rows), "run")
    assert np.unique(hashes).size == len(rows)
    ones = [
        f"{a ^ b:b}".count("1") for a, b in zip(hashes.tolist(), hashes.tolist()[1:], strict=False)
    ]
    assert abs(np.mean(ones) - 32) < 5 * 4 / np.sqrt(len(ones))


def test_a_plan_is_read_as_it_was_written(tmp_path, monkeypatch):
    monkeypatch.setattr("enformer_core.dataset.sharding.PART_ROWS", 5)
    rows = [("chr1", start, "A", "G") for start in range(9)] + [
        ("chr2", 1, "A", "G"),
        (None, None, None, None),
    ]
    draft = drafted(table(rows), 2)
    plan = decoded(draft)
    assert len(plan.parts) > 1
    store = LocalStore(tmp_path)
    put = draft.put(store)
    read = read_plan(store, len(plan.parts))
    assert list(read.shards) == list(put.shards) == list(plan.shards)
    assert [part.to_pylist() for part in put.parts] == [part.to_pylist() for part in plan.parts]
    assert [part.to_pylist() for part in read.parts] == [part.to_pylist() for part in plan.parts]
    for shard in plan.shards:
        assert read_shard(store, shard)["shard"].to_pylist() == [shard.number] * shard.rows
        assert read_shard(store, shard) == plan.parts[shard.part].slice(shard.first_row, shard.rows)


@pytest.mark.parametrize("rows_of_a_group", [1, 3, 4, 100])
def test_a_shard_is_read_from_the_row_groups_that_hold_it(tmp_path, monkeypatch, rows_of_a_group):
    monkeypatch.setattr("enformer_core.dataset.plan_storage._ROW_GROUP_ROWS", rows_of_a_group)
    store = LocalStore(tmp_path)
    plan = drafted(table([("chr1", start, "A", "G") for start in range(23)]), 5).put(store)
    decoded = []
    whole = pq.ParquetFile.read_row_groups
    monkeypatch.setattr(
        pq.ParquetFile,
        "read_row_groups",
        lambda file, groups: decoded.append(groups) or whole(file, groups),
    )
    for shard in plan.shards:
        assert read_shard(store, shard)["start"].to_pylist() == list(
            range(5 * shard.number, min(5 * shard.number + 5, 23))
        )
    assert all(len(groups) <= 5 // rows_of_a_group + 2 for groups in decoded)


def test_rows_that_are_not_scored_are_cut_anywhere():
    plan = planned(table([(None, None, None, None)] * 23), 4)
    assert [shard.rows for shard in plan.shards] == [4, 4, 4, 4, 4, 3]


def test_a_part_that_is_missing_or_damaged_is_named(tmp_path):
    draft = drafted(table([("chr1", start, "A", "G") for start in range(9)]), 4)
    store = LocalStore(tmp_path)
    with pytest.raises(DatasetError, match=r"plan/part-00000\.parquet: missing"):
        read_plan(store, 1)
    (content,) = contents(draft)
    store.put_if_absent(plan_key(0), content[:100] + bytes(100) + content[200:])
    with pytest.raises(DatasetError, match=r"plan/part-00000\.parquet: damaged"):
        _ = read_plan(store, 1).parts[0]


@pytest.mark.parametrize(
    ("alleles", "size"), [(1, 8), (512, 8), (1430, 23), (128_000, 2000), (10_000_000, 2000)]
)
def test_small_runs_are_shared_and_shards_stay_small(alleles, size):
    assert default_shard_size(alleles) == size
    assert np.ceil(alleles / size) >= min(60, np.ceil(alleles / 8))

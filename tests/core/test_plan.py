"""Every allele lands in one shard, wherever it stood in the input."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enformer_core.dataset.plan import (
    Audit,
    default_shard_size,
    make_plan,
    plan_to_parquet,
    read_plan,
    read_shard,
    write_plan,
)
from enformer_core.storage.local import LocalStore
from enformer_core.variants.table import PLACED_SCHEMA

CONTIGS = {"chr2": 1000, "chr10": 1000, "chr1": 1000}


def planned(placed, shard_size, **how):
    """A plan in which every allele has its own window."""
    return make_plan(placed, CONTIGS, shard_size, **{"window_starts": lambda starts: starts - 3} | how)


def table(rows):
    """Placed alleles from (chrom, start, ref, alt) or (None, None, None, None) for a row without a place."""
    columns = {
        "input_file": ["a.vcf"] * len(rows),
        "input_line": list(range(1, len(rows) + 1)),
        "alt_index": [1] * len(rows),
        "chrom": [row[0] for row in rows],
        "start": [row[1] for row in rows],
        "ref": [row[2] for row in rows],
        "alt": [row[3] for row in rows],
        "status": ["ok" if row[0] else "malformed" for row in rows],
        "flags": [[] for _ in rows],
    }
    return pa.table(
        [pa.array(columns.get(field.name, [None] * len(rows)), field.type) for field in PLACED_SCHEMA],
        schema=PLACED_SCHEMA,
    )


alleles = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(list(CONTIGS)), st.integers(0, 12), st.sampled_from("AC"), st.sampled_from(["G", "GT"])
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
    assert planned(placed.take(order), shard_size) == planned(placed, shard_size)


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
    rows = [(None, None, None, None), ("chr1", 5, "A", "G"), ("chr10", 7, "A", "G"), ("chr2", 9, "A", "G")]
    plan = planned(table([*rows, ("chr2", 3, "A", "G")]), 10)
    assert [(shard.chrom, shard.rows) for shard in plan.shards] == [("chr2", 2), ("chr10", 1), ("chr1", 1), (None, 1)]
    assert pa.concat_tables(plan.parts)["start"].to_pylist() == [3, 9, 7, 5, None]


def test_shards_have_the_size_asked_for():
    plan = planned(table([("chr1", start, "A", "G") for start in range(10)]), 4)
    assert [shard.rows for shard in plan.shards] == [4, 4, 2]
    assert plan.counts() == {"ok": 10}


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
def test_audits_are_drawn_from_what_is_scored_and_by_the_seed_alone(rows, fraction):
    drawn = planned(table(rows), 4, audit=Audit(fraction, 3, "run")).parts[0].to_pylist()
    distinct = {row[:4] for row in rows if row[0]}
    audited = [row for row in drawn if row["audited"]]
    assert all(row["status"] == "ok" and "duplicate" not in row["flags"] for row in audited)
    expected = 0 if not fraction else min(len(distinct), max(3, int(np.ceil(fraction * len(distinct)))))
    assert len(audited) == expected
    assert planned(table(rows), 9, audit=Audit(fraction, 3, "run")).parts[0]["audited"].to_pylist() == [
        row["audited"] for row in drawn
    ]


def test_a_plan_is_read_as_it_was_written(tmp_path, monkeypatch):
    monkeypatch.setattr("enformer_core.dataset.plan._PART_ROWS", 5)
    rows = [("chr1", start, "A", "G") for start in range(9)] + [("chr2", 1, "A", "G"), (None, None, None, None)]
    plan = planned(table(rows), 2)
    assert len(plan.parts) > 1
    store = LocalStore(tmp_path)
    write_plan(store, plan_to_parquet(plan))
    read = read_plan(store, len(plan.parts))
    assert read.shards == plan.shards
    assert [part.to_pylist() for part in read.parts] == [part.to_pylist() for part in plan.parts]
    shard = plan.shards[-2]
    assert read_shard(store, shard)["shard"].to_pylist() == [shard.number] * shard.rows


@pytest.mark.parametrize(("alleles", "size"), [(1, 8), (512, 8), (1430, 23), (128_000, 2000), (10_000_000, 2000)])
def test_small_runs_are_shared_and_shards_stay_small(alleles, size):
    assert default_shard_size(alleles) == size
    assert np.ceil(alleles / size) >= min(60, np.ceil(alleles / 8))

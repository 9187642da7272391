"""A plan made of a stream, in pieces, is the plan made in memory, and that is the plan made by the plainest means."""

import threading
from itertools import groupby, pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from enformer_core.dataset import external_sort, plan_builder, sharding
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.keys import plan_key
from enformer_core.dataset.order import Preparation
from enformer_core.dataset.plan import (
    AuditSample,
    make_plan,
    plan_to_parquet,
    read_plan,
    read_shard,
)
from enformer_core.dataset.plan_builder import Drafted, gather
from enformer_core.dataset.sharding import Divider
from enformer_core.errors import InputError
from enformer_core.storage.local import LocalStore
from enformer_core.variants.table import PLACED_SCHEMA

CONTIGS = {"chr2": 30, "chrUn*1": 7, "chr10": 40}

AUDIT = AuditSample(0.2, 3, "run")


def window_starts(starts):
    return starts // 5 * 5 - 2


def table(rows):
    """Placed alleles from dicts of what differs between them."""
    usual = {"alt_index": 1, "status": "ok", "flags": []}
    return pa.Table.from_pylist([usual | row for row in rows], schema=PLACED_SCHEMA)


@st.composite
def alleles(draw):
    """Rows with and without places and starts, repeated alleles, several files, two ALTs a line, flags of their own."""
    placed = st.fixed_dictionaries(
        {
            "chrom": st.sampled_from(list(CONTIGS)),
            "start": st.integers(0, 6),
            "ref": st.sampled_from(["A", "C", "CA"]),
            "alt": st.sampled_from(["G", "GT"]),
            "status": st.sampled_from(["ok", "ok", "ok", "ref_mismatch"]),
            "flags": st.sampled_from([[], ["ref_swapped"], None]),
        }
    )
    unknown = st.fixed_dictionaries(
        {
            "start": st.sampled_from([-1, 0, 3, 10**17]),
            "ref": st.sampled_from(["A", "C"]),
            "status": st.just("unknown_contig"),
        }
    )
    unread = st.fixed_dictionaries(
        {"status": st.just("malformed"), "start": st.sampled_from([None, None, 4])}
    )
    odd = st.fixed_dictionaries(
        {"status": st.just("not_found"), "ref": st.sampled_from(["A", None]), "alt": st.just("C")}
    )
    rows = draw(
        st.lists(st.one_of(placed, placed, placed, unknown, unread, odd), min_size=1, max_size=80)
    )
    files = draw(
        st.lists(
            st.sampled_from(["b.vcf", "a.vcf", "é.vcf"]), min_size=len(rows), max_size=len(rows)
        )
    )
    keys = [
        {"input_file": file, "input_line": line // 2 * 100, "alt_index": line % 2 + 1}
        for line, file in enumerate(files)
    ]
    return [row | key for row, key in zip(rows, keys, strict=True)]


def by_the_plainest_means(rows, shard_size):
    """Each shard as a list of rows, as the documentation says."""
    ranks = {name: rank for rank, name in enumerate(CONTIGS)}

    def order(row):
        null_last = [
            (row.get(name) is None, row.get(name) or 0) for name in ("start", "ref", "alt")
        ]
        return (
            ranks.get(row.get("chrom"), 99),
            null_last,
            row["input_file"],
            row["input_line"],
            row["alt_index"],
        )

    def window(row):
        return window_starts(row.get("start") or 0)

    def allele(row):
        return [row.get(name) for name in ("chrom", "start", "ref", "alt")]

    shards = []
    for _, of_contig in groupby(sorted(rows, key=order), key=lambda row: row.get("chrom")):
        left = list(of_contig)
        while left:
            ends = range(shard_size, len(left))
            windows = [end for end in ends if window(left[end]) != window(left[end - 1])]
            wholes = [
                end
                for end in ends
                if allele(left[end]) != allele(left[end - 1]) or left[end].get("status") != "ok"
            ]
            at_window = min([*windows, len(left)])
            end = (
                at_window
                if at_window <= shard_size + shard_size // 2
                else min([*wholes, len(left)])
            )
            shards.append(left[:end])
            left = left[end:]
    return shards


def keys_of(rows):
    return [(row["input_file"], row["input_line"], row["alt_index"]) for row in rows]


@given(alleles(), st.integers(1, 9))
def test_in_memory_it_is_what_the_documentation_says(rows, shard_size):
    plan = make_plan(table(rows), CONTIGS, shard_size, window_starts=window_starts, audit=AUDIT)
    shards = by_the_plainest_means(rows, shard_size)
    assert [
        keys_of(plan.parts[s.part].slice(s.first_row, s.rows).to_pylist()) for s in plan.shards
    ] == [keys_of(shard) for shard in shards]
    assert [shard.chrom for shard in plan.shards] == [shard[0].get("chrom") for shard in shards]
    before = {
        (row["input_file"], row["input_line"], row["alt_index"]): row["flags"]
        for row in table(rows).to_pylist()
    }
    seen = set()
    for row in pa.concat_tables(plan.parts).to_pylist():
        allele = (row["chrom"], row["start"], row["ref"], row["alt"])
        repeated = row["status"] == "ok" and allele in seen
        seen |= {allele} if row["chrom"] else set()
        given_flags = before[row["input_file"], row["input_line"], row["alt_index"]]
        assert row["flags"] == ([*(given_flags or []), "duplicate"] if repeated else given_flags)
        assert not (row["audited"] and repeated)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    rows=alleles(),
    shard_size=st.integers(1, 9),
    batch_rows=st.integers(1, 90),
    random=st.randoms(use_true_random=False),
    sizes=st.fixed_dictionaries(
        {
            "UNIT_ROWS": st.sampled_from([1, 5, 1000]),
            "MOST_ROWS": st.sampled_from([1, 8, 1000]),
            "STRETCHES": st.sampled_from([1, 4, 512]),
            "_LINES": st.sampled_from([1, 300, 1 << 18]),
            "PART_ROWS": st.sampled_from([1, 10, 1 << 16]),
        }
    ),
    audit=st.sampled_from(
        [
            None,
            AuditSample(0.0, 3, "run"),
            AuditSample(1e-12, 3, "run"),
            AUDIT,
            AuditSample(1.0, 3, "run"),
        ]
    ),
)
def test_a_stream_gives_the_same_bytes(
    tmp_path, monkeypatch, rows, shard_size, batch_rows, random, sizes, audit
):
    with monkeypatch.context() as patch:
        for module, name in [
            (plan_builder, "UNIT_ROWS"),
            (plan_builder, "MOST_ROWS"),
            (external_sort, "STRETCHES"),
            (external_sort, "_LINES"),
            (sharding, "PART_ROWS"),
        ]:
            patch.setattr(module, name, sizes[name])
        plan = make_plan(table(rows), CONTIGS, shard_size, window_starts=window_starts, audit=audit)
        shuffled = random.sample(rows, len(rows))
        batches = [table(shuffled[at : at + batch_rows]) for at in range(0, len(rows), batch_rows)]
        with gather(batches, CONTIGS, place=lambda raw: raw, scratch=tmp_path) as gathered:
            drafted = gathered.draft(shard_size, window_starts=window_starts, audit=audit)
            contents = [file.read_bytes() for file in drafted.parts]
    assert contents == plan_to_parquet(plan)
    assert list(drafted.sha256) == [sha256(content) for content in contents]
    assert drafted.shards == plan.shards
    assert drafted.by_status == plan.counts()
    assert (gathered.alleles, gathered.records) == (
        len(rows),
        sum(row["alt_index"] == 1 for row in rows),
    )
    assert sum(gathered.by_contig.values()) == len(rows)
    assert list(gathered.by_contig) == [
        name for name in [*CONTIGS, None] if name in gathered.by_contig
    ]
    assert list(tmp_path.iterdir()) == []


@given(alleles(), st.integers(1, 9), st.lists(st.integers(0, 80), max_size=6))
def test_where_a_stretch_ends_leaves_no_trace(rows, shard_size, ends):
    prepare = Preparation(CONTIGS, window_starts, None, 0)
    prepared = prepare(table(rows))
    ends = sorted({min(end, len(rows)) for end in ends} | {0, len(rows)})
    whole, pieces = Divider(shard_size, prepare.marks), Divider(shard_size, prepare.marks)
    at_once = [*whole.add(prepared), *whole.finish()]
    in_pieces = [part for a, b in pairwise(ends) for part in pieces.add(prepared.slice(a, b - a))]
    in_pieces += pieces.finish()
    assert pieces.shard_rows == whole.shard_rows
    assert pa.concat_tables(in_pieces).equals(pa.concat_tables(at_once))


def many(count, **same):
    rng = np.random.default_rng(0)
    columns = {"input_line": rng.permutation(count), "start": rng.integers(0, 25, count)}
    return [
        {"input_file": "a.vcf", "chrom": "chr2", "ref": "A", "alt": "C"}
        | {k: int(v[i]) for k, v in columns.items()}
        | same
        for i in range(count)
    ]


@pytest.mark.parametrize(
    ("rows", "largest"),
    [
        (many(2000), 400),  # 25 starts of some 80 rows
        (many(2000, start=7), 2000),  # one allele, which stays whole
        (many(2000, chrom=None, status="unknown_contig"), 400),
        (many(2000, chrom=None, start=None, ref=None, alt=None, status="malformed"), 300),
    ],
)
def test_what_is_sorted_at_once_is_bounded(tmp_path, monkeypatch, rows, largest):
    for module, name, value in [
        (plan_builder, "UNIT_ROWS", 200),
        (plan_builder, "MOST_ROWS", 300),
        (external_sort, "_LINES", 100),
    ]:
        monkeypatch.setattr(module, name, value)
    prepared = []
    prepare = Preparation.__call__
    monkeypatch.setattr(
        Preparation,
        "__call__",
        lambda self, rows: prepared.append(rows.num_rows) or prepare(self, rows),
    )
    batches = [table(rows[at : at + 100]) for at in range(0, 2000, 100)]
    with gather(batches, CONTIGS, place=lambda raw: raw, scratch=tmp_path) as gathered:
        gathered.draft(50, window_starts=window_starts)
    assert sum(prepared) == 2000
    assert max(prepared) <= largest


def test_batches_wait_until_there_is_a_worker(tmp_path):
    placed, most = 0, 0
    lock = threading.Lock()

    def batches():
        nonlocal most
        for asked in range(40):
            most = max(most, asked + 1 - placed)
            yield table(
                [{"input_file": "a.vcf", "input_line": asked, "chrom": "chr2", "start": asked % 9}]
            )

    def place(raw):
        nonlocal placed
        with lock:
            placed += 1
        return raw

    told = []
    with gather(
        batches(),
        CONTIGS,
        place=place,
        scratch=tmp_path,
        workers=2,
        report=lambda *step: told.append(step),
    ) as gathered:
        gathered.draft(8, window_starts=window_starts)
    assert most <= 4
    assert told[:40] == [("read", count) for count in range(1, 41)]
    assert told[-1] == ("planned", 40)


def test_it_is_stored_and_read_shard_by_shard(tmp_path, monkeypatch):
    monkeypatch.setattr(sharding, "PART_ROWS", 100)
    rows = many(500)
    store = LocalStore(tmp_path / "run")
    with gather([table(rows)], CONTIGS, place=lambda raw: raw, scratch=tmp_path) as gathered:
        plan = gathered.draft(20, window_starts=window_starts).put(store)
    in_memory = Drafted.of(make_plan(table(rows), CONTIGS, 20, window_starts=window_starts))
    assert in_memory.put(LocalStore(tmp_path / "same")).shards == plan.shards
    assert all(
        (tmp_path / "same" / plan_key(n)).read_bytes() == store.get(plan_key(n))
        for n in range(len(plan.parts))
    )
    assert len(plan.parts) > 4
    read = read_plan(store, len(plan.parts))
    assert read.shards == plan.shards
    assert pa.concat_tables([read_shard(store, shard) for shard in plan.shards]).num_rows == 500
    assert sum(part.num_rows for part in plan.parts) == plan.shards.total_rows == 500


@pytest.mark.parametrize("fails", ["batches", "place"])
def test_an_error_comes_through_and_leaves_nothing_behind(tmp_path, fails):
    def batches():
        yield table(many(5))
        if fails == "batches":
            raise InputError("line 6: no good")

    def place(raw):
        if fails == "place":
            raise InputError("line 6: no good")
        return raw

    with pytest.raises(InputError, match="line 6: no good"):
        gather(batches(), CONTIGS, place=place, scratch=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_scratch_disk_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(
        InputError, match=r"nowhere: scratch files of the plan cannot be written.*TMPDIR"
    ):
        gather([], CONTIGS, place=lambda raw: raw, scratch=tmp_path / "nowhere")


def test_no_alleles_make_an_empty_plan(tmp_path):
    with gather(
        [PLACED_SCHEMA.empty_table()], CONTIGS, place=lambda raw: raw, scratch=tmp_path
    ) as gathered:
        drafted = gathered.draft(8, window_starts=window_starts, audit=AUDIT)
    assert (gathered.alleles, gathered.records, drafted.parts, len(drafted.shards)) == (0, 0, (), 0)

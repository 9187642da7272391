"""A plan made of a stream, in pieces, on scratch disk, is the plan that a slow and plainly right planner makes."""

import threading
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from enformer_core.dataset import external_sort, plan_builder, sharding
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.keys import plan_key
from enformer_core.dataset.order import AlleleSorter
from enformer_core.dataset.plan import Shard
from enformer_core.dataset.plan_builder import draft_tiles, gather
from enformer_core.dataset.plan_storage import part_to_parquet, read_plan, read_shard
from enformer_core.dataset.sharding import Sharder
from enformer_core.errors import InputError
from enformer_core.storage.local import LocalStore
from enformer_core.variants.audit_sample import AuditChoice, AuditSample
from enformer_core.variants.table import PLACED_SCHEMA
from tests.support.plans import contents, decoded, make_draft
from tests.support.reference_planner import reference_plan, tables

CONTIGS = {"chr2": 30, "chrUn*1": 7, "chr10": 40}

AUDIT = AuditSample(0.2, 3, "run")

AUDITS = [
    None,
    AuditSample(0.0, 3, "run"),
    AuditSample(1e-12, 3, "run"),
    AUDIT,
    AuditSample(1.0, 3, "run"),
]


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
            "flags": st.sampled_from(
                [[], ["ref_swapped"], ["ref_swapped", "ambiguous_order"], None]
            ),
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


def by_the_plainest_means(rows, shard_size, audit, *, part_rows=sharding.PART_ROWS):
    return reference_plan(
        table(rows),
        CONTIGS,
        shard_size,
        window_start=window_starts,
        audit=audit,
        part_rows=part_rows,
    )


def shards_by_the_plainest_means(parts):
    shards = []
    for part, shards_of_part in enumerate(parts):
        first_row = 0
        for rows in shards_of_part:
            shards.append(Shard(len(shards), rows[0]["chrom"], part, first_row, len(rows)))
            first_row += len(rows)
    return shards


@given(alleles(), st.integers(1, 9), st.sampled_from(AUDITS))
def test_it_is_what_the_documentation_says(rows, shard_size, audit):
    draft = make_draft(table(rows), CONTIGS, shard_size, window_starts=window_starts, audit=audit)
    parts = by_the_plainest_means(rows, shard_size, audit)
    assert list(draft.shards) == shards_by_the_plainest_means(parts)
    stored = [part.to_pylist() for part in decoded(draft).parts]
    assert stored == [part.to_pylist() for part in tables(parts)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=alleles(),
    shard_size=st.integers(1, 9),
    batch_rows=st.integers(1, 90),
    random=st.randoms(use_true_random=False),
    sizes=st.fixed_dictionaries(
        {
            "BUCKET_ROWS": st.sampled_from([1, 5, 1000]),
            "MAX_BUCKET_ROWS": st.sampled_from([1, 8, 1000]),
            "INTERVALS": st.sampled_from([1, 4, 512]),
            "LINES_PER_BUCKET": st.sampled_from([1, 300, 1 << 18]),
            "PART_ROWS": st.sampled_from([1, 10, 1 << 16]),
        }
    ),
    audit=st.sampled_from(AUDITS),
)
def test_a_stream_gives_the_same_bytes(
    tmp_path, monkeypatch, rows, shard_size, batch_rows, random, sizes, audit
):
    shuffled = random.sample(rows, len(rows))
    batches = [table(shuffled[at : at + batch_rows]) for at in range(0, len(rows), batch_rows)]
    with monkeypatch.context() as patch:
        for module, name in [
            (plan_builder, "BUCKET_ROWS"),
            (plan_builder, "MAX_BUCKET_ROWS"),
            (external_sort, "INTERVALS"),
            (external_sort, "LINES_PER_BUCKET"),
            (sharding, "PART_ROWS"),
        ]:
            patch.setattr(module, name, sizes[name])
        with gather(batches, CONTIGS, place=lambda raw: raw, scratch=tmp_path) as placed:
            draft = placed.draft(shard_size, window_starts=window_starts, audit=audit)
            stored = contents(draft)
        patch.undo()
        patch.setattr(sharding, "PART_ROWS", sizes["PART_ROWS"])
        at_once = make_draft(
            table(rows), CONTIGS, shard_size, window_starts=window_starts, audit=audit
        )
    parts = by_the_plainest_means(rows, shard_size, audit, part_rows=sizes["PART_ROWS"])
    assert stored == [part_to_parquet(part) for part in tables(parts)]
    assert stored == contents(at_once)
    assert list(draft.sha256) == [sha256(content) for content in stored]
    assert list(draft.shards) == list(at_once.shards) == shards_by_the_plainest_means(parts)
    statuses = table(rows)["status"].to_pylist()
    assert draft.by_status == {status: statuses.count(status) for status in statuses}
    assert list(draft.by_status) == sorted(draft.by_status)
    first_alts = sum(row["alt_index"] == 1 for row in rows)
    assert (placed.alleles, placed.records) == (len(rows), first_alts)
    chroms = [row.get("chrom") for row in rows]
    assert placed.by_contig == {chrom: chroms.count(chrom) for chrom in chroms}
    assert list(placed.by_contig) == [name for name in [*CONTIGS, None] if name in placed.by_contig]
    assert list(tmp_path.iterdir()) == []


@given(alleles(), st.integers(1, 9), st.lists(st.integers(0, 80), max_size=6))
def test_how_many_rows_come_at_a_time_leaves_no_trace(rows, shard_size, ends):
    sorter = AlleleSorter(CONTIGS, window_starts, None, AuditChoice())
    in_order = sorter.sort(table(rows))
    ends = sorted({min(end, len(rows)) for end in ends} | {0, len(rows)})
    one, many = Sharder(shard_size, sorter.boundaries), Sharder(shard_size, sorter.boundaries)
    at_once = [*one.add(in_order), *one.finish()]
    in_pieces = [part for a, b in pairwise(ends) for part in many.add(in_order.slice(a, b - a))]
    in_pieces += many.finish()
    assert list(many.shards()) == list(one.shards())
    assert pa.concat_tables(in_pieces).equals(pa.concat_tables(at_once))


@given(alleles(), st.integers(1, 9))
def test_a_shard_is_on_one_contig_and_grows_for_its_last_window_or_allele_only(rows, shard_size):
    draft = make_draft(table(rows), CONTIGS, shard_size, window_starts=window_starts)
    plan = decoded(draft)
    most = shard_size + shard_size // 2
    for shard, after in pairwise([*plan.shards, None]):
        rows_of = plan.parts[shard.part].slice(shard.first_row, shard.rows).to_pylist()
        assert {row["chrom"] for row in rows_of} == {shard.chrom}
        same_contig = after is not None and after.chrom == shard.chrom
        assert shard.rows >= shard_size or not same_contig
        beyond = [row for row in rows_of[shard_size:] if shard.rows > most]
        assert len({(row["start"], row["ref"], row["alt"]) for row in beyond}) <= 1
        if same_contig and shard.rows > shard_size:  # it was worth it: nothing was torn apart
            (next_row,) = plan.parts[after.part].slice(after.first_row, 1).to_pylist()
            last = rows_of[-1]
            other_window = window_starts(last["start"] or 0) != window_starts(
                next_row["start"] or 0
            )
            other_allele = any(last[name] != next_row[name] for name in ("start", "ref", "alt"))
            assert other_window or other_allele or next_row["status"] != "ok"


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
        (many(2000, start=7), 2000),  # one allele, whose rows stay together
        (many(2000, chrom=None, status="unknown_contig"), 400),
        (many(2000, chrom=None, start=None, ref=None, alt=None, status="malformed"), 300),
    ],
)
def test_what_is_sorted_at_once_is_bounded(tmp_path, monkeypatch, rows, largest):
    for module, name, value in [
        (plan_builder, "BUCKET_ROWS", 200),
        (plan_builder, "MAX_BUCKET_ROWS", 300),
        (external_sort, "LINES_PER_BUCKET", 100),
    ]:
        monkeypatch.setattr(module, name, value)
    sorted_rows = []
    sort = AlleleSorter.sort
    monkeypatch.setattr(
        AlleleSorter,
        "sort",
        lambda self, rows: sorted_rows.append(rows.num_rows) or sort(self, rows),
    )
    batches = [table(rows[at : at + 100]) for at in range(0, 2000, 100)]
    with gather(batches, CONTIGS, place=lambda raw: raw, scratch=tmp_path) as placed:
        placed.draft(50, window_starts=window_starts)
    assert sum(sorted_rows) == 2000
    assert max(sorted_rows) <= largest


def test_batches_wait_until_there_is_a_worker(tmp_path):
    placed, most = 0, 0
    lock = threading.Lock()

    def batches():
        nonlocal most
        for line in range(40):
            most = max(most, line + 1 - placed)
            yield table(
                [{"input_file": "a.vcf", "input_line": line, "chrom": "chr2", "start": line % 9}]
            )

    def place(raw):
        nonlocal placed
        with lock:
            placed += 1
        return raw

    steps = []
    with gather(
        batches(),
        CONTIGS,
        place=place,
        scratch=tmp_path,
        workers=2,
        report=lambda *step: steps.append(step),
    ) as alleles:
        alleles.draft(8, window_starts=window_starts)
    assert most <= 4
    assert steps[:40] == [("read", count) for count in range(1, 41)]
    assert steps[-1] == ("planned", 40)


def test_it_is_stored_and_read_shard_by_shard(tmp_path, monkeypatch):
    monkeypatch.setattr(sharding, "PART_ROWS", 100)
    rows = many(500)
    store = LocalStore(tmp_path / "run")
    with gather([table(rows)], CONTIGS, place=lambda raw: raw, scratch=tmp_path) as placed:
        plan = placed.draft(20, window_starts=window_starts).put(store)
    in_memory = make_draft(table(rows), CONTIGS, 20, window_starts=window_starts)
    assert list(in_memory.put(LocalStore(tmp_path / "same")).shards) == list(plan.shards)
    assert all(
        (tmp_path / "same" / plan_key(n)).read_bytes() == store.get(plan_key(n))
        for n in range(len(plan.parts))
    )
    assert len(plan.parts) > 4
    read = read_plan(store, len(plan.parts))
    assert list(read.shards) == list(plan.shards)
    assert pa.concat_tables([read_shard(store, shard) for shard in plan.shards]).num_rows == 500
    assert sum(part.num_rows for part in plan.parts) == plan.shards.total_rows == 500


def test_tiles_are_cut_at_contigs_and_sizes_and_nowhere_else():
    chroms = ["chr2"] * 7 + ["chr10"] * 4
    tiles = pa.table({"chrom": chroms, "start": range(11), "status": ["ok"] * 10 + ["all_n"]})
    draft = draft_tiles(tiles, 3)
    assert [(shard.chrom, shard.rows) for shard in draft.shards] == [
        ("chr2", 3),
        ("chr2", 3),
        ("chr2", 1),
        ("chr10", 3),
        ("chr10", 1),
    ]
    assert draft.by_status == {"all_n": 1, "ok": 10}
    (part,) = decoded(draft).parts
    assert part["start"].to_pylist() == list(range(11))
    assert part["shard"].to_pylist() == [0, 0, 0, 1, 1, 1, 2, 3, 3, 3, 4]
    assert list(draft.sha256) == [sha256(content) for content in contents(draft)]


@pytest.mark.parametrize(
    "error", [InputError("line 6: no good"), KeyboardInterrupt("line 6: no good")]
)
@pytest.mark.parametrize("fails", ["batches", "place"])
def test_an_error_comes_through_and_leaves_nothing_behind(tmp_path, fails, error):
    def batches():
        yield table(many(5))
        if fails == "batches":
            raise error

    def place(raw):
        if fails == "place":
            raise error
        return raw

    with pytest.raises(type(error), match="line 6: no good"):
        gather(batches(), CONTIGS, place=place, scratch=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_while_drafting_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(plan_builder, "BUCKET_ROWS", 1)

    def report(step, alleles):
        if step == "planned":
            raise KeyboardInterrupt

    def plan():
        batches = [table(many(50))]
        with gather(
            batches, CONTIGS, place=lambda raw: raw, scratch=tmp_path, report=report
        ) as placed:
            assert list(tmp_path.iterdir()) == [placed.folder]
            placed.draft(8, window_starts=window_starts)

    with pytest.raises(KeyboardInterrupt):
        plan()
    assert list(tmp_path.iterdir()) == []


def test_a_scratch_disk_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(
        InputError, match=r"nowhere: scratch files of the plan cannot be written.*TMPDIR"
    ):
        gather([], CONTIGS, place=lambda raw: raw, scratch=tmp_path / "nowhere")


def test_no_alleles_make_an_empty_plan(tmp_path):
    with gather(
        [PLACED_SCHEMA.empty_table()], CONTIGS, place=lambda raw: raw, scratch=tmp_path
    ) as placed:
        draft = placed.draft(8, window_starts=window_starts, audit=AUDIT)
    assert (placed.alleles, placed.records, draft.parts, len(draft.shards)) == (0, 0, (), 0)

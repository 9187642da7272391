"""What ran where: rows of receipts by what computed them, of new receipts and of old ones."""

from dataclasses import replace
from datetime import UTC, datetime

import duckdb
import pytest

from enformer_core.dataset.codec import convert
from enformer_core.dataset.computed_on import (
    ComputedOnTotals,
    computed_on_lines,
    receipt_rows,
    stretches,
)
from enformer_core.dataset.receipts import (
    AuditedAllele,
    AuditSummary,
    CompactedShard,
    Provenance,
    Receipt,
    ReusedRows,
    StatisticError,
)
from enformer_core.dataset.summary import audit_cost_lines, audit_lines, summarise_audits

NOW = datetime(2026, 1, 1, tzinfo=UTC)

CPU = Provenance(
    arithmetic="reference float32, differences float32",
    device="A CPU",
    cpu_features=("avx2",),
    threads=4,
    torch="2.13.0",
    seconds=10.0,
)
GPU = replace(
    CPU,
    arithmetic="reference float32, differences bfloat16",
    device_type="cuda",
    device="A GPU",
    cpu_features=("avx2", "avx512f"),
    seconds=1.0,
)


def receipt(number: int, rows: int, provenance: Provenance, **more: object) -> Receipt:
    return Receipt(
        shard=number,
        chrom="chr1",
        identity="x",
        notice=None,
        rows=rows,
        by_status={"ok": rows},
        tables={},
        committed_at=NOW,
        provenance=provenance,
        **more,
    )


def reused(*rows: tuple[int, int]) -> ReusedRows:
    return ReusedRows("old", "y", 3, rows, "digest", GPU)


def compacted(rows: int, provenance: Provenance) -> CompactedShard:
    return CompactedShard(rows, {}, NOW, provenance)


def spans(of: Receipt) -> list[tuple[int, int, str, str]]:
    return [
        (each.first_row, each.end_row, each.how, each.provenance.device) for each in stretches(of)
    ]


def test_rows_of_a_shard_are_covered_once_by_what_computed_them() -> None:
    assert spans(receipt(0, 5, CPU)) == [(0, 5, "here", "A CPU")]
    copied = receipt(0, 10, CPU, reused=(reused((8, 10), (2, 3)),))
    assert spans(copied) == [
        (0, 2, "here", "A CPU"),
        (2, 3, "reused", "A GPU"),
        (3, 8, "here", "A CPU"),
        (8, 10, "reused", "A GPU"),
    ]
    put_together = receipt(
        0,
        10,
        CPU,
        compacted=(compacted(4, CPU), compacted(6, GPU)),
        reused=(reused((3, 4), (4, 6)),),
    )
    assert spans(put_together) == [
        (0, 3, "compacted", "A CPU"),
        (3, 4, "reused", "A GPU"),
        (4, 6, "reused", "A GPU"),
        (6, 10, "compacted", "A GPU"),
    ]
    assert spans(receipt(0, 2, CPU, reused=(reused((0, 2)),))) == [(0, 2, "reused", "A GPU")]


def test_sums_count_each_computation_once_and_mixed_arithmetic_is_said() -> None:
    totals = ComputedOnTotals()
    totals.add(receipt(0, 10, CPU, reused=(reused((2, 3)),)))
    totals.add(receipt(1, 6, GPU))
    totals.add(receipt(2, 4, CPU, compacted=(compacted(1, CPU), compacted(3, GPU))))
    gpu, cpu = totals.listed()  # of as many rows, by their names
    assert (cpu.rows, cpu.shards, cpu.seconds) == (10, 2, 20.0)
    assert (gpu.rows, gpu.shards, gpu.seconds) == (10, 3, 2.0)  # the copied row took no time here
    lines = computed_on_lines(totals.listed(), "alleles")
    assert lines[0] == (
        "on       10 alleles: reference float32, differences bfloat16; A GPU; 4 threads; torch 2.13.0; avx2 avx512f"
    )
    assert "2 arithmetics" in lines[2]
    one = ComputedOnTotals()
    one.add(receipt(0, 10, CPU))
    assert len(computed_on_lines(one.listed(), "alleles")) == 1


OLD = {
    "shard": 0,
    "chrom": None,
    "identity": "x",
    "notice": None,
    "rows": 2,
    "by_status": {"ok": 2},
    "tables": {},
    "committed_at": "2026-01-01T00:00:00Z",
    "audits": [
        {
            "variant": "chr1:5:A:G",
            "statistics": {
                "sad": {"error": 0.5, "norm": 100.0, "bound": 2.0, "exceeded": False},
            },
        }
    ],
    "provenance": {"seconds": 3.0, "arithmetic": "float32", "device": "An old CPU"},
}


def test_receipts_of_earlier_releases_are_read_and_say_what_they_know() -> None:
    old = convert(OLD, Receipt, "commits/0.json")
    (audit,) = old.audits
    assert (audit.kinds, audit.yardstick, audit.seconds) == ((), "float32", 0.0)
    (summary,) = summarise_audits(old.audits).values()
    assert (summary.median_error, summary.median_track_error) == (0.005, None)
    assert (summary.worst_wrong_signs, summary.in_float64) == (None, 0)
    assert audit_cost_lines({"sad": summary}, 0.0, 3.0) == []
    (row,) = receipt_rows(iter([old])).to_pylist()
    assert (row["device"], row["cpu_features"], row["torch"]) == ("An old CPU", [], "")
    totals = ComputedOnTotals()
    totals.add(old)
    assert computed_on_lines(totals.listed(), "alleles") == [
        "on       2 alleles: float32; An old CPU; 1 thread"
    ]


def test_what_the_audit_took_is_said() -> None:
    summary = AuditSummary(3, 0.1, 0.1, (), in_float64=1)
    (line,) = audit_cost_lines({"sad": summary, "js": summary}, 12.5, 50.0)
    assert line == (
        "audit    took 12.5 s, 25 % of the time that workers computed; 1 held against float64, "
        "the others against float32"
    )


def test_single_tracks_and_signs_are_told_beside_the_norm() -> None:
    errors = [
        StatisticError(0.01, 1.0, 0.02, False, tracks=200, median_track_error=0.03, wrong_signs=1),
        StatisticError(0.01, 1.0, 0.02, False, tracks=100, median_track_error=0.01, wrong_signs=0),
    ]
    audits = [AuditedAllele(f"chr1:{at}:A:C", {"sad": error}) for at, error in enumerate(errors)]
    (line,) = audit_lines(summarise_audits(audits))
    assert line.endswith(
        "; single tracks by 2 % in the median, 0.5 % of them at most with another sign"
    )


@pytest.mark.parametrize("row", range(10))
def test_a_row_is_found_by_its_place_in_the_shard(row: int) -> None:
    table = receipt_rows(iter([receipt(7, 10, CPU, reused=(reused((2, 3), (8, 10)),))]))
    with duckdb.connect() as connection:
        connection.register("receipts", table)
        found = connection.sql(
            f"SELECT how FROM receipts WHERE shard = 7 AND {row} >= first_row AND {row} < end_row"
        ).fetchall()
    assert found == [("reused" if row in (2, 8, 9) else "here",)]

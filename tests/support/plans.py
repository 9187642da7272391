"""Small plans for tests, made as production makes them, and kept in memory."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from enformer_core.dataset.order import WindowStarts
from enformer_core.dataset.plan import Plan
from enformer_core.dataset.plan_builder import DraftPlan, gather
from enformer_core.variants.audit_sample import AuditSample
from enformer_core.variants.table import PLACED_SCHEMA


def placed_table(
    rows: Sequence[tuple[str | None, int | None, str | None, str | None]],
    ids: Sequence[str | None] | None = None,
) -> pa.Table:
    """Placed alleles of PLACED_SCHEMA from (chrom, start, ref, alt); four times None for a row without a place."""
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
        "id": ids or [None] * len(rows),
    }
    return pa.table(
        [
            pa.array(columns.get(field.name, [None] * len(rows)), field.type)
            for field in PLACED_SCHEMA
        ],
        schema=PLACED_SCHEMA,
    )


def make_draft(
    placed: pa.Table,
    contigs: Mapping[str, int],
    shard_size: int,
    *,
    window_starts: WindowStarts,
    audit: AuditSample | None = None,
) -> DraftPlan:
    """Plan placed alleles; the parts are bytes, so that nothing is left on disk."""
    with (
        tempfile.TemporaryDirectory() as folder,
        gather([placed], contigs, place=lambda raw: raw, scratch=Path(folder)) as alleles,
    ):
        draft = alleles.draft(shard_size, window_starts=window_starts, audit=audit)
        return replace(draft, parts=tuple(contents(draft)))


def contents(draft: DraftPlan) -> list[bytes]:
    """The parts as they will be stored."""
    return [part if isinstance(part, bytes) else part.read_bytes() for part in draft.parts]


def decoded(draft: DraftPlan) -> Plan:
    """The plan that a draft becomes, with all its rows in memory."""
    parts = [pq.read_table(pa.BufferReader(content)) for content in contents(draft)]
    return Plan(parts, draft.shards)

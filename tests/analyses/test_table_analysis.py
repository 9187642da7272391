"""What every run shares that is planned as one table in memory."""

from dataclasses import dataclass

import pyarrow as pa
import pytest

from enformer_core.analyses.base import DraftInput
from enformer_core.analyses.table_analysis import TableAnalysis, TableDraft
from enformer_core.dataset.schemas import TARGETS_SCHEMA
from enformer_core.models.geometry import Geometry

GEOMETRY = Geometry(window_bp=8, bin_bp=2, bins=2)

TARGETS = [
    {"chrom": "chr2", "target": "a", "window_start": 10, "status": "ok"},
    {"chrom": "chr2", "target": "b", "window_start": 10, "status": "ok"},
    {"chrom": "chr2", "target": "c", "window_start": 10, "status": "ok"},
    {"chrom": "chr1", "target": "d", "window_start": 10, "status": "ok"},
    {"chrom": None, "target": "e", "window_start": None, "status": "symbolic"},
]


@dataclass(frozen=True)
class Inputs:
    """Says when weights are looked at; stands for a model and a genome."""

    told: list

    def check_weights(self):
        self.told.append("weights")


@dataclass(frozen=True, kw_only=True)
class Planned(TableAnalysis):
    """Five targets, some on no contig."""

    most_rows = 8
    loader = None
    identity = None

    def drafted(self):
        self.inputs.told.append("rows")
        table = pa.Table.from_pylist(TARGETS, schema=TARGETS_SCHEMA)
        together = ("chrom", "window_start")
        return TableDraft(table, self.shard_rows(table.num_rows), together=together)


def planned(shard_size):
    return Planned(inputs=Inputs([]), geometry=GEOMETRY, shard_size=shard_size)


def test_weights_are_looked_at_before_the_input():
    analysis = planned(None)
    with analysis.read_input() as draft:
        assert analysis.inputs.told == ["weights", "rows"]
    assert isinstance(draft, DraftInput)
    assert (draft.rows, draft.records, draft.filtered) == (5, None, {})


def test_what_has_no_place_lies_on_no_contig_and_is_planned_all_the_same():
    with planned(2).read_input() as read:
        assert read.contigs == ["chr2", "chr1"]
        draft = read.draft("seed")
    assert draft.by_status == {"ok": 4, "symbolic": 1}
    # three rows of one window are one shard, though two were asked for
    assert [shard.rows for shard in draft.shards] == [3, 1, 1]


@pytest.mark.parametrize(
    ("rows", "asked", "expected"),
    [(1, None, 1), (64, None, 1), (65, None, 2), (10_000, None, 8), (10_000, 50, 50)],
)
def test_a_shard_has_as_many_rows_as_were_asked_for_or_a_few(rows, asked, expected):
    assert planned(asked).shard_rows(rows) == expected

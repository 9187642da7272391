"""What sharing windows would save, of sets whose windows, tokens and flanks are counted by hand."""

from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from enformer_core.analyses.cost import MOVED_FLANK
from enformer_core.analyses.cost_notes import NEAR_OFFSET_BP, SHARED_OFFSET_BP, cost_notes
from enformer_core.analyses.score_spec import ScoreSpec
from enformer_core.analyses.throughput import MEASURED_ON, known_hardware
from enformer_core.models.geometry import ENFORMER
from enformer_core.scoring.conventions import Conventions
from enformer_core.scoring.windows import window_start

TOWER = MEASURED_ON.tower
REST = MEASURED_ON.after_tower
WINDOW_BP = ENFORMER.window_bp
SPEC = ScoreSpec(
    conventions=Conventions(
        geometry=ENFORMER, statistics=("sad",), centre_index=WINDOW_BP // 2 - 1
    ),
    engine="delta",
    precision="fast",
    audit_fraction=0.0,
    audit_tolerance=0.02,
    mantissa_bits=11,
    top_tracks=1,
)
GAINS = (1, -1, 2, -2, 1, -1, 4)
"""Of every eighth variant, over and over: five gains."""


def part(count, every_bp, *, indels=False, spec=SPEC):
    """A stored part of a plan: one shard of variants, so many bp apart from the tenth Mb on; every eighth an indel."""
    rows = []
    for number in range(count):
        start = 10_000_000 + every_bp * number
        gain = GAINS[number // 8 % len(GAINS)] if indels and number % 8 == 7 else 0
        rows.append(
            {
                "chrom": "chr1",
                "start": start,
                "ref": "A" + "C" * max(-gain, 0),
                "alt": ("A" if gain else "G") + "T" * max(gain, 0),
                "status": "ok",
                "flags": [],
                "window_start": int(window_start(start, spec.conventions)),
                "audited": False,
                "shard": 0,
            }
        )
    table = pa.Table.from_pylist(rows)
    flags = table.schema.get_field_index("flags")
    of_text = pa.array([[]] * count, pa.list_(pa.string()))
    sink = pa.BufferOutputStream()
    pq.write_table(table.set_column(flags, "flags", of_text), sink)
    return sink.getvalue().to_pybytes()


def windows_of(count, every_bp, step_bp):
    """How many windows variants share that begin at multiples of so many bases."""
    first = 10_000_000 - SPEC.conventions.centre_index + step_bp // 2
    return len({(first + every_bp * number) // step_bp for number in range(count)})


def test_a_dense_set_of_snvs_is_advised_to_share():
    count, every_bp = 128, 300
    notes = cost_notes([part(count, every_bp)], SPEC, MEASURED_ON)
    near, far = notes.sharing
    assert (near.max_offset_bp, far.max_offset_bp) == (NEAR_OFFSET_BP, SHARED_OFFSET_BP)
    # 300 bp are more than a step: windows stay as many, and their tokens are computed once along 38 kb
    assert near.windows == count
    assert near.towers == pytest.approx(1 + every_bp * (count - 1) / WINDOW_BP, abs=0.01)
    centred = count * (TOWER + 2 * REST)
    assert near.factor == pytest.approx(
        centred / (near.towers * TOWER + 2 * count * REST), rel=0.01
    )
    assert far.windows == windows_of(count, every_bp, 2 * SHARED_OFFSET_BP) == 4
    of_far = far.towers * TOWER + (far.windows + count) * REST
    assert far.factor == pytest.approx(centred / of_far, rel=0.01)
    said, other = notes.lines()
    assert said.startswith(
        "sharing windows (--max-offset-bp 64, advised for dense sets) would take 2.5×"
    )
    assert other.startswith(
        "sharing windows (--max-offset-bp 8192) would take 4.8× less: 4 windows"
    )


def test_a_mixed_set_saves_flanks_too():
    count, every_bp = 128, 300
    notes = cost_notes([part(count, every_bp, indels=True)], SPEC, MEASURED_ON)
    indels = count // 8
    assert notes.work.indels == indels
    # each moves a flank of its own where windows are centred
    centred = count * (TOWER + 2 * REST) + indels * MOVED_FLANK * TOWER
    near, far = notes.sharing
    for each in (near, far):
        offset_bp = each.max_offset_bp
        sharing = replace(SPEC, conventions=replace(SPEC.conventions, max_offset_bp=offset_bp))
        shared = cost_notes(
            [part(count, every_bp, indels=True, spec=sharing)], sharing, MEASURED_ON
        ).work
        # five gains, half a window each and what their stretch is longer
        assert 2.5 <= shared.flanks <= 2.5 * (1 + every_bp * count / WINDOW_BP)
        of_shared = (shared.towers + shared.flanks) * TOWER + (shared.windows + count) * REST
        assert each.factor == pytest.approx(centred / of_shared, rel=0.01)
    said, other = notes.lines()
    assert (
        f"(--max-offset-bp 64, advised for dense sets) would take {near.factor:.1f}× less" in said
    )
    assert f"(--max-offset-bp 8192) would take {far.factor:.1f}× less: 4 windows instead" in other


@pytest.mark.parametrize("indels", [False, True])
@pytest.mark.parametrize("name", ["cpu-bf16", "cpu", "h100"])
def test_known_hardware_is_advised_by_its_seconds(name, indels):
    speed = known_hardware()[name].fast
    plan = part(128, 300, indels=indels)
    notes = cost_notes([plan], SPEC, MEASURED_ON, speed=speed)
    assert [each.max_offset_bp for each in notes.sharing] == [NEAR_OFFSET_BP, SHARED_OFFSET_BP]
    assert all(each.factor > 2 for each in notes.sharing)
    hours = speed.hours(notes.work, "delta", views=2)
    near = replace(SPEC, conventions=replace(SPEC.conventions, max_offset_bp=NEAR_OFFSET_BP))
    shared = cost_notes([part(128, 300, indels=indels, spec=near)], near, MEASURED_ON, speed=speed)
    hours_shared = speed.hours(shared.work, "delta", views=2)
    assert notes.sharing[0].factor == pytest.approx(hours / hours_shared, abs=0.01)
    # who shares nearly centred windows is told of the others alone
    assert [each.max_offset_bp for each in shared.sharing] == [SHARED_OFFSET_BP]


@pytest.mark.parametrize("indels", [False, True])
def test_variants_far_apart_are_advised_nothing(indels):
    notes = cost_notes([part(40, 2 * WINDOW_BP, indels=indels)], SPEC, MEASURED_ON)
    assert notes.sharing == ()
    assert notes.lines() == []


def test_between_both_it_is_the_smaller_offset_that_is_advised():
    # 20 kb apart windows overlap by nine tenths, but no two variants come to lie in one
    notes = cost_notes([part(60, 20_000)], SPEC, MEASURED_ON)
    (near,) = notes.sharing
    assert near.max_offset_bp == NEAR_OFFSET_BP
    assert near.factor > 2

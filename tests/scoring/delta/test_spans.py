"""Runs of positions, against what lists of the same positions say."""

from hypothesis import given
from hypothesis import strategies as st

from enformer_core.scoring.delta.spans import as_slice, clip, mirrored

spans = st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda ends: range(*sorted(ends)))


def test_by_hand():
    assert clip(range(3, 9), within=range(5, 20)) == slice(0, 4)
    assert clip(range(5), within=range(10, 20)) == slice(0, 0)
    assert mirrored(range(2), 10) == range(8, 10)
    assert as_slice(range(4, 7)) == slice(4, 7)


@given(spans, spans)
def test_a_clipped_span_indexes_what_both_have(span, within):
    both = [position for position in within if position in span]
    assert list(within)[clip(span, within)] == both


@given(spans)
def test_a_mirrored_span_holds_the_same_positions_from_the_other_end(span):
    backwards = list(reversed(range(30)))
    assert sorted(backwards[as_slice(mirrored(span, 30))]) == list(span)

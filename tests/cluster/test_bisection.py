"""The search for bad items, by itself: whatever the items, it finds those that fail and no others."""

from hypothesis import given
from hypothesis import strategies as st

from cluster.bisection import Bisection


def search(items: int, fails) -> tuple[Bisection, int]:
    """Carry out a search; `fails` says whether a range does. How many probes it took."""
    bisection, probes = Bisection.begin(items, "whole"), 0
    while not bisection.is_over:
        probe = bisection.take()
        probes += 1
        if fails(probe):
            bisection.failed(probe, f"reason of {probe.start}")
        else:
            bisection.passed(probe)
    return bisection, probes


@given(
    st.integers(2, 300).flatmap(
        lambda items: st.tuples(st.just(items), st.sets(st.integers(0, items - 1)))
    )
)
def test_just_the_bad_items_are_found(case: tuple[int, set[int]]):
    items, bad = case
    bisection, probes = search(items, lambda probe: bad & set(probe))
    assert bisection.bad == {item: f"reason of {item}" for item in bad}
    assert probes <= 2 + 2 * len(bad) * (items - 1).bit_length()


def test_a_single_bad_item_of_eight_takes_six_probes():
    """Both halves of 8, both of 4, both of 2: the last of them is the item itself."""
    bisection, probes = search(8, lambda probe: 5 in probe)
    assert bisection.bad == {5: "reason of 5"}
    assert probes == 6


def test_items_that_only_fail_together_are_not_blamed():
    bisection, _ = search(8, lambda probe: len(probe) > 4)
    assert bisection.bad == {}
    assert bisection.is_over


def test_the_only_item_needs_no_search():
    bisection, probes = search(1, lambda probe: True)
    assert bisection.bad == {0: "whole"}
    assert probes == 0


def test_items_for_which_nothing_is_computed_are_neither_sound_nor_bad():
    search = Bisection.begin(4, "whole")
    first, second = search.take(), search.take()
    search.passed(first, idle=True)
    search.failed(second, "half")
    assert not search.all_bad
    for item in (2, 3):
        assert search.take() == range(item, item + 1)
        search.failed(range(item, item + 1), "item")
    assert search.is_over
    assert (search.idle, [*search.bad], search.all_bad) == (2, [2, 3], True)


def test_a_search_is_not_over_while_a_probe_is_out():
    bisection = Bisection.begin(2, "whole")
    first, second = bisection.take(), bisection.take()
    assert bisection.take() is None
    bisection.passed(first)
    assert not bisection.is_over
    bisection.passed(second)
    assert bisection.is_over

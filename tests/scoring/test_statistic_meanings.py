"""Every statistic is described, for those who read its values."""

from enformer_core.scoring.statistic_meanings import MEANINGS, meaning_of, with_unit
from enformer_core.scoring.statistics import STATISTICS, is_signed


def test_every_statistic_has_its_meaning_and_sizes_say_that_they_have_no_sign():
    assert MEANINGS.keys() == STATISTICS.keys()
    for name in STATISTICS:
        assert meaning_of(name).endswith("; no sign") != is_signed(name)


def test_a_statistic_that_nobody_has_described_has_its_name():
    assert meaning_of("toy") is None
    assert with_unit("toy") == "toy"
    assert with_unit("js") == "js (nats)"

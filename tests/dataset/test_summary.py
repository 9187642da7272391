"""What receipts come to together: the time at work, the rate, and what audits say where there is no effect."""

import itertools
from dataclasses import replace

import pytest

from enformer_core.dataset.progress import Rate
from enformer_core.dataset.receipts import AuditedAllele, StatisticError
from enformer_core.dataset.summary import WorkTime, audit_lines, summarise_audits


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [
        ([], 1.0),
        ([(0, 0.1)], 1.0),
        ([(0, 10), (5, 20)], 20.0),  # two workers
        ([(0, 10), (12, 20)], 20.0),  # between two shards something is stored
        ([(0, 10), (3600, 3610)], 20.0),  # the command was given again an hour later
        ([(0, 10), (100, 110), (8, 102)], 110.0),  # the third joins them
        ([(0, 100), (10, 20), (30, 40)], 100.0),
    ],
)
def test_pauses_do_not_count_and_each_moment_counts_once(spans, seconds):
    for order in itertools.permutations(spans):
        work = WorkTime()
        for start_s, end_s in order:
            work.add(float(start_s), float(end_s))
        assert work.seconds == seconds


def test_a_rate_is_known_once_something_is_answered():
    assert Rate(0, 10.0).per_second is None
    assert Rate(0, 10.0).seconds_left(5) is None
    assert Rate(20, 10.0).per_second == 2.0
    assert Rate(20, 10.0).seconds_left(5) == 2.5


def audits(*entries):
    return [
        AuditedAllele(f"chr1:{number}:A:C", {"sad": StatisticError(error, norm, 0.02, exceeded)})
        for number, (error, norm, exceeded) in enumerate(entries)
    ]


def test_errors_where_there_is_no_effect_are_told_as_they_are():
    (line,) = audit_lines(summarise_audits(audits((0.01, 1.0, False), (0.003, 0.0, False))))
    assert line == (
        "audit    sad: 2 alleles were scored a second time, the slow and plain way; 1 of 2 audited alleles had "
        "an effect; measured, the scores differ "
        "by 1 % in the median, 1 % at most, and by 0.003 at most for the 1 without an effect"
    )


def test_where_no_allele_has_an_effect_and_one_is_exceeded_both_are_said():
    line, warning = audit_lines(summarise_audits(audits((0.5, 0.0, True), (0.0, 0.0, False))))
    assert line.endswith(
        "the error could not be judged: none of the 2 has an effect (the scores differ by 0.5 at most)"
    )
    assert "*** AUDIT WARNING *** sad: 1 of 2 audited alleles" in warning
    assert "chr1:0:A:C" in warning


def test_where_nothing_has_an_effect_and_nothing_differs_no_error_is_told():
    (line,) = audit_lines(summarise_audits(audits(*[(0.0, 0.0, False)] * 3)))
    assert line.endswith("plain way; the error could not be judged: none of the 3 has an effect")
    (line,) = audit_lines(summarise_audits(audits((0.0, 0.0, False))))
    assert line.endswith("the error could not be judged: the one has no effect")


def test_an_exceeded_bound_fails_a_run_only_where_that_was_asked_for():
    summaries = summarise_audits(audits((0.5, 1.0, True)))
    assert "AUDIT WARNING" in audit_lines(summaries)[-1]
    assert "exit code 4" in audit_lines(summaries)[-1]
    assert "*** AUDIT FAILED ***" in audit_lines(summaries, strict=True)[-1]


def test_what_is_nothing_but_rounding_is_no_effect():
    # errors of 50 times values that are within what rounding can do
    (summary,) = summarise_audits(audits((1e-3, 2e-5, False), (5e-3, 1.0, False))).values()
    assert (summary.without_effect, summary.worst_error) == (1, 5e-3)
    assert summary.worst_absolute_error == 1e-3


def test_the_tolerance_and_the_measures_that_are_out_are_said():
    error = StatisticError(0.5, 1.0, 0.02, True, beyond=("norm", "signs"), tracks=9, tolerance=0.02)
    both = [
        AuditedAllele("chr1:1:A:C", {"sad": error}),
        AuditedAllele("chr1:2:A:C", {"sad": replace(error, beyond=("signs",))}),
    ]
    line, warning = audit_lines(summarise_audits(both))
    assert "; tolerance 2 %" in line
    assert "by more than the tolerance of 2 % (1 by the norm over tracks, 2 by signs" in warning

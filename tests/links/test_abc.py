"""ABC scores by hand: shares of a gene's sum, 1 for its own promoter, nothing where nothing is active."""

import numpy as np

from enformer_core.links.abc import abc_scores

NO = np.zeros(5, dtype=bool)


def test_scores_by_hand():
    # gene 7: numerators 1, 3, 4 of 8; gene 2: 5 of 5 and 0
    scores = abc_scores(
        activity=np.array([2.0, 3.0, 1.0, 10.0, 0.0]),
        contact=np.array([0.5, 1.0, 4.0, 0.5, 9.0]),
        gene=np.array([7, 7, 7, 2, 2]),
        is_self_promoter=NO,
    )
    np.testing.assert_allclose(scores.numerator, [1, 3, 4, 5, 0])
    np.testing.assert_allclose(scores.score, [1 / 8, 3 / 8, 4 / 8, 1, 0])


def test_a_self_promoter_has_1_and_counts_in_the_sum_of_the_others():
    scores = abc_scores(
        activity=np.array([1.0, 3.0, 0.0, 1.0, 1.0]),
        contact=np.ones(5),
        gene=np.array([0, 0, 0, 1, 1]),
        is_self_promoter=np.array([True, False, True, False, False]),
    )
    np.testing.assert_allclose(scores.score, [1, 3 / 4, 1, 1 / 2, 1 / 2])
    np.testing.assert_allclose(scores.numerator, [1, 3, 0, 1, 1])


def test_where_no_element_is_active_there_is_no_score():
    scores = abc_scores(
        activity=np.zeros(5),
        contact=np.ones(5),
        gene=np.array([0, 0, 0, 1, 1]),
        is_self_promoter=np.array([True, False, False, False, False]),
    )
    np.testing.assert_array_equal(scores.score, [1, np.nan, np.nan, np.nan, np.nan])

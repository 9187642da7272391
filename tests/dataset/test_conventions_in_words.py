"""What a run says of how it scored: the defaults too, whether its record names them or not."""

from dataclasses import replace

import pytest

from enformer_core.dataset.conventions_in_words import conventions_in_words
from enformer_core.models.geometry import ENFORMER
from enformer_core.scoring.conventions import Conventions

DEFAULTS = {
    "strands": "both",
    "shifts": "0 bp",
    "indel-rule": "left-fixed",
    "scale": "as predicted",
    "bins": "all",
}


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({}, {}),
        ({"strands": "forward"}, {"strands": "forward"}),
        ({"shifts": (0, 1, -1)}, {"shifts": "0, 1, -1 bp, averaged as predictions"}),
        (
            {"shifts": (0, 1), "average_shifts": "scores"},
            {"shifts": "0, 1 bp, averaged as scores"},
        ),
        ({"indel_rule": "stitched"}, {"indel-rule": "stitched"}),
        ({"unsquash": "old"}, {"scale": "unsquashed, old form"}),
        ({"central_bins": 4}, {"bins": "central 4"}),
        ({"centre_mask_bp": 501}, {"bins": "501 bp around the variant"}),
    ],
)
def test_of_a_record(chosen, said):
    plain = Conventions(geometry=ENFORMER, statistics=("sad",), centre_index=98_303)
    assert conventions_in_words(replace(plain, **chosen).record()) == DEFAULTS | said


def test_a_run_that_scores_no_alleles_says_nothing():
    assert conventions_in_words(None) == {}

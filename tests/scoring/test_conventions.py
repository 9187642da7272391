import pytest

from enformer_core.errors import InputError
from enformer_core.models.geometry import ENFORMER, Geometry
from enformer_core.scoring.conventions import Conventions, parse_statistics, sharing_windows


def conventions(**changes):
    return Conventions(
        **{"geometry": ENFORMER, "statistics": ("sad",), "centre_index": 98_303, **changes}
    )


@pytest.mark.parametrize(
    "good", [{}, {"centre_index": 98_304}, {"shifts": (0, 1, -1)}, {"central_bins": 4}]
)
def test_what_is_published_is_accepted(good):
    conventions(**good)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"centre_index": 98_302}, "choose 98303 or 98304"),
        ({"shifts": ()}, "at least one"),
        ({"shifts": (1, 1)}, "none twice"),
        ({"average_shifts": "scores"}, "of one shift that is no average"),
        ({"shifts": (57_345,)}, "the most is 57344"),
        ({"central_bins": 0}, "between 1 and 896"),
        ({"centre_mask_bp": 0}, "between 1 and 57344"),
        ({"centre_mask_bp": 501, "central_bins": 4}, "give one"),
        ({"central_bins": 897}, "between 1 and 896"),
    ],
)
def test_what_cannot_be_done_is_refused(bad, message):
    with pytest.raises(InputError, match=message):
        conventions(**bad)


@pytest.mark.parametrize(
    ("central", "expected"),
    [(None, (0, 896)), (896, (0, 896)), (4, (446, 450)), (3, (447, 450)), (1, (448, 449))],
)
def test_central_bins_are_cut_as_sonnet_sad_cuts_them(central, expected):
    bins = conventions(central_bins=central).scored_bins()
    assert (bins.start, bins.stop) == expected


@pytest.mark.parametrize(
    ("centre_index", "mask_bp", "expected"),
    [
        (98_303, 501, (445, 449)),
        (98_304, 501, (446, 450)),
        (98_303, 2001, (439, 455)),
        (98_303, 1, (447, 448)),
    ],
)
def test_a_mask_lies_around_the_variants_own_bin(centre_index, mask_bp, expected):
    bins = conventions(centre_index=centre_index, centre_mask_bp=mask_bp).scored_bins()
    assert (bins.start, bins.stop) == expected


def test_the_halves_are_stitched_where_the_change_begins():
    assert conventions().stitch_bin() == 448
    assert conventions(centre_index=98_304).stitch_bin() == 448


def test_statistics_are_known_by_name():
    assert parse_statistics(["sad", "js", "sad"]) == ("sad", "js")
    with pytest.raises(InputError, match=r"'logsad'.*did you mean log_sad"):
        parse_statistics(["logsad"])


def test_bins_follow_a_variant_off_the_centre():
    shared = conventions(centre_mask_bp=501, max_offset_bp=1000)
    assert shared.scored_bins(0) == slice(445, 449)
    assert shared.scored_bins(1) == slice(446, 450)
    assert shared.scored_bins(-128) == slice(444, 448)
    assert conventions(central_bins=4).scored_bins(256) == slice(448, 452)
    assert conventions().scored_bins(256) == slice(0, 896)
    assert shared.stitch_bin(128) == 449


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"max_offset_bp": 63}, "give 0 .* or at least 64"),
        ({"max_offset_bp": 1}, "give 0 .* or at least 64"),
        ({"max_offset_bp": -64}, "give 0 .* or at least 64"),
        ({"max_offset_bp": 57_345}, "move the variant out of the predicted bins"),
        (
            {"max_offset_bp": 57_300, "shifts": (0, -50)},
            "move the variant out of the predicted bins",
        ),
        ({"max_offset_bp": 20_000, "central_bins": 800}, "leave the 896 predicted ones"),
    ],
)
def test_offsets_that_no_window_can_serve(how, message):
    with pytest.raises(InputError, match=message):
        conventions(**how)


def test_an_offset_is_told_by_tokens_where_bins_are_smaller():
    geometry = Geometry(window_bp=128 * 48, bin_bp=32, bins=82, bins_per_token=4)
    how = {"geometry": geometry, "centre_index": 3_071}
    with pytest.raises(InputError, match=r"every 128 bp .* give 0 .* or at least 64"):
        conventions(**how, max_offset_bp=32)
    assert sharing_windows(conventions(**how), 2_000).max_offset_bp == 1_000
    # 78 of the 82 bins leave room for 64 bp to either side, which is less than half a token
    masked = conventions(**how, central_bins=78)
    assert sharing_windows(masked, 2_000).max_offset_bp == 0


def test_the_largest_offset_is_half_the_output():
    conventions(max_offset_bp=57_344)


def test_what_is_recorded_are_the_choices_and_not_the_geometry():
    recorded = conventions(shifts=(0, 1)).record()
    assert "geometry" not in recorded
    assert recorded["shifts"] == (0, 1)
    assert Conventions(geometry=ENFORMER, **recorded) == conventions(shifts=(0, 1))


@pytest.mark.parametrize(
    ("how", "views"),
    [({}, 2), ({"strands": "forward"}, 1), ({"shifts": (-1, 0, 1)}, 6)],
)
def test_predictions_are_averaged_over_strands_and_shifts(how, views):
    assert conventions(**how).views == views


def test_either_predictions_or_scores_are_averaged_over_shifts():
    shifts = {"shifts": (0, 1, -1)}
    of_predictions, of_scores = (
        conventions(**shifts, average_shifts=which) for which in ("predictions", "scores")
    )
    assert (of_predictions.averaged_shifts, of_predictions.scored_shifts) == ((0, 1, -1), (0,))
    assert (of_scores.averaged_shifts, of_scores.scored_shifts) == ((0,), (0, 1, -1))
    # passes are as many
    assert of_predictions.views == of_scores.views == 6


def test_later_choices_are_recorded_where_they_are_made():
    usual = conventions(shifts=(0, 1)).record()
    assert not {"average_shifts", "unsquash"} & usual.keys()
    made = {"average_shifts": "scores", "unsquash": "old"}
    assert conventions(shifts=(0, 1), **made).record() == usual | made


def test_an_offset_is_counted_from_the_centre_index():
    assert conventions().offset_bp(100_000, 100_000 - 98_303) == 0
    assert conventions(centre_index=98_304).offset_bp(100_000, 100_000 - 98_303) == -1


def test_no_conventions_name_an_unknown_statistic():
    with pytest.raises(InputError, match=r"unknown statistic 'logsad'.*did you mean log_sad"):
        conventions(statistics=("sad", "logsad"))

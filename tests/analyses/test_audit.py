"""An audit sees what the norm over tracks does not: weak tracks, signs, what storing takes away."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from enformer_core.analyses.audit import DirectAuditor
from enformer_core.dataset.receipts import StatisticError
from enformer_core.scoring.direct import DirectScorer
from enformer_core.scoring.windows import Allele
from enformer_core.variants.audit_sample import Drawn

TRACKS = 1000
ALLELE = Allele("c", 9, "A", "C")
TOLERANCE = 0.02

Values = Float[np.ndarray, " tracks"]


class Told(DirectScorer):
    """Plain passes that come to what they are told: one bin, a reference of 1 in each track."""

    def __init__(self, truth: Values) -> None:
        self.truth = torch.from_numpy(truth)[None]
        self.asked: list[torch.dtype] = []

    def in_dtype(self, dtype: torch.dtype) -> "Told":
        self.asked.append(dtype)
        return self

    def paired_profiles(self, allele: Allele, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        yield torch.ones_like(self.truth), self.truth


@pytest.fixture
def truth() -> Values:
    """Differences whose sizes spread over four orders, the weakest first, and of either sign."""
    sizes = np.geomspace(1e-4, 1.0, TRACKS)
    return sizes * np.where(np.arange(TRACKS) % 2, 1.0, -1.0)


def found(truth: Values, answer: Values, bits: int = 23) -> StatisticError:
    auditor = DirectAuditor(Told(truth), TOLERANCE, bits)
    return auditor.compare(ALLELE, 0, {"sad": answer}).statistics["sad"]


def test_what_is_right_is_within_every_bound(truth: Values) -> None:
    error = found(truth, truth * 1.01)
    assert error.tracks == TRACKS
    assert error.median_track_error == pytest.approx(0.01, rel=1e-3)
    assert (error.wrong_signs, error.exceeded, error.beyond) == (0, False, ())


def test_signs_of_weak_tracks_are_seen_though_the_norm_hides_them(truth: Values) -> None:
    answer = truth.copy()
    answer[:21] *= -1  # a tolerance of the tracks, and one more
    assert found(truth, answer).beyond == ()
    answer[21] = 0.0  # no sign is a wrong one
    error = found(truth, answer)
    assert error.error is not None
    assert error.error < TOLERANCE / 100 * error.norm
    assert (error.wrong_signs, error.beyond, error.exceeded) == (22, ("signs",), True)


def test_errors_of_most_tracks_are_seen_though_the_norm_hides_them(truth: Values) -> None:
    answer = truth.copy()
    answer[:500] *= 1.1
    assert found(truth, answer).beyond == ()
    answer[500] *= 1.1
    error = found(truth, answer)
    assert error.error is not None
    assert error.error < TOLERANCE * error.norm
    assert (error.beyond, error.exceeded) == (("tracks",), True)


def test_the_norm_is_held_to_its_bound(truth: Values) -> None:
    answer = truth.copy()
    answer[-1] += 0.021 * np.linalg.norm(truth)
    assert found(truth, answer).beyond == ("norm",)
    answer[0] = np.nan
    error = found(truth, answer)
    assert (error.error, error.exceeded) == (None, True)  # of no number nothing is within a bound


def test_tracks_whose_effect_rounding_could_make_are_not_looked_at(truth: Values) -> None:
    floor = 2.0**-20
    small = np.full(TRACKS, floor / 2)
    small[:2] = 2 * floor
    answer = small.copy()
    answer[:2] *= -1
    error = found(small, answer)
    assert error.tracks == 2
    assert error.wrong_signs == 2
    assert error.beyond == ("tracks", "signs")  # the norm's bound is rounding of a thousand tracks
    none = found(small[2:], -small[2:])
    assert (none.tracks, none.median_track_error, none.exceeded) == (0, None, False)
    assert none.bound == pytest.approx(floor * np.sqrt(TRACKS - 2), rel=0.1)


class Flat(Told):
    """Plain passes over two bins that are the same before and after, but for what rounding leaves."""

    def paired_profiles(self, allele: Allele, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        r = torch.ones(2, len(self.truth[0]), dtype=torch.float64)
        d = torch.zeros_like(r)
        d[0] = 1e-10
        yield r, d


class Peak(Flat):
    """The same with a peak beside which the other bin is nothing: its shape cannot change."""

    def paired_profiles(self, allele: Allele, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        for r, d in super().paired_profiles(allele, start):
            r[1] = 1e-12
            yield r, d


class Paired(Told):
    """Two pairings, of which the second comes to three times the first."""

    def paired_profiles(self, allele: Allele, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        for r, d in super().paired_profiles(allele, start):
            yield r, d / 2
            yield r, 1.5 * d


def test_the_mean_over_pairings_is_held_against_theirs(truth: Values) -> None:
    auditor = DirectAuditor(Paired(truth), TOLERANCE)
    error = auditor.compare(ALLELE, 0, {"sad": truth}).statistics["sad"]
    assert not error.exceeded
    assert error.error is not None
    assert error.error < 1e-6 * error.norm
    assert error.bound == found(truth, truth).bound


@pytest.mark.parametrize("passes", [Flat, Peak])
def test_shapes_that_rounding_could_make_are_no_effects(passes: type[Told]) -> None:
    auditor = DirectAuditor(passes(np.zeros(5)), TOLERANCE)
    error = auditor.compare(ALLELE, 0, {"js": np.full(5, 1e-17)}).statistics["js"]
    assert 0 < error.norm < 1e-17
    assert (error.tracks, error.exceeded) == (0, False)
    assert error.norm < error.bound


def test_values_are_compared_as_they_are_stored(truth: Values) -> None:
    whole, few = found(truth, truth), found(truth, truth, bits=3)
    assert whole.median_track_error is not None
    assert whole.median_track_error < 1e-7  # float32
    assert few.median_track_error is not None
    assert 0.01 < few.median_track_error < 2.0**-4
    assert not few.exceeded  # whoever keeps three bits is not told of the rest
    assert found(truth, truth * 1.2, bits=3).exceeded


def test_the_plan_says_against_what_an_allele_is_held(truth: Values) -> None:
    direct = Told(truth)
    auditor = DirectAuditor(direct, TOLERANCE)
    wide = auditor.compare(ALLELE, 0, {"sad": truth}, Drawn(("snv", "contig_end"), in_float64=True))
    plain = auditor.compare(ALLELE, 0, {"sad": truth}, Drawn())
    assert direct.asked == [torch.float64, torch.float32]
    assert (wide.yardstick, plain.yardstick) == ("float64", "float32")
    assert wide.kinds == ("snv", "contig_end")
    assert wide.variant == "c:10:A:C"
    assert wide.seconds >= 0


def test_of_replicates_the_mean_is_held_against_the_mean(truth: Values) -> None:
    others = [Told(truth * part) for part in (0.5, 1.8)]
    auditor = DirectAuditor(Told(truth), TOLERANCE, 23, others)
    mean = truth * (1 + 0.5 + 1.8) / 3
    for answer, exceeded in ((mean * 1.01, False), (truth, True), (mean * 1.05, True)):
        error = auditor.compare(ALLELE, 0, {"sad": answer}).statistics["sad"]
        assert error.exceeded == exceeded
        assert error.norm == pytest.approx(float(np.linalg.norm(mean)))

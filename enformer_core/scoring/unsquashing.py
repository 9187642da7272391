"""What becomes of a prediction and of a difference when roots and soft clips of training are undone.

A score by differences knows alt − ref better than either prediction: brought back one by one and subtracted, small
effects would be lost again. Each rule here makes the difference of what `unsquashed` makes, without cancellation.
Loads torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from enformer_core.models.tracks.squashing import Form, Squashing, unsquashed
from enformer_core.scoring.statistics import Profile

OfTracks = Float[Tensor, " tracks"]


@dataclass(frozen=True)
class Unsquashing:
    """How some tracks are brought back to the scale of their data.

    Attributes:
        squashings: of each track.
        form: of the transform.
    """

    squashings: tuple[Squashing, ...]
    form: Form

    def prediction(self, r: Profile) -> Profile:
        """A prediction, averaged and non-negative, brought back."""
        return unsquashed(r, self.squashings, self.form)

    def difference(self, r: Profile, d: Profile) -> Profile:
        """u(r + d) − u(r), where `prediction` makes u(r) of r, with the digits that d has.

        Args:
            r: the reference's prediction, averaged.
            d: alt − ref.
        """
        # d may have digits that r has not: it is in float64 where a prediction falls to almost nothing
        r = r.to(torch.promote_types(r.dtype, d.dtype))
        if self.form == "old":
            scale = self._of_tracks(self._scales, r)
            w, change = _powers_unclipped(r / scale, d / scale, self._of_tracks(self._clips, r))
            powered = _power_difference(w, change)
            return torch.where(self._rooted_there(r), powered, change) * scale
        w, change = _roots_unclipped(r, d, self._of_tracks(self._clips, r))
        # of u(x) = x (x + 2)
        rooted = change * (2 * (w + 1) + change)
        return torch.where(self._rooted_there(r), rooted, change)

    @cached_property
    def _clips(self) -> np.ndarray:
        return _in_float64([_clip_of(one) for one in self.squashings])

    @cached_property
    def _scales(self) -> np.ndarray:
        return _in_float64([one.scale for one in self.squashings])

    def _rooted_there(self, like: Tensor) -> Bool[Tensor, " tracks"]:
        return torch.as_tensor(self._rooted, device=like.device)

    @cached_property
    def _rooted(self) -> np.ndarray:
        return np.array([one.rooted for one in self.squashings])

    def _of_tracks(self, values: np.ndarray, like: Tensor) -> OfTracks:
        return torch.as_tensor(values, dtype=like.dtype, device=like.device)


class LastUnsquashed:
    """Brings pairs of profiles back, and a reference once for the alts that come with it one after another.

    Args:
        unsquashing: how; None leaves profiles as they are.
    """

    def __init__(self, unsquashing: Unsquashing | None) -> None:
        self._unsquashing = unsquashing
        self._last: tuple[Profile, Profile] | None = None

    def of(self, r: Profile, d: Profile) -> tuple[Profile, Profile]:
        """A reference's averaged prediction and alt − ref on the scale of the data.

        Args:
            r: nobody changes it meanwhile: the same one is the same object, and so is what comes of it.
            d: alt − ref.
        """
        if self._unsquashing is None:
            return r, d
        if self._last is None or self._last[0] is not r:
            self._last = (r, self._unsquashing.prediction(r))
        return self._last[1], self._unsquashing.difference(r, d)


def _clip_of(squashing: Squashing) -> float:
    return float("inf") if squashing.clip_soft is None else squashing.clip_soft


def _in_float64(values: Sequence[float]) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def _excess_change(above: Profile, d: Profile) -> Profile:
    """max(g + d, 0) − max(g, 0), of g = x − clip."""
    # g = 3: d down to −3 counts, and no further. g = −3: what d has beyond 3.
    return torch.where(above >= 0, torch.maximum(d, -above), (d + above).clamp(min=0))


def _below_change(above: Profile, d: Profile) -> Profile:
    """min(g + d, 0) − min(g, 0): the rest of d."""
    return torch.where(above >= 0, (d + above).clamp(max=0), torch.minimum(d, -above))


def _roots_unclipped(x: Profile, d: Profile, clip: OfTracks) -> tuple[Profile, Profile]:
    """Of v(x) = min(x, c) + 2 e + e², e = max(x − c, 0), the value and the difference."""
    above = x - clip
    excess = above.clamp(min=0)
    change = _excess_change(above, d)
    v = torch.minimum(x, clip) + excess * (2 + excess)
    # (d − Δe) + 2 Δe + Δe (2 e + Δe)
    return v, d + change * (1 + 2 * excess + change)


def _powers_unclipped(x: Profile, d: Profile, clip: OfTracks) -> tuple[Profile, Profile]:
    """Of v(x) = min(x, c) + e² the value and the difference."""
    above = x - clip
    excess = above.clamp(min=0)
    change = _excess_change(above, d)
    v = torch.minimum(x, clip) + excess**2
    return v, _below_change(above, d) + change * (2 * excess + change)


def _power_difference(x: Profile, d: Profile) -> Profile:
    """(x + d)^(4/3) − x^(4/3), of x from 0 on; what x + d has below 0 counts as 0."""
    power = 4 / 3
    x = x.clamp(min=0)
    # where x doubles or is halved nothing cancels, and a share of 0 or beyond −1 would be no number
    is_small = d.abs() < x / 2
    share = torch.where(is_small, d / x, 0)
    small = x**power * torch.expm1(power * torch.log1p(share))
    large = (x + d).clamp(min=0) ** power - x**power
    return torch.where(is_small, small, large)

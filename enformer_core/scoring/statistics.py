"""Statistics of the difference between two predictions, each a number per track.

Everything is taken from the reference prediction r and the difference d = alt − ref, so that an engine which knows d
more exactly than the difference of two rounded predictions loses nothing. Sums run in float64. Sources: calico/basenji,
bin/basenji_sad.py:455-566 (sad to js); google-deepmind/alphagenome, variant_scorers.py (log_ratio).
"""

from collections.abc import Callable, Sequence
from math import log

import torch
from jaxtyping import Float
from torch import Tensor

from enformer_core.scoring.conventions import Statistic

Profile = Float[Tensor, "bins tracks"]
PerTrack = Float[Tensor, " tracks"]


def _sum(values: Profile) -> PerTrack:
    """Sum over bins, in float64."""
    return values.sum(dim=0, dtype=torch.float64)


def _log_difference(r: Profile, d: Profile) -> Profile:
    """log2(1 + r + d) − log2(1 + r), without cancellation."""
    return torch.log1p(d / (1 + r)) / log(2.0)


def sad(r: Profile, d: Profile) -> PerTrack:
    """Sum over bins of alt − ref."""
    del r
    return _sum(d)


def log_sad(r: Profile, d: Profile) -> PerTrack:
    """Sum over bins of log2(1 + alt) − log2(1 + ref)."""
    return _sum(_log_difference(r, d))


def d1(r: Profile, d: Profile) -> PerTrack:
    """Sum over bins of |alt − ref|."""
    del r
    return _sum(d.abs())


def log_d1(r: Profile, d: Profile) -> PerTrack:
    """Sum over bins of |log2(1 + alt) − log2(1 + ref)|."""
    return _sum(_log_difference(r, d).abs())


def d2(r: Profile, d: Profile) -> PerTrack:
    """Root of the sum over bins of (alt − ref)²."""
    del r
    return torch.linalg.vector_norm(d, dim=0, dtype=torch.float64)


def log_d2(r: Profile, d: Profile) -> PerTrack:
    """Root of the sum over bins of (log2(1 + alt) − log2(1 + ref))²."""
    return torch.linalg.vector_norm(_log_difference(r, d), dim=0, dtype=torch.float64)


def sax(r: Profile, d: Profile) -> PerTrack:
    """alt − ref, signed, in the bin where it is largest in size; the first such bin on a tie."""
    del r
    return d.gather(0, d.abs().argmax(dim=0, keepdim=True)).squeeze(0).double()


def js(r: Profile, d: Profile) -> PerTrack:
    """Half the sum of both Kullback-Leibler divergences, in nats, of the profiles over bins.

    The 25th percentile of ref over bins is added to both before they are made to sum to 1. (basenji calls it JS; it is
    not the Jensen-Shannon divergence.)
    """
    r, d = r.double(), d.double()
    pseudocount = torch.quantile(r, 0.25, dim=0)
    ref = r + pseudocount
    alt = ref + d
    ref, alt = ref / ref.sum(dim=0), alt / alt.sum(dim=0)
    # KL(ref, alt) + KL(alt, ref) = Σ (alt − ref) (log alt − log ref), every term of which is non-negative
    return 0.5 * ((alt - ref) * (alt / ref).log()).sum(dim=0)


def log_ratio(r: Profile, d: Profile) -> PerTrack:
    """log2(1 + Σ alt) − log2(1 + Σ ref)."""
    return torch.log1p(_sum(d) / (1 + _sum(r))) / log(2.0)


_FORMULAS: dict[Statistic, Callable[[Profile, Profile], PerTrack]] = {
    "sad": sad,
    "log_sad": log_sad,
    "d1": d1,
    "log_d1": log_d1,
    "d2": d2,
    "log_d2": log_d2,
    "sax": sax,
    "js": js,
    "log_ratio": log_ratio,
}


def compute(
    reference: Profile, difference: Profile, statistics: Sequence[Statistic]
) -> dict[Statistic, Float[Tensor, " tracks"]]:
    """Statistics by name, in float64, over the bins given; single bins are treated in the precision given.

    Args:
        reference: prediction of the reference allele, non-negative.
        difference: prediction of the alternate allele minus `reference`.
        statistics: names, as in `enformer_core.scoring.conventions.STATISTICS`.
    """
    return {name: _FORMULAS[name](reference, difference) for name in statistics}

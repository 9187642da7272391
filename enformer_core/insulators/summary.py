"""What a run of insulators came to: each statistic of boundaries against their controls, and the mean maps of both.

Made of the run's tables, however far it is. Does not know how they were computed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from enformer_core.insulators.attention import (
    ACROSS,
    AT,
    AttentionMap,
    Contrast,
    MeanMap,
    contrast,
)

KINDS = {"boundary": "boundaries", "control": "controls"}
"""What places of a kind are called together."""

# attention has 24 bits: sums of it agree to some 1e-6 of their size
_ROUNDING_LOG2 = 1e-5


@dataclass(frozen=True)
class LayerContrast:
    """One statistic of one layer.

    Attributes:
        layer: counted from 1; None for the mean over layers.
        statistic: `across` or `at`.
        contrast: what it came to.
    """

    layer: int | None
    statistic: str
    contrast: Contrast


def contrasts(
    insulation: pl.DataFrame,
    *,
    draws: int = 1_000,
    seed: int = 0,
) -> Iterator[LayerContrast]:
    """Both statistics for the mean over layers, then for each layer.

    A boundary counts once, with the mean of its controls; without one that was computed it does not count.

    Args:
        insulation: the run's table.
        draws: of boundaries with their controls, for the interval.
        seed: which draws they are.

    Raises:
        InputError: where no boundary has a control.
    """
    computed = insulation.filter(pl.col("status") == "ok")
    # of a table without a row the mean is asked for all the same: it says what is missing
    layers = computed["layer"].unique().sort(nulls_last=False).to_list()
    for layer in layers or [None]:
        is_of_layer = pl.col("layer").eq_missing(layer)
        of_layer = computed.filter(is_of_layer)
        for statistic in (ACROSS, AT):
            pairs = _pairs(of_layer, statistic)
            found = contrast(pairs, draws=draws, seed=seed)
            yield LayerContrast(layer, statistic, found)


def _pairs(places: pl.DataFrame, statistic: str) -> np.ndarray:
    """Of each boundary its own value, and the mean of its controls; in the order of names."""
    value = pl.col(statistic).cast(pl.Float64)
    means = []
    for kind in KINDS:
        is_of_kind = pl.col("kind") == kind
        by_boundary = places.filter(is_of_kind).group_by("boundary")
        means.append(by_boundary.agg(value.mean()))
    own, others = means
    joined = own.join(others, on="boundary", suffix="_controls")
    # groups come in any order, and the interval's draws depend on it
    both = joined.sort("boundary")
    return both.select(statistic, f"{statistic}_controls").to_numpy()


def is_same_everywhere(insulation: pl.DataFrame) -> bool:
    """Whether in each layer all places, boundaries and controls, have one value of both statistics, rounding aside.

    Args:
        insulation: the run's table.
    """
    computed = insulation.filter(pl.col("status") == "ok")
    by_layer = computed.group_by("layer").agg(
        (pl.col(statistic).max() - pl.col(statistic).min()).alias(statistic)
        for statistic in (ACROSS, AT)
    )
    spread = by_layer.select(ACROSS, AT).to_numpy()
    return bool((spread <= _ROUNDING_LOG2).all())


def mean_maps(rows: Iterable[Mapping[str, object]]) -> dict[str, AttentionMap]:
    """The mean map of all boundaries, and of all controls; of a kind without any there is none.

    Args:
        rows: of the run's table of maps, one after another.
    """
    means = {name: MeanMap() for name in KINDS.values()}
    for row in rows:
        if row["values"] is None:
            continue
        # a map is stored as a list, row behind row
        pixels = np.asarray(row["values"], dtype=np.float64)
        side = round(pixels.size**0.5)
        kind = KINDS[str(row["kind"])]
        means[kind].add(pixels.reshape(side, side))
    return {name: mean.mean() for name, mean in means.items() if mean.maps}

"""What came of pairs as rows of the table `links`. Loads no torch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float64

from enformer_core.analyses.link_spec import LinkSpec
from enformer_core.dataset.schemas import links_schema
from enformer_core.variants.table import Status

OfGroups = Float64[np.ndarray, " groups"]


@dataclass(frozen=True)
class PairOutcome:
    """What came of one planned pair.

    Attributes:
        scores: each column's value for each group; nothing where the pair failed.
        failure: why it did.
    """

    scores: Mapping[str, OfGroups] = field(default_factory=dict)
    failure: str | None = None

    @classmethod
    def checked(cls, scores: Mapping[str, OfGroups]) -> "PairOutcome":
        """Scores that are all finite, or the failure of the pair."""
        for name, values in scores.items():
            if not np.isfinite(values).all():
                return cls(failure=f"{name} is not finite")
        return cls(scores)


def link_table(
    pairs: Sequence[Mapping[str, Any]], outcomes: Sequence[PairOutcome], spec: LinkSpec
) -> pa.Table:
    """A row for each pair and group, whether there are values or not.

    Args:
        pairs: rows of the plan.
        outcomes: of each.
        spec: groups and scores.
    """
    rows = [
        row
        for pair, outcome in zip(pairs, outcomes, strict=True)
        for row in _rows(pair, outcome, spec)
    ]
    # a column that a row lacks is null there; what the plan has beyond the schema is left out
    return pa.Table.from_pylist(rows, schema=links_schema(spec.columns))


def _rows(
    pair: Mapping[str, Any], outcome: PairOutcome, spec: LinkSpec
) -> Iterator[dict[str, Any]]:
    status = Status.OK if outcome.failure is None else Status.FAILED
    for number, group in enumerate(spec.groups):
        yield {
            **pair,
            "group": group.name,
            "status": status,
            "reason": outcome.failure,
            **{name: of_groups[number] for name, of_groups in outcome.scores.items()},
        }

"""What came of pairs as rows of the table `links`. Loads no torch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from jaxtyping import Float64

from enformer_core.analyses.link_spec import LinkSpec
from enformer_core.analyses.planned_rows import PlannedPair
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
            is_finite = np.isfinite(values)
            # a pair with some of its scores would be judged by those alone
            if not is_finite.all():
                return cls(failure=f"{name} is not finite")
        return cls(scores)


def link_table(
    pairs: Sequence[PlannedPair],
    outcomes: Sequence[PairOutcome],
    spec: LinkSpec,
) -> pa.Table:
    """A row for each pair and group, whether there are values or not.

    Args:
        pairs: rows of the plan.
        outcomes: of each.
        spec: groups and scores.
    """
    rows: list[dict[str, object]] = []
    for pair, outcome in zip(pairs, outcomes, strict=True):
        rows += _rows(pair, outcome, spec)
    # a column that a row lacks is null there; what the plan has beyond the schema is left out
    return pa.Table.from_pylist(rows, schema=links_schema(spec.columns))


def _rows(
    pair: PlannedPair,
    outcome: PairOutcome,
    spec: LinkSpec,
) -> Iterator[dict[str, object]]:
    """The rows of one pair: what its plan has, what became of it, and the scores of each group."""
    # whatever is planned is to be scored: a failure alone can be in the way
    status = Status.OK if outcome.failure is None else Status.FAILED
    for number, group in enumerate(spec.groups):
        scores = {name: of_groups[number] for name, of_groups in outcome.scores.items()}
        yield {
            **pair,
            "group": group.name,
            "status": status,
            "reason": outcome.failure,
            **scores,
        }

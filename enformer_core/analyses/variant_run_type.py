"""Runs of `enformer-ray score` as they lie in their directory: tables, keys and statuses.

Apart from `variant_effects`, so that whoever asks a run how far it is loads nothing that plans or scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset.codec import convert
from enformer_core.dataset.keys import RUN_KEY
from enformer_core.dataset.run import Run
from enformer_core.dataset.run_type import RunType, ValueTable
from enformer_core.dataset.schemas import EFFECTS_ORDER, KEY_COLUMNS, spread_of


class VariantEffectsType(RunType):
    """Runs of `enformer-ray score`, as they lie in their directory."""

    name = "variants"
    unit = "alleles"
    proof = "each with its one row"
    plan_keys = KEY_COLUMNS
    value_tables: ClassVar[tuple[ValueTable, ...]] = (ValueTable("scores", KEY_COLUMNS),)
    derived_tables = ("effects",)

    def expected_keys(
        self,
        table: ValueTable,
        planned: pa.Table,
    ) -> pa.Table:
        """One row for each planned allele."""
        # repeats of an allele have rows of their own
        keys = planned.select(list(table.key_columns))
        return keys.append_column("row", pa.array(np.arange(planned.num_rows)))

    def statuses(
        self,
        planned: pa.Table,
        stored: pa.Table,
    ) -> pa.ChunkedArray:
        """What became of each allele, as `scores` says it."""
        # the one table that decides: a row of it answers a row of the plan
        del planned
        return stored["status"]

    def value_columns(
        self,
        table: ValueTable,
        run: Run,
    ) -> Sequence[str]:
        """The columns of lists: one for each statistic."""
        del table
        # not the whole identity, to which later releases have added fields
        identity = convert(run.identity, _HasConventions, RUN_KEY)
        return identity.conventions.statistics

    def spread_columns(
        self,
        table: ValueTable,
        run: Run,
    ) -> Sequence[str]:
        """One for each value, where the run is the mean of several replicates."""
        if not has_spread(run):
            return ()
        return [spread_of(name) for name in self.value_columns(table, run)]

    @property
    def can_be_put_together(self) -> bool:
        """Effects are told by their alleles."""
        return True

    def merge_derived(self, name: str, tables: Sequence[pa.Table]) -> pa.Table:
        """The effects of several shards, sorted as those of one."""
        del name
        return pa.concat_tables(tables).sort_by(EFFECTS_ORDER)

    def derived_rows(self, name: str, derived: pa.Table, values: pa.Table) -> pa.Table:
        """The effects of these alleles; one allele never stands in two shards."""
        del name
        # of a table that is sorted, every part is
        return derived.filter(
            pc.is_in(derived["variant_id"], values["variant_id"].combine_chunks())
        )


def has_spread(run: Run) -> bool:
    """Whether a run's values are the mean of several replicates, whose spread stands beside it."""
    return run.typed_identity.model.models > 1


@dataclass(frozen=True)
class _HasStatistics:
    statistics: tuple[str, ...]


@dataclass(frozen=True)
class _HasConventions:
    """What `value_columns` reads of an identity that any release has written."""

    conventions: _HasStatistics

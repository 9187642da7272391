"""Runs of `enformer-ray links` as they lie in their directory: their table and its keys. Loads no torch."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from enformer_core.analyses.link_spec import columns_of
from enformer_core.analyses.several_rows import SeveralRowsType, keys_of_entries
from enformer_core.dataset.codec import convert
from enformer_core.dataset.keys import RUN_KEY
from enformer_core.dataset.run import Run
from enformer_core.dataset.run_type import ValueTable

# a gene may have several TSSs, and two genes one name
_PAIR = ("gene", "gene_id", "tss", "start", "end")

LINKS = ValueTable("links", (*_PAIR, "group"))


@dataclass(frozen=True)
class _HasScores:
    """What is read of an identity to know its columns."""

    scores: tuple[str, ...]


class LinksType(SeveralRowsType):
    """Pairs of a gene and an element, with what a model says of them."""

    name = "links"
    unit = "pairs"
    proof = "each with a row for every group"
    plan_keys = ("chrom", *_PAIR)
    value_tables = (LINKS,)

    def expected_keys(
        self,
        table: ValueTable,
        planned: pa.Table,
    ) -> pa.Table:
        """One row for each group of a pair."""
        del table
        # two pairs with groups a, b: rows 0 0 1 1 and groups a b a b
        groups = planned["groups"].combine_chunks()
        return keys_of_entries(planned, _PAIR, groups, "group")

    def value_columns(
        self,
        table: ValueTable,
        run: Run,
    ) -> Sequence[str]:
        """The scores that were asked for, a number each."""
        del table
        identity = convert(run.identity, _HasScores, RUN_KEY)
        return columns_of(identity.scores)

"""Runs of `enformer-ray score --genes` as they lie in their directory: those of `score`, with a table more.

Apart from `gene_effects`, so that whoever asks a run how far it is loads nothing that plans or scores.
"""

from collections.abc import Sequence

import pyarrow as pa

from enformer_core.analyses.several_rows import keys_of_entries
from enformer_core.analyses.variant_run_type import VariantEffectsType
from enformer_core.dataset.run import Run
from enformer_core.dataset.run_type import ValueTable
from enformer_core.dataset.schemas import GENE_VALUES, KEY_COLUMNS

GENE_EFFECTS = "gene_effects"

GENE_IDS = "gene_ids"
"""Column of a plan: identifiers of the genes in reach of each allele."""


class GeneEffectsType(VariantEffectsType):
    """Runs of `enformer-ray score --genes`, as they lie in their directory."""

    # a kind of its own: whether a shard has the table must not hang on its settings
    name = "variants_and_genes"
    value_tables = (
        *VariantEffectsType.value_tables,
        ValueTable(GENE_EFFECTS, (*KEY_COLUMNS, "gene_id")),
    )

    def expected_keys(
        self,
        table: ValueTable,
        planned: pa.Table,
    ) -> pa.Table:
        """Of `gene_effects`, a row for each planned allele and gene; of `scores`, one for each allele."""
        if table.name == GENE_EFFECTS:
            return gene_rows(planned)
        return super().expected_keys(table, planned)

    def value_columns(
        self,
        table: ValueTable,
        run: Run,
    ) -> Sequence[str]:
        """The columns of lists: of a gene, its ratio and its difference."""
        if table.name == GENE_EFFECTS:
            return GENE_VALUES
        return super().value_columns(table, run)

    def computed_columns(
        self,
        table: ValueTable,
        run: Run,
    ) -> Sequence[str]:
        """The lists, their spread, and the strongest track of each."""
        lists = self.value_columns(table, run)
        # they follow from the lists, so that without these they would contradict them
        sizes = [f"max_abs_{name}" for name in lists]
        tracks = [f"max_abs_{name}_track" for name in lists]
        return [*self.list_columns(table, run), *sizes, *tracks]


def gene_rows(planned: pa.Table) -> pa.Table:
    """The keys of `gene_effects` for rows of a plan, and `row`: which of them each answers.

    Genes [a b] [] [c] of three alleles come to keys of a, b and c, and rows 0, 0 and 2.
    """
    # null where an allele is not scored: then it has no gene either
    genes = planned[GENE_IDS].combine_chunks()
    return keys_of_entries(planned, KEY_COLUMNS, genes, "gene_id")

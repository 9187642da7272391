"""The table `gene_effects`: a row for each allele and gene in reach, with what the one does to the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from enformer_core.analyses.gene_run_type import GENE_IDS
from enformer_core.analyses.value_columns import value_columns
from enformer_core.dataset.schemas import GENE_VALUES, gene_effects_schema
from enformer_core.scoring.gene_bins import GeneBins, GeneReach
from enformer_core.scoring.gene_effect import GeneEffect, ScoredAllele
from enformer_core.scoring.windows import Allele

_PLACED = ("chrom", "start", "ref", "alt", "window_start", GENE_IDS)


@runtime_checkable
class GeneScorer(Protocol):
    """Scores the alleles of a window, and their genes with them."""

    def score_with_genes(self, alleles: Sequence[Allele], start: int) -> Sequence[ScoredAllele]:
        """Each statistic of each allele, and its effects on the genes in reach.

        Args:
            alleles: on one contig.
            start: first base of the window that they are scored in.
        """
        ...


@dataclass(frozen=True)
class GeneTable:
    """Makes the table of what an engine has found.

    Attributes:
        scorer: the engine, made for these genes.
        reach: which genes an allele has, and in which bins.
    """

    scorer: GeneScorer
    reach: GeneReach

    def table(
        self,
        alleles: pa.Table,
        effects: Sequence[Sequence[GeneEffect] | None],
        tracks: Sequence[int],
        mantissa_bits: int,
    ) -> pa.Table:
        """A row for each planned allele and gene.

        Args:
            alleles: rows of the plan, described as in `scores`.
            effects: of each allele on its genes in their order; None where it was not scored.
            tracks: head column of each value.
            mantissa_bits: that are kept of each.
        """
        rows: list[int] = []
        genes: list[GeneBins] = []
        of_genes: list[GeneEffect | None] = []
        planned = alleles.select(_PLACED).to_pylist()
        for number, (row, of_allele) in enumerate(zip(planned, effects, strict=True)):
            # a row that is not scored has no window, and no genes were planned for it
            if not row[GENE_IDS]:
                continue
            in_reach = self._genes_of(row, of_allele)
            rows += [number] * len(in_reach)
            genes += in_reach
            of_genes += [None] * len(in_reach) if of_allele is None else of_allele
        columns: dict[str, Any] = dict(_described(alleles, rows, genes))
        for name in GENE_VALUES:
            values = [None if effect is None else effect.values[name] for effect in of_genes]
            columns |= value_columns(name, values, tracks, mantissa_bits)
        schema = gene_effects_schema()
        return pa.table([columns[name] for name in schema.names], schema=schema)

    def _genes_of(
        self, row: Mapping[str, Any], effects: Sequence[GeneEffect] | None
    ) -> Sequence[GeneBins]:
        """The genes of a row of the plan: as the engine found them, or found again where it did not score."""
        if effects is not None:
            return [effect.gene for effect in effects]
        allele = Allele(row["chrom"], row["start"], row["ref"], row["alt"])
        return self.reach.of_allele(allele, row["window_start"])


def _described(
    alleles: pa.Table, rows: Sequence[int], genes: Sequence[GeneBins]
) -> dict[str, pa.Array | pa.ChunkedArray]:
    """What stands in each row beside the values: its allele, and its gene."""
    taken = alleles.take(pa.array(rows, pa.int64()))
    columns = {name: taken[name] for name in taken.column_names}
    return {
        **columns,
        "gene_id": pa.array([each.gene.id for each in genes], pa.string()),
        "gene_name": pa.array([each.gene.name for each in genes], pa.string()),
        "gene_type": pa.array([each.gene.type for each in genes], pa.string()),
        "strand": pa.array([each.gene.strand for each in genes], pa.string()),
        "distance": pa.array([each.distance_bp for each in genes], pa.int64()),
        "tss_bins": pa.array([each.tss.reference for each in genes], pa.list_(pa.int32())),
    }

"""The table `gene_effects`: a row for each allele and gene in reach, with what the one does to the other."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypedDict, runtime_checkable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float

from enformer_core.analyses.value_columns import list_column, value_columns
from enformer_core.dataset.schemas import GENE_VALUES, gene_effects_schema, spread_of
from enformer_core.scoring.gene_bins import GeneBins, GeneReach
from enformer_core.scoring.gene_effect import GeneEffect, ScoredAllele
from enformer_core.scoring.windows import Allele


class _Placed(TypedDict):
    """The columns of a planned allele by which its genes are found; null where it has no place, and so no genes."""

    chrom: str
    start: int
    ref: str
    alt: str
    window_start: int
    gene_ids: list[str] | None


_PLACED = list(_Placed.__annotations__)


@runtime_checkable
class GeneScorer(Protocol):
    """Scores the alleles of a window, and their genes with them."""

    def score_with_genes(
        self,
        alleles: Sequence[Allele],
        start: int,
    ) -> Sequence[ScoredAllele]:
        """Each statistic of each allele, and its effects on the genes in reach.

        Args:
            alleles: on one contig.
            start: first base of the window that they are scored in.
        """
        ...


@dataclass
class _Rows:
    """The rows of a table of gene effects, one after another.

    Attributes:
        alleles: number of each row's allele in the plan.
        genes: each row's gene.
        effects: what the allele does to it; None where it was not scored.
    """

    alleles: list[int] = field(default_factory=list)
    genes: list[GeneBins] = field(default_factory=list)
    effects: list[GeneEffect | None] = field(default_factory=list)

    def add(
        self,
        allele: int,
        genes: Sequence[GeneBins],
        effects: Sequence[GeneEffect] | None,
    ) -> None:
        """A row for each gene of one more allele."""
        # columns, not a list of rows: a shard has thousands of pairs
        count = len(genes)
        self.alleles += [allele] * count
        self.genes += genes
        self.effects += [None] * count if effects is None else effects

    def values(
        self,
        name: str,
    ) -> list[Float[np.ndarray, " tracks"] | None]:
        """One of the values of each row, over tracks."""
        # a failed allele has rows, whose values are null
        effects = self.effects
        return [None if effect is None else effect.values[name] for effect in effects]

    def spread(
        self,
        name: str,
    ) -> list[Float[np.ndarray, " tracks"] | None]:
        """Its spread over replicates, likewise."""
        effects = self.effects
        return [None if effect is None else effect.spread[name] for effect in effects]


@dataclass(frozen=True)
class GeneTable:
    """Makes the table of what an engine has found.

    Attributes:
        scorer: the engine, made for these genes.
        reach: which genes an allele has, and in which bins.
        has_spread: whether the engine has several replicates.
    """

    scorer: GeneScorer
    reach: GeneReach
    has_spread: bool = False

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
        rows = self._rows(alleles, effects)
        columns = _described(alleles, rows)
        for name in GENE_VALUES:
            values = rows.values(name)
            columns |= _strongest_of_some(name, value_columns(name, values, tracks, mantissa_bits))
            if self.has_spread:
                columns[spread_of(name)] = list_column(rows.spread(name), mantissa_bits)
        # types are the schema's: a shard may have no gene from which they could follow. What an allele has beyond
        # the schema stands in `scores` alone.
        return pa.table(columns, schema=gene_effects_schema(has_spread=self.has_spread))

    def _rows(
        self,
        alleles: pa.Table,
        effects: Sequence[Sequence[GeneEffect] | None],
    ) -> _Rows:
        planned: list[_Placed] = alleles.select(_PLACED).to_pylist()
        rows = _Rows()
        both = zip(planned, effects, strict=True)
        for number, (allele, of_allele) in enumerate(both):
            # a row that is not scored has no window, and no genes were planned for it
            if allele["gene_ids"]:
                genes = self._genes_of(allele, of_allele)
                rows.add(number, genes, of_allele)
        return rows

    def _genes_of(
        self,
        planned: _Placed,
        effects: Sequence[GeneEffect] | None,
    ) -> Sequence[GeneBins]:
        """The genes of a row of the plan: as the engine found them, or found again where it did not score."""
        if effects is not None:
            return [effect.gene for effect in effects]
        allele = Allele(
            planned["chrom"],
            planned["start"],
            planned["ref"],
            planned["alt"],
        )
        return self.reach.of_allele(allele, planned["window_start"])


def _strongest_of_some(name: str, columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """The columns of a value, without a strongest track where all of them have 0: none is stronger than the others."""
    track = f"max_abs_{name}_track"
    has_effect = pc.not_equal(columns[f"max_abs_{name}"], 0)
    return {**columns, track: pc.if_else(has_effect, columns[track], None)}


def _described(alleles: pa.Table, rows: _Rows) -> dict[str, object]:
    """What stands in each row beside the values: its allele, and its gene."""
    numbers = pa.array(rows.alleles, pa.int64())
    taken = alleles.take(numbers)
    genes = [each.gene for each in rows.genes]
    return {
        **{name: taken[name] for name in taken.column_names},
        "gene_id": [gene.id for gene in genes],
        "gene_name": [gene.name for gene in genes],
        "gene_type": [gene.type for gene in genes],
        "strand": [gene.strand for gene in genes],
        "distance": [each.distance_bp for each in rows.genes],
        # of the reference's window alone: an indel may move them in the other
        "tss_bins": [each.tss.reference for each in rows.genes],
    }

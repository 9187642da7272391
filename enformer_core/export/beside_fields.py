"""What stands in INFO of tables that a run has beside its own: components and percentiles of each ALT."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.summary_tables import SummaryReceipt
from enformer_core.export.beside_scores import (
    PCA,
    PERCENTILES,
    component_columns,
    largest_phred,
    table_beside,
)
from enformer_core.export.vcf_fields import FieldSource, InfoField, Texts

_DIGEST_LETTERS = 12


@dataclass(frozen=True)
class ComponentFields:
    """Principal components of each ALT, of the table `pca` beside the run.

    Attributes:
        receipt: of the table.
        prefix: of each key, before the number of the component.
    """

    receipt: SummaryReceipt
    prefix: str

    @property
    def fields(self) -> Sequence[InfoField]:
        """`PC1` and so on behind the prefix, which say of which statistic and fit they are."""
        identity = self.receipt.begun.identity
        of_which = f"{identity['statistic']} by the PCA {identity['pca_sha256'][:_DIGEST_LETTERS]}"
        said = f"of {of_which}, of the alleles as scored: exchanged ones have others"
        return [
            InfoField(self._key(name), "Float", f"Principal component {number} {said}")
            for number, name in enumerate(component_columns(self.receipt.begun.identity), start=1)
        ]

    def texts(self, scores: pa.Table) -> Mapping[str, Texts]:
        """In the shortest letters that are the stored number again; None of rows without values."""
        return {
            self._key(name): _texts(scores[f"{PCA}.{name}"])
            for name in component_columns(self.receipt.begun.identity)
        }

    def _key(self, column: str) -> str:
        return f"{self.prefix}{column.upper()}"


def component_fields(ledger: Ledger, prefix: str) -> Sequence[ComponentFields]:
    """The source of the fields of a run's components; none where it has no table of them."""
    receipt = table_beside(ledger, PCA)
    return [] if receipt is None else [ComponentFields(receipt, prefix)]


@dataclass(frozen=True)
class PercentileFields:
    """How far out each ALT is among the alleles of a background run, of the table `percentiles` beside the run.

    Attributes:
        receipt: of the table.
        statistic: that was ranked.
    """

    receipt: SummaryReceipt
    statistic: str

    @property
    def fields(self) -> Sequence[InfoField]:
        """`ER_PHRED_sad`, and the track in which it is so large."""
        null = self.receipt.begun.identity["null"]["sha256"][:_DIGEST_LETTERS]
        name = self.statistic
        largest = InfoField(
            f"ER_PHRED_{name}",
            "Float",
            f"Largest PHRED-scaled tail of {name} over all tracks of the run, in the null distribution {null}: 30 is "
            "1 in 1,000 of its alleles in that one track, and more have as much in any of them",
        )
        track = InfoField(
            f"ER_PHRED_TRACK_{name}",
            "Integer",
            f"The number of the track in which the tail of {name} is so small",
        )
        return (largest, track)

    def texts(self, scores: pa.Table) -> Mapping[str, Texts]:
        """In the shortest letters that are the stored number again; None of rows without values."""
        column = f"{PERCENTILES}.{largest_phred(self.statistic)}"
        tracks = scores[f"{column}_track"].to_pylist()
        return {
            f"ER_PHRED_{self.statistic}": _texts(scores[column]),
            f"ER_PHRED_TRACK_{self.statistic}": [
                None if track is None else str(track) for track in tracks
            ],
        }


def beside_fields(ledger: Ledger) -> Sequence[FieldSource]:
    """The sources of fields of a run's tables beside it, in the order in which they stand in INFO."""
    sources: list[FieldSource] = [*component_fields(ledger, "ER_")]
    receipt = table_beside(ledger, PERCENTILES)
    if receipt is not None:
        statistics = receipt.begun.identity["statistics"]
        sources += [PercentileFields(receipt, statistic) for statistic in statistics]
    return sources


def _texts(values: pa.ChunkedArray) -> Texts:
    is_there = np.asarray(pc.is_valid(values)).tolist()
    in_letters = np.asarray(values, dtype=np.float32).astype(str).tolist()
    return [text if valid else None for text, valid in zip(in_letters, is_there, strict=True)]

"""Where alleles that were found stand among those of a background run: of the table `percentiles` beside their run.

Its files have the rows of `scores`, in their order. Knows files and rows. Does not know how ranks are reckoned.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from enformer_core.dataset.committed_shard import open_rows
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.summary_tables import SummaryFile, summary_receipt
from enformer_core.errors import DatasetError
from enformer_core.storage.fenced_files import fenced_files

PERCENTILES = "percentiles"

RANKS = ("quantile", "phred")
"""What is said of a value: the ends of the names of columns."""


@dataclass(frozen=True)
class AlleleRanks:
    """The ranks of one allele.

    Attributes:
        row: of the table, by column: lists over tracks, or None where the allele has no scores.
        places: of each track, by its index.
    """

    row: Mapping[str, Any]
    places: Mapping[int, int]

    def of(self, statistic: str, track: int) -> dict[str, object]:
        """`quantile` and `phred` of the allele's value; None where the table has none."""
        return {rank: self._value(f"{statistic}_{rank}", track) for rank in RANKS}

    def _value(self, column: str, track: int) -> float | None:
        values = self.row.get(column)
        return None if values is None else values[self.places[track]]


@dataclass(frozen=True)
class FoundPercentiles:
    """The table `percentiles` of a run, asked for a few rows.

    Attributes:
        location: of the run.
        files: of the table, by shard.
        places: of each track in the lists, by its index.
    """

    location: str
    files: Mapping[int, SummaryFile]
    places: Mapping[int, int]

    @classmethod
    def beside(
        cls,
        ledger: Ledger,
        places: Mapping[int, int],
    ) -> "FoundPercentiles | None":
        """Those of a run; None where no table of this name and kind is there."""
        receipt = summary_receipt(ledger, PERCENTILES)
        # by another name there may be others, of another null: none of them is the one
        if receipt is None or receipt.begun.kind != PERCENTILES:
            return None
        files = {file.shard: file for file in receipt.files}
        return cls(ledger.store.location, files, places)

    def of_rows(self, shard: int, names: Mapping[int, object]) -> dict[int, AlleleRanks]:
        """The ranks of some rows of a shard.

        Args:
            shard: its number.
            names: `variant_id` of each row, which the table must have there too.

        Raises:
            DatasetError: for a file that is missing, damaged, or of other rows.
        """
        file = self.files.get(shard)
        if file is None:
            raise DatasetError(
                f"{self.location}: the table {PERCENTILES} has no file for shard {shard}; `enformer-ray verify` says "
                "more"
            )
        files = fenced_files(self.location, {file.key: file.bytes})
        with open_rows(files, file.key, self.location) as stored:
            columns = [name for name in stored.columns if name.endswith(RANKS)]
            rows = stored.at(list(names), ["variant_id", *columns]).to_pylist()
        ranks = {}
        for row in rows:
            place = row["row"]
            self._check(file, row, names[place])
            ranks[place] = AlleleRanks(row, self.places)
        return ranks

    def _check(self, file: SummaryFile, row: dict[str, Any], name: object) -> None:
        if row["variant_id"] != name:
            raise DatasetError(
                f"{file.key}: row {row['row']} is {row['variant_id']}, and {name} in scores; "
                f"`enformer-ray verify {self.location}` says more"
            )

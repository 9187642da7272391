"""The alleles that a run of variants has scored, each once, with what its rows say of them beside lists over tracks."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.stored_tables import stored_tables
from enformer_core.errors import InputError
from enformer_core.variants.arrow import Numbers, in_full
from enformer_core.variants.table import Flag, Status, has_flag

_KEYS = ("variant_id", "pos", "ref", "alt", "id")


@dataclass(frozen=True)
class RunAlleles:
    """Alleles in their normal form, in the order of the run; no two rows are one allele.

    Attributes:
        location: of the run, for messages.
        table: `chrom`, `variant_id`, `pos` (from 1), `ref`, `alt`, `id`, and further columns that were asked for.
    """

    location: str
    table: pa.Table

    @staticmethod
    def read(ledger: Ledger, *further: str) -> "RunAlleles":
        """Read them shard by shard, of which only these columns stay in memory.

        Args:
            ledger: of a run by `score`.
            further: columns of `scores`, such as `max_abs_sad`.

        Raises:
            InputError: for a run of another kind, or one that has scored nothing.
            DatasetError: for a table that is missing or damaged.
        """
        location = ledger.store.location
        if "scores" not in ledger.run_type.tables:
            raise InputError(
                f"{location}: is a run of {ledger.run_type.unit}; name one by `enformer-ray score`"
            )
        parts = []
        for chrom, scores in stored_tables(ledger, "scores"):
            # lists over tracks go before the next shard comes
            parts.append(_once(chrom, scores, further))
        rows = sum(part.num_rows for part in parts)
        if not rows:
            raise InputError(f"{location}: has no allele with scores")
        return RunAlleles(location, pa.concat_tables(parts).combine_chunks())

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def column(
        self,
        name: str,
    ) -> pa.Array:
        """A column of all alleles, in the order of the run."""
        return in_full(self.table, name)

    @cached_property
    def pos(self) -> Numbers:
        """Places of the alleles, counted from 1 as VCF does."""
        return np.asarray(self.column("pos"), dtype=np.int64)


def _once(
    chrom: str | None,
    scores: pa.Table,
    further: tuple[str, ...],
) -> pa.Table:
    """The rows with values, each allele once: repeats bear a flag."""
    is_ok = pc.equal(scores["status"], Status.OK.value)
    is_repeat = has_flag(scores, Flag.DUPLICATE)
    rows = scores.filter(pc.and_not(is_ok, is_repeat))
    contig = pa.scalar(chrom, pa.string())
    columns = {"chrom": pa.repeat(contig, rows.num_rows)}
    for name in dict.fromkeys((*_KEYS, *further)):
        columns[name] = rows[name]
    return pa.table(columns)

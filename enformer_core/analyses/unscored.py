"""Which alleles of an input are not scored, and why, while it is planned: of each status the number and an example."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.variants.shown_names import shown_name
from enformer_core.variants.table import MEANINGS, Status
from enformer_core.words import agreeing, counted

_SAID_ELSEWHERE = (Status.OK, Status.MALFORMED)
"""Malformed records are told of as they are read (`readability`)."""


class UnscoredAllele(NamedTuple):
    """One allele that is not scored; of two the smaller is that of the first file and line.

    Attributes:
        input_file: as its row has it.
        input_line: from 1.
        status: of the row.
        reason: of the row.
    """

    input_file: str
    input_line: int
    status: str
    reason: str


def first_unscored(placed: pa.Table) -> Iterator[UnscoredAllele]:
    """The first allele of each status that is not scored, of one batch."""
    for status in pc.unique(placed["status"]).to_pylist():
        if status in _SAID_ELSEWHERE:
            continue
        # one of each batch is enough: the smallest of these is told
        at = pc.index(placed["status"], status).as_py()
        [row] = placed.slice(at, 1).to_pylist()
        reason = row["reason"] or MEANINGS[Status(status)]
        yield UnscoredAllele(row["input_file"] or "", row["input_line"], status, reason)


def unscored_notes(
    by_status: Mapping[str, int],
    found: Sequence[UnscoredAllele],
) -> Iterator[str]:
    """A sentence for each status that is not scored, with the first allele that has it.

    Args:
        by_status: rows by status, of the whole input.
        found: of batches, in the order in which threads came by them.
    """
    for status, rows in by_status.items():
        those = [allele for allele in found if allele.status == status]
        if not those:
            continue
        # whichever thread came by its batch first
        first = min(those)
        be = f"{counted(rows, 'alleles')} {agreeing(rows, 'is', 'are')}"
        yield (
            f"{be} {status} and not scored, for example {shown_name(first.input_file)} "
            f"line {first.input_line:,}: {first.reason}"
        )

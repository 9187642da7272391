"""What people call assemblies in a column beside records, and the records of one of them.

Works on columns of records. Does not know the genome.
"""

import re
from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

BUILD = "build"
"""The role of the column in which each record names the assembly of its place."""

_NAMED = re.compile(
    r"(?<![a-z0-9])(?:grch|hg|b|build|ncbi|ncbi build)?[ ._-]?(?P<number>18|19|36|37|38)(?![0-9])"
)

_ASSEMBLY = {"18": "NCBI36", "36": "NCBI36", "19": "GRCh37", "37": "GRCh37", "38": "GRCh38"}


def assembly_named(text: str, pattern: re.Pattern[str] = _NAMED) -> str | None:
    """The human assembly that a text names, `GRCh37` for hg19; None where it names none, or more than one.

    Args:
        text: `hg19`, `GRCh37.p13`, `37`.
        pattern: how assemblies are named there, its group the number.
    """
    numbers = {_ASSEMBLY[number] for number in pattern.findall(text.lower())}
    return numbers.pop() if len(numbers) == 1 else None


def counts_by_assembly(records: pa.Table) -> Counter[str]:
    """How many records name each assembly; of those that name none nothing is said."""
    counts: Counter[str] = Counter()
    for each in pc.value_counts(records[BUILD]).to_pylist():
        assembly = assembly_named(each["values"] or "")
        if assembly is not None:
            counts[assembly] += each["counts"]
    return counts


def of_assembly(records: pa.Table, assembly: str) -> pa.Table:
    """The records that name this assembly, or none that is known."""
    written = pc.unique(records[BUILD]).to_pylist()
    others = [text for text in written if assembly_named(text or "") not in (None, assembly)]
    if not others:
        return records
    is_other = pc.is_in(records[BUILD], value_set=pa.array(others, pa.string()))
    return records.filter(pc.invert(is_other))

"""Contributions as bedGraph: a track of values along the genome for each target and group."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from enformer_core.dataset.ledger import Ledger
from enformer_core.distinct_names import DistinctNames
from enformer_core.export.contribution_rows import (
    ContributionRow,
    contribution_rows,
)
from enformer_core.export.text_file import text_file
from enformer_core.user_path import one_line


def export_bedgraph(ledger: Ledger, path: Path) -> int:
    """Write one file with a `track` line for each target and group, of the genome's own sequence.

    Neighbouring bases of one value are one line; what lies beyond the contig's ends has none. Windows of targets that
    lie close overlap, so each is a track of its own. The alternate sequence of a variant is no part of the genome, and
    is left out.

    Returns:
        How many tracks there are.

    Raises:
        InputError: for a run of another kind, or where the file cannot be written.
    """
    rows = contribution_rows(ledger)
    # a browser takes tracks of one name for one track
    names = DistinctNames()
    tracks = 0
    with text_file(path) as out:
        for row in rows:
            if row.is_reference:
                out.write("".join(_lines(row, names)).encode())
                tracks += 1
    return tracks


def _lines(row: ContributionRow, names: DistinctNames) -> Iterator[str]:
    # quotes end a name
    plain = one_line(f"{row.target} {row.group}").replace('"', "'")
    name = names.take(plain)
    yield f'track type=bedGraph name="{name}" description="gradient x input"\n'
    bases = row.on_contig()
    values = row.values[bases]
    # values 1 1 2: runs begin at 0 and 2, and end where the next begins, or behind the last
    begins = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    ends = np.append(begins[1:], values.size)
    first = row.start + bases.start
    # the shortest text that is this float32 again
    texts = values[begins].astype(str)
    for begin, end, text in zip(begins.tolist(), ends.tolist(), texts, strict=True):
        yield f"{row.contig}\t{first + begin}\t{first + end}\t{text}\n"

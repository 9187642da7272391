"""Which track is another's on the opposite strand, as Borzoi's table of targets says in its column `strand_pair`.

A window read backwards predicts for a track what the forward one predicts for its partner.
"""

from collections.abc import Sequence

import pyarrow as pa

from enformer_core.errors import InputError
from enformer_core.storage.open import read_bytes

_COLUMN = "strand_pair"


def read_strand_pairs(targets: str, tracks: Sequence[int], first_index: int = 0) -> tuple[int, ...]:
    """The column of the head that each of some tracks is on the opposite strand; its own where there are no strands.

    Args:
        targets: path or address of a table that was read as the head's table of tracks before.
        tracks: columns of the head.
        first_index: index of the head's column 0 in the table.

    Raises:
        InputError: for a pair that is no track of the table.
    """
    try:
        text = read_bytes(targets).decode("utf-8-sig")
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InputError(f"{targets}: cannot be read: {error}") from error
    header, *rows = [line.split("\t") for line in text.splitlines()]
    if _COLUMN not in header:
        return tuple(tracks)
    place = header.index(_COLUMN)
    pairs = []
    for track in tracks:
        cell = rows[track][place].strip()
        pair = int(cell) - first_index if cell.isdecimal() else -1
        if not 0 <= pair < len(rows):
            raise InputError(
                f"{targets}: line {track + 2} has the {_COLUMN} {cell!r}, which is no track of the table"
            )
        pairs.append(pair)
    return tuple(pairs)

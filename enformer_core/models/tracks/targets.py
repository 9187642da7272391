"""The output tracks of one head: what each column measures, and which columns a selector names.

Knows the published targets tables (calico/basenji, manuscripts/cross2020), the assay ranges of the published heads and
the selector's grammar. Does not know models or scores. Columns are 0-based.
"""

import http.client

import pyarrow as pa

from enformer_core.errors import InputError
from enformer_core.models.tracks.table import ASSAYS, Tracks, described_track
from enformer_core.storage.open import read_bytes

PUBLISHED_TARGETS = (
    "github.com/calico/basenji, manuscripts/cross2020/targets_human.txt and targets_mouse.txt"
)

FIRST_INDEX = {"mouse": 5313}


def read_targets(path_or_url: str, *, head: str, count: int) -> Tracks:
    """Read a targets table: tab-separated, with the columns index (its header may be empty), identifier, description.

    Other columns are passed over. Indices count on from 0, or from 5313 for the mouse head, as published.

    Args:
        path_or_url: a path, or an address that begins with http://, https://, s3:// or gs://.
        head: name of the head.
        count: its number of columns.

    Raises:
        InputError: when it cannot be read, is not such a table, or is not this head's.
    """
    text = _read_text(path_or_url)
    header, *rows = [
        line.split("\t") for line in text.replace("\r\n", "\n").rstrip("\n").split("\n")
    ]
    places = _column_places(path_or_url, header)
    _check_size(path_or_url, head=head, count=count, rows=len(rows))
    for line, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise InputError(
                f"{path_or_url}: line {line} has {len(row)} cells, the header {len(header)}. Is it cut?"
            )
    index, identifier, description = ([row[place] for row in rows] for place in places)
    first = _check_indices(path_or_url, head, index)
    named = zip(identifier, description, strict=True)
    return Tracks(
        head,
        count,
        tuple(described_track(i, a or None, b or None) for i, (a, b) in enumerate(named)),
        first,
    )


def _column_places(source: str, header: list[str]) -> tuple[int, int, int]:
    names = [name.strip().lower() for name in header]
    names[0] = names[0] or "index"  # as pandas writes it
    needed = ("index", "identifier", "description")
    missing = [name for name in needed if name not in names]
    if missing:
        raise InputError(
            f"{source}: not a targets table: its first line is {chr(9).join(header)[:80]!r}, without the column"
            f"{'s' if len(missing) > 1 else ''} {', '.join(missing)}. It must be tab-separated, as the published ones "
            f"are ({PUBLISHED_TARGETS}; on GitHub, take the raw file)."
        )
    index, identifier, description = (names.index(name) for name in needed)
    return index, identifier, description


def _check_size(source: str, *, head: str, count: int, rows: int) -> None:
    if rows == count:
        return
    others = [
        other
        for other, runs in ASSAYS.items()
        if other != head and sum(size for _, size in runs) == rows
    ]
    whose = f"; it is the table of the {others[0]} head" if others else ""
    raise InputError(
        f"{source}: has {rows:,} tracks, the {head} head {count:,}{whose}. "
        f"Give the {head} head's table with --targets, or choose another --head."
    )


def _check_indices(source: str, head: str, indices: list[str]) -> int:
    """The index of the first row, which all others count on from."""
    first = 0 if indices[:1] == ["0"] else FIRST_INDEX.get(head, 0)
    for line, (found, expected) in enumerate(
        zip(indices, range(first, first + len(indices)), strict=True), start=2
    ):
        if found != str(expected):
            raise InputError(
                f"{source}: line {line} has index {found!r}, expected {expected}: the {head} head's rows count on "
                f"from {first}. Use the published table, or number the rows in the order of the head's columns."
            )
    return first


def _read_text(source: str) -> str:
    try:
        return read_bytes(source).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{source}: not a table of text: {error}. If it is compressed, unpack it first."
        ) from error
    except (OSError, ValueError, http.client.HTTPException, pa.ArrowException) as error:
        raise InputError(
            f"{source}: the targets table cannot be read: {error}. Give --targets a path or an address; the published "
            f"tables are {PUBLISHED_TARGETS}."
        ) from error

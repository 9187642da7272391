"""Targets tables: the published lists of what each column of a head measures, from a path or an address."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from enformer_core.errors import InputError
from enformer_core.models.tracks.squashing import Squashing
from enformer_core.models.tracks.table import HeadLayout, Track, Tracks, described_track
from enformer_core.storage.open import read_bytes
from enformer_core.words import counted

_COLUMNS = ("index", "identifier", "description")

_SQUASHED = ("clip_soft", "scale", "sum_stat")
"""Columns that say how data were squashed for training; tables of Borzoi's family have them all."""

_PAIR = "strand_pair"


@dataclass(frozen=True)
class _Head:
    """The head whose table is read, and what is known of all heads of its model."""

    name: str
    count: int
    layouts: Mapping[str, HeadLayout]
    sizes_remedy: str

    @property
    def layout(self) -> HeadLayout:
        return self.layouts.get(self.name, HeadLayout())


def read_targets(
    path_or_url: str,
    *,
    head: str,
    count: int,
    layouts: Mapping[str, HeadLayout],
    sizes_remedy: str = "",
) -> Tracks:
    """Read a targets table: tab-separated, with the columns index (its header may be empty), identifier, description.

    Of other columns, strand_pair and, where all are there, clip_soft, scale and sum_stat are read. Indices count on
    from 0, or from the published head's first index.

    Args:
        path_or_url: a path, or an address that begins with http://, https://, s3:// or gs://.
        head: name of the head.
        count: its number of columns.
        layouts: what is known of the published heads, by their names.
        sizes_remedy: what is said first of a table of another size, where the model may have other sizes.

    Raises:
        InputError: when it cannot be read, is not such a table, or is not this head's.
    """
    wanted = _Head(head, count, layouts, sizes_remedy)
    # Spreadsheets on Windows end lines by two characters.
    text = _read_text(path_or_url, wanted).replace("\r\n", "\n")
    lines = text.rstrip("\n").split("\n")
    header, *rows = [line.split("\t") for line in lines]
    places = _column_places(path_or_url, header, wanted)
    # a row each: left out, a line would move all tracks behind it
    empty = next((at for at, line in enumerate(lines, start=1) if not line.strip()), None)
    if empty is not None:
        raise InputError(f"{path_or_url}: line {empty} is empty. Remove it.")
    _check_size(path_or_url, wanted, len(rows))
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise InputError(
                f"{path_or_url}: line {number} has {counted(len(row), 'cells')}, the header {len(header)}. Is it cut?"
            )
    index, identifier, description = ([row[place] for row in rows] for place in places)
    first_index = _check_indices(path_or_url, wanted, index)
    tracks = [
        described_track(column, identifier[column] or None, description[column] or None)
        for column in range(count)
    ]
    cells = _named_cells(header, rows)
    tracks = _with_squashings(path_or_url, tracks, cells)
    tracks = _with_pairs(path_or_url, tracks, cells.get(_PAIR), first_index)
    return Tracks(head, count, tuple(tracks), first_index, wanted.layout)


def _named_cells(header: list[str], rows: list[list[str]]) -> dict[str, list[str]]:
    """The cells of each column by its name."""
    names = [name.strip().lower() for name in header]
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=False))


def _with_squashings(
    source: str, tracks: list[Track], cells: Mapping[str, list[str]]
) -> list[Track]:
    """The tracks with how their data were squashed, where the table says all of it."""
    if any(name not in cells for name in _SQUASHED):
        return tracks
    described = []
    columns = (cells[name] for name in _SQUASHED)
    for track, clip, scale, sum_stat in zip(tracks, *columns, strict=True):
        clip_soft = _above_0(source, track, "clip_soft", clip) if clip else None
        squashing = Squashing(clip_soft, _above_0(source, track, "scale", scale), sum_stat)
        described.append(replace(track, squashing=squashing))
    return described


def _above_0(source: str, track: Track, name: str, cell: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise InputError(
            f"{source}: line {track.index + 2} has {name} {cell!r}, expected a number above 0"
        )
    return number


def _with_pairs(
    source: str, tracks: list[Track], cells: list[str] | None, first_index: int
) -> list[Track]:
    """The tracks with the column of each one's other strand, where the table says it: the pair of a pair is itself."""
    if cells is None:
        return tracks
    known = {str(first_index + track.index): track.index for track in tracks}
    pairs = []
    for track, cell in zip(tracks, cells, strict=True):
        pair = known.get(cell)
        if pair is None or known.get(cells[pair]) != track.index:
            raise InputError(
                f"{source}: line {track.index + 2} has strand_pair {cell!r}, which is no track whose strand_pair is "
                "this one. Of a table with some of its rows left out, number index and strand_pair anew together."
            )
        pairs.append(pair)
    return [replace(track, strand_pair=pair) for track, pair in zip(tracks, pairs, strict=True)]


def _column_places(
    source: str,
    header: list[str],
    wanted: _Head,
) -> list[int]:
    """Where the three columns stand, in the order of `_COLUMNS`."""
    names = [name.strip().lower() for name in header]
    # pandas leaves the index's header empty
    names[0] = names[0] or "index"
    missing = [name for name in _COLUMNS if name not in names]
    if missing:
        plural = "s" if len(missing) > 1 else ""
        first_line = "\t".join(header)[:80]
        raise InputError(
            f"{source}: not a targets table: its first line is {first_line!r}, without the column{plural} "
            f"{', '.join(missing)}. It must be tab-separated, as the published ones are "
            f"({wanted.layout.published_at}; on GitHub, take the raw file)."
        )
    return [names.index(name) for name in _COLUMNS]


def _check_size(source: str, wanted: _Head, rows: int) -> None:
    """As many rows as columns of the head; where it is another head's table, the message says so."""
    if rows == wanted.count:
        return
    # Sizes differ from head to head, so that a table exchanged for another one's is known by its size.
    others = [
        name
        for name, layout in wanted.layouts.items()
        if name != wanted.name and layout.size == rows
    ]
    whose = f"; it is the table of the {others[0]} head" if others else ""
    raise InputError(
        f"{source}: has {counted(rows, 'tracks')}, the {wanted.name} head {wanted.count:,}{whose}. "
        f"{wanted.sizes_remedy}Give the {wanted.name} head's table with --targets, or choose another --head."
    )


def _check_indices(source: str, wanted: _Head, indices: list[str]) -> int:
    """The index of the first row, which all others count on from."""
    # A table of the mouse head that somebody numbered anew from 0 is the same table.
    first = 0 if indices[:1] == ["0"] else wanted.layout.first_index
    for row, index in enumerate(indices):
        expected = first + row
        if index != str(expected):
            raise InputError(
                f"{source}: line {row + 2} has index {index!r}, expected {expected}: the {wanted.name} head's rows "
                f"count on from {first}. "
                "Use the published table, or number the rows in the order of the head's columns."
            )
    return first


def _read_text(source: str, wanted: _Head) -> str:
    try:
        return read_bytes(source).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{source}: not a table of text: {error}. If it is compressed, unpack it first."
        ) from error
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InputError(
            f"{source}: the targets table cannot be read: {error}. Give --targets a path or an address; the published "
            f"tables are {wanted.layout.published_at}."
        ) from error

"""The output tracks of one head: what each column measures, and which columns a selector names.

Knows the published targets tables (calico/basenji, manuscripts/cross2020), the assay ranges of the published heads and
the selector's grammar. Does not know models or scores. Columns are 0-based.
"""

import difflib
import http.client
import re
import urllib.request
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.fs

from enformer_core.conventions import nearest
from enformer_core.errors import InputError

PUBLISHED_TARGETS = "github.com/calico/basenji, manuscripts/cross2020/targets_human.txt and targets_mouse.txt"

# Columns of the published heads, in order; the mouse table counts on where the human one ends.
_ASSAYS = {
    "human": (("DNASE", 674), ("ATAC", 10), ("CHIP", 3991), ("CAGE", 638)),
    "mouse": (("DNASE", 101), ("ATAC", 127), ("CHIP", 1058), ("CAGE", 357)),
}
_FIRST_INDEX = {"mouse": 5313}
_TIMEOUT_S = 60

_NAMES = ("identifier", "description", "assay", "biosample", "target")
TRACKS_SCHEMA = pa.schema(
    [("index", pa.int32()), ("list_position", pa.int32()), *((name, pa.string()) for name in _NAMES)]
)


@dataclass(frozen=True, kw_only=True)
class Track:
    """One output column of a head.

    Attributes:
        index: 0-based column of the head.
        identifier: accession of the experiment (`ENCFF833POA`, `CNhs11250`).
        description: as published, `CAGE:…` or `CHIP:H3K27ac:…`; several tracks may share one.
        assay: DNASE, ATAC, CHIP, CAGE and so on.
        biosample: what was measured: the description after the assay, and after the target of a CHIP track.
        target: the protein or mark of a CHIP track.
    """

    index: int
    identifier: str | None = None
    description: str | None = None
    assay: str | None = None
    biosample: str | None = None
    target: str | None = None


@dataclass(frozen=True)
class Tracks:
    """The tracks of one head, or a selection of them.

    Attributes:
        head: the head's name.
        head_size: number of columns of the head, selected or not.
        rows: tracks in ascending order of their index.
        first_index: index of the head's column 0 in the table that was read (5313 in the published mouse table).

    Raises:
        ValueError: for an index beyond the head, or indices that do not ascend.
    """

    head: str
    head_size: int
    rows: tuple[Track, ...]
    first_index: int = 0

    def __post_init__(self) -> None:
        bounds = [-1, *self.indices(), self.head_size]
        if bounds != sorted(set(bounds)):
            raise ValueError(f"indices of tracks must ascend within the {self.head_size} of head {self.head}")

    def __len__(self) -> int:
        return len(self.rows)

    def indices(self) -> list[int]:
        """Columns of the head, ascending."""
        return [track.index for track in self.rows]

    def to_arrow(self) -> pa.Table:
        """One row per track (`TRACKS_SCHEMA`); `list_position` is its 1-based place in the lists of a scores file."""
        rows = [{"list_position": place, **asdict(track)} for place, track in enumerate(self.rows, start=1)]
        return pa.Table.from_pylist(rows, schema=TRACKS_SCHEMA)


def described_track(index: int, identifier: str | None, description: str | None) -> Track:
    """A track with assay, target and biosample read off its description, where it names an assay before a colon."""
    named = Track(index=index, identifier=identifier, description=description)
    assay, colon, sample = (description or "").partition(":")
    if not colon:
        return named
    target = None
    if assay.upper() == "CHIP" and ":" in sample:
        target, _, sample = sample.partition(":")
    return replace(named, assay=assay, biosample=sample, target=target)


def builtin_tracks(head: str, count: int) -> Tracks:
    """The tracks of a head without a targets table: assays where this is a published head, no names.

    Args:
        head: name of the head.
        count: its number of columns.
    """
    runs = _ASSAYS.get(head, ())
    assays: list[str | None] = [assay for assay, size in runs for _ in range(size)]
    if len(assays) != count:
        assays = [None] * count
    return Tracks(head, count, tuple(Track(index=index, assay=assay) for index, assay in enumerate(assays)))


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
    header, *rows = [line.split("\t") for line in text.replace("\r\n", "\n").rstrip("\n").split("\n")]
    places = _column_places(path_or_url, header)
    _check_size(path_or_url, head=head, count=count, rows=len(rows))
    for line, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise InputError(f"{path_or_url}: line {line} has {len(row)} cells, the header {len(header)}. Is it cut?")
    index, identifier, description = ([row[place] for row in rows] for place in places)
    first = _check_indices(path_or_url, head, index)
    named = zip(identifier, description, strict=True)
    return Tracks(head, count, tuple(described_track(i, a or None, b or None) for i, (a, b) in enumerate(named)), first)


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
    others = [other for other, runs in _ASSAYS.items() if other != head and sum(size for _, size in runs) == rows]
    whose = f"; it is the table of the {others[0]} head" if others else ""
    raise InputError(
        f"{source}: has {rows:,} tracks, the {head} head {count:,}{whose}. "
        f"Give the {head} head's table with --targets, or choose another --head."
    )


def _check_indices(source: str, head: str, indices: list[str]) -> int:
    """The index of the first row, which all others count on from."""
    first = 0 if indices[:1] == ["0"] else _FIRST_INDEX.get(head, 0)
    for line, (found, expected) in enumerate(zip(indices, range(first, first + len(indices)), strict=True), start=2):
        if found != str(expected):
            raise InputError(
                f"{source}: line {line} has index {found!r}, expected {expected}: the {head} head's rows count on "
                f"from {first}. Use the published table, or number the rows in the order of the head's columns."
            )
    return first


def _read_text(source: str) -> str:
    try:
        return _read_bytes(source).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{source}: not a table of text: {error}. If it is compressed, unpack it first.") from error
    except (OSError, ValueError, http.client.HTTPException, pa.ArrowException) as error:
        raise InputError(
            f"{source}: the targets table cannot be read: {error}. Give --targets a path or an address; the published "
            f"tables are {PUBLISHED_TARGETS}."
        ) from error


def _read_bytes(source: str) -> bytes:
    if source.startswith(("http://", "https://")):
        with urllib.request.urlopen(source, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - the scheme is checked above
            return bytes(answer.read())
    if "://" in source:
        filesystem, path = pa.fs.FileSystem.from_uri(source)
        with filesystem.open_input_file(path) as file:
            return bytes(file.read())
    return Path(source).read_bytes()


def select_tracks(tracks: Tracks, selector: str | None) -> tuple[Tracks, list[str]]:
    r"""The tracks that a selector names, in ascending order and without repeats.

    A selector is a comma-separated list of terms (a comma inside a term is written `\,`). A term is, whichever fits
    first: a column (`4828`); a range of columns, both ends included (`10-20`); `assay=DNASE`, in any case; an
    identifier; a whole description; a regular expression found anywhere in the description (`CAGE:.*K562`). Where a
    table was read whose indices begin beyond the head (the published mouse table: 5313-6955), these indices are
    understood as well as columns. A selector that as a whole is a description, commas and all, is one term.

    Args:
        tracks: what to choose from.
        selector: None for all.

    Returns:
        The selection, and notes on what its user may not have meant.

    Raises:
        InputError: for a term that names no track or cannot be understood.
    """
    if selector is None:
        return tracks, []
    chosen: set[Track] = set()
    notes: list[str] = []
    pasted = any(track.description == selector for track in tracks.rows)
    for term in [selector] if pasted else re.split(r"(?<!\\),", selector):
        found, note = _find(tracks, term.replace(r"\,", ",").strip())
        chosen.update(found)
        notes += note
    return replace(tracks, rows=tuple(track for track in tracks.rows if track in chosen)), notes


_Found = tuple[list[Track], list[str]]


def _find(tracks: Tracks, term: str) -> _Found:
    if not term:
        raise InputError("--tracks: an empty term. Leave out the comma, or --tracks itself to take every track.")
    if numbers := re.fullmatch(r"(-?\d+)(?:\s*-\s*(\d+))?", term):
        first, last = numbers.groups()
        return _find_columns(tracks, term, int(first), int(last or first))
    key, equals, assay = term.partition("=")
    if equals and key.lower() == "assay":
        return _find_assay(tracks, term, assay), []
    return _find_text(tracks, term)


def _find_columns(tracks: Tracks, term: str, first: int, last: int) -> _Found:
    notes = []
    if tracks.head_size <= tracks.first_index <= first:
        first, last = first - tracks.first_index, last - tracks.first_index
        notes = [f"{term} is the targets table's index; in the {tracks.head} head it is column {_span(first, last)}"]
    if not 0 <= first <= last < tracks.head_size:
        raise InputError(
            f"--tracks {term}: the {tracks.head} head has {tracks.head_size:,} tracks; give columns of "
            f"{_span(0, tracks.head_size - 1)}, a range from the smaller to the larger."
            + _hint_on_published_indices(tracks, first)
        )
    found = [track for track in tracks.rows if first <= track.index <= last]
    if not found:
        raise InputError(f"--tracks {term}: none of the {len(tracks)} tracks to choose from; choose from all of them.")
    return found, notes


def _hint_on_published_indices(tracks: Tracks, given: int) -> str:
    published = _FIRST_INDEX.get(tracks.head, 0)
    if tracks.first_index or not published <= given < published + tracks.head_size:
        return ""
    return f" As an index of the published table, {given} is column {given - published}; --targets FILE makes it known."


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _find_assay(tracks: Tracks, term: str, assay: str) -> list[Track]:
    known = {track.assay: None for track in tracks.rows if track.assay is not None}
    if not known:
        raise _names_needed(tracks, term)
    found = [track for track in tracks.rows if track.assay is not None and track.assay.lower() == assay.lower()]
    if not found:
        raise InputError(
            f"--tracks {term}: no track of the {tracks.head} head has this assay{nearest(assay.upper(), known)}"
        )
    return found


def _find_text(tracks: Tracks, term: str) -> _Found:
    if not any(track.identifier or track.description for track in tracks.rows):
        raise _names_needed(tracks, term)
    if identified := [track for track in tracks.rows if track.identifier == term]:
        return identified, []
    described = [track for track in tracks.rows if track.description == term]
    try:
        found = _search(tracks, term)
    except re.error as error:
        if not described:
            raise InputError(
                f"--tracks {term!r}: neither an identifier, a description nor a regular expression: {error}. "
                rf"Write \ before a character such as ( or + that stands for itself, and \, for a comma."
            ) from error
        found = []
    if described:
        return list(dict.fromkeys([*described, *found])), _notes_on_description(term, described, found)
    if found:
        return found, []
    found, notes = _find_in_assay(tracks, term)
    if not found:
        raise InputError(
            f"--tracks {term!r}: no track of the {tracks.head} head has this identifier, or a description in which "
            f"this is found{_suggestion(tracks, term)}"
        )
    return found, notes


def _find_in_assay(tracks: Tracks, term: str) -> _Found:
    """`CAGE:K562`: an assay, and an expression found further on; descriptions have the kind of sample between them."""
    assay, _, pattern = term.partition(":")
    of_assay = tuple(track for track in tracks.rows if track.assay == assay.upper())
    found = _search(replace(tracks, rows=of_assay), f":.*(?:{pattern})") if pattern else []
    columns = ", ".join(str(track.index) for track in found[:10]) + (", …" if len(found) > 10 else "")
    return found, [
        f"{term!r} is read as {pattern!r} in any {assay.upper()} description: {_counted(len(found))}, {columns}"
    ]


def _search(tracks: Tracks, pattern: str) -> list[Track]:
    compiled = re.compile(pattern)
    return [track for track in tracks.rows if track.description is not None and compiled.search(track.description)]


def _notes_on_description(term: str, described: list[Track], found: list[Track]) -> list[str]:
    notes = []
    if len(described) > 1:
        columns = [str(track.index) for track in described]
        notes.append(f"{term!r} is the description of {len(described)} tracks: {', '.join(columns)}")
    longer = [str(track.index) for track in found if track not in described]
    if longer:
        notes.append(
            f"{term!r} is also found in {_counted(len(longer))} with a longer description: {', '.join(longer)}. "
            "An identifier or a column names just one."
        )
    return notes


def _names_needed(tracks: Tracks, term: str) -> InputError:
    return InputError(
        f"--tracks {term!r}: the tracks of the {tracks.head} head have no names here. Give their table with "
        f"--targets FILE; the published ones are {PUBLISHED_TARGETS}. Columns such as 4828 or 10-20 need no table."
    )


def _counted(tracks: int) -> str:
    return f"{tracks} track{'' if tracks == 1 else 's'}"


def _suggestion(tracks: Tracks, term: str) -> str:
    """What was perhaps meant: the same words further apart or in other case, else the nearest names."""
    loose = ".*".join(re.escape(word) for word in re.split(r"[:\s]+", term))
    for pattern in (loose, f"(?i){loose}"):
        if found := _search(tracks, pattern):
            return f"; did you mean {pattern!r} ({_counted(len(found))})?"
    names = {name for track in tracks.rows for name in (track.identifier, track.description) if name}
    words = {word for name in names for word in re.split(r"[\s:,()-]+", name)}
    close = difflib.get_close_matches(term, sorted(names | words), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else ". Look into the targets table for names."

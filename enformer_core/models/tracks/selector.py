"""The grammar by which users choose tracks: columns, assays, texts in the description."""

import difflib
import re
from dataclasses import dataclass, field, replace

from enformer_core.errors import InputError, first_few, nearest
from enformer_core.models.tracks.table import Track, Tracks
from enformer_core.words import counted

_LISTED_COLUMNS = 10  # at most so many columns are named in a note

_SHOWN_TRACKS = 3
_SHOWN_LETTERS = 60
"""Of a selection's tracks so many are named, of each name so many letters."""

_FEW_TRACKS = 20
"""Of a head with so few all names can be told, and none need be guessed."""

_LIKENESS = 0.6
"""Of names that are told for another, as difflib has it: CAGE and CEBP are alike by 0.5."""


@dataclass(frozen=True)
class _Match:
    """The tracks that a term names, and notes on what its user may not have meant."""

    tracks: list[Track]
    notes: list[str] = field(default_factory=list)


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
    for term in _terms(tracks, selector):
        match = _match_term(tracks, term)
        chosen.update(match.tracks)
        notes += match.notes
    rows = tuple(track for track in tracks.rows if track in chosen)
    return replace(tracks, rows=rows), notes


def selection_in_words(tracks: Tracks) -> str:
    """How many of a head's tracks were chosen, and the first of them: `2 of 5,313: 4828 CAGE:…, 5111 CAGE:…`."""
    shown = [_track_in_words(track) for track in tracks.rows[:_SHOWN_TRACKS]]
    more = len(tracks) - len(shown)
    words = ", ".join(shown) + (f" and {more:,} more" if more else "")
    return f"{len(tracks):,} of {tracks.head_size:,}: {words}"


def _track_in_words(track: Track) -> str:
    name = track.description or track.identifier or ""
    if len(name) > _SHOWN_LETTERS:
        name = f"{name[: _SHOWN_LETTERS - 1]}…"
    return f"{track.index} {name}".rstrip()


def _terms(tracks: Tracks, selector: str) -> list[str]:
    """The terms of a selector, without the backslashes before their own commas."""
    # A description that somebody pasted may hold commas of its own.
    is_description = any(track.description == selector for track in tracks.rows)
    terms = [selector] if is_description else re.split(r"(?<!\\),", selector)
    return [term.replace(r"\,", ",").strip() for term in terms]


def _match_term(tracks: Tracks, term: str) -> _Match:
    if not term:
        raise InputError(
            "--tracks: an empty term. Leave out the comma, or --tracks itself to take every track."
        )
    if numbers := re.fullmatch(r"(-?\d+)(?:\s*-\s*(\d+))?", term):
        first, last = numbers.groups()
        return _match_columns(tracks, term, int(first), int(last or first))
    key, equals, assay = term.partition("=")
    if equals and key.lower() == "assay":
        return _match_assay(tracks, term, assay)
    return _match_text(tracks, term)


def _match_columns(
    tracks: Tracks,
    term: str,
    first: int,
    last: int,
) -> _Match:
    notes = []
    # A number is a column wherever it can be one; only beyond the head is it an index of the table.
    if tracks.head_size <= tracks.first_index <= first:
        first -= tracks.first_index
        last -= tracks.first_index
        notes = [
            f"{term} is the targets table's index; in the {tracks.head} head it is column {_span(first, last)}"
        ]
    if not 0 <= first <= last < tracks.head_size:
        raise InputError(
            f"--tracks {term}: the {tracks.head} head has {tracks.head_size:,} tracks; give columns of "
            f"{_span(0, tracks.head_size - 1)}, a range from the smaller to the larger."
            + _hint_on_published_indices(tracks, first)
        )
    chosen = [track for track in tracks.rows if first <= track.index <= last]
    if not chosen:
        raise InputError(
            f"--tracks {term}: none of {counted(len(tracks), 'tracks')} to choose from; choose from all of them."
        )
    return _Match(chosen, notes)


def _hint_on_published_indices(tracks: Tracks, given: int) -> str:
    published = tracks.layout.first_index
    if tracks.first_index or not published <= given < published + tracks.head_size:
        return ""
    return f" As an index of the published table, {given} is column {given - published}; --targets FILE makes it known."


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _match_assay(tracks: Tracks, term: str, assay: str) -> _Match:
    by_assay: dict[str, list[Track]] = {}
    for track in tracks.rows:
        if track.assay is not None:
            by_assay.setdefault(track.assay, []).append(track)
    if not by_assay:
        raise _names_needed(tracks, term)
    chosen = [
        track
        for name, members in by_assay.items()
        if name.lower() == assay.lower()
        for track in members
    ]
    if not chosen:
        raise InputError(
            f"--tracks {term}: no track of the {tracks.head} head has this assay{nearest(assay.upper(), by_assay)}"
        )
    return _Match(chosen)


def _match_text(tracks: Tracks, term: str) -> _Match:
    if not any(track.identifier or track.description for track in tracks.rows):
        raise _names_needed(tracks, term)
    if identified := [track for track in tracks.rows if track.identifier == term]:
        return _Match(identified)
    # `DNASE:K562` is a description, and also found in `DNASE:K562 G1 phase`: both are chosen, and a note says so.
    described = [track for track in tracks.rows if track.description == term]
    try:
        containing = _search(tracks, term)
    except re.error as error:
        if not described:
            raise InputError(
                f"--tracks {term!r}: neither an identifier, a description nor a regular expression: {error}. "
                rf"Write \ before a character such as ( or + that stands for itself, and \, for a comma."
            ) from error
        containing = []
    if described:
        every = list(dict.fromkeys([*described, *containing]))
        return _Match(every, _notes_on_description(term, described, containing))
    if containing:
        return _Match(containing)
    match = _match_in_assay(tracks, term)
    if not match.tracks:
        raise InputError(
            f"--tracks {term!r}: no track of the {tracks.head} head has this identifier, or a description in which "
            f"this is found{_suggestion(tracks, term)}"
        )
    return match


def _match_in_assay(tracks: Tracks, term: str) -> _Match:
    """`CAGE:K562`: an assay, and an expression found further on; descriptions have the kind of sample between them."""
    assay, _, pattern = term.partition(":")
    if not pattern:
        return _Match([])
    # Behind the colon of the assay, or the pattern would be looked for in the assay's own name.
    of_assay = tuple(track for track in tracks.rows if track.assay == assay.upper())
    chosen = _search(replace(tracks, rows=of_assay), f":.*(?:{pattern})")
    columns = first_few([str(track.index) for track in chosen], _LISTED_COLUMNS)
    note = f"{term!r} is read as {pattern!r} in any {assay.upper()} description: {_counted(len(chosen))}, {columns}"
    return _Match(chosen, [note])


def _search(tracks: Tracks, pattern: str) -> list[Track]:
    compiled = re.compile(pattern)
    return [
        track
        for track in tracks.rows
        if track.description is not None and compiled.search(track.description)
    ]


def _notes_on_description(
    term: str,
    described: list[Track],
    containing: list[Track],
) -> list[str]:
    """What to say of a term that is the whole description of some tracks, and part of others'."""
    notes = []
    if len(described) > 1:
        columns = ", ".join(str(track.index) for track in described)
        notes.append(f"{term!r} is the description of {len(described)} tracks: {columns}")
    longer = [str(track.index) for track in containing if track not in described]
    if longer:
        notes.append(
            f"{term!r} is also found in {_counted(len(longer))} with a longer description: {', '.join(longer)}. "
            "An identifier or a column names just one."
        )
    return notes


def _names_needed(tracks: Tracks, term: str) -> InputError:
    return InputError(
        f"--tracks {term!r}: the tracks of the {tracks.head} head have no names here. Give their table with "
        f"--targets FILE; the published ones are {tracks.layout.published_at}. "
        "Columns such as 4828 or 10-20 need no table."
    )


def _counted(tracks: int) -> str:
    return f"{tracks} track{'' if tracks == 1 else 's'}"


def _suggestion(tracks: Tracks, term: str) -> str:
    """What was perhaps meant: the same words further apart or in other case, else the nearest names."""
    loose = ".*".join(re.escape(word) for word in re.split(r"[:\s]+", term))
    # As it was written first: `k562` in any case would match more than was meant.
    for pattern in (loose, f"(?i){loose}"):
        if matching := _search(tracks, pattern):
            return f"; did you mean {pattern!r} ({_counted(len(matching))})?"
    # of a published head there is a table to look into, whatever of it was chosen
    if tracks.head_size <= _FEW_TRACKS and not tracks.layout.assays:
        known = [track.identifier or str(track.index) for track in tracks.rows]
        return f". Its tracks are {', '.join(known)}."
    names = {
        name for track in tracks.rows for name in (track.identifier, track.description) if name
    }
    words = {word for name in names for word in re.split(r"[\s:,()-]+", name)}
    close = difflib.get_close_matches(term, sorted(names | words), n=3, cutoff=_LIKENESS)
    if not close:
        return ". Look into the targets table for names."
    return f"; did you mean {' or '.join(map(repr, close))}?"

"""In which fields two identities differ, in words: hashes only where nothing else tells them apart.

Knows JSON values and their names. Does not know what a run is.
"""

from collections.abc import Iterator, Mapping
from itertools import takewhile

from enformer_core.dataset.codec import JsonObject, canonical_json

_SHOWN_LETTERS = 60
_SHOWN_BEFORE = 10  # letters before the first that differs
_SHOWN_FIELDS = 20

_DIGEST = ".sha256"

_BESIDE_DIGESTS = ("bases", "bytes", "count", "genes", "name")
"""Fields that stand beside a digest and say of the same thing what people can read."""

InWords = Mapping[str, str]
"""What people call the value of a field, by the field's name; `groups` stands for all that is within."""


def difference_lines(
    there: JsonObject,
    now: JsonObject,
    words_there: InWords,
    words_now: InWords,
) -> list[str]:
    """A line for each field that differs, with both values; of many the first.

    Args:
        there: the identity that is stored.
        now: the identity that is wanted.
        words_there: what people call fields of the first; a field of which both have other words is told in these.
        words_now: the same of the second.
    """
    found = {name: (there, now) for name, there, now in _differences("", there, now)}
    lines = []
    told: set[str] = set()
    for name, both in found.items():
        field = _field_with_words(name, words_there, words_now)
        if field in told or _is_told_beside(name, found):
            continue
        if field is not None:
            told.add(field)
            label = field.removesuffix(_DIGEST)
            shown = _from_first_difference(words_there[field], words_now[field])
            lines.append("  {}: there {}, now {}".format(label, *shown))
        else:
            lines.append("  {}: there {}, now {}".format(name, *_shown_pair(*both)))
    more = len(lines) - _SHOWN_FIELDS
    return lines if more <= 0 else [*lines[:_SHOWN_FIELDS], f"  and {more:,} more"]


def _field_with_words(name: str, there: InWords, now: InWords) -> str | None:
    """The field, itself or around it, that people call otherwise in both; None where there is none."""
    for field in there.keys() & now.keys():
        is_within = name == field or name.startswith((f"{field}.", f"{field}["))
        if is_within and there[field] != now[field]:
            return field
    return None


def _is_told_beside(name: str, found: Mapping[str, object]) -> bool:
    """Whether a digest differs beside something that people can read, and that differs too."""
    if not name.endswith(_DIGEST):
        return False
    around = name.removesuffix(_DIGEST)
    return any(f"{around}.{beside}" in found for beside in _BESIDE_DIGESTS)


_NOTHING = object()
"""What stands on one side of a difference where a list has no such item."""


def _differences(
    name: str,
    there: object,
    now: object,
) -> Iterator[tuple[str, object, object]]:
    """What differs in two JSON values, named from the outside in: `model.head`, `input[0].sha256`."""
    if isinstance(there, dict) and isinstance(now, dict):
        for key in sorted(there.keys() | now.keys()):
            inner = f"{name}.{key}" if name else key
            yield from _differences(inner, there.get(key), now.get(key))
    elif isinstance(there, list) and isinstance(now, list):
        yield from _differences_of_lists(name, there, now)
    elif there != now:
        yield name, there, now


def _differences_of_lists(
    name: str,
    there: list[object],
    now: list[object],
) -> Iterator[tuple[str, object, object]]:
    if len(there) == len(now):
        for index, pair in enumerate(zip(there, now, strict=True)):
            yield from _differences(f"{name}[{index}]", *pair)
        return
    # of lists of two lengths the items that only one of them has, not all that have moved
    for index, item in enumerate(there):
        if item not in now:
            yield f"{name}[{index}]", item, _NOTHING
    for index, item in enumerate(now):
        if item not in there:
            yield f"{name}[{index}]", _NOTHING, item
    if all(item in now for item in there) and all(item in there for item in now):
        yield f"len({name})", len(there), len(now)


def _shown_pair(there: object, now: object) -> tuple[str, str]:
    """Both values as JSON, long ones from a little before the first letter in which they differ."""
    texts = []
    for value in (there, now):
        text = "nothing" if value is _NOTHING else canonical_json(value).decode()
        texts.append(text)
    return _from_first_difference(*texts)


def _from_first_difference(*texts: str) -> tuple[str, str]:
    letters = zip(*texts, strict=False)
    # long lists of tracks differ somewhere in their middle
    equal = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], letters))
    start = equal - _SHOWN_BEFORE if equal > _SHOWN_LETTERS // 2 else 0
    first, second = (_short(text, start) for text in texts)
    return first, second


def _short(text: str, start: int) -> str:
    shown = text[start : start + _SHOWN_LETTERS]
    before = "…" if start else ""
    behind = "…" if start + _SHOWN_LETTERS < len(text) else ""
    return f"{before}{shown}{behind}"

"""Values as a reader sees them: numbers in the digits that count, texts in one line.

Knows forms. Does not know HTML: what comes out is text.
"""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from enformer_core.pictures.text import shown as as_text
from enformer_core.report.content import Form
from enformer_core.words import bytes_in_words, duration

_MOST_LETTERS = 300
_MOST_ITEMS = 8


def shown(value: Any, form: Form) -> str:
    """A value as text; nothing where there is none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float) and form != "text":
        return _number(value, form)
    if form == "time":
        return _time(str(value))
    if isinstance(value, list | tuple):
        return _list(value)
    return shortened(as_text(str(value)))


def sort_key(value: Any) -> str:
    """By what a number is sorted: all its digits; nothing for what is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return repr(value) if math.isfinite(value) else ""


def shortened(text: str) -> str:
    """A text of at most so many letters; of a longer one its length is told."""
    if len(text) <= _MOST_LETTERS:
        return text
    return f"{text[:_MOST_LETTERS]}… ({len(text):,} letters)"


def _span(seconds: int | float) -> str:
    """A time, short ones too: `0.96 s`, `45 s`, `12 min`."""
    return f"{seconds:.2g} s" if seconds < 10 else duration(seconds)


def _time(text: str) -> str:
    """A moment as ISO 8601 has it, to the second: `2026-11-27 15:34:28 UTC`."""
    at = datetime.fromisoformat(text).astimezone(UTC)
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _number(value: int | float, form: Form) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else _signed(f"{'-' if value < 0 else ''}∞")
    if form == "count" and float(value).is_integer():
        return _signed(f"{int(value):,}")
    of_form = _IN_WORDS.get(form, _digits)
    return of_form(value)


def _digits(value: int | float) -> str:
    """Four digits, or all before the point: `1,234`, `12.35`, `1.2e−07`."""
    if abs(value) >= 1000:
        return _signed(f"{value:,.0f}" if abs(value) < 1e15 else f"{value:.3e}")
    return _signed(f"{value:.4g}")


def _signed(text: str) -> str:
    # a minus as wide as a plus; a hyphen may stand at a line's end, apart from its number
    return text.replace("-", "−")


def _list(values: list[Any] | tuple[Any, ...]) -> str:
    first = ", ".join(shown(value, "number") for value in values[:_MOST_ITEMS])
    more = len(values) - _MOST_ITEMS
    return shortened(f"{first}, … ({len(values):,} in all)" if more > 0 else first)


_IN_WORDS: Mapping[Form, Callable[[int | float], str]] = {
    "percent": lambda value: f"{_digits(100 * value)} %",
    "seconds": _span,
    "hours": lambda value: _span(3600 * value),
    "bytes": bytes_in_words,
    "index": lambda value: str(int(value)),
}

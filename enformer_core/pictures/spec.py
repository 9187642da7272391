"""Charts as Vega-Lite specifications: for files with title and theme, for pages as text that is never code."""

import json
import textwrap
from typing import Any

from enformer_core.pictures.picture import Picture
from enformer_core.pictures.text import shown, shown_in
from enformer_core.pictures.theme import DARK, LIGHT, config

_NOTE_COLUMNS = 120


def file_spec(picture: Picture) -> dict[str, Any]:
    """The specification of a picture that stands alone, on white: title and notes are in it."""
    lines = [line for note in picture.notes for line in _wrapped(note)]
    title = {"text": _wrapped(picture.title), "subtitle": lines}
    return _plain_spec(picture) | {"title": title, "config": config(LIGHT)}


def chart_spec(picture: Picture) -> str:
    """The specification for a page, where title and notes stand beside the chart and the theme is the reader's.

    Returns:
        JSON that may stand within `<script type="application/json">`: no sign of it ends or begins a tag.
    """
    return _for_script(_plain_spec(picture))


def page_themes() -> str:
    """Both themes, as JSON that may stand within a script; charts lie on the page's own ground."""
    through = {"background": "transparent"}
    return _for_script({"light": config(LIGHT) | through, "dark": config(DARK) | through})


def _plain_spec(picture: Picture) -> dict[str, Any]:
    spec: dict[str, Any] = shown_in(picture.chart.to_dict())
    # Altair's own theme, which another program of the process may have set
    spec.pop("config", None)
    spec["description"] = shown(picture.description)
    return spec


def _for_script(content: Any) -> str:
    text = json.dumps(content, allow_nan=False, sort_keys=True, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(shown(text), _NOTE_COLUMNS) or [""]

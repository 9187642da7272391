"""A stretch of DNA as a picture of text: one column a base, one row for each letter that it is changed to.

A cell's shade says how much is lost. Without colours and without Unicode the picture says the same. Knows letters,
numbers and the width of a terminal; does not know where the numbers come from.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

_LABEL_COLUMNS = 10
_RULER_BP = 10

_RED = "\x1b[31m"
_BLUE = "\x1b[34m"
_BOLD = "\x1b[1m"
_PLAIN = "\x1b[0m"

# Less than this share of the strongest effect is shown as none.
_LEAST_SHARE = 0.02


@runtime_checkable
class Stream(Protocol):
    """What is asked of a stream of text, whoever made it."""

    @property
    def encoding(self) -> str:
        """Name of the code by which letters become bytes."""
        ...

    def isatty(self) -> bool:
        """Whether a person may be looking: it is a terminal."""
        ...


@dataclass(frozen=True)
class Style:
    """What the terminal can show.

    Attributes:
        loss: shades from the faintest to the strongest.
        gain: what is gained, however much.
        none: no effect.
        coloured: whether escape codes are understood.
    """

    loss: str
    gain: str
    none: str
    coloured: bool

    @staticmethod
    def of(stream: Stream) -> "Style":
        """Find out what a stream shows: shades where its encoding has them, colours where it is a terminal."""
        has_colours = os.environ.get("TERM", "") not in ("", "dumb")
        # no-color.org: set to anything, it forbids them
        is_forbidden = bool(os.environ.get("NO_COLOR"))
        coloured = stream.isatty() and has_colours and not is_forbidden
        try:
            "░▒▓█·".encode(stream.encoding or "ascii")
        except (UnicodeEncodeError, LookupError):
            return Style("-=%#", "+", ".", coloured)
        return Style("░▒▓█", "+", "·", coloured)

    def paint(self, text: str, code: str) -> str:
        """The text in a colour, where there are colours."""
        return f"{code}{text}{_PLAIN}" if self.coloured and text.strip() else text


@dataclass(frozen=True)
class Scale:
    """What effects are drawn in parts of.

    Attributes:
        strongest: size of the strongest effect.
        loss: size of the largest loss: a gain may be larger than any loss can be.
    """

    strongest: float
    loss: float

    @classmethod
    def of(cls, effects: Iterable[float]) -> "Scale":
        """By the strongest of these; 0 where there are none."""
        values = list(effects)
        strongest = max(map(abs, values), default=0.0)
        loss = -min(values, default=0.0)
        return cls(strongest, loss)


@dataclass(frozen=True)
class MutationMap:
    """What every change of a stretch does.

    Attributes:
        first: 1-based place of the first letter.
        letters: of the genome.
        effects: by 1-based place and new letter.
        marked: one of these changes, drawn as X.
        site: 1-based first and last place of what is underlined.
        scale: what shades are measured by; by default the largest of these effects.
    """

    first: int
    letters: str
    effects: Mapping[tuple[int, str], float]
    marked: tuple[int, str] | None = None
    site: tuple[int, int] | None = None
    scale: Scale | None = None

    def draw(self, style: Style, columns: int) -> list[str]:
        """Lines of at most so many columns; a stretch that is too long is cut to what lies around the site."""
        places = self._visible(max(columns - _LABEL_COLUMNS - 1, 1))
        numbers, ticks = _ruler(places)
        genome = [self._letter(place, style) for place in places]
        scale = self.scale or Scale.of(self.effects.values())
        lines = [_line("", numbers), _line("", ticks), _line("genome", "".join(genome))]
        for letter in "ACGT":
            cells = [self._cell(place, letter, style, scale) for place in places]
            lines.append(_line(f"to {letter}", "".join(cells)))
        if self.site is None:
            return lines
        under = "".join("^" if self._is_in_site(place) else " " for place in places)
        return [*lines, _line("site", under.rstrip())]

    def pieces(self, columns: int) -> Iterator["MutationMap"]:
        """The same, cut into maps that are drawn in so many columns."""
        most = max(columns - _LABEL_COLUMNS - 1, 1)
        for begin in range(0, len(self.letters), most):
            letters = self.letters[begin : begin + most]
            yield replace(self, first=self.first + begin, letters=letters)

    def _visible(self, most: int) -> range:
        length = min(len(self.letters), most)
        # As many letters on both sides of the site, as far as they reach.
        middle = 0 if self.site is None else sum(self.site) // 2 - self.first
        centred = middle - length // 2
        last_begin = len(self.letters) - length
        begin = min(max(centred, 0), last_begin)
        first = self.first + begin
        return range(first, first + length)

    def _is_in_site(self, place: int) -> bool:
        if self.site is None:
            return False
        first, last = self.site
        return first <= place <= last

    def _letter(self, place: int, style: Style) -> str:
        letter = self.letters[place - self.first]
        return style.paint(letter, _BOLD) if self._is_in_site(place) else letter

    def _cell(self, place: int, letter: str, style: Style, scale: Scale) -> str:
        if self.letters[place - self.first] == letter:
            return " "
        effect = self.effects.get((place, letter), 0.0)
        code = _BLUE if effect > 0 else _RED
        if (place, letter) == self.marked:
            return style.paint("X", _BOLD + code)
        if not scale.strongest or abs(effect) < _LEAST_SHARE * scale.strongest:
            return style.none
        if effect > 0:
            return style.paint(style.gain, code)
        # shades are of losses among themselves
        shades = len(style.loss)
        shade = int(-effect / scale.loss * shades)
        # The largest loss itself, a share of 1, has the last shade and not one beyond.
        shade = min(shade, shades - 1)
        return style.paint(style.loss[shade], code)


def _line(label: str, text: str) -> str:
    return f"{label:>{_LABEL_COLUMNS - 2}}  {text}".rstrip()


def _ruler(places: range) -> tuple[str, str]:
    """Numbers of every tenth place, each beginning above its tick, as far as they fit."""
    numbers = [" "] * len(places)
    ticks = [" "] * len(places)
    for column, place in enumerate(places):
        number = str(place)
        if place % _RULER_BP == 0 and column + len(number) <= len(places):
            numbers[column : column + len(number)] = number
            ticks[column] = "|"
    return "".join(numbers), "".join(ticks)

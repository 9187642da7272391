"""What a report consists of, as plain data: sections of prose, figures, tables and pictures.

Each figure and table says where it comes from, so that a reader can ask again, and a test does. Knows nothing of
HTML, runs or DuckDB.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from enformer_core.pictures.picture import Picture

Kind = Literal["query", "status", "receipts", "file"]
Form = Literal["text", "count", "index", "number", "percent", "seconds", "hours", "bytes", "time"]
Tone = Literal["plain", "note", "warning"]


@dataclass(frozen=True)
class Source:
    """Where figures come from, as a reader can ask for them.

    Attributes:
        kind: `query` is SQL over the run's tables, `receipts` SQL over its receipts, `status` the JSON of
            `enformer-ray status`, `file` an object of the run that is JSON.
        text: the SQL, or the object's key; empty for `status`.
    """

    kind: Kind
    text: str = ""


STATUS = Source("status")


@dataclass(frozen=True)
class Figure:
    """One number, or one word, with its name.

    Attributes:
        label: what it is.
        value: as its source has it; None where it is not known.
        source: what gives it.
        key: where in the source: a column of the one row, or names within JSON, one below the other.
        form: how it is shown.
    """

    label: str
    value: Any
    source: Source
    key: tuple[str, ...]
    form: Form = "count"


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: as its source calls it.
        label: as people read it.
        form: how its values are shown.
    """

    name: str
    label: str
    form: Form = "text"

    @property
    def is_number(self) -> bool:
        """Whether values are set in line at their right end, and sorted by size."""
        return self.form != "text"


@dataclass(frozen=True)
class Prose:
    """A paragraph."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Figures:
    """Some figures side by side."""

    figures: Sequence[Figure]


@dataclass(frozen=True)
class Pairs:
    """Names with what stands for them, such as settings; no numbers that were computed.

    Attributes:
        title: above them.
        pairs: in order.
        source: the object that has them.
    """

    title: str
    pairs: Sequence[tuple[str, str]]
    source: Source


@dataclass(frozen=True)
class Table:
    """The answer of one question, row by row and column by column.

    Attributes:
        title: above it.
        columns: those of the source, in order.
        rows: a value for each column.
        source: what gives them.
        notes: what a reader should know of them.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    source: Source
    notes: Sequence[str] = field(default=())


@dataclass(frozen=True)
class Drawn:
    """A picture of the rows of a table beside it.

    Attributes:
        picture: to be drawn.
        source: what gives its numbers.
    """

    picture: "Picture"
    source: Source


Block = Prose | Figures | Pairs | Table | Drawn


@dataclass(frozen=True)
class Section:
    """A part of a report under one heading.

    Attributes:
        name: of its place on the page.
        title: the heading.
        blocks: in order.
    """

    name: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Report:
    """A run on one page.

    Attributes:
        location: of the run, as its user gave it.
        summary: the figures that stand at the top.
        warnings: what must be known before anything is read: a demonstration, a run that is not finished.
        sections: in order.
        made: when, by which release, in words.
    """

    location: str
    summary: Figures
    warnings: Sequence[str]
    sections: Sequence[Section]
    made: str

    def sources(self) -> list[Source]:
        """Each source once, in the order in which it is first met on the page."""
        found: dict[Source, None] = {}
        for block in (self.summary, *(block for each in self.sections for block in each.blocks)):
            if isinstance(block, Figures):
                found.update({figure.source: None for figure in block.figures})
            elif not isinstance(block, Prose):
                found[block.source] = None
        return list(found)

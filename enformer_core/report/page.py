"""A report as one page of HTML that needs nothing else: style, script and pictures are in it.

Texts of runs stay texts: the template escapes what it is given, and signs that turn or end a line stand by number.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from enformer_core.pictures.page import figure, page_script, page_style
from enformer_core.pictures.text import shown as as_text
from enformer_core.report.cells import shown, sort_key
from enformer_core.report.content import Drawn, Report, Source
from enformer_core.shell_words import command_line

_SHORT_LETTERS = 24
"""Of a cell that stays in one line on paper: most alleles and identifiers."""

_OPTION = re.compile(r"--[a-z][a-z-]*")

_ASKED = "import duckdb; duckdb.sql({sql}).show(max_width=1000, max_rows=1000)"

_KINDS = {
    "query": "SQL over the run's tables",
    "status": "JSON that says how far a run is",
    "receipts": "SQL over the run's receipts, by the DuckDB of enformer-ray's own Python",
    "file": "JSON that lies in the run",
}


@dataclass(frozen=True)
class How:
    """How to ask for figures again.

    Attributes:
        name: of its place on the page.
        number: by which the page calls it.
        kind: what is asked, in words.
        command: as a shell takes it.
    """

    name: str
    number: int
    kind: str
    command: str


def page(report: Report, attached: Sequence[str] = ()) -> str:
    """The whole page.

    Args:
        report: what it says.
        attached: tables of the user's own that `query` must be given too, NAME=FILE each.
    """
    hows = {
        source: How(
            f"how-{number}", number, _KINDS[source.kind], _command(source, report, attached)
        )
        for number, source in enumerate(report.sources(), 1)
    }
    return _template().render(
        report=report,
        how=hows.__getitem__,
        hows=list(hows.values()),
        block_kind=lambda block: type(block).__name__,
        style=_text("report.css"),
        script=_text("report.js"),
        drawings=_Drawings(report),
    )


def _command(source: Source, report: Report, attached: Sequence[str]) -> str:
    if source.kind == "status":
        return command_line(["enformer-ray", "status", report.location, "--json"])
    if source.kind == "file":
        return command_line(["cat", f"{report.location.rstrip('/')}/{source.text}"])
    if source.kind == "receipts":
        return command_line(["python", "-c", _ASKED.format(sql=json.dumps(source.text))])
    tables = [word for each in attached for word in ("--attach", each)]
    return command_line(["enformer-ray", "query", report.location, source.text, *tables])


class _Drawings:
    """The pictures of a report, and the script that draws them: on the page only where there is one."""

    def __init__(self, report: Report) -> None:
        blocks = (block for section in report.sections for block in section.blocks)
        drawn = [block for block in blocks if isinstance(block, Drawn)]
        self._names = {id(block): f"picture-{number}" for number, block in enumerate(drawn, 1)}
        self.style = page_style()
        self.script = page_script() if drawn else ""

    def of(self, block: Drawn) -> Markup:
        """The HTML of one picture."""
        return figure(block.picture, self._names[id(block)], is_titled=False)


def _text(name: str) -> Markup:
    content = resources.files("enformer_core.report").joinpath(name).read_text(encoding="utf-8")
    return Markup(content)  # noqa: S704 - a file of this package


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("enformer_core.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["line"] = lambda text: as_text(str(text))
    environment.filters["options"] = _with_whole_options
    environment.tests["short"] = lambda text: len(text) <= _SHORT_LETTERS
    environment.filters["shown"] = _shown
    environment.filters["sort_key"] = sort_key
    return environment.get_template("report.html.jinja")


def _with_whole_options(text: str) -> Markup:
    """A text as HTML, in which no line ends within the name of an option."""
    marked = _OPTION.sub(r'<span class="option">\g<0></span>', str(escape(text)))
    return Markup(marked)  # noqa: S704 - escaped above


def _shown(value: Any, form: Any) -> str:
    return shown(value, form)

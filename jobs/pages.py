"""`enformer-ray docs`: the pages of documentation of the version that is installed, where no checkout is at hand.

Messages name a page by this command: it is there wherever the program is, and says what this very version does.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import TypedDict

from enformer_core.errors import InputError, nearest
from jobs import exit_codes
from jobs.page_text import fitted_markdown
from jobs.terminal import terminal_columns

_PAGES = Path(__file__).parent / "docs"
"""In a checkout a link to its `docs`; a wheel has the pages themselves."""

_NOTEBOOK = ".ipynb"
_README = "readme"
_DISTRIBUTION = "enformer-ray"


Pages = Mapping[str, Callable[[], str]]
"""What gives the text of each page, by its name."""


class _Output(TypedDict, total=False):
    """What a cell of a notebook printed: lines of text, or of each form in which a value is shown."""

    text: list[str]
    data: dict[str, list[str]]


class _Cell(TypedDict):
    """A cell of a notebook; only one of code has outputs."""

    cell_type: str
    source: list[str]
    outputs: list[_Output]


@dataclass(frozen=True)
class DocsSettings:
    """What `enformer-ray docs` is asked for."""

    page: str = ""
    """which page to print; without it, they are listed"""


def show(settings: DocsSettings) -> int:
    """Print a page, or the list of pages with the first line of each; a notebook as the text of its cells.

    Returns:
        The exit code.

    Raises:
        InputError: for a page that there is not.
    """
    paths = (*sorted(_PAGES.glob("*.md")), *_notebooks())
    if not paths:
        raise InputError(
            f"{_PAGES}: the pages are not installed here, as on the nodes of a cluster"
        )
    pages: Pages = {path.stem: partial(_text, path) for path in paths}
    readme = _readme()
    if readme is not None:
        pages = {_README: lambda: readme, **pages}
    if not settings.page:
        _list(pages)
        return exit_codes.DONE
    # as a link on a page has it: docs/weights.md, notebooks/first_hour.ipynb, README.md
    name = Path(settings.page).name.removesuffix(".md").removesuffix(_NOTEBOOK).lower()
    if name not in pages:
        meant = nearest(name, list(pages))
        end = "" if meant.endswith("?") else "."
        raise InputError(
            f"docs {settings.page}: there is no such page{meant}{end} "
            "`enformer-ray docs` lists all, with what they are about"
        )
    text = pages[name]()
    room = terminal_columns()
    print(text if room is None else fitted_markdown(text, room), end="")
    return exit_codes.DONE


def _list(pages: Pages) -> None:
    width = max(map(len, pages))
    for name, text in pages.items():
        title = text().partition("\n")[0]
        print(f"{name:{width}}  {title.removeprefix('# ').strip()}")
    print("\nTo read one: enformer-ray docs weights")


def _readme() -> str | None:
    """The README of the checkout; of an installation what its metadata keep of it, if anything."""
    path = Path(__file__).parent.parent / "README.md"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    try:
        found = metadata(_DISTRIBUTION)
    except PackageNotFoundError:
        return None
    return found["Description"] if "Description" in found else None  # noqa: SIM401 - it has no `get`


def _notebooks() -> list[Path]:
    return sorted((_PAGES / "notebooks").glob(f"*{_NOTEBOOK}"))


def _text(path: Path) -> str:
    """The page; of a notebook its text, its code as Markdown has code, and what that printed."""
    content = path.read_text(encoding="utf-8")
    if path.suffix != _NOTEBOOK:
        return content
    blocks = [block for cell in json.loads(content)["cells"] for block in _blocks(cell)]
    # as Markdown parts them
    return "\n\n".join(blocks) + "\n"


def _blocks(cell: _Cell) -> Iterator[str]:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        yield source
        return
    yield f"```python\n{source}\n```"
    # pictures have no text, and are left out
    for output in cell["outputs"]:
        printed = output.get("text") or output.get("data", {}).get("text/plain", [])
        text = "".join(printed).rstrip()
        if text:
            yield f"```text\n{text}\n```"

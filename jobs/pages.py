"""`enformer-ray docs`: the pages of documentation of the version that is installed, where no checkout is at hand.

Messages name a page by this command: it is there wherever the program is, and says what this very version does.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from enformer_core.errors import InputError, nearest
from jobs import exit_codes

_PAGES = Path(__file__).parent / "docs"
"""In a checkout a link to its `docs`; a wheel has the pages themselves."""

_NOTEBOOK = ".ipynb"


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
    pages = {path.stem: path for path in (*sorted(_PAGES.glob("*.md")), *_notebooks())}
    if not pages:
        raise InputError(
            f"{_PAGES}: the pages are not installed here, as on the nodes of a cluster"
        )
    if not settings.page:
        width = max(map(len, pages))
        for name, path in pages.items():
            print(f"{name:{width}}  {_title(path)}")
        return exit_codes.DONE
    # as a link on a page has it: docs/weights.md, notebooks/first_hour.ipynb
    name = Path(settings.page).name.removesuffix(".md").removesuffix(_NOTEBOOK)
    if name not in pages:
        raise InputError(
            f"docs {settings.page}: there is no such page{nearest(name, list(pages))}; "
            f"there are {', '.join(pages)}"
        )
    print(_text(pages[name]), end="")
    return exit_codes.DONE


def _notebooks() -> list[Path]:
    return sorted((_PAGES / "notebooks").glob(f"*{_NOTEBOOK}"))


def _title(path: Path) -> str:
    first, _, _ = _text(path).partition("\n")
    return first.removeprefix("# ").strip()


def _text(path: Path) -> str:
    """The page; of a notebook its text, its code as Markdown has code, and what that printed."""
    content = path.read_text(encoding="utf-8")
    if path.suffix != _NOTEBOOK:
        return content
    blocks = [block for cell in json.loads(content)["cells"] for block in _blocks(cell)]
    return "\n\n".join(blocks) + "\n"


def _blocks(cell: dict[str, Any]) -> Iterator[str]:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        yield source
        return
    yield f"```python\n{source}\n```"
    for output in cell["outputs"]:
        printed = output.get("text") or output.get("data", {}).get("text/plain", ())
        text = "".join(printed).rstrip()
        if text:
            yield f"```text\n{text}\n```"

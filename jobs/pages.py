"""`enformer-ray docs`: the pages of documentation of the version that is installed, where no checkout is at hand.

Messages name a page by this command: it is there wherever the program is, and says what this very version does.
"""

from dataclasses import dataclass
from pathlib import Path

from enformer_core.errors import InputError, nearest
from jobs import exit_codes

_PAGES = Path(__file__).parent / "docs"
"""In a checkout a link to its `docs`; a wheel has the pages themselves."""


@dataclass(frozen=True)
class DocsSettings:
    """What `enformer-ray docs` is asked for."""

    page: str = ""
    """which page to print; without it, they are listed"""


def show(settings: DocsSettings) -> int:
    """Print a page, or the list of pages with the first line of each.

    Returns:
        The exit code.

    Raises:
        InputError: for a page that there is not.
    """
    pages = {path.stem: path for path in sorted(_PAGES.glob("*.md"))}
    if not pages:
        raise InputError(
            f"{_PAGES}: the pages are not installed here, as on the nodes of a cluster"
        )
    if not settings.page:
        width = max(map(len, pages))
        for name, path in pages.items():
            print(f"{name:{width}}  {_title(path)}")
        return exit_codes.DONE
    name = settings.page.removeprefix("docs/").removesuffix(".md")
    if name not in pages:
        raise InputError(
            f"docs {settings.page}: there is no such page{nearest(name, list(pages))}; "
            f"there are {', '.join(pages)}"
        )
    print(pages[name].read_text(encoding="utf-8"), end="")
    return exit_codes.DONE


def _title(path: Path) -> str:
    with path.open(encoding="utf-8") as lines:
        return next(lines).removeprefix("# ").strip()

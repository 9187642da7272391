"""What the site adds to the pages: files of the repository that pages name, and pages that are made of others."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url
from notebook_page import page_of_notebook

_ROOT = Path(__file__).parents[2]

_PAGES = {"changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
"""Pages of the site that lie beside `docs`, where people look for them in a repository."""

_FETCHED = "https://unpkg.com/iframe-worker/shim"
_OWN_SCRIPT = "site/worker.js"

_OUTSIDE = re.compile(r"\]\(\.\./(?P<path>[\w./-]+)")
"""A link from a page to a file beside `docs`."""

_NOTEBOOK = re.compile(r"\]\((?P<name>notebooks/\w+)\.ipynb\)")
"""A link to a notebook, which a repository shows as a page, and a site as JSON."""

_NAMED = re.compile(r"\bdocs/(?P<name>\w+)\.md\b")
"""A page as docstrings name it."""

_API = "api.md"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie elsewhere, and every file that a page links to."""
    for name, path in _PAGES.items():
        text = (_ROOT / path).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=_without_docs(text)))
    linked = {path for page in files.documentation_pages() for path in _linked(page)}
    for path in sorted(linked - set(_PAGES.values())):
        files.append(File.generated(config, f"files/{path}", abs_src_path=str(_ROOT / path)))
    for notebook in sorted((_ROOT / "docs/notebooks").glob("*.ipynb")):
        page = page_of_notebook(notebook.read_text(encoding="utf-8"))
        files.append(File.generated(config, f"notebooks/{notebook.stem}.md", content=page))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links to files beside `docs` lead to where the site has them, and those to notebooks to their pages."""
    del page, config, files
    return _NOTEBOOK.sub(r"](\g<name>.md)", _OUTSIDE.sub(_place_in_site, markdown))


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let pages that docstrings name be links to them.

    Raises:
        PluginError: for a page that is not there.
    """
    del config
    if page.file.src_uri != _API:
        return html

    def link(named: re.Match[str]) -> str:
        target = files.get_file_from_path(f"{named['name']}.md")
        if target is None:
            raise PluginError(f"a docstring names {named[0]}, which is no page")
        return f'<a href="{target.url_relative_to(page.file)}">{named["name"]}</a>'

    return _NAMED.sub(link, html)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Let the script by which search works in files be the site's own: the theme would fetch one."""
    del config
    return output.replace(_FETCHED, get_relative_url(_OWN_SCRIPT, page.url))


def on_post_template(output_content: str, template_name: str, config: MkDocsConfig) -> str:
    """The same of pages that are no documents, such as the one for addresses that lead nowhere."""
    del template_name, config
    return output_content.replace(_FETCHED, _OWN_SCRIPT)


def _linked(page: File) -> set[str]:
    return {match["path"] for match in _OUTSIDE.finditer(page.content_string)}


def _place_in_site(match: re.Match[str]) -> str:
    pages = {path: name for name, path in _PAGES.items()}
    path = match["path"]
    return f"]({pages.get(path, f'files/{path}')}"


def _without_docs(text: str) -> str:
    """A file from beside `docs`, whose links to pages begin with that folder's name."""
    return text.replace("](docs/", "](")

"""On the site a notebook is a page, with all that the notebook has."""

import json

import pytest

from tests.support.page_blocks import ROOT
from tests.support.site_files import load_site_file

NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def page_of_notebook():
    return load_site_file("notebook_page").page_of_notebook


def notebook(*cells):
    return json.dumps({"cells": list(cells), "nbformat": 4, "nbformat_minor": 5, "metadata": {}})


def code(source, *outputs):
    return {"cell_type": "code", "source": source, "outputs": list(outputs)}


def test_words_code_and_what_came_of_it_stand_in_order(page_of_notebook):
    printed = {"output_type": "stream", "name": "stdout", "text": ["1\n", "2\n"]}
    drawn = {"output_type": "display_data", "data": {"image/png": "QUJD\nRA==", "text/plain": "x"}}
    words = {"cell_type": "markdown", "source": ["# Title\n", "words"]}
    page = page_of_notebook(notebook(words, code(["print(1)\n", "print(2)"], printed, drawn)))
    assert page == (
        "# Title\nwords\n\n```python\nprint(1)\nprint(2)\n```\n\n```text\n1\n2\n```\n\n"
        "![What the code above draws](data:image/png;base64,QUJDRA==)\n"
    )


def test_a_fence_within_code_ends_no_block(page_of_notebook):
    page = page_of_notebook(notebook(code('text = """\n```\n# no heading\n```"""')))
    assert page.startswith("````python\n")
    assert page.endswith("\n````\n")


def test_an_error_is_shown_without_a_terminals_colours(page_of_notebook):
    failed = {"output_type": "error", "traceback": ["\x1b[31mValueError\x1b[0m", "no"]}
    assert "```text\nValueError\nno\n```" in page_of_notebook(notebook(code("f()", failed)))


def test_pages_have_every_cell_of_the_notebooks_that_are_shipped(page_of_notebook):
    assert NOTEBOOKS
    for path in NOTEBOOKS:
        content = path.read_text()
        page = page_of_notebook(content)
        cells = json.loads(content)["cells"]
        for cell in cells:
            assert "".join(cell["source"]) in page
        assert page.count("```python\n") == sum(cell["cell_type"] == "code" for cell in cells)
        assert f"notebooks/{path.stem}.md" in (ROOT / "mkdocs.yml").read_text()

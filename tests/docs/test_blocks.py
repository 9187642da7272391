"""Every block of code of the pages runs in a test, or its fence says that it does not."""

import pytest

from tests.support.page_blocks import NOT_RUN, PAGES, PRINTED, ROOT, blocks_of

RUN = {
    "README.md": {"python"},  # tests/api/test_documented.py
    "docs/biobank.md": {"sh"},  # tests/docs/test_biobank.py
    "docs/pca.md": {"python"},  # tests/docs/test_pca_block.py
    "docs/python.md": {"python"},  # tests/api/test_documented.py
    "docs/sql.md": {"sql", "python"},  # tests/sql/test_cookbook.py
    "docs/tutorial.md": {"sh"},  # tests/docs/test_tutorial.py
    "docs/variants.md": {"python"},  # tests/api/test_documented.py
}
"""The languages of which a test runs all blocks of a page that have no mark."""


def faults(page):
    """What is wrong with a page's blocks, each with its place."""
    name = str(page.relative_to(ROOT)) if page.is_relative_to(ROOT) else page.name
    for block in blocks_of(page):
        place = f"{name}:{block.line}"
        if not block.language:
            yield f"{place}: say the language: ```sh, ```sql, ```python, or ```text for what is printed"
        elif set(block.marks) - {NOT_RUN}:
            yield f"{place}: only {NOT_RUN} may stand behind a language, not {' '.join(block.marks)}"
        elif block.language != PRINTED and block.is_run and block.language not in RUN.get(name, ()):
            marked = f"```{block.language} {NOT_RUN}"
            yield f"{place}: no test runs it. Write {marked}, or a test (CONTRIBUTING.md, Documents)"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_are_run_or_say_that_they_are_not(page):
    assert not list(faults(page))
    # a fence that is not closed, or is no fence by what stands behind it
    fences = [line for line in page.read_text().splitlines() if line.lstrip().startswith("```")]
    assert len(fences) == 2 * len(blocks_of(page))


def test_pages_that_are_run_have_blocks_that_are():
    for name, languages in RUN.items():
        run = {block.language for block in blocks_of(ROOT / name) if block.is_run}
        assert run - {PRINTED} == languages, name


def test_a_block_without_a_language_and_one_that_nothing_runs_are_told(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "```\na\n```\n\n- item\n\n  ```sh\n  b\n  ```\n\n```r notrun\nc\n```\n\n```text\nd\n```\n```sh norun\n```\n"
    )
    first, second, third = faults(page)
    assert first.startswith("page.md:1: say the language")
    assert second.startswith("page.md:7: no test runs it. Write ```sh notrun")
    assert third.startswith("page.md:18: only notrun")

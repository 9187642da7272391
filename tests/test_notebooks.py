"""Every notebook of the documents runs from top to bottom, and shows what it gives."""

from pathlib import Path

import pytest

from tests.support.notebooks import code_cells, is_optional, run_cells, source_of, told

ROOT = Path(__file__).parents[1]

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))

_LARGEST_BYTES = 100_000


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.full
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_and_shows_what_it_gives(notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    cells = code_cells(notebook)
    for cell, outputs in zip(cells, run_cells(cells, tmp_path), strict=True):
        if not is_optional(cell):
            words, numbers = told(outputs)
            assert words == told(cell["outputs"])[0], source_of(cell)
            assert numbers == pytest.approx(told(cell["outputs"])[1], rel=0.02, abs=0.05)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_small_and_knows_no_machine(notebook):
    text = notebook.read_text(encoding="utf-8")
    assert len(text) < _LARGEST_BYTES
    for place in ("/home/", "/tmp/", "/root/", "/Users/", str(ROOT)):
        assert place not in text
    assert [cell["execution_count"] for cell in code_cells(notebook)] == list(
        range(1, len(code_cells(notebook)) + 1)
    )

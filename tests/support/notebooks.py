"""Notebooks run cell after cell in one namespace, as a kernel would, and without one; and how to renew what they show.

`python -m tests.support.notebooks docs/notebooks/first_hour.ipynb` runs a notebook and stores what its cells give.
Of a cell is kept what it prints, and the text of the value of its last line.
"""

import ast
import contextlib
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OPTIONAL = "optional"
"""The tag of a cell whose output depends on what is installed: it is run, and its output is not compared."""

_NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?")
_RULES = re.compile(r"[─═]+")

Cell = dict[str, Any]
Output = dict[str, Any]


def code_cells(notebook: Path) -> list[Cell]:
    """The cells of code, in order."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    return [cell for cell in content["cells"] if cell["cell_type"] == "code"]


def source_of(cell: Cell) -> str:
    return "".join(cell["source"])


def is_optional(cell: Cell) -> bool:
    return OPTIONAL in cell["metadata"].get("tags", ())


def run_cells(cells: list[Cell], directory: Path) -> Iterator[list[Output]]:
    """The outputs of each cell, run in this process with `directory` as the working directory."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.chdir(directory):
        for number, cell in enumerate(cells, start=1):
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                value = _value(source_of(cell), f"<cell {number}>", namespace)
            outputs = []
            if printed.getvalue():
                outputs.append(
                    {"output_type": "stream", "name": "stdout", "text": _lines(printed.getvalue())}
                )
            if value is not None:
                outputs.append(
                    {
                        "output_type": "execute_result",
                        "execution_count": number,
                        "metadata": {},
                        "data": {"text/plain": _lines(repr(value))},
                    }
                )
            yield outputs


def told(outputs: list[Output]) -> tuple[str, list[float]]:
    """What outputs say in words, and their numbers, so that last digits may differ from machine to machine."""
    texts = [
        line
        for output in outputs
        for line in output.get("text", ()) or output["data"]["text/plain"]
    ]
    text = "".join(texts)
    numbers = [float(number.replace(",", "")) for number in _NUMBER.findall(text)]
    # columns of a table are as wide as their numbers
    words = _RULES.sub(" ", _NUMBER.sub("0", text))
    return " ".join(words.split()), numbers


def _value(source: str, name: str, namespace: dict[str, Any]) -> object:
    """Run a cell; what its last line comes to, where that is an expression."""
    body = ast.parse(source, name).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), name, "exec"), namespace)
    if last is None:
        return None
    return eval(compile(ast.Expression(last.value), name, "eval"), namespace)


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def renew(notebook: Path) -> None:
    """Store what the cells give now; optional ones keep what they have."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    with tempfile.TemporaryDirectory() as directory:
        for number, outputs in enumerate(run_cells(cells, Path(directory)), start=1):
            cell = cells[number - 1]
            cell["execution_count"] = number
            if not is_optional(cell):
                cell["outputs"] = outputs
    text = json.dumps(content, indent=1, ensure_ascii=False)
    notebook.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for argument in sys.argv[1:]:
        renew(Path(argument))

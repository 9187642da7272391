"""A notebook as a page: its words, its code, and what the code printed and drew, as the notebook keeps them.

Knows the notebook's JSON. Runs nothing.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")

Cell = dict[str, Any]
"""Of the notebook's JSON, as are its outputs."""


def page_of_notebook(content: str) -> str:
    """The page in Markdown.

    Args:
        content: the notebook's file.
    """
    blocks = [block for cell in json.loads(content)["cells"] for block in _of_cell(cell)]
    return "\n\n".join(blocks) + "\n"


def _of_cell(cell: Cell) -> Iterator[str]:
    source = _whole(cell["source"])
    if cell["cell_type"] != "code":
        yield source
        return
    yield _fenced("python", source)
    for output in cell["outputs"]:
        yield _of_output(output)


def _of_output(output: Cell) -> str:
    if output["output_type"] == "error":
        return _fenced("text", _COLOURS.sub("", "\n".join(output["traceback"])))
    data = output.get("data", {"text/plain": output.get("text", "")})
    if "image/png" in data:
        letters = "".join(_whole(data["image/png"]).split())
        return f"![What the code above draws](data:image/png;base64,{letters})"
    return _fenced("text", _whole(data["text/plain"]).rstrip("\n"))


def _fenced(language: str, text: str) -> str:
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _whole(text: str | list[str]) -> str:
    """A text of the notebook, which may be kept as lines."""
    return text if isinstance(text, str) else "".join(text)

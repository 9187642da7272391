"""The container files: linted, pinned, without a superuser or a secret, and made of all that the installation reads."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from enformer_core.version import __version__
from jobs.cli import parse

ROOT = Path(__file__).parents[2]
CONTAINERS = ROOT / "cluster" / "containers"
DOCKERFILE = CONTAINERS / "Dockerfile"
DOCKERFILES = [DOCKERFILE, ROOT / "cluster" / "kuberay" / "Dockerfile"]
APPTAINER = CONTAINERS / "enformer-ray.def"
BIN = Path(sys.executable).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
READ = {
    *(package.split(".")[0] for package in PROJECT["tool"]["setuptools"]["packages"]),
    *(PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]),
    *("pyproject.toml", "requirements.lock", "docs"),
}
"""What an installation of this checkout reads; `docs` are the pages that a wheel holds."""


def hadolint(text):
    command = [BIN / "hadolint", "--no-color", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("file", DOCKERFILES, ids=["containers", "kuberay"])
def test_the_linter_finds_nothing(file):
    found = hadolint(file.read_text())
    assert (found.returncode, found.stdout) == (0, "")
    assert "DL3007" in hadolint("FROM python:latest\n").stdout


@pytest.mark.parametrize("file", [*DOCKERFILES, APPTAINER], ids=["docker", "kuberay", "apptainer"])
def test_the_base_is_of_one_version_and_nothing_secret_is_in_it(file):
    text = file.read_text()
    bases = re.findall(r"^From: *(\S+)|^FROM (\S+)", text, re.MULTILINE)
    assert bases
    for base in map("".join, bases):
        assert re.search(r":\d+\.\d+\.\d+", base), base
    assert not re.search(r"AWS_|_KEY|PASSWORD|TOKEN=", text)


EXTRAS = {name for name in PROJECT["project"]["optional-dependencies"] if name != "dev"}


@pytest.mark.parametrize(
    "file",
    [*DOCKERFILES, APPTAINER, ROOT / "ray_cluster.yaml"],
    ids=["docker", "kuberay", "apptainer", "aws"],
)
def test_what_computes_is_installed_in_the_locks_versions_and_nothing_for_developers(file):
    commands = [
        line
        for line in re.sub(r"\\?\n +(?=--|\")", " ", file.read_text()).splitlines()
        if "pip install" in line and not line.lstrip().startswith("#")
    ]
    assert commands
    assert all("--constraint" in line and "requirements.lock" in line for line in commands)
    # the lock as a list of packages holds the developers' too
    assert not re.search(r"--requirement|-r\b", "\n".join(commands))
    (extras,) = re.findall(r'\[([a-z,]+)\]"', file.read_text())
    assert set(extras.split(",")) == EXTRAS


def instructions(name):
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    return re.findall(rf"^{name} (.*)$", text, re.MULTILINE)


def test_it_does_not_run_as_root_and_runs_the_program():
    assert instructions("USER")[-1] == "1000:1000"
    assert instructions("ENTRYPOINT") == ['["enformer-ray"]']
    assert "enformer-ray --version" in instructions("RUN")[-1]


def test_images_are_made_of_what_the_installation_reads_and_nothing_else_is_sent():
    copies = [words for words in instructions("COPY") if not words.startswith("--from")]
    assert {name for words in copies for name in words.split()[:-1]} == READ
    kept = (ROOT / ".dockerignore").read_text().splitlines()
    assert kept[1] == "*"
    assert {line[1:] for line in kept if line.startswith("!")} == READ
    assert set(re.findall(r"^    (\S+) /build/\1$", APPTAINER.read_text(), re.MULTILINE)) == READ


def sections():
    text = APPTAINER.read_text()
    return dict(re.findall(r"^%(\w+)\n(.*?)(?=^%|\Z)", text, re.MULTILINE | re.DOTALL))


def test_apptainers_shell_is_sound():
    for name in ("post", "test", "runscript"):
        script = re.sub(r"\{\{ \w+ \}\}", "", sections()[name])
        found = subprocess.run(
            [BIN / "shellcheck", "--shell=sh", "-"],
            input=script,
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 0, found.stdout
    assert set(sections()) <= {
        *("arguments", "files", "post", "environment", "test", "runscript", "help", "labels")
    }


def test_both_are_of_this_version_and_one_base():
    (base,) = re.findall(r"^From: (\S+)$", APPTAINER.read_text(), re.MULTILINE)
    assert {line.split()[0] for line in instructions("FROM")} == {base}
    assert f"version {__version__}" in sections()["labels"]
    assert f"enformer-ray:{__version__} " in DOCKERFILE.read_text()


def test_the_commands_in_their_heads_are_understood():
    (command,) = re.findall(r"apptainer run .*?\.sif (.*)", APPTAINER.read_text())
    parse(shlex.split(command))
    for program in (DOCKERFILE, APPTAINER):
        built = re.findall(r"cluster/containers/\S+", program.read_text())
        assert all((ROOT / name.rstrip(".")).exists() for name in built)

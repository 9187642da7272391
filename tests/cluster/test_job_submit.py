"""`ray job submit --working-dir . -- enformer-ray score …` on a head started as an operator does, with its token."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from jobs import exit_codes
from jobs.cli import main
from tests.support.genomes import OTHER, random_letters, write_fasta
from tests.support.vcf import write_vcf

ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent
LEFT_AT_HOME = {
    ".git",
    ".venv",
    "tests",
    "benchmarks",
    "docs",
    ".mypy_cache",
    ".ruff_cache",
    ".hypothesis",
}


@dataclass(frozen=True)
class Head:
    """A running head: its dashboard's address, its pid and the environment of those who may talk to it."""

    dashboard: str
    pid: int
    environment: Mapping[str, str]

    def ray(self, *arguments: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(BIN / "ray"), *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            cwd=ROOT,
            env={**self.environment, "RAY_API_SERVER_ADDRESS": self.dashboard},
        )


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


def family_of(pid: int) -> list[psutil.Process]:
    """The processes of a session that `ray start --block` leads, and what they started."""
    try:
        leader = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return []
    return [leader, *leader.children(recursive=True)]


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    """`ray start --head --block` on loopback, with a home and a token of its own; ended by its pids."""
    home = tmp_path_factory.mktemp("home")
    temp = (
        Path("/tmp") / f"submit-{os.getpid()}"
    )  # paths of sockets may not be longer than 107 bytes
    environment = (
        {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("RAY_") and name not in ("PYTHONPATH", "OMP_NUM_THREADS")
        }
        | {
            "HOME": str(home),
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "RAY_AUTH_MODE": "token",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # else Ray replaces 127.0.0.1 by the machine's own address
        }
    )
    subprocess.run(
        [BIN / "ray", "get-auth-token", "--generate"],
        check=True,
        capture_output=True,
        env=environment,
    )
    port, dashboard, agent, client = free_ports(4)
    command = [
        *(
            BIN / "ray",
            "start",
            "--head",
            "--block",
            "--num-cpus=2",
            "--object-store-memory=100000000",
        ),
        *("--node-ip-address=127.0.0.1", f"--port={port}", f"--ray-client-server-port={client}"),
        *(
            "--dashboard-host=127.0.0.1",
            f"--dashboard-port={dashboard}",
            f"--dashboard-agent-listen-port={agent}",
        ),
        f"--temp-dir={temp}",
    ]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        started = Head(f"http://127.0.0.1:{dashboard}", process.pid, environment)
        try:
            wait_for(started)
            yield started
        finally:
            end(family_of(process.pid))
    subprocess.run(["rm", "-rf", temp], check=True)


def wait_for(head: Head, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while status_without_token(head) is None:
        assert time.monotonic() < deadline, (
            "the dashboard does not answer: is ray[default] installed?"
        )
        time.sleep(0.2)


def end(family: list[psutil.Process]) -> None:
    for process in family:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    _, alive = psutil.wait_procs(family, timeout=15)
    assert not alive


def status_without_token(head: Head) -> int | None:
    """The HTTP status of a request that shows no token; None where nobody answers."""
    try:
        with urllib.request.urlopen(f"{head.dashboard}/api/jobs/", timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        return refused.code
    except OSError:
        return None


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A contig of 4,000 random letters, and three SNVs on it."""
    directory = tmp_path_factory.mktemp("input")
    letters = random_letters(4_000)
    genome = write_fasta(directory / "small.fa", {"chr1": letters})
    refs = {pos: letters[pos - 1] for pos in (1000, 2000, 3000)}
    records = [("chr1", pos, ref, OTHER[ref]) for pos, ref in refs.items()]
    return write_vcf(directory / "small.vcf", records), genome


def test_a_submitted_run_ends_verified_with_the_code_of_the_checkout(
    head, inputs, tmp_path, capsys
):
    variants, genome = inputs
    out = tmp_path / "out"
    score = (
        f"enformer-ray score {variants} --genome {genome} --model motif --workers 1 --shard-size 1 "
        f"--out {out} --ray auto"
    )
    seen = '[jobs.__file__, sorted(os.listdir()), os.listdir("jobs/data")]'
    look = f"python -c 'import json, os, jobs; print(json.dumps({seen}))'"
    how = ("--runtime-env", "cluster/runtime_env.yaml", "--working-dir", ".")
    ended = head.ray("job", "submit", *how, "--", "sh", "-c", f"{look} && {score}", timeout_s=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr

    assert main(["verify", str(out), "--json"]) == exit_codes.DONE
    capsys.readouterr()
    assert len(list((out / "commits").iterdir())) >= 3

    (line,) = [line for line in ended.stdout.splitlines() if line.startswith('["')]
    imported, shipped, data = json.loads(line)
    assert Path(imported).parent.parent.name.startswith("_ray_pkg_")  # not the installed package
    assert {"jobs", "cluster", "enformer_core", "pyproject.toml"} <= set(shipped)
    assert not LEFT_AT_HOME & set(shipped)
    assert "gp1bb.fa.gz" in data  # the demonstration's genome is no user's


def test_who_shows_no_token_or_another_is_refused(head):
    assert status_without_token(head) == 401
    ended = subprocess.run(
        [BIN / "ray", "job", "list", "--address", head.dashboard],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**head.environment, "RAY_AUTH_TOKEN": "0" * 64},
    )
    assert ended.returncode != 0
    assert "Invalid authentication token" in ended.stderr


def test_all_that_listens_listens_on_loopback(head):
    listening = {
        end.laddr.ip.removeprefix("::ffff:")
        for process in family_of(head.pid)
        for end in process.net_connections("inet")
        if end.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_without_a_token_a_head_that_demands_one_does_not_start(head, tmp_path):
    """What ray_cluster.yaml relies on: RAY_AUTH_MODE=token refuses where the file with the token is missing."""
    ended = subprocess.run(
        [
            BIN / "ray",
            "start",
            "--head",
            "--node-ip-address=127.0.0.1",
            f"--port={free_ports(1)[0]}",
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**head.environment, "HOME": str(tmp_path)},
    )
    assert ended.returncode != 0
    assert "no authentication token was found" in ended.stderr

"""The Slurm scripts: linted, their commands read by the programs' own parsers, and run among stand-ins for Slurm's."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jobs.cli import parse
from tests.jobs.test_documented_commands import check_ray, command_lines
from tests.support.genomes import OTHER, random_letters, write_fasta
from tests.support.vcf import write_vcf

SLURM = Path(__file__).parents[2] / "cluster" / "slurm"
SCRIPTS = sorted(SLURM.glob("*.sbatch"))
BIN = Path(sys.executable).parent
JOB = {
    "SLURM_JOB_ID": f"9{os.getpid()}",  # of these tests alone: what is left in /tmp bears it
    "SLURM_JOB_NUM_NODES": "3",
    "SLURM_CPUS_PER_TASK": "8",
    "SLURM_MEM_PER_NODE": "32768",
    "SLURM_ARRAY_TASK_ID": "3",
    "SLURM_ARRAY_TASK_MAX": "8",
    "HEAD_IP": "10.0.0.5",
}
PORT = 20_000 + int(JOB["SLURM_JOB_ID"]) % 5_000 * 2
WITHIN_S = 60
COMMAND = re.compile(r"enformer-ray score .*?(?= &$|\Z)", re.MULTILINE | re.DOTALL)


def text_of(name):
    return (SLURM / name).read_text()


def expanded(text):
    """With the variables that Slurm and the scripts set."""
    values = {**JOB, "HEAD_PORT": str(PORT)}
    return re.sub(r"\$\{?(\w+)\}?", lambda match: values[match[1]], text)


def shellcheck(text):
    command = [BIN / "shellcheck", "--shell=bash", "--external-sources", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_the_linter_finds_nothing(script):
    found = shellcheck(script.read_text())
    assert found.returncode == 0, found.stdout
    assert shellcheck(script.read_text() + "\nrm -rf $UNSET/*\n").returncode != 0


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_the_run_is_one_that_the_program_takes(script):
    (command,) = COMMAND.findall(script.read_text())
    ((_, *words),) = command_lines(expanded(command))
    _, settings = parse(words)
    assert settings.device == "cuda"
    expected = {"array.sbatch": ("off", "3/8"), "ray.sbatch": (f"10.0.0.5:{PORT}", None)}
    assert (settings.ray, settings.share) == expected[script.name]


def test_nothing_of_another_job_is_touched_and_the_token_is_never_off():
    text = text_of("ray.sbatch")
    assert "ray stop" not in text  # it ends every Ray of this user on the node
    assert "RAY_AUTH_MODE=token" in text
    assert "disabled" not in text
    assert not re.search(r"RAY_AUTH_TOKEN.*>", text)


PROGRAMS = {
    # Does what srun does on nodes that are all this machine: each task its own group, signals are passed on.
    "srun": f"""#!{sys.executable}
import os, signal, subprocess, sys
words, options = sys.argv[1:], {{}}
while words[0].startswith("--"):
    name, _, value = words.pop(0)[2:].partition("=")
    options[name] = value
first, tasks = int(options["relative"]), []
def forward(number, frame):
    for task in tasks:
        os.killpg(task.pid, number)
signal.signal(signal.SIGTERM, forward)
for node in range(first, first + int(options["ntasks"])):
    place = os.environ["RAY_TMPDIR"] + f"-{{node}}"
    tasks.append(subprocess.Popen(words, env={{**os.environ, "RAY_TMPDIR": place}}, start_new_session=True))
sys.exit(max(task.wait() for task in tasks))
""",
    "ray": """#!/bin/bash
trap 'echo "ended $*" >> "$LOG"; exit 0' TERM
echo "ray $*" >> "$LOG"
if [ "$1" = status ]; then
  if [ -e "$LOG.head" ]; then echo " 1 node_8f2c"; else exit 1; fi
  exit
fi
[ -n "$RAY_AUTH_TOKEN" ] && [ "$RAY_AUTH_MODE" = token ] || exit 9
mkdir -p "$RAY_TMPDIR"
[ -e "$LOG.broken" ] && exit 1
case "$*" in *--head*) touch "$LOG.head";; esac
while [ -e "$LOG" ]; do sleep 0.1; done
""",
    "enformer-ray": """#!/bin/bash
trap 'echo "interrupted" >> "$LOG"; exit 143' TERM
echo "enformer-ray $*" >> "$LOG"
while [ -e "$LOG.long" ] || [ "$(grep -c '^ray start' "$LOG")" -lt "$SLURM_JOB_NUM_NODES" ]; do sleep 0.1; done
exit 3
""",
}


@pytest.fixture
def job(tmp_path):
    """Start a script as Slurm does, among the stand-ins; gives the process."""
    home = tmp_path / "bin"
    home.mkdir()
    for name, text in PROGRAMS.items():
        (home / name).write_text(text)
        (home / name).chmod(0o755)
    (home / "python").symlink_to(sys.executable)
    (home / "activate").write_text(f'export PATH="{home}:$PATH"\n')
    started = []

    def start(name):
        environment = {
            "PATH": "/usr/bin:/bin",
            "LOG": str(tmp_path / "log"),
            "ENFORMER_RAY_VENV": str(tmp_path),
            **JOB,
        }
        started.append(
            subprocess.Popen(
                ["bash", SLURM / name], env=environment, start_new_session=True, cwd=tmp_path
            )
        )
        return started[-1]

    yield start
    (tmp_path / "log").unlink(
        missing_ok=True
    )  # whatever a failed test has left running ends with it
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def said(tmp_path):
    """What the stand-ins were asked, without the questions whether the head is up."""
    lines = (tmp_path / "log").read_text().splitlines()
    return [line for line in lines if not line.startswith("ray status")]


def until(condition):
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def left_in_tmp():
    return list(Path("/tmp").glob(f"ray-{JOB['SLURM_JOB_ID']}*"))


def test_head_workers_and_driver_start_in_turn_and_all_end_with_the_drivers_code(job, tmp_path):
    assert job("ray.sbatch").wait(WITHIN_S) == 3
    lines = said(tmp_path)
    starts = [line for line in lines if line.startswith("ray start")]
    head, *workers = starts
    assert lines[0] == head
    assert len(workers) == 2
    for start in starts:
        check_ray(shlex.split(start)[1:])
        assert "--num-cpus=8" in start
        assert "--memory=34359738368" in start
    assert (
        f"--head --port={PORT} --ray-client-server-port={PORT + 1} --node-ip-address=10.0.0.5"
        in head
    )
    assert all(f"--address=10.0.0.5:{PORT}" in worker for worker in workers)
    assert len([line for line in lines if line.startswith("enformer-ray")]) == 1
    assert f"--ray 10.0.0.5:{PORT}" in " ".join(lines)
    ends = [line for line in lines if line.startswith("ended")]
    assert len(ends) == 3
    assert "--head" in ends[-1]  # the others take leave of it
    assert left_in_tmp() == []


def test_before_the_end_of_its_time_the_driver_is_told_and_its_ray_ended(job, tmp_path):
    (tmp_path / "log.long").touch()
    running = job("ray.sbatch")
    until((tmp_path / "log").exists)
    until(lambda: len([line for line in said(tmp_path) if " start" in line]) == 3)
    until(lambda: any(line.startswith("enformer-ray") for line in said(tmp_path)))
    running.send_signal(signal.SIGTERM)  # to the script alone, as `--signal=B:TERM` does
    assert running.wait(WITHIN_S) == 143
    lines = said(tmp_path)
    assert "interrupted" in lines
    assert lines.index("interrupted") < min(
        at for at, line in enumerate(lines) if line.startswith("ended")
    )
    assert left_in_tmp() == []


def test_where_ray_does_not_start_the_job_ends(job, tmp_path):
    (tmp_path / "log.broken").touch()
    assert job("ray.sbatch").wait(WITHIN_S) == 5
    assert not [line for line in said(tmp_path) if line.startswith("enformer-ray")]
    assert left_in_tmp() == []


def test_a_command_of_the_array_hears_the_signal_itself(job, tmp_path):
    (tmp_path / "log.long").touch()
    running = job("array.sbatch")
    until((tmp_path / "log").exists)
    running.send_signal(signal.SIGTERM)
    assert running.wait(WITHIN_S) == 143
    (asked, heard) = said(tmp_path)
    assert asked.endswith("--ray off --device cuda --share 3/8")
    assert heard == "interrupted"


@pytest.mark.full
def test_a_real_ray_on_two_nodes_that_are_this_machine_scores(tmp_path, job):
    """Ray, its token and the program are real; only Slurm is not."""
    letters = random_letters(4_000)
    write_fasta(tmp_path / "small.fa", {"chr1": letters})
    places = range(1000, 2000, 100)
    records = [("chr1", at, letters[at - 1], OTHER[letters[at - 1]]) for at in places]
    write_vcf(tmp_path / "small.vcf", records)
    run = (
        f"enformer-ray score {tmp_path}/small.vcf --genome {tmp_path}/small.fa --model motif "
        f'--shard-size 1 --out {tmp_path}/out --ray "$HEAD_IP:$HEAD_PORT"'
    )
    script = tmp_path / "ray.sbatch"
    script.write_text(COMMAND.sub(lambda _: run, text_of("ray.sbatch")))
    (tmp_path / "bin" / "ray").unlink()
    (tmp_path / "bin" / "enformer-ray").unlink()
    address = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True)
    done = subprocess.run(
        ["bash", script],
        env={
            **JOB,
            "SLURM_JOB_NUM_NODES": "2",
            "SLURM_CPUS_PER_TASK": "1",
            "SLURM_MEM_PER_NODE": "3000",
            "HEAD_IP": address.stdout.split()[0],
            "PATH": f"{BIN}:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "ENFORMER_RAY_VENV": str(tmp_path),
        },
        check=False,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((tmp_path / "out" / "commits").iterdir())) == len(places)
    assert left_in_tmp() == []

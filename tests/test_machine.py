"""What a process may use, as containers, batch systems and other systems than Linux have it."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch

from enformer_core import machine
from enformer_core.errors import InputError

GIB = 1 << 30


@pytest.fixture
def control_groups(monkeypatch, tmp_path):
    """Write control groups: which one this process is in, and the files of each."""

    def write(membership: str, files: dict[str, str]) -> None:
        monkeypatch.setattr(machine, "_CGROUPS", tmp_path / "cgroup")
        monkeypatch.setattr(machine, "_OWN_CGROUPS", tmp_path / "self")
        (tmp_path / "self").write_text(membership)
        for name, text in files.items():
            path = tmp_path / "cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")

    return write


@pytest.fixture
def host(monkeypatch):
    """A machine of 64 CPUs and 256 GiB, of which 200 are free."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    memory = psutil.virtual_memory()._replace(total=256 * GIB, available=200 * GIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)


V1 = "4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n1:name=systemd:/\n"


@pytest.mark.parametrize(
    ("membership", "files", "cpus"),
    [
        ("0::/\n", {}, 64),
        ("0::/\n", {"cpu.max": "max 100000"}, 64),
        ("0::/\n", {"cpu.max": "250000 100000"}, 2),
        ("0::/\n", {"cpu.max": "50000 100000"}, 1),
        ("0::/a/b\n", {"a/cpu.max": "400000 100000", "a/b/cpu.max": "max 100000"}, 4),
        ("0::/a/b\n", {"a/cpu.max": "400000 100000", "a/b/cpu.max": "300000 100000"}, 3),
        ("0::/only/the/host/knows\n", {"cpu.max": "800000 100000"}, 8),
        (V1, {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 64),
        (V1, {"cpu/cpu.cfs_quota_us": "600000", "cpu/cpu.cfs_period_us": "100000"}, 6),
        (
            V1,
            {
                "cpu/docker/x/cpu.cfs_quota_us": "700000",
                "cpu/docker/x/cpu.cfs_period_us": "100000",
            },
            7,
        ),
    ],
)
def test_cpus_within_the_quota(host, control_groups, membership, files, cpus):
    control_groups(membership, files)
    assert machine.cpu_count() == cpus


def test_affinity_counts_where_it_is_less_than_the_quota(control_groups, monkeypatch):
    control_groups("0::/\n", {"cpu.max": "400000 100000"})
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {5}, raising=False)
    assert machine.cpu_count() == 1


def test_a_system_without_affinity_or_control_groups(control_groups, monkeypatch):
    control_groups("0::/\n", {})
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 10)
    assert machine.cpu_count() == 10
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert machine.cpu_count() == 1


@pytest.mark.parametrize(
    ("membership", "files", "total_gib", "available_gib"),
    [
        ("0::/\n", {}, 256, 200),
        ("0::/\n", {"memory.max": "max", "memory.current": f"{GIB}"}, 256, 200),
        ("0::/\n", {"memory.max": f"{8 * GIB}", "memory.current": f"{3 * GIB}"}, 8, 5),
        (
            "0::/a/b\n",
            {
                "a/memory.max": f"{8 * GIB}",
                "a/memory.current": f"{7 * GIB}",
                "a/b/memory.max": f"{6 * GIB}",
                "a/b/memory.current": f"{2 * GIB}",
            },
            6,
            1,  # the group around it is nearly full
        ),
        (
            "0::/\n",
            {
                "memory.max": f"{8 * GIB}",
                "memory.current": f"{7 * GIB}",
                "memory.stat": f"anon {3 * GIB}\ninactive_file {4 * GIB}\nactive_file 0",
            },
            8,
            5,
        ),
        (
            V1,
            {
                "memory/docker/x/memory.limit_in_bytes": f"{4 * GIB}",
                "memory/docker/x/memory.usage_in_bytes": f"{3 * GIB}",
                "memory/docker/x/memory.stat": f"cache 0\ntotal_inactive_file {GIB}",
            },
            4,
            2,
        ),
        (
            V1,
            {
                "memory/memory.limit_in_bytes": f"{2**63 - 4096}",
                "memory/memory.usage_in_bytes": "0",
            },
            256,
            200,
        ),
        ("0::/\n", {"memory.max": f"{GIB}", "memory.current": f"{2 * GIB}"}, 1, 0),
    ],
)
def test_memory_within_the_limits(
    host, control_groups, membership, files, total_gib, available_gib
):
    control_groups(membership, files)
    assert machine.total_memory_bytes() == total_gib * GIB
    assert machine.available_memory_bytes() == available_gib * GIB


def test_this_machine():
    assert 1 <= machine.cpu_count() <= (os.cpu_count() or 1)
    assert 0 < machine.available_memory_bytes() <= machine.total_memory_bytes()


def test_the_place_of_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("ENFORMER_RAY_CACHE", str(tmp_path / "cache"))
    assert machine.cache_directory("copies") == tmp_path / "cache" / "copies"
    monkeypatch.delenv("ENFORMER_RAY_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert machine.cache_directory("copies") == tmp_path / "xdg" / "enformer-ray" / "copies"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert machine.cache_directory("x") == Path.home() / ".cache" / "enformer-ray" / "x"


def test_what_a_receipt_says_of_software_and_hardware(monkeypatch, tmp_path):
    assert machine.software()["torch"] == torch.__version__
    (tmp_path / "cpuinfo").write_text("processor : 0\nmodel name\t: A fast one\nmodel name : B\n")
    monkeypatch.setattr(machine, "_CPU_DESCRIPTIONS", tmp_path / "cpuinfo")
    assert machine.hardware(torch.device("cpu")) == {
        "device_type": "cpu",
        "device": "A fast one",
        "cpu_features": (),
        "threads": torch.get_num_threads(),
    }
    flags = "flags\t\t: fpu avx avx2 avx512f amx_bf16_not avx512_bf16\n"
    (tmp_path / "cpuinfo").write_text(f"model name : B\n{flags}{flags}")
    assert machine.cpu_features() == ("avx2", "avx512f", "avx512_bf16")
    (tmp_path / "cpuinfo").write_text("Features\t: fp asimd bf16 sve\n")
    assert machine.cpu_features() == ("asimd", "sve", "bf16"), "of ARM"
    (tmp_path / "cpuinfo").write_text("processor : 0\nBogoMIPS : 50\n")
    assert machine.hardware(torch.device("cpu"))["device"], "ARM names no model"
    monkeypatch.setattr(machine, "_CPU_DESCRIPTIONS", tmp_path / "none")
    assert machine.hardware(torch.device("cpu"))["device"], "neither do other systems"
    assert machine.cpu_features() == ()


def test_it_is_had_without_torch_and_pyarrow():
    program = "import sys, enformer_core.machine; print({'torch', 'pyarrow'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_without_a_home_the_cache_must_be_named(monkeypatch, tmp_path):
    def nobody(path):
        del path
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", nobody)
    monkeypatch.setattr(Path, "home", lambda: nobody(None))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv(machine.CACHE_VARIABLE, raising=False)
    with pytest.raises(InputError, match=r"no home .*export ENFORMER_RAY_CACHE="):
        machine.cache_directory("copies")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert machine.cache_directory("copies") == tmp_path / "enformer-ray" / "copies"
    monkeypatch.setattr(Path, "expanduser", lambda path: path)
    monkeypatch.setenv(machine.CACHE_VARIABLE, str(tmp_path / "named"))
    assert machine.cache_directory("copies") == tmp_path / "named" / "copies"

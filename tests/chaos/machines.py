"""A cluster of several nodes on this machine, each a raylet with its workers, that can be killed as machines are.

Everything is started here, listens on 127.0.0.1, and is ended by its pid.
"""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

BIN = Path(sys.executable).parent
_MARK = "CHAOS_CLUSTER"  # in the environment of every process of a cluster
_RAY = """
from ray._private import ray_constants, services
services.resolve_ip_for_localhost = lambda host: host  # else 127.0.0.1 becomes the machine's own address
ray_constants.ENABLE_RAY_CLUSTER = True
from ray.scripts.scripts import main
main()
"""


class Node:
    """`ray start --block` and all that it starts."""

    def __init__(self, arguments: list[str], environment: dict[str, str], log: Path):
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [
                    *(
                        sys.executable,
                        "-c",
                        _RAY,
                        "start",
                        "--block",
                        "--node-ip-address=127.0.0.1",
                    ),
                    *("--object-store-memory=80000000", *arguments),
                ],
                env=environment,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    def family(self) -> list[psutil.Process]:
        """Its processes, itself first."""
        with contextlib.suppress(psutil.NoSuchProcess):
            leader = psutil.Process(self._process.pid)
            return [leader, *leader.children(recursive=True)]
        return []

    def workers(self) -> list[psutil.Process]:
        """The processes in which shards are computed."""
        found = []
        for process in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                if any(
                    word.startswith("ray::") and "WorkerProcess" in word
                    for word in process.cmdline()[:1]
                ):
                    found.append(process)
        return found

    def kill(self) -> None:
        """SIGKILL to all at once: the machine is gone."""
        family = self.family()
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=20)
        self._process.wait()


class Machines:
    """A head without CPUs and some nodes. Use as a context manager.

    Args:
        directory: for Ray's files.
        nodes: how many, beside the head.
        cpus: of each.
        environment: of everything that runs on them.
    """

    def __init__(self, directory: Path, *, nodes: int, cpus: int, environment: dict[str, str]):
        self._count, self._cpus = nodes, cpus
        self._temp = (
            Path("/tmp") / f"chaos-ray-{os.getpid()}"
        )  # paths of sockets may not be longer than 107 bytes
        self._environment = {**environment, _MARK: str(self._temp)}
        self._port = _free_ports(1)[0]
        self._head: Node | None = None
        self._nodes: list[Node] = []
        self._frozen: list[psutil.Process] = []
        self._directory = directory

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        client, agent, metrics = _free_ports(3)
        self._head = Node(
            [
                *("--head", "--num-cpus=0", f"--port={self._port}", "--include-dashboard=false"),
                *(f"--ray-client-server-port={client}", f"--dashboard-agent-listen-port={agent}"),
                *(f"--metrics-export-port={metrics}", f"--temp-dir={self._temp}"),
            ],
            self._environment,
            self._directory / "head.log",
        )
        self._await_head()
        self.refill()

    def __exit__(self, *exception):
        self.thaw()
        for node in [*self._nodes, *([self._head] if self._head else [])]:
            node.kill()
        for process in self._orphans():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        shutil.rmtree(self._temp, ignore_errors=True)

    def refill(self) -> None:
        """Start nodes until all are there."""
        self._nodes = [node for node in self._nodes if node.lives]
        while len(self._nodes) < self._count:
            agent, metrics = _free_ports(2)
            arguments = [f"--address={self.address}", f"--num-cpus={self._cpus}"]
            arguments += ["--include-log-monitor=false"]  # the head's is enough on one machine
            arguments += [
                f"--dashboard-agent-listen-port={agent}",
                f"--metrics-export-port={metrics}",
            ]
            self._nodes.append(Node(arguments, self._environment, self._directory / "nodes.log"))
            time.sleep(0.3)

    def kill_worker(self, chance: random.Random) -> bool:
        """SIGKILL to one worker; False where there is none."""
        workers = [process for node in self._nodes for process in node.workers()]
        if not workers:
            return False
        with contextlib.suppress(psutil.NoSuchProcess):
            chance.choice(workers).kill()
            return True
        return False

    def freeze_worker(self, chance: random.Random, seconds: float) -> bool:
        """SIGSTOP to one worker, and SIGCONT after so long: it goes on as if nothing had been."""
        workers = [process for node in self._nodes for process in node.workers()]
        if not workers:
            return False
        frozen = chance.choice(workers)
        with contextlib.suppress(psutil.NoSuchProcess):
            frozen.send_signal(signal.SIGSTOP)
            self._frozen.append(frozen)
            waking = threading.Timer(seconds, _wake, (frozen,))
            waking.daemon = True
            waking.start()
            return True
        return False

    def thaw(self) -> None:
        """Wake all that are frozen."""
        while self._frozen:
            _wake(self._frozen.pop())

    def replace_node(self, chance: random.Random) -> None:
        """Kill a node with all its processes, and start another."""
        self._nodes.pop(chance.randrange(len(self._nodes))).kill()
        self.refill()

    def _orphans(self) -> list[psutil.Process]:
        """Processes of this cluster whose parents are gone."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(_MARK) == str(self._temp):
                    found.append(process)
        return found

    def _await_head(self) -> None:
        for _ in range(300):
            done = subprocess.run(
                [BIN / "ray", "health-check", f"--address={self.address}"],
                env=self._environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )
            if done.returncode == 0:
                return
            time.sleep(0.2)
        raise TimeoutError("the head of the cluster does not answer")


def _free_ports(count: int) -> list[int]:
    """Ports above those that Ray gives to its workers (10,002 to 19,999)."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


def _wake(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGCONT)

"""A cluster of several nodes with make-believe GPUs on this machine: nodes die and join, a worker stops answering.

Run as a program, this file is the driver: all that happens there happens once, and the tests look at what it tells.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

HERE = Path(__file__).parent
GPU_NODE = {"num_cpus": 2, "num_gpus": 1}


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """What the driver tells of each scene."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
        "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent.parent)]),
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # else Ray replaces 127.0.0.1 by the machine's own address
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, str(HERE / "test_ray_cluster.py")]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as driver:
        try:
            output, complaint = driver.communicate(timeout=150)
        except subprocess.TimeoutExpired:
            end_family(driver.pid)
            raise
    assert driver.returncode == 0, complaint[-4000:]
    return json.loads(output.splitlines()[-1])


def end_family(pid: int) -> None:
    """A driver with the nodes that it started."""
    leader = psutil.Process(pid)
    for process in [*leader.children(recursive=True), leader]:
        process.kill()


def test_each_node_with_a_gpu_gets_a_worker_that_sees_it_alone(told):
    scene = told["a GPU each"]
    assert len(scene["ready"]) == 2
    assert scene["places"] == [[0, "0"], [1, "0"]]  # node, and the GPU that the worker sees


def test_two_workers_share_a_gpu(told):
    scene = told["half a GPU each"]
    assert len(scene["ready"]) == 4
    assert scene["places"] == [[0, "0"]] * 2 + [[1, "0"]] * 2


def test_what_is_missing_is_said_and_the_run_goes_on_when_it_comes(told):
    scene = told["scarcity"]
    assert "each asks for 1 CPU, 2 GPU" in scene["notices"][0]
    assert "the whole cluster has 4 CPU, 2 GPU" in scene["notices"][0]
    assert scene["done"] == ["needs two"]


def test_a_node_that_is_killed_costs_no_task_an_attempt(told):
    scene = told["a node dies, one joins"]
    assert scene["retried"]
    assert [counted for _, counted in scene["retried"]] == [False] * len(scene["retried"])
    assert scene["done"] == scene["asked"]


def test_a_node_that_joins_gets_a_worker(told):
    assert told["a node dies, one joins"]["new node worked"]


def test_a_worker_that_is_stopped_holds_up_nothing(told):
    scene = told["a worker stopped"]
    assert scene["done"] == [f"task {number}" for number in range(4)]
    assert scene["workers of the stopped task"] == 2
    assert scene["ends when it goes on"]


def test_a_head_that_is_killed_ends_the_run_with_a_reason(told):
    scene = told["the head dies"]
    assert "the head of the cluster, 127.0.0.1:" in scene["error"]
    assert "run the same command again when the cluster is back" in scene["error"]
    assert scene["seconds"] < 15


# The driver


def where(payload: tuple[str, float]) -> tuple[str, str | None, int]:
    """The node, the GPUs and the process, after some time; this process may be stopped first, once in all."""
    import ray  # noqa: PLC0415, TID251 - nobody but the driver's workers

    verb, seconds = payload
    time.sleep(seconds)
    if verb == "stop once" and not (marker := Path(os.environ["MARKER"])).exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGSTOP)
    return (
        ray.get_runtime_context().get_node_id(),
        os.environ.get("CUDA_VISIBLE_DEVICES"),
        os.getpid(),
    )


def main() -> None:
    import tempfile  # noqa: PLC0415

    import ray  # noqa: PLC0415, TID251
    from ray.cluster_utils import Cluster  # noqa: PLC0415, TID251

    with tempfile.TemporaryDirectory() as directory:
        os.environ["MARKER"] = str(Path(directory) / "stopped")
        small = {"object_store_memory": 80_000_000, "node_ip_address": "127.0.0.1"}
        cluster = Cluster(
            initialize_head=True, head_node_args={**GPU_NODE, "include_dashboard": False, **small}
        )
        try:
            ray.init(address=cluster.address, log_to_driver=False)
            print(json.dumps(Scenes(partial(cluster.add_node, **small), cluster).told()))
        finally:
            ray.shutdown()
            cluster.shutdown()


class Scenes:
    """What happens, one scene after another on the same cluster."""

    def __init__(self, add_node: Callable[..., Any], cluster: Any) -> None:
        self._add_node = add_node
        self._cluster = cluster
        self._nodes = [cluster.head_node, add_node(**GPU_NODE)]

    def told(self) -> dict[str, Any]:
        return {
            "a GPU each": self.placed(1, workers=2),
            "half a GPU each": self.placed(0.5, workers=4),
            "scarcity": self.scarcity(),
            "a node dies, one joins": self.node_replaced(),
            "a worker stopped": self.worker_stopped(),
            "the head dies": self.head_killed(),  # and with it the cluster
        }

    def run(self, tasks: Iterable[tuple[str, Any]], gpus: float, **settings: Any) -> Iterator[Any]:
        from cluster.pool import Task  # noqa: PLC0415
        from cluster.ray_backend import ray_pool  # noqa: PLC0415
        from tests.support.toys import Computing  # noqa: PLC0415

        settings = {"workers": None, "cpus_per_worker": 1, "gpus_per_worker": gpus} | settings
        with ray_pool(lambda: Computing(where), address="auto", **settings) as pool:
            yield from pool.run(Task(key, payload) for key, payload in tasks)

    def placed(self, gpus: float, *, workers: int) -> dict[str, Any]:
        """Tasks come until every worker has done some: on a busy machine the last may be ready late."""
        events: list[Any] = []
        processes: dict[int, tuple[str, str | None, int]] = {}

        def tasks() -> Iterator[tuple[str, Any]]:
            asked = 0
            while len(processes) < workers and asked < 400:
                yield f"task {asked}", ("", 0.5)
                asked += 1

        for event in self.run(tasks(), gpus):
            events.append(event)
            if kind(event) == "TaskDone":
                processes[event.result[2]] = event.result
        names = [node.node_id for node in self._nodes]
        places = sorted([names.index(node), devices] for node, devices, _ in processes.values())
        return {"ready": keys(events, "WorkerReady", "worker"), "places": places}

    def scarcity(self) -> dict[str, Any]:
        from cluster import worker_set  # noqa: PLC0415

        patience_s, worker_set._PATIENCE_S = worker_set._PATIENCE_S, 1.0
        events, large = [], None
        for event in self.run([("needs two", ("", 0.1))], 2):
            events.append(event)
            if kind(event) == "PoolNotice" and large is None:
                large = self._add_node(num_cpus=1, num_gpus=2)
        worker_set._PATIENCE_S = patience_s
        self._cluster.remove_node(large)
        return {"notices": keys(events, "PoolNotice", "text"), "done": keys(events, "TaskDone")}

    def node_replaced(self) -> dict[str, Any]:
        """A node is killed while all compute, another joins; tasks come until that one has done some."""
        events, asked, places, new = [], [], set(), None

        def tasks() -> Iterator[tuple[str, Any]]:
            while (new is None or new.node_id not in places) and len(asked) < 100:
                asked.append(f"task {len(asked)}")
                yield asked[-1], ("", 1.0)

        for event in self.run(tasks(), 1, speculative=False):
            events.append(event)
            if kind(event) == "TaskDone":
                places.add(event.result[0])
            # of one worker alone, the killed node might have had none
            if new is None and len(set(keys(events, "TaskStarted", "worker"))) == 2:
                kill_node(self._cluster, self._nodes.pop())
                new = self._add_node(**GPU_NODE)
                self._nodes.append(new)
        retried = [(event.key, event.counted) for event in events if kind(event) == "TaskRetried"]
        return {
            "retried": retried,
            "done": sorted(keys(events, "TaskDone")),
            "asked": sorted(asked),
            "new node worked": new is not None and new.node_id in places,
        }

    def worker_stopped(self) -> dict[str, Any]:
        """SIGSTOP in the last task, as on a machine that swaps; its second copy is done elsewhere."""
        tasks = [
            *((f"task {number}", ("", 0.5)) for number in range(3)),
            ("task 3", ("stop once", 0.5)),
        ]
        events, stopped = [], []
        for event in self.run(tasks, 1):
            events.append(event)
            stopped = stopped or stopped_workers()
        (pid,) = stopped
        os.kill(pid, signal.SIGCONT)
        return {
            "done": sorted(keys(events, "TaskDone")),
            "workers of the stopped task": len(
                {
                    event.worker
                    for event in events
                    if kind(event) == "TaskStarted" and event.key == "task 3"
                }
            ),
            "ends when it goes on": ends(pid),
        }

    def head_killed(self) -> dict[str, Any]:
        from cluster import head_watcher  # noqa: PLC0415
        from cluster.pool import PoolError  # noqa: PLC0415

        head_watcher._PATIENCE_S, head_watcher._EVERY_S = 2.0, 0.5
        (control,) = self._cluster.head_node.all_processes["gcs_server"]
        killed_s = 0.0
        try:
            for event in self.run(((f"task {number}", ("", 0.5)) for number in range(200)), 1):
                if kind(event) == "TaskDone" and not killed_s:
                    os.kill(control.process.pid, signal.SIGKILL)
                    killed_s = time.monotonic()
        except PoolError as error:
            return {"error": str(error), "seconds": time.monotonic() - killed_s}
        return {"error": "", "seconds": 0}


def kill_node(cluster: Any, node: Any) -> None:
    """SIGKILL to a node with all its processes, as when the machine is gone."""
    family = [psutil.Process(each.process.pid) for each in node.all_processes["raylet"]]
    family += [child for process in family for child in process.children(recursive=True)]
    for process in family:
        process.kill()
    cluster.worker_nodes.remove(node)


def stopped_workers() -> list[int]:
    family = psutil.Process().children(recursive=True)
    return [process.pid for process in family if process.status() == psutil.STATUS_STOPPED]


def ends(pid: int) -> bool:
    deadline_s = time.monotonic() + 15
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.05)
    return True


def kind(event: Any) -> str:
    return type(event).__name__


def keys(events: Sequence[Any], name: str, field: str = "key") -> list[str]:
    return [getattr(event, field) for event in events if kind(event) == name]


if __name__ == "__main__":
    main()

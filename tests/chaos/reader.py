"""A reader that never stops: what it sees of a run may only grow, and every file it sees is whole."""

import io
import threading

import botocore.exceptions
import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.seaweed import client

TABLES = ("scores/", "effects/")


class Reader:
    """Lists and reads a run again and again, past the proxy. Use as a context manager.

    Attributes:
        problems: what it saw and should not have.
    """

    def __init__(self, endpoint: str, bucket: str, prefix: str):
        self._s3, self._bucket, self._prefix = client(endpoint), bucket, prefix
        self._known: dict[str, str] = {}
        self._rows: dict[str, int] = {}
        self.problems: list[str] = []
        self.looks = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._stop.set()
        self._thread.join(60)

    def _watch(self) -> None:
        while not self._stop.wait(0.3):
            try:
                self._look()
            except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
                continue  # the store is down for a moment
            self.looks += 1

    def _look(self) -> None:
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=f"{self._prefix}/"
        )
        seen = {entry["Key"]: entry["ETag"] for page in pages for entry in page.get("Contents", ())}
        for key in self._known.keys() - seen.keys():
            self.problems.append(f"{key}: was there and is gone")
        for key, etag in seen.items():
            if self._known.setdefault(key, etag) != etag:
                self.problems.append(f"{key}: has changed")
            if key.removeprefix(f"{self._prefix}/").startswith(TABLES) and key not in self._rows:
                self._read(key)

    def _read(self, key: str) -> None:
        content = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        try:
            self._rows[key] = pq.read_table(io.BytesIO(content)).num_rows
        except pa.ArrowInvalid as error:
            self.problems.append(f"{key}: is only a part of a file: {error}")

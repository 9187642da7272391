"""What a run left in the bucket, held against an undisturbed run."""

import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import pyarrow.parquet as pq

from enformer_core.dataset.codec import from_parquet
from enformer_core.dataset.digests import content_digest
from tests.chaos.reader import Reader
from tests.support.seaweed import ACCESS_KEY, SECRET_KEY, SeaweedFS, client

KEYS = ["input_file", "input_line", "alt_index"]


@dataclass(frozen=True)
class Findings:
    """Counts over rounds; only `rows` may be other than 0.

    Attributes:
        rows: alleles answered.
        lost: planned alleles without a row.
        doubled: rows beyond one for an allele.
        leftovers: objects that belong to nothing, and uploads that were never completed.
        wrong: shards whose values are not those of the undisturbed run, objects stored twice, secrets told, exit codes
            that mean something else, and whatever a reader should not have seen.
        hangs: rounds that did not end.
    """

    rows: int = 0
    lost: int = 0
    doubled: int = 0
    leftovers: int = 0
    wrong: int = 0
    hangs: int = 0

    def __add__(self, other: "Findings") -> "Findings":
        return Findings(
            *(getattr(self, field.name) + getattr(other, field.name) for field in fields(self))
        )

    def figures(self) -> dict[str, int]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def examine(
    weed: SeaweedFS,
    prefix: str,
    undisturbed: dict[str, Any],
    *,
    reader: Reader,
    created: Counter[str],
    log: str,
) -> tuple[Findings, list[str]]:
    """Read all that a complete run left; what is wrong with it, in counts and in words.

    Args:
        weed: the store.
        prefix: of the run.
        undisturbed: manifest of the same run without faults.
        reader: has looked on.
        created: how often the store has carried out a put, by path.
        log: what the drivers said.
    """
    contents = contents_of(weed, prefix)
    manifest = json.loads(contents["manifest.json"])
    found, planned = (Counter(_keys_of(contents, place)) for place in ("scores/", "plan/"))
    problems = [*reader.problems]
    problems += [
        f"{path}: stored {count} times"
        for path, count in created.copy().items()
        if f"/{prefix}/" in path and count > 1
    ]
    problems += [
        f"{key}: other values than in the undisturbed run"
        for key, expected in digests_in(undisturbed).items()
        if digest_of(contents.get(key), key) != expected
        or digests_in(manifest).get(key) != expected
    ]
    problems += [
        f"{name} holds a secret"
        for name, text in [*contents.items(), ("log", log.encode())]
        if any(secret.encode() in text for secret in (ACCESS_KEY, SECRET_KEY))
    ]
    strays = _strays(contents, manifest) + _unfinished_uploads(weed, prefix)
    findings = Findings(
        rows=sum(found.values()),
        lost=len(planned.keys() - found.keys()),
        doubled=sum(found.values()) - len(found),
        leftovers=len(strays),
        wrong=len(problems),
    )
    return findings, problems + [f"{key}: left over" for key in strays]


def _keys_of(contents: dict[str, bytes], place: str) -> Iterator[tuple[Any, ...]]:
    """The names of the alleles in all tables of a place."""
    for key, content in contents.items():
        if key.startswith(place):
            for row in pq.read_table(io.BytesIO(content), columns=KEYS).to_pylist():
                yield tuple(row.values())


def digests_in(manifest: dict[str, Any]) -> dict[str, str]:
    """The digests of all tables' values, by key."""
    tables = [table for entry in manifest["objects"] for table in entry["tables"].values()]
    return {table["key"]: table["content_digest"] for table in tables}


def digest_of(content: bytes | None, key: str) -> str:
    """The digest of the values that a stored table holds."""
    return "" if content is None else content_digest(from_parquet(content, key)[0])


def contents_of(weed: SeaweedFS, prefix: str) -> dict[str, bytes]:
    """All objects of a run, by key below its prefix."""
    s3 = client(weed.endpoint)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=weed.bucket, Prefix=f"{prefix}/")
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
    return {
        key.removeprefix(f"{prefix}/"): s3.get_object(Bucket=weed.bucket, Key=key)["Body"].read()
        for key in keys
    }


def _strays(contents: dict[str, bytes], manifest: dict[str, Any]) -> list[str]:
    """Tables that the manifest does not name, receipts of no shard, and whatever has no place in a run."""
    named = {table["key"] for entry in manifest["objects"] for table in entry["tables"].values()}
    receipts = {f"commits/shard-{entry['shard']:08d}.json" for entry in manifest["objects"]}
    rest = {"run.json", "tracks.parquet", "manifest.json"}
    return [
        key
        for key in contents
        if key not in named | receipts | rest
        and not key.startswith(("plan/part-", "receipts/block-"))
    ]


def _unfinished_uploads(weed: SeaweedFS, prefix: str) -> list[str]:
    uploads = client(weed.endpoint).list_multipart_uploads(Bucket=weed.bucket, Prefix=f"{prefix}/")
    return [upload["Key"] for upload in uploads.get("Uploads", ())]

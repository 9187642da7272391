"""What a run left in the bucket, held against an undisturbed run."""

import io
import json
from collections import Counter
from dataclasses import dataclass, fields
from typing import Any

import pyarrow.parquet as pq

from tests.chaos.reader import Reader
from tests.faults.seaweed import ACCESS_KEY, SECRET_KEY, SeaweedFS, client

KEYS = ["input_file", "input_line", "alt_index"]


@dataclass(frozen=True)
class Findings:
    """Counts over rounds; only `rows` may be other than 0.

    Attributes:
        rows: alleles answered.
        lost: planned alleles without a row.
        doubled: rows beyond one for an allele.
        leftovers: objects that belong to nothing, and uploads that were never completed.
        wrong: shards whose values are not those of the undisturbed run, and whatever a reader should not have seen.
        hangs: rounds that did not end.
    """

    rows: int = 0
    lost: int = 0
    doubled: int = 0
    leftovers: int = 0
    wrong: int = 0
    hangs: int = 0

    def __add__(self, other: "Findings") -> "Findings":
        return Findings(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))

    def figures(self) -> dict[str, int]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def examine(
    weed: SeaweedFS, prefix: str, undisturbed: dict[str, Any], *, reader: Reader, hung: bool, log: str
) -> tuple[Findings, list[str]]:
    """Read all that a run left; what is wrong with it, in counts and in words."""
    if hung:
        return Findings(hangs=1), ["it did not end"]
    problems = [*reader.problems]
    contents = _contents(weed, prefix)
    manifest = json.loads(contents["manifest.json"])
    found = Counter(
        tuple(row.values())
        for key, content in contents.items()
        if key.startswith("scores/")
        for row in pq.read_table(io.BytesIO(content), columns=KEYS).to_pylist()
    )
    planned = {
        tuple(row.values())
        for key, content in contents.items()
        if key.startswith("plan/")
        for row in pq.read_table(io.BytesIO(content), columns=KEYS).to_pylist()
    }
    problems += [
        f"{entry[table]['key']}: other values than in the undisturbed run"
        for entry, expected in zip(manifest["objects"], undisturbed["objects"], strict=True)
        for table in ("scores", "effects")
        if entry[table]["content_digest"] != expected[table]["content_digest"]
    ]
    problems += [
        f"{name} holds a secret"
        for name, text in [*contents.items(), ("log", log.encode())]
        if any(secret.encode() in text for secret in (ACCESS_KEY, SECRET_KEY))
    ]
    strays = _strays(contents, manifest) + _unfinished_uploads(weed, prefix)
    findings = Findings(
        rows=sum(found.values()),
        lost=len(planned - found.keys()),
        doubled=sum(found.values()) - len(found),
        leftovers=len(strays),
        wrong=len(problems),
    )
    return findings, problems + [f"{key}: left over" for key in strays]


def _contents(weed: SeaweedFS, prefix: str) -> dict[str, bytes]:
    s3 = client(weed.endpoint)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=weed.bucket, Prefix=f"{prefix}/")
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
    return {key.removeprefix(f"{prefix}/"): s3.get_object(Bucket=weed.bucket, Key=key)["Body"].read() for key in keys}


def _strays(contents: dict[str, bytes], manifest: dict[str, Any]) -> list[str]:
    """Tables that the manifest does not name, receipts of no shard, and whatever has no place in a run."""
    named = {entry[table]["key"] for entry in manifest["objects"] for table in ("scores", "effects")}
    receipts = {f"commits/shard-{entry['shard']:08d}.json" for entry in manifest["objects"]}
    rest = {"run.json", "tracks.parquet", "manifest.json"}
    return [
        key
        for key in contents
        if key not in named | receipts | rest and not key.startswith(("plan/part-", "commits/index/"))
    ]


def _unfinished_uploads(weed: SeaweedFS, prefix: str) -> list[str]:
    uploads = client(weed.endpoint).list_multipart_uploads(Bucket=weed.bucket, Prefix=f"{prefix}/")
    return [upload["Key"] for upload in uploads.get("Uploads", ())]

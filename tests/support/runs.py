"""What a finished run holds, told so that two runs can be compared."""

import json
from collections.abc import Sequence
from typing import Any

from enformer_core.storage.open import open_store


def manifest_of(out: object) -> dict[str, Any]:
    """The manifest of a finished run, in a directory or on object storage."""
    content = open_store(str(out)).get("manifest.json")
    assert content is not None, f"{out} is not complete"
    return json.loads(content)


def content_digests(out: object, tables: Sequence[str] = ("scores", "effects")) -> dict[Any, str]:
    """The digest of the values of each shard's tables, by shard and table."""
    return {
        (entry["shard"], table): entry["tables"][table]["content_digest"]
        for entry in manifest_of(out)["objects"]
        for table in tables
    }

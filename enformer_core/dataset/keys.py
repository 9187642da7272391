"""The names of everything in an output directory."""

import re
from urllib.parse import quote, unquote

RUN_KEY = "run.json"

TRACKS_KEY = "tracks.parquet"

MANIFEST_KEY = "manifest.json"

UNPLACED = "__unplaced__"
"""The partition of rows without a place on the genome."""


_RECEIPT = re.compile(r"commits/shard-(\d{8,})\.json")


def plan_key(part: int) -> str:
    """Key of one part of the plan."""
    return f"plan/part-{part:05d}.parquet"


def table_key(table: str, chrom: str | None, shard: int) -> str:
    """Key of one of a shard's tables; None is the partition of rows without a place."""
    return f"{table}/{_partition(chrom)}/shard-{shard:08d}.parquet"


def receipt_key(shard: int) -> str:
    """Key of the receipt that makes a shard count as done."""
    return f"commits/shard-{shard:08d}.json"


def receipt_block_key(block: int) -> str:
    """Key of the receipts of many shards in one object, derived from theirs."""
    return f"receipts/block-{block:06d}.jsonl"


def shard_of_receipt(key: str) -> int | None:
    """The shard that a receipt's key names; None for what somebody else has left among the receipts."""
    match = _RECEIPT.fullmatch(key)
    return None if match is None else int(match[1])


def chrom_of_key(key: str) -> str:
    """The contig in whose partition an object lies."""
    return unquote(key.split("/")[1].removeprefix("chrom="))


def _partition(chrom: str | None) -> str:
    # Contigs such as `HLA*01:01` are quoted as every hive reader unquotes them.
    return f"chrom={UNPLACED if chrom is None else quote(chrom, safe='')}"

"""The names of everything in an output directory."""

import re
from collections.abc import Iterable
from urllib.parse import quote, unquote

from enformer_core.errors import InputError
from enformer_core.storage.store import Store

RUN_KEY = "run.json"

TRACKS_KEY = "tracks.parquet"

MANIFEST_KEY = "manifest.json"

SUMMARIES = "summaries"
"""The folder of what says which tables lie beside a run, made of its own later."""

UNPLACED = "__unplaced__"
"""The partition of rows without a place on the genome."""

_NULL_OF_HIVE = "__HIVE_DEFAULT_PARTITION__"
"""What readers of partitions take for no value at all."""

BLOCK_SHARDS = 1000
"""Receipts of so many shards are put once more as one object, so that few requests read them all."""

_LONGEST_NAME_BYTES = 255  # of a directory, on every common file system
_SUMMARY = re.compile(r"summaries/([a-z][a-z0-9_]*)/(begun|receipt)\.json")
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


def block_of(shard: int) -> int:
    """The block of receipts that a shard's belongs to."""
    return shard // BLOCK_SHARDS


def lookup_key(table: str, plan: str) -> str:
    """Key of one table of the index by which alleles are looked up, under the name of the plan that it is made of."""
    return f"lookup/{plan}/{table}.parquet"


def summary_begun_key(name: str) -> str:
    """Key of what a table beside a run is made of; put before its first file."""
    return f"{SUMMARIES}/{name}/begun.json"


def summary_receipt_key(name: str) -> str:
    """Key of the receipt that makes a table beside a run count as there; put behind its last file."""
    return f"{SUMMARIES}/{name}/receipt.json"


def summary_of_key(key: str) -> str | None:
    """The table that an object below `summaries/` speaks of; None for what somebody else has left there."""
    match = _SUMMARY.fullmatch(key)
    return None if match is None else match[1]


def damaged_key(key: str, digest: str) -> str:
    """Where a repair moves an object that is not what the run says of it; no reader of runs looks there."""
    return f"damaged/{key}.{digest}"


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


def check_partitions(contigs: Iterable[str]) -> None:
    """Refuse contigs whose names cannot be those of partitions, before anything is planned.

    Raises:
        InputError: naming the contig, and what to do.
    """
    for contig in contigs:
        size_bytes = len(_partition(contig))  # quoted, so that a letter is a byte
        if size_bytes > _LONGEST_NAME_BYTES:
            raise InputError(
                f"contig {contig[:60]}…: its name makes a directory's name of {size_bytes} bytes, and file "
                f"systems take {_LONGEST_NAME_BYTES}. Give it a shorter name in FASTA and input, or leave "
                "its records out by --regions."
            )
        if contig in (UNPLACED, _NULL_OF_HIVE):
            kept_for = (
                "rows without a place"
                if contig == UNPLACED
                else "no value by readers of partitions"
            )
            raise InputError(
                f"contig {contig}: this name is kept for {kept_for}. Give it another in "
                "FASTA and input, or leave its records out by --regions."
            )


def check_letter_case(store: Store, contigs: Iterable[str]) -> None:
    """Refuse contigs that differ in upper and lower case alone, where the disk takes them for one name.

    Args:
        store: where `run.json` stands.
        contigs: that the run has.

    Raises:
        InputError: naming two such contigs.
    """
    known: dict[str, str] = {}
    twins = [
        (known[name.lower()], name)
        for name in contigs
        if known.setdefault(name.lower(), name) != name
    ]
    if twins and store.get(RUN_KEY.upper()) is not None:
        first, second = twins[0]
        raise InputError(
            f"{store.location}: this disk does not tell upper from lower case, and the contigs {first} and "
            f"{second} differ in nothing else. Use an --out on another disk."
        )

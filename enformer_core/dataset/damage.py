"""What is wrong with a run's objects, and how they are moved out of the way so that its command makes them anew.

Objects are created once and never changed. A repair keeps that promise: it moves what is no sound part of the run to
`damaged/`, in the reverse order of commits (manifest, blocks, receipts, tables), so that whoever looks at any moment
finds a run that is whole as far as it goes, and incomplete. Everything else is the ordinary command's: it creates what
is absent. Does not know how damage is searched for in full (`verify`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from enformer_core.dataset.digests import sha256
from enformer_core.dataset.keys import (
    MANIFEST_KEY,
    SUMMARIES,
    block_of,
    damaged_key,
    receipt_block_key,
    receipt_key,
    table_key,
)
from enformer_core.dataset.receipts import Receipt, ShardObjects
from enformer_core.errors import DatasetError, StorageError
from enformer_core.storage.store import Store
from enformer_core.words import agreeing, counted

_SHOWN = 5
# of a digest, to tell one damaged object from another under the same key
_DIGITS = 12


@dataclass(frozen=True)
class Problem:
    """Something that is wrong with a run.

    Attributes:
        text: names the object, what it is and what it should be; without a full stop.
        objects: what a repair moves out of the run.
        reopens: the run is not complete without what is moved: its manifest goes with it.
        remedy: what to do where a repair is not what helps.
    """

    text: str
    objects: tuple[str, ...] = ()
    reopens: bool = True
    remedy: str | None = None

    def told(self, location: str) -> str:
        """For people: what is wrong and what to do about it, in the run's directory."""
        return f"{self.text}. {self.remedy or repair_advice(location)}"


class DamagedRunError(DatasetError):
    """Committed objects of a run are gone, or not what its receipts say.

    Attributes:
        problems: all of them.
        summary: the first of them in words, without the remedy.
    """

    def __init__(self, problems: Sequence[Problem], location: str) -> None:
        self.problems = tuple(problems)
        texts = [each.text for each in problems]
        self.summary = _summary(texts, location)
        super().__init__(damage_in_words(texts, location))


def first_lines(problems: Sequence[str]) -> list[str]:
    """Problems in words, of many the first, and how many more there are."""
    more = len(problems) - _SHOWN
    return [*problems[:_SHOWN], *([f"… and {more:,} more"] if more > 0 else [])]


def damage_in_words(problems: Sequence[str], location: str) -> str:
    """What is lost or damaged of a run, of many objects the first, and what mends it."""
    return f"{_summary(problems, location)}{repair_advice(location)}"


def _summary(problems: Sequence[str], location: str) -> str:
    shown = "\n".join(f"  {line}" for line in first_lines(problems))
    return f"{location}: {_objects(len(problems))} lost or damaged:\n{shown}\n"


def _objects(number: int) -> str:
    return f"{counted(number, 'objects')} {agreeing(number, 'is', 'are')}"


def repair_advice(location: str) -> str:
    """The commands that mend most damage: set aside what is damaged, then compute it again."""
    return f"Run `enformer-ray repair {location}`, then the run's own command again."


def undo(shard: int, tables: Iterable[str] = ()) -> tuple[str, ...]:
    """Objects whose absence makes a shard uncommitted: what vouches for it, and tables of it by their keys.

    A table that is sound may stay, if those before it do: the next attempt finds it and keeps it. What follows a
    damaged one goes with it, or it would be derived from other values than stand beside it.
    """
    # the block too: a copy of the receipt in it would go on vouching for the shard
    block = receipt_block_key(block_of(shard))
    receipt = receipt_key(shard)
    return (block, receipt, *reversed([*tables]))


def keys_from(
    tables: Sequence[str],
    first: str,
    objects: Receipt | ShardObjects,
) -> list[str]:
    """Keys of a shard's tables from one on, in the order of their puts."""
    names = tables[tables.index(first) :]
    return [table_key(name, objects.chrom, objects.shard) for name in names]


def problem_of_sizes(
    objects: Receipt | ShardObjects,
    tables: Sequence[str],
    sizes: Mapping[str, int],
) -> Problem | None:
    """Whether the tables that a receipt names are there, with the length that it says.

    Args:
        objects: the receipt, or the manifest's entry.
        tables: names of a shard's tables, in the order of their puts.
        sizes: bytes of each object, by key; see `stored_sizes`.
    """
    for name in tables:
        key = table_key(name, objects.chrom, objects.shard)
        entry = objects.tables.get(name)
        if entry is None or entry.key != key:
            named = None if entry is None else entry.key
            text = f"{receipt_key(objects.shard)}: names {named}, planned {key}"
            return Problem(text, undo(objects.shard))
        found = sizes.get(key)
        if found == entry.bytes:
            continue
        is_what = "missing" if found is None else f"{found:,} bytes"
        text = f"{key}: {is_what}, its receipt says {entry.bytes:,} bytes"
        return Problem(text, undo(objects.shard, keys_from(tables, name, objects)))
    return None


def stored_sizes(store: Store, tables: Iterable[str]) -> dict[str, int]:
    """Bytes of every table that lies in the store, by key: a listing, nothing is read."""
    return {key: size for table in tables for key, size in store.sizes(f"{table}/")}


def set_aside(store: Store, problems: Iterable[Problem]) -> list[str]:
    """Move what problems name out of the run, in the reverse order of commits.

    Returns:
        What was moved, by its key in the run.

    Raises:
        StorageError: where the store forbids it; what was moved so far leaves the run incomplete and sound.
    """
    problems = list(problems)
    keys = {key for problem in problems for key in problem.objects}
    if any(problem.reopens for problem in problems):
        keys.add(MANIFEST_KEY)
    return [key for key in sorted(keys, key=_in_reverse_of_commits) if _moved(store, key)]


def _in_reverse_of_commits(key: str) -> tuple[int, str]:
    # tables lie in folders of their own names, and go last
    folders = [SUMMARIES, MANIFEST_KEY, "receipts", "commits"]
    folder = key.partition("/")[0]
    place = folders.index(folder) if folder in folders else len(folders)
    return (place, key)


def _moved(store: Store, key: str) -> bool:
    try:
        content = store.get(key)
    # it cannot be read, which is what is wrong with it
    except StorageError:
        digest = "unreadable"
    else:
        if content is None:
            return False
        digest = sha256(content)[:_DIGITS]
    store.move(key, damaged_key(key, digest))
    return True

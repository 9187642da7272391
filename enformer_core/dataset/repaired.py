"""Whether shards that were computed again after a repair have the values that were lost."""

from collections.abc import Iterator

from enformer_core.dataset.keys import receipt_key, shard_of_receipt
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.receipts import Receipt, read_receipt
from enformer_core.errors import DatasetError, first_few
from enformer_core.words import agreeing, counted


def compare_repaired(ledger: Ledger) -> list[str]:
    """Compare digests of values in receipts that a repair moved away with those of the receipts that stand now.

    Returns:
        For people: how many shards agree, and which do not; nothing where nothing was repaired.
    """
    alike: set[int] = set()
    differing: set[int] = set()
    for before in _set_aside(ledger):
        now = ledger.receipt(before.shard)
        is_same = _values(before) == _values(now)
        group = alike if is_same else differing
        group.add(before.shard)
    # a shard that was repaired twice counts as its worse repair
    count = len(alike - differing)
    lines = []
    if count:
        had = agreeing(
            count,
            "was repaired, with the very values that it",
            "were repaired, with the very values that they",
        )
        lines.append(f"{counted(count, 'shards')} {had} had before")
    if differing:
        names = first_few([f"{shard}" for shard in sorted(differing)])
        lines.append(
            f"shards {names} were repaired, and their values are not the ones they had before: the receipts in "
            "damaged/ and commits/ say with which hardware and release each was computed"
        )
    return lines


def _values(receipt: Receipt) -> dict[str, str]:
    return {name: table.content_digest for name, table in receipt.tables.items()}


def _set_aside(ledger: Ledger) -> Iterator[Receipt]:
    """Receipts of this run's shards that a repair moved away, as far as they can still be read."""
    for key in ledger.store.keys("damaged/commits/"):
        name = key.removeprefix("damaged/").rpartition(".")[0]
        shard = shard_of_receipt(name)
        if shard is None or shard >= ledger.run.plan.shards:
            continue
        try:
            receipt = read_receipt(ledger.store.get(key), key, ledger.run_type.tables)
        except DatasetError:
            continue  # it was the receipt that was damaged
        if receipt.identity == ledger.run.digest and receipt_key(receipt.shard) == name:
            yield receipt

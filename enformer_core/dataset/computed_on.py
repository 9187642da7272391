"""Which rows of a run were computed by what: arithmetic, device, program, from its receipts.

It decides nothing, but where a run has several of them it tells rows apart. Does not know what rows are.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

from enformer_core.dataset.receipts import Provenance, Receipt

How = Literal["here", "reused", "compacted"]

RECEIPT_COLUMNS = pa.schema(
    [
        pa.field("shard", pa.int64()),
        pa.field("chrom", pa.string()),
        pa.field("first_row", pa.int64()),
        pa.field("end_row", pa.int64()),
        pa.field("how", pa.string()),
        pa.field("engine", pa.string()),
        pa.field("arithmetic", pa.string()),
        pa.field("device_type", pa.string()),
        pa.field("device", pa.string()),
        pa.field("cpu_features", pa.list_(pa.string())),
        pa.field("threads", pa.int64()),
        pa.field("torch", pa.string()),
        pa.field("enformer_ray", pa.string()),
        pa.field("python", pa.string()),
        pa.field("started_at", pa.timestamp("us", "UTC")),
        pa.field("seconds", pa.float64()),
        pa.field("committed_at", pa.timestamp("us", "UTC")),
    ]
)
"""Of `receipt_rows`."""

_OF_PROVENANCE = (
    *("engine", "arithmetic", "device_type", "device", "cpu_features", "threads"),
    *("torch", "enformer_ray", "python", "started_at", "seconds"),
)


@dataclass(frozen=True)
class Stretch:
    """Rows of a shard that came about in one way.

    Attributes:
        first_row: of the shard's planned rows.
        end_row: behind the last.
        how: computed for this shard; copied from another run; or computed for a shard that this was put together from.
        provenance: by what.
    """

    first_row: int
    end_row: int
    how: How
    provenance: Provenance


def stretches(receipt: Receipt) -> list[Stretch]:
    """A shard's rows by what computed them, in order; they cover it."""
    whole: list[Stretch] = []
    first = 0
    for part in receipt.put_together_from:
        whole.append(Stretch(first, first + part.rows, "compacted", part.provenance))
        first += part.rows
    if not whole:
        whole = [Stretch(0, receipt.rows, "here", receipt.provenance)]
    copied = sorted(
        (
            Stretch(first, end, "reused", each.provenance)
            for each in receipt.copied
            for first, end in each.rows
        ),
        key=lambda stretch: stretch.first_row,
    )
    return sorted([*_left(whole, copied), *copied], key=lambda stretch: stretch.first_row)


def _left(whole: list[Stretch], copied: list[Stretch]) -> Iterator[Stretch]:
    """What copied rows leave of the others: of [0, 10) and [2, 3) copied, [0, 2) and [3, 10)."""
    for stretch in whole:
        first = stretch.first_row
        for each in copied:
            if not stretch.first_row <= each.first_row < stretch.end_row:
                continue
            if first < each.first_row:
                yield Stretch(first, each.first_row, stretch.how, stretch.provenance)
            first = each.end_row
        if first < stretch.end_row:
            yield Stretch(first, stretch.end_row, stretch.how, stretch.provenance)


def receipt_rows(receipts: Iterator[Receipt]) -> pa.Table:
    """A row for each stretch of each shard, with RECEIPT_COLUMNS; of receipts in their order."""
    rows = []
    for receipt in receipts:
        for stretch in stretches(receipt):
            provenance = stretch.provenance
            rows.append(
                {name: getattr(provenance, name) for name in _OF_PROVENANCE}
                | {
                    "shard": receipt.shard,
                    "chrom": receipt.chrom,
                    "first_row": stretch.first_row,
                    "end_row": stretch.end_row,
                    "how": stretch.how,
                    "committed_at": receipt.committed_at,
                }
            )
    return pa.Table.from_pylist(rows, schema=RECEIPT_COLUMNS)


@dataclass(frozen=True)
class ComputedOn:
    """What computed some rows of a run.

    Attributes:
        engine: which, where there are several.
        arithmetic: number formats in use; None where a receipt does not say.
        device_type: `cpu` or `cuda`.
        device: as its maker calls it.
        cpu_features: instructions of its processor that multiply; none where a receipt does not say.
        threads: CPU threads that computed.
        torch: version of PyTorch.
        enformer_ray: version of this program.
        shards: of which some rows are among them.
        rows: planned rows, copied ones too.
        seconds: that this took, without copied rows.
    """

    engine: str | None
    arithmetic: str | None
    device_type: str
    device: str
    cpu_features: tuple[str, ...]
    threads: int
    torch: str
    enformer_ray: str
    shards: int
    rows: int
    seconds: float

    def __str__(self) -> str:
        """In one line, without the numbers of shards and rows."""
        said = [
            self.arithmetic or "an arithmetic that was not written down",
            self.device or self.device_type,
            f"{self.threads} threads" if self.threads != 1 else "1 thread",
            f"torch {self.torch}" if self.torch else "",
            " ".join(self.cpu_features),
        ]
        return "; ".join(filter(None, said))


@dataclass
class ComputedOnTotals:
    """Sums over receipts, by what computed their rows."""

    _sums: dict[tuple[object, ...], list[float]] = field(default_factory=dict)
    _provenance: dict[tuple[object, ...], Provenance] = field(default_factory=dict)

    def add(self, receipt: Receipt) -> None:
        """Add one more receipt."""
        counted_keys = set()
        timed = set()
        for stretch in stretches(receipt):
            of = stretch.provenance
            hardware = (of.device_type, of.device, of.cpu_features, of.threads)
            key = (of.engine, of.arithmetic, *hardware, of.torch, of.enformer_ray)
            self._provenance.setdefault(key, of)
            sums = self._sums.setdefault(key, [0, 0, 0.0])
            sums[0] += key not in counted_keys
            sums[1] += stretch.end_row - stretch.first_row
            # once for each computation, of which copied rows leave several stretches; they took no time here
            if stretch.how != "reused" and id(of) not in timed:
                sums[2] += of.seconds
                timed.add(id(of))
            counted_keys.add(key)

    def listed(self) -> tuple[ComputedOn, ...]:
        """What computed rows, most rows first."""
        found = [
            ComputedOn(
                engine=of.engine,
                arithmetic=of.arithmetic,
                device_type=of.device_type,
                device=of.device,
                cpu_features=of.cpu_features,
                threads=of.threads,
                torch=of.torch,
                enformer_ray=of.enformer_ray,
                shards=int(self._sums[key][0]),
                rows=int(self._sums[key][1]),
                seconds=round(self._sums[key][2], 3),
            )
            for key, of in self._provenance.items()
        ]
        return tuple(sorted(found, key=lambda each: (-each.rows, str(each))))


def computed_on_lines(found: tuple[ComputedOn, ...], unit: str) -> list[str]:
    """A line for each, and one where a run has several arithmetics.

    Args:
        found: of a run.
        unit: what its rows are, in the plural.
    """
    lines = [f"on       {each.rows:,} {unit}: {each}" for each in found]
    arithmetics = {each.arithmetic for each in found}
    if len(arithmetics) > 1:
        lines.append(
            f"mixed    values of this run are of {len(arithmetics)} arithmetics: the view computed_by of `query` "
            "tells rows apart"
        )
    return lines

"""What a run writes about itself: receipts of shards, and the manifest that closes it.

These are the contract between workers, drivers and everything that reads a run later. Each is one
frozen dataclass; `codec` turns it into JSON and back, and refuses what does not fit.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from msgspec import UNSET, UnsetType

from enformer_core.dataset.codec import JsonObject, convert, decode, parse_object, readable_json


@dataclass(frozen=True)
class StoredTable:
    """One table of a shard as an object in the store.

    Attributes:
        key: its name in the run's directory.
        bytes: its size.
        rows: how many it holds.
        sha256: digest of the object.
        content_digest: digest of its decoded values, whatever the encoding.
    """

    key: str
    bytes: int
    rows: int
    sha256: str
    content_digest: str


@dataclass(frozen=True)
class StatisticError:
    """How far an engine's value of one statistic of one allele is from plain scoring.

    Attributes:
        error: L2 norm over tracks of the difference; None where it is not finite.
        norm: L2 norm over tracks of the statistic itself.
        bound: the error that is allowed.
        exceeded: whether it is beyond what is allowed by any of the measures below, or not finite.
        tracks: tracks whose value is above what rounding can do, which are looked at one by one.
        median_track_error: median over them of the error as a part of the track's value; None where there are none.
        wrong_signs: those of them that have another sign, or are 0.
        beyond: by which measures it is: `norm`, `tracks`, `signs`.
        tolerance: error allowed, as a part of the value; None in receipts of earlier releases.

    Receipts of releases before know the norm alone.
    """

    error: float | None
    norm: float
    bound: float
    exceeded: bool
    tracks: int = 0
    median_track_error: float | None = None
    wrong_signs: int = 0
    beyond: tuple[str, ...] = ()
    tolerance: float | None = None

    @property
    def has_effect(self) -> bool:
        """Whether there is more of the statistic than rounding can do: what is within its own bound is not."""
        return self.norm > self.bound


@dataclass(frozen=True)
class AuditedAllele:
    """An allele that was scored twice, and what that showed for each statistic.

    Attributes:
        variant: its name.
        statistics: the error of each.
        kinds: what it is, of the kinds of which each run audits some.
        yardstick: number format of the plain passes that it was held against.
        seconds: that these took.
    """

    variant: str
    statistics: Mapping[str, StatisticError]
    kinds: tuple[str, ...] = ()
    yardstick: str = "float32"
    seconds: float = 0.0


@dataclass(frozen=True)
class Provenance:
    """How a shard's values came about; it decides nothing.

    Attributes:
        started_at: when the computation began.
        seconds: how long it took.
        engine: which engine scored, where there are several.
        arithmetic: number formats in use.
        device_type: `cpu` or `cuda`.
        device: as its maker calls it.
        cpu_features: instructions of its processor that multiply, by their names; none where they are not known.
        threads: CPU threads that computed.
        enformer_ray: version of this program.
        torch: version of PyTorch.
        python: version of Python.
    """

    started_at: datetime | None = None
    seconds: float = 0.0
    engine: str | None = None
    arithmetic: str | None = None
    device_type: str = "cpu"
    device: str = ""
    cpu_features: tuple[str, ...] = ()
    threads: int = 1
    enformer_ray: str = ""
    torch: str = ""
    python: str = ""


@dataclass(frozen=True)
class ReusedRows:
    """Rows of a shard whose values another run has computed, and which were copied.

    Attributes:
        run: where the run that computed them lay, as its user named it.
        identity: digest of its identity.
        shard: of that run.
        rows: stretches [first, end) of this shard's planned rows.
        values: digest of these rows' values as they stand in the first value table.
        provenance: how they came about there.
    """

    run: str
    identity: str
    shard: int
    rows: tuple[tuple[int, int], ...]
    values: str
    provenance: Provenance

    @property
    def count(self) -> int:
        """How many rows lie in these ranges, all together."""
        return sum(end - first for first, end in self.rows)


@dataclass(frozen=True)
class CompactedShard:
    """A shard of another cut of the same run, whose rows stand in a larger shard now, as they are.

    Attributes:
        rows: of the plan, behind those of the shard before it.
        digests: of its tables' values, by table.
        committed_at: when it was put.
        provenance: how its values came about.
    """

    rows: int
    digests: Mapping[str, str]
    committed_at: datetime
    provenance: Provenance


@dataclass(frozen=True)
class Receipt:
    """The object that makes a shard count as done.

    Attributes:
        shard: its number.
        chrom: its contig; None for rows without a place.
        identity: digest of the run's identity.
        notice: what a demonstration says.
        rows: planned rows that it answers.
        by_status: those rows by status.
        tables: the shard's tables as stored, by name.
        committed_at: when it was put.
        audits: alleles that were scored twice.
        provenance: how the values came about that were computed here.
        reused: rows whose values were copied from other runs; no field where none were.
        compacted: the shards that it was put together from, in order; no field where it was computed as one.
    """

    shard: int
    chrom: str | None
    identity: str
    notice: str | None
    rows: int
    by_status: Mapping[str, int]
    tables: Mapping[str, StoredTable]
    committed_at: datetime
    audits: tuple[AuditedAllele, ...] = ()
    provenance: Provenance = field(default_factory=Provenance)
    reused: tuple[ReusedRows, ...] | UnsetType = UNSET
    compacted: tuple[CompactedShard, ...] | UnsetType = UNSET

    @property
    def copied(self) -> tuple[ReusedRows, ...]:
        """The same, none where there is no field."""
        return self.reused or ()

    @property
    def put_together_from(self) -> tuple[CompactedShard, ...]:
        """`compacted`, none where there is no field."""
        return self.compacted or ()


@dataclass(frozen=True)
class AuditSummary:
    """What the audits of a run, or of a part of it, observed of one statistic.

    Attributes:
        audited: alleles scored twice.
        median_error: median over alleles with an effect of error / norm; None where none has one.
        worst_error: the largest of them.
        exceeded: alleles whose error exceeds its bound.
        without_effect: alleles whose norm is 0 or no more than rounding can do; they have no error / norm.
        worst_absolute_error: the largest error of those; None where there are none.
        median_track_error: median over alleles of their tracks' median error; None where no track was looked at.
        worst_wrong_signs: the largest part of an allele's tracks that have another sign; None likewise.
        in_float64: alleles that were held against plain passes in float64.
        tolerance: the largest error that was allowed, as a part of the value; None in runs of earlier releases.
        beyond: how many alleles are out by each measure: `norm`, `tracks`, `signs`; one may be by several.
    """

    audited: int
    median_error: float | None
    worst_error: float | None
    exceeded: tuple[str, ...]
    without_effect: int = 0
    worst_absolute_error: float | None = None
    median_track_error: float | None = None
    worst_wrong_signs: float | None = None
    in_float64: int = 0
    tolerance: float | None = None
    beyond: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """The last object of a run: all planned shards are there.

    Its list of `objects` (for each shard its tables as stored) is not read with it: it may be a
    hundred megabytes.

    Attributes:
        identity: digest of the run's identity.
        notice: what a demonstration says.
        shards: how many.
        rows: planned rows.
        by_status: those rows by status.
        arithmetic: number formats in use.
        audit: what scoring some alleles twice has shown, by statistic.
        table_rows: rows of each table.
        completed_at: when it was put.
        audit_seconds: that scoring some alleles twice took, of all workers together.
        seconds: that all computing took, of all workers together.

    Manifests of earlier releases lack the last two.
    """

    identity: str
    notice: str | None
    shards: int
    rows: int
    by_status: Mapping[str, int]
    arithmetic: tuple[str, ...]
    audit: Mapping[str, AuditSummary]
    table_rows: Mapping[str, int]
    completed_at: datetime
    audit_seconds: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class ShardObjects:
    """The manifest's entry for one shard."""

    shard: int
    chrom: str | None
    tables: Mapping[str, StoredTable]


def read_receipt(
    content: bytes | None,
    key: str,
    tables: Iterable[str],
) -> Receipt:
    """A receipt from its object.

    Args:
        content: the object; None where there is none.
        key: its name, for messages.
        tables: names of the tables that a shard of this run has.

    Raises:
        DatasetError: for an object that is missing, damaged, or no receipt.
    """
    raw = parse_object(content, key)
    if "tables" in raw:
        return convert(raw, Receipt, key)
    # runs of the first releases are read, and go on, as they are
    return convert(_from_first_form(raw, tables), Receipt, key)


def read_manifest_objects(
    content: bytes,
    key: str,
    tables: Iterable[str],
) -> list[ShardObjects]:
    """The list of objects in a manifest.

    Raises:
        DatasetError: for a manifest that is damaged or has none.
    """
    entries = decode(content, _WithObjects, key).objects
    names = tuple(tables)
    objects = []
    for entry in entries:
        # likewise of the first form
        with_tables = entry if "tables" in entry else _with_tables(entry, names)
        objects.append(convert(with_tables, ShardObjects, key))
    return objects


@dataclass(frozen=True)
class _WithObjects:
    objects: list[JsonObject]


def _from_first_form(raw: JsonObject, tables: Iterable[str]) -> JsonObject:
    """A receipt as the first releases wrote it: tables and provenance stood among its fields."""
    return _with_tables(raw, tables) | {"provenance": raw}


def _with_tables(raw: JsonObject, tables: Iterable[str]) -> JsonObject:
    return raw | {"tables": {name: raw[name] for name in tables if name in raw}}


def manifest_json(manifest: Manifest, objects: Sequence[bytes]) -> bytes:
    """The manifest as it is stored, with a line for each shard's objects; it may be 100 MB.

    Args:
        manifest: all but the list.
        objects: for each shard its `ShardObjects` as canonical JSON.
    """
    text = io.BytesIO()
    # the head without its closing brace, so that the list becomes its last field
    text.write(readable_json(manifest).rstrip(b"}\n \t"))
    text.write(b',\n  "objects": [')
    for number, entry in enumerate(objects):
        text.write(b",\n    " if number else b"\n    ")
        text.write(entry)
    text.write(b"\n  ]\n}\n")
    return text.getvalue()

"""A run's identity and description, put once as `run.json`.

The identity is everything that decides values: equal identities, equal tables. A second command on
the same directory must come to the same identity, or is refused with the fields that differ.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TypeVar

from msgspec import UNSET, UnsetType

from enformer_core.dataset.codec import (
    JsonObject,
    as_json_object,
    canonical_json,
    convert,
    decode,
    readable_json,
)
from enformer_core.dataset.differences import InWords, difference_lines
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.keys import RUN_KEY
from enformer_core.errors import DatasetError, InputError
from enformer_core.storage.store import Store
from enformer_core.version import __version__

SCORE_VERSION = 3
"""Raised by every release that changes scores."""

T = TypeVar("T")

_FORMAT = 2  # 1 named tables and provenance among a receipt's own fields, and counted `alleles` or `tiles`
_READ_FORMATS = (1, 2)
_RESTORE = "Put the file back from a copy, or use another --out."


@dataclass(frozen=True)
class ModelIdentity:
    """Which model predicts.

    Attributes:
        name: as users name it.
        weights_sha256: digest of the weights' files; of several replicates over their digests, in order.
        head: which of its heads.
        replicates: of how many the mean is; no field where there is one, as in runs of earlier releases.
    """

    name: str
    weights_sha256: str
    head: str
    replicates: int | UnsetType = UNSET

    @property
    def models(self) -> int:
        """Of how many models values are the mean."""
        return 1 if self.replicates is UNSET else self.replicates


@dataclass(frozen=True)
class TracksIdentity:
    """Which tracks are computed: their number, and the digest of their columns of the head."""

    count: int
    sha256: str


@dataclass(frozen=True)
class ReferenceIdentity:
    """Which genome is read.

    Attributes:
        contigs: how many it has.
        names_and_lengths_sha256: digest of all names and lengths.
        sha256: digest of the letters of each contig that the run reads.
    """

    contigs: int
    names_and_lengths_sha256: str
    sha256: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What decides the values of every run; each kind of run adds fields of its own.

    Attributes:
        kind: which kind of run.
        model: which model predicts.
        tracks: which tracks are computed.
        reference: which genome is read.
        shard_size: rows of a shard, give or take.
        score_version: version of the arithmetic.
    """

    kind: str
    model: ModelIdentity
    tracks: TracksIdentity
    reference: ReferenceIdentity
    shard_size: int
    score_version: int = SCORE_VERSION


@dataclass(frozen=True)
class PlanSummary:
    """What was planned.

    Attributes:
        parts: objects of the plan.
        sha256: digest of each.
        shards: pieces of work.
        by_status: planned rows by status.
        records: input records that the rows come from, where rows are not records themselves.
        filtered: records that the user's filters took out, by filter.
        columns: which columns of the input were taken for what, and how that was known.
    """

    parts: int
    sha256: tuple[str, ...]
    shards: int
    by_status: Mapping[str, int]
    records: int | None = None
    filtered: Mapping[str, int] = field(default_factory=dict)
    columns: tuple[JsonObject, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows are planned: alleles or tiles."""
        return sum(self.by_status.values())


@dataclass(frozen=True)
class Run:
    """What `run.json` holds.

    Attributes:
        identity: everything that decides values, as stored; `typed_identity` reads it.
        plan: what was planned.
        notice: said in every object, where the model is a demonstration.
        configuration: the command as resolved, for people; no part of the identity.
        tracks_digest: of the table of tracks; None in runs of earlier releases.
    """

    identity: JsonObject
    plan: PlanSummary
    notice: str | None = None
    configuration: JsonObject = field(default_factory=dict)
    tracks_digest: str | None = None

    @classmethod
    def of(
        cls,
        identity: Identity,
        plan: PlanSummary,
        *,
        notice: str | None = None,
        configuration: JsonObject | None = None,
        tracks_digest: str | None = None,
    ) -> "Run":
        """A run that is about to begin."""
        return cls(as_json_object(identity), plan, notice, configuration or {}, tracks_digest)

    @cached_property
    def digest(self) -> str:
        """Digest of the identity: what names the run in its objects."""
        return sha256(canonical_json(self.identity))

    @property
    def typed_identity(self) -> Identity:
        """The part of the identity that all kinds of runs share.

        Raises:
            DatasetError: naming a field that does not fit.
        """
        return convert(self.identity, Identity, RUN_KEY)

    def claim(self, store: Store) -> bool:
        """Put `run.json`, or find the same identity there.

        Returns:
            Whether it was put: this is the first command of the run.

        Raises:
            InputError: when the directory belongs to another run, naming the fields that differ.
        """
        content = _RunFile(
            format=_FORMAT,
            notice=self.notice,
            identity_sha256=self.digest,
            identity=self.identity,
            plan=self.plan,
            configuration=self.configuration,
            created_by=f"enformer-ray {__version__}",
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            tracks_digest=self.tracks_digest,
        )
        # the identity alone is compared: times, versions and the command's words may be others
        if store.put_if_absent(RUN_KEY, readable_json(content)):
            return True
        found = read_run(store)
        assert found is not None
        self._check_cut(found)
        check_same(found.identity, self.identity)
        return False

    def _check_cut(self, found: "Run") -> None:
        """Refuse to put another cut's plan beside what stands there, as into a compacted run that has lost its own."""
        if found.digest == self.digest and found.plan.shards != self.plan.shards:
            raise InputError(
                f"the run there is cut into {found.plan.shards:,} shards, this command's into {self.plan.shards:,}: it "
                "was compacted, and a part of its plan is lost. Compact the original run again, into another --out."
            )


@dataclass(frozen=True)
class _RunFile:
    """The fields of `run.json`, in the order in which people read them."""

    format: int
    identity_sha256: str
    identity: JsonObject
    plan: PlanSummary
    notice: str | None
    configuration: JsonObject
    created_by: str
    created_at: str
    tracks_digest: str | None = None


@dataclass(frozen=True)
class _Format:
    """The one field of `run.json` that every format has."""

    format: int


def identity_digest(identity: Identity) -> str:
    """What names a run: equal for equal identities."""
    return sha256(canonical_json(identity))


def read_run(store: Store) -> Run | None:
    """The run that a directory holds; None where it holds none.

    Raises:
        DatasetError: when `run.json` is damaged, or of a format that this release does not read.
    """
    content = store.get(RUN_KEY)
    if content is None:
        return None
    # the format first: a file of another one may lack any other field
    version = _read(content, _Format).format
    if version not in _READ_FORMATS:
        known = " and ".join(map(str, _READ_FORMATS))
        raise DatasetError(
            f"run.json: format {version}, this program reads {known}. Use its release."
        )
    file = _read(content, _RunFile)
    run = Run(
        file.identity,
        file.plan,
        file.notice,
        file.configuration,
        file.tracks_digest,
    )
    # somebody who edits the identity by hand would mix values of two runs
    if run.digest != file.identity_sha256:
        raise DatasetError(
            f"run.json: its identity's digest is {run.digest}, it says {file.identity_sha256}. "
            f"{_RESTORE}"
        )
    _check_plan(run.plan)
    return run


def _read(content: bytes, wanted: type[T]) -> T:
    try:
        return decode(content, wanted, RUN_KEY)
    except DatasetError as error:
        raise DatasetError(f"{error}. {_RESTORE}") from error


def _check_plan(plan: PlanSummary) -> None:
    """The identity's digest does not cover the plan, so that its numbers are held against each other."""
    if plan.parts != len(plan.sha256) or (plan.parts > 0) != (plan.rows > 0):
        raise DatasetError(
            f"run.json: damaged: a plan of {plan.rows:,} rows in {plan.parts} parts, with digests of "
            f"{len(plan.sha256)}. {_RESTORE}"
        )


def check_same(
    stored: JsonObject,
    wanted: Identity | JsonObject,
    in_words: Callable[[], tuple[InWords, InWords]] = lambda: ({}, {}),
) -> None:
    """Refuse to mix two runs in one directory.

    Args:
        stored: the identity of the run that is there.
        wanted: the identity now.
        in_words: gives what people call the fields of both; asked where they differ.

    Raises:
        InputError: naming the fields of the identity that differ, with both values.
    """
    now = as_json_object(wanted)
    if stored == now:
        return
    lines = difference_lines(stored, now, *in_words())
    if not lines:
        return
    way_out = "Use another --out, or repeat that run's command."
    if stored.get("score_version") != now.get("score_version"):
        way_out = (
            "Use another --out, or the release that began that run: scores have changed since."
        )
    raise InputError(
        "the output directory holds another run; these fields differ:\n"
        + "\n".join(lines)
        + f"\n{way_out}"
    )

"""What must hold of every world, whatever befell it.

`Watcher` looks at every moment at which the store changes; `check_end` at what is left. Both give what is wrong in
words; a sound world gives nothing.
"""

import json
import signal
from collections import Counter
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.compute as pc

from cluster.worker_process import Cancelled, Failure
from enformer_core.dataset import verify
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.keys import (
    MANIFEST_KEY,
    RUN_KEY,
    TRACKS_KEY,
    plan_key,
    receipt_block_key,
    receipt_key,
    table_key,
)
from enformer_core.dataset.plan import Shard
from enformer_core.dataset.progress import run_progress
from enformer_core.dataset.run import read_run
from enformer_core.errors import StorageError
from jobs import exit_codes
from tests.simulation import memory
from tests.simulation.drivers import Attempt, World, open_store
from tests.simulation.faults import Kind
from tests.simulation.fleet import TASKS_PER_WORKER
from tests.simulation.store import SECRET, Request, Service
from tests.simulation.subject import Heap, Subject, shard_of_key
from tests.simulation.world import Process

READER_S = 15.0
_FIXED = {RUN_KEY, TRACKS_KEY, MANIFEST_KEY, plan_key(0)}
_REFUSALS = {  # what a command is refused for, and what it says of it
    Kind.CORRUPT_WEIGHTS: "weights: sha256 is ",
    Kind.OTHER_GENOME: "g.fa: contig chr1: sha256 is ",
    Kind.CORRUPT_INPUT: "holds another run; these fields differ:\n  ",
    Kind.IGNORED_PRECONDITION: "it ignores If-None-Match",
}
_HARMLESS = {
    Kind.POISON,
    Kind.TWO_DRIVERS,
    Kind.PRECONDITION,
    Kind.CONFLICT,
    Kind.NODE_JOINED,
    Kind.STRAGGLER,
}
"""Faults for which no command may end before the run is complete."""


def _read(content: bytes) -> tuple[pa.Table, dict[str, Any]]:
    return memory.from_parquet(content, "object")


class Watcher:
    """Sees every object at the moment it is stored, and reads on as a user who asks again and again."""

    def __init__(self, world: World) -> None:
        self._world, self._service = world, world.service
        self._known: dict[str, str] = {}
        self._subject = world.subject
        self._done = 0
        self._receipt_s: dict[int, float] = {}
        world.service.hooks.append(self._see)
        self._process = Process(world.hub, "reader")
        world.cluster.processes.append(self._process)
        self._process.spawn(self._read_on)

    @property
    def receipt_s(self) -> dict[int, float]:
        """When each shard's receipt was stored."""
        return self._receipt_s

    def _wrong(self, text: str) -> None:
        self._world.problems.append(f"{self._world.hub.now_s:.2f} {text}")

    def _see(self, request: Request, moment: str) -> None:
        if request.kind != "put" or moment != "applied" or request.key not in self._service.objects:
            return
        key, stored = request.key, self._service.objects[request.key]
        if self._known.setdefault(key, stored.etag) != stored.etag:
            self._wrong(f"{key}: a stored object has changed")
        if sum(1 for _, put, _, _ in self._service.history if put == key) != 1:
            self._wrong(f"{key}: was stored more than once")
        if key.partition("/")[0] in self._subject.tables:
            self._see_table(key, stored.content)
        elif key.startswith("commits/"):
            self._see_receipt(key, json.loads(stored.content))
        elif key == MANIFEST_KEY:
            self._see_manifest(json.loads(stored.content))

    def _see_table(self, key: str, content: bytes) -> None:
        number, (kind, _, _) = shard_of_key(key), key.split("/")
        table, _ = _read(content)
        shard = None if number is None else self._subject.shards.get(number)
        if shard is None or table_key(kind, shard.chrom, shard.number) != key:
            self._wrong(f"{key}: no shard of the plan")
        elif kind in self._subject.keys:
            rows = self._subject.undisturbed(shard.number, 0, frozenset())[kind].num_rows
            if table.num_rows != rows:
                self._wrong(f"{key}: {table.num_rows} rows are visible of {rows}")

    def _see_receipt(self, key: str, receipt: dict[str, Any]) -> None:
        self._receipt_s.setdefault(receipt["shard"], self._world.hub.now_s)
        for table in self._subject.tables:
            stored = self._service.objects.get(receipt["tables"][table]["key"])
            if stored is None:
                self._wrong(f"{key}: names {receipt['tables'][table]['key']}, which is not there")
            elif sha256(stored.content) != receipt["tables"][table]["sha256"]:
                self._wrong(
                    f"{key}: names another {receipt['tables'][table]['key']} than is stored"
                )

    def _see_manifest(self, manifest: dict[str, Any]) -> None:
        missing = [
            number
            for number in self._subject.shards
            if receipt_key(number) not in self._service.objects
        ]
        if missing:
            self._wrong(f"the manifest stands while shards {missing} have no receipt")
        if manifest["rows"] != self._subject.rows:
            self._wrong(f"the manifest counts {manifest['rows']} rows of {self._subject.rows}")

    def _read_on(self) -> None:
        store = open_store(self._world, self._process)
        while not self._world.calm:
            self._world.hub.sleep(READER_S)
            try:
                run = read_run(store)
                if run is None:
                    continue
                progress = run_progress(self._subject.ledger(store, run))
            except StorageError:
                continue  # bad weather
            if progress.shards_done < self._done:
                self._wrong(f"a reader saw {self._done} shards and then {progress.shards_done}")
            self._done = progress.shards_done


def check_end(world: World, watcher: Watcher) -> list[str]:
    """Everything that is wrong with a world in which all users are done."""
    objects = {key: stored.content for key, stored in world.service.objects.items()}
    problems = list(world.problems)
    problems += _rows(world.subject, objects)
    problems += _values(world, objects)
    problems += _leftovers(world.subject, objects)
    problems += _exit_codes(world)
    problems += _secrets(world, objects)
    problems += _requests(world, watcher)
    problems += _work(world, watcher)
    if world.service.strange:
        problems.append(f"requests that no program here may make: {world.service.strange}")
    return problems


def verify_stored(world: World) -> list[str]:
    """The product's own proof, over the same objects."""
    heap = Heap({key: stored.content for key, stored in world.service.objects.items()})
    run = read_run(heap)
    if run is None:
        return ["no run"]
    with (
        mock.patch.object(verify, "from_parquet", memory.from_parquet),
        mock.patch.object(verify, "content_digest", memory.content_digest),
    ):
        verdict = verify.verify_run(world.subject.ledger(heap, run))
    return (
        [*verdict.problems] if verdict.complete else [*verdict.problems, "the run is not complete"]
    )


def _rows(subject: Subject, objects: dict[str, bytes]) -> Iterator[str]:
    """Every value table has each row that it must have, once."""
    for kind, (columns, keys) in subject.keys.items():
        tables = [_read(objects[key])[0] for key in objects if key.startswith(f"{kind}/")]
        found = Counter(key for table in tables for key in _keys(table, columns))
        wanted = Counter(keys)
        if lost := wanted - found:
            yield f"{kind}: rows that are missing: {[*lost]}"
        if doubled := found - wanted:
            yield f"{kind}: rows that are there too often: {[*doubled]}"


def _keys(table: pa.Table, columns: tuple[str, ...]) -> list[tuple[Any, ...]]:
    def read() -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in table.select(columns).to_pylist()]

    return memory.once("keys", table, read)


def _values(world: World, objects: dict[str, bytes]) -> Iterator[str]:
    """Every shard is that of the undisturbed run on one kind of machine, its poison alleles apart."""
    subject = world.subject
    first, *later = (table.name for table in subject.run_type.value_tables)
    # an attempt may put the first table and die: each value table is that of one kind, and what is derived follows
    # the first
    of_one_kind = [(first, *subject.run_type.derived_tables), *((name,) for name in later)]
    for shard in subject.shards.values():
        keys = {table: table_key(table, shard.chrom, shard.number) for table in subject.tables}
        if missing := [key for key in keys.values() if key not in objects]:
            yield f"missing: {missing}"
            continue
        found = {table: _read(objects[key])[0] for table, key in keys.items()}
        yield from _reasons(world, shard, found[first])
        for tables in of_one_kind:
            wrong = [
                _shard_problem(world, shard, found, hardware, tables)
                for hardware in range(world.hardware_kinds)
            ]
            if all(wrong):
                yield f"shard {shard.number}: {wrong[0]}"


def _shard_problem(
    world: World,
    shard: Shard,
    found: dict[str, pa.Table],
    hardware: int,
    tables: tuple[str, ...],
) -> str:
    expected = world.subject.undisturbed(shard.number, hardware, frozenset(world.poison))
    first = world.subject.tables[0]
    statuses = [each[first]["status"].to_pylist() for each in (found, expected)]
    for table in tables:
        here, there = (_without_reasons(each[table]) for each in (found, expected))
        if memory.content_digest(here) != memory.content_digest(there):
            return f"{table}: statuses {statuses[0]}, expected {statuses[1]}; or other values"
    return ""


def _reasons(world: World, shard: Shard, stored: pa.Table) -> Iterator[str]:
    """A failed row's reason is what was planted where it is computed."""
    told = {"raise": "PoisonError: {}:{} cannot be computed", "kill": "its process died"}
    subject = world.subject
    planned = subject.planned(shard)
    answered = subject.run_type.expected_keys(subject.run_type.value_tables[0], planned)["row"]
    places = [[*subject.places_of(row)] for row in planned.to_pylist()]
    for number, row in zip(
        answered.to_pylist(), stored.select(["status", "reason"]).to_pylist(), strict=True
    ):
        poisoned = [place for place in places[number] if place in world.poison]
        planted = [told[world.poison[place]].format(*place) for place in poisoned]
        if row["status"] == "failed" and not any(text in (row["reason"] or "") for text in planted):
            yield f"{places[number]} failed because {row['reason']!r}, planted was {planted}"


def _without_reasons(table: pa.Table) -> pa.Table:
    if "reason" not in table.column_names:
        return table
    return memory.once("without reasons", table, lambda: _blanked(table))


def _blanked(table: pa.Table) -> pa.Table:
    at = table.column_names.index("reason")
    ok = pc.fill_null(pc.equal(table["status"], "failed"), False)
    return table.set_column(at, "reason", pc.if_else(ok, None, table["reason"]))


def _leftovers(subject: Subject, objects: dict[str, bytes]) -> Iterator[str]:
    shards = subject.shards.values()
    named = {
        table_key(table, shard.chrom, shard.number) for shard in shards for table in subject.tables
    }
    named |= {receipt_key(shard.number) for shard in shards} | _FIXED
    blocks = {receipt_block_key(block) for block in range(len(shards))}
    if strays := objects.keys() - named - blocks:
        yield f"objects that belong to nothing: {sorted(strays)}"
    if missing := named - objects.keys():
        yield f"objects that are missing: {sorted(missing)}"


def _exit_codes(world: World) -> Iterator[str]:
    """The last is that of a complete run; each before it has its cause, and its driver names it."""
    expected = 3 if world.poison else 0
    for user in world.users:
        if not user.codes or user.codes[-1] != expected:
            yield f"{user.name}: ended with {user.codes}, expected {expected}"
        for driver, code in zip(user.drivers, user.codes, strict=False):
            if not _is_due(world, driver, code, expected):
                said = world.log.of(driver)[-500:]
                yield f"{driver.name} ended with {code} after {world.befallen.get(driver, [])}: {said!r}"


def _is_due(world: World, driver: Process, code: int | None, complete: int) -> bool:
    """Whether what befell a driver leads to this exit code, and it said so."""
    met = world.befallen.get(driver, [])
    said = world.log.of(driver).replace("\\n", "\n")  # the log is JSON
    signals = [what for what in met if isinstance(what, int)]
    if code == exit_codes.BAD_INPUT:
        of_input = _REFUSALS[Kind.CORRUPT_INPUT] + world.subject.input_field
        told = {**_REFUSALS, Kind.CORRUPT_INPUT: of_input}
        return any(what in met and told[what] in said for what in told)
    if code == exit_codes.INCOMPLETE:
        return bool((world.weather.injected + world.weather.effective).keys() - _HARMLESS) and (
            "again" in said or "Continue with" in said
        )
    if code == exit_codes.INTERRUPTED:  # or told twice, whatever by
        return (signal.SIGINT in signals or len(signals) > 1) and _names_remedy(said)
    if code in {exit_codes.TERMINATED, exit_codes.HUNG_UP}:
        return code - 128 in signals and _names_remedy(said)
    return code == complete or code is None  # None only comes of being killed


def _names_remedy(said: str) -> bool:
    return "Continue with" in said or "again to continue" in said


def _secrets(world: World, objects: dict[str, bytes]) -> Iterator[str]:
    if SECRET in world.log.getvalue():
        yield "the log holds a secret"
    yield from (
        f"{key} holds a secret" for key, content in objects.items() if SECRET.encode() in content
    )


def _requests(world: World, watcher: Watcher) -> Iterator[str]:
    """Requests for a shard's objects: so many a commit, one more for each that failed, and the drivers' reading."""
    service: Service = world.service
    drivers = sum(len(user.drivers) for user in world.users)
    readings = 2 * drivers + 2 + world.hub.now_s / READER_S
    puts = len(world.subject.tables) + 1
    gets = puts + 1  # plan, and the stored object after each 412
    attempts = Counter(
        attempt.work.shard.number for attempt in world.attempts if attempt.work.trial is None
    )
    asked: Counter[int] = Counter()
    failed: Counter[int] = Counter()
    for (_, key), count in service.requests.items():
        if (number := shard_of_key(key)) is not None:
            asked[number] += count
    for key, count in service.failed.items():
        if (number := shard_of_key(key)) is not None:
            failed[number] += count
    for number, count in asked.items():
        bound = attempts[number] * (puts + gets) + failed[number] + readings
        if count > bound:
            yield f"shard {number}: {count} requests, {attempts[number]} attempts, {failed[number]} failures"


def _work(world: World, watcher: Watcher) -> Iterator[str]:
    """Nothing is computed again that had not been lost, but for second copies, and by drivers that did not know."""
    began = {driver: at_s for user in world.users for driver, at_s in user.began_s.items()}
    of_shard: dict[int, list[Attempt]] = {}
    for attempt in sorted(world.attempts, key=lambda attempt: attempt.assigned_s):
        if attempt.begun and attempt.whole:
            of_shard.setdefault(attempt.work.shard.number, []).append(attempt)
    for number, attempts in of_shard.items():
        for at, attempt in enumerate(attempts):
            if watcher.receipt_s.get(number, float("inf")) < began[attempt.driver]:
                yield f"shard {number}: computed by {attempt.driver.name}, though it was committed before that began"
            mine = [other for other in attempts[:at] if other.driver is attempt.driver]
            before = [other for other in mine if other.outcome_s <= attempt.assigned_s]
            if any(other.done for other in before):
                yield f"shard {number}: computed again by {attempt.driver.name}, which knew that it was done"
            if len(mine) - len(before) > 1:
                yield f"shard {number}: computed {len(mine) - len(before) + 1} times at once by {attempt.driver.name}"
        paid = _paid(world, attempts)
        paid += sum(
            _is_beside(attempt, attempts[:at], began, watcher.receipt_s)
            for at, attempt in enumerate(attempts)
        )
        if len(attempts) - 1 > paid:
            yield f"shard {number}: computed {len(attempts)} times, of which {paid} are accounted for"
    yield from _losses(world, of_shard)


def _in_flight(world: World) -> Counter[int]:
    """Shards that were at work at the kills, as often as they were."""
    return Counter(number for shards in world.losses for number in shards)


def _paid(world: World, attempts: list[Attempt]) -> int:
    """How often a shard was in flight at a kill, failed, or was put off at an interruption."""
    fates = Counter(map(_fate, attempts))
    return _in_flight(world)[attempts[0].work.shard.number] + fates["failed"] + fates["dropped"]


def _losses(world: World, of_shard: dict[int, list[Attempt]]) -> Iterator[str]:
    """Work is only lost with the process that was at it, at most three shards each time; and fails for a reason."""
    for shards in world.losses:
        if len(shards) > TASKS_PER_WORKER:
            yield f"a worker was at {len(shards)} shards at once: {shards}"
    in_flight = _in_flight(world)
    for number, attempts in of_shard.items():
        lost = sum(_fate(attempt) in ("lost", "unknown") for attempt in attempts)
        if lost > in_flight[number]:
            yield f"shard {number}: {lost} attempts came to nothing, {in_flight[number]} were in flight at kills"
    fates = Counter(_fate(attempt) for attempts in of_shard.values() for attempt in attempts)
    if fates["dropped"] and not world.weather.injected[Kind.INTERRUPTED]:
        yield "work was put off, and nobody had asked for that"
    if fates["failed"] and not (
        world.poison or world.service.failed or world.weather.effective[Kind.ALWAYS_FAILING]
    ):
        yield f"{fates['failed']} attempts failed for no reason"


def _fate(attempt: Attempt) -> str:
    if isinstance(attempt.outcome, Failure):
        return "failed"
    if isinstance(attempt.outcome, Cancelled):
        return "dropped"
    if attempt.done:
        return "done"
    return "lost" if attempt.lost else "unknown"


def _is_beside(
    attempt: Attempt,
    earlier: list[Attempt],
    began_s: dict[Process, float],
    receipt_s: dict[int, float],
) -> bool:
    """Whether it is the twin of a copy under way, or its driver had begun before another's copy was committed."""
    late = receipt_s.get(attempt.work.shard.number, float("inf")) > began_s[attempt.driver]
    return any(
        other.outcome_s > attempt.assigned_s
        if other.driver is attempt.driver
        else other.done and late
        for other in earlier
    )


def lost_work(world: World) -> int:
    """Computations begun that came to nothing for their driver."""
    return sum(
        attempt.begun and attempt.whole and _fate(attempt) in ("lost", "failed")
        for attempt in world.attempts
    )

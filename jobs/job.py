"""The one driver: take up a run or begin it, let a pool compute what is missing, close it.

Joins the rooms: what a worker computes comes from an `Analysis` of `enformer_core`, where it runs from
`cluster`. Which analysis it is, nothing here knows.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

from cluster.local_backend import local_pool
from cluster.pool import Control, Event, Pool, PoolError, Task
from enformer_core.analyses.base import Analysis, WorkerFactory
from enformer_core.dataset.codec import Footer, JsonObject, to_parquet
from enformer_core.dataset.damage import DamagedRunError, set_aside
from enformer_core.dataset.differences import InWords
from enformer_core.dataset.digests import content_digest
from enformer_core.dataset.keys import RUN_KEY, TRACKS_KEY, check_letter_case, check_partitions
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.plan import Plan
from enformer_core.dataset.plan_builder import DraftPlan
from enformer_core.dataset.plan_storage import MissingPartError, read_plan
from enformer_core.dataset.receipts import Manifest
from enformer_core.dataset.repaired import compare_repaired
from enformer_core.dataset.run import PlanSummary, Run, check_same, identity_digest, read_run
from enformer_core.dataset.shard_task import ShardTask
from enformer_core.dataset.summary import audit_cost_lines, audit_failed, audit_lines
from enformer_core.models.tracks.selector import selection_in_words
from enformer_core.models.tracks.table import Tracks
from enformer_core.shell_words import command_line
from enformer_core.storage.open import check_preconditions
from enformer_core.storage.store import Store
from enformer_core.user_path import one_line
from enformer_core.variants.table import Status
from enformer_core.words import counted
from jobs import exit_codes
from jobs.control import known_to_compute
from jobs.count import Count
from jobs.heartbeat import kept_alive
from jobs.interruption import interruptible
from jobs.left_over import check_none_left, how_to_continue
from jobs.log import note, remember
from jobs.pool_events import classify
from jobs.progress import choose_display
from jobs.resources import Workers
from jobs.run_in_words import configuration_of, words_of, words_there
from jobs.settings import RunSettings
from jobs.sharing import OpenShards, Share
from jobs.terminal import print_prose
from jobs.watch import ReceiptBlocks, Watch, audit_figures, remembered

_STARTING = {"off": "working in this process", "local": "starting Ray on this machine"}

_MOST_REPAIRS = 3
"""Of one command: a disk that loses more than that while a run is closed is for a person to mend."""


@dataclass(frozen=True)
class _Planned:
    """A run that lies in its store with its plan, and whether this command has begun it."""

    run: Run
    plan: Plan
    is_first: bool


@dataclass(frozen=True)
class Job:
    """A run that a command has named, everything in it found and fit to be used.

    Attributes:
        settings: of the command.
        analysis: what is computed.
        tracks: for which tracks.
        store: where the run lies.
        choose_workers: how many there are, and what each may use; asked when something is left to compute.
        notice: what every object says, where the model is a demonstration.
        groups: which tracks each group has, in words; told when the run begins.
    """

    settings: RunSettings
    analysis: Analysis
    tracks: Tracks
    store: Store
    choose_workers: Callable[[], Workers]
    notice: str | None = None
    groups: Sequence[str] = ()

    @cached_property
    def workers(self) -> Workers:
        """How many there are; to look at this machine's devices loads torch."""
        return self.choose_workers()

    def run(self) -> Manifest:
        """Compute what is missing; the same command again continues, or finds the run complete.

        Raises:
            InputError: when the directory holds another run, or the input cannot be used.
            InterruptedRunError: when a signal has ended it.
            PoolError: when shards are left that could not be computed or stored.
        """
        stored = self._stored_run()
        if stored is not None:
            manifest = self._closed(stored)
            if manifest is not None:
                print(f"already complete: {one_line(self.settings.out)}")
                return manifest
        planned = self._take_up(stored) or self._begin()
        ledger = Ledger(self.store, planned.run, self.analysis.run_type)
        self._note(planned.run)
        manifest = self._complete(ledger, planned)
        self.store.sweep()
        return manifest

    def _stored_run(self) -> Run | None:
        """The run that the directory holds, which must be this one."""
        run = read_run(self.store)
        if run is not None:
            hashed = run.identity.get("reference", {}).get("sha256", {})
            identity = self.analysis.identity(hashed, run.plan.rows)
            check_same(run.identity, identity, lambda: self._in_words(run))
        return run

    def _in_words(self, run: Run) -> tuple[InWords, InWords]:
        """What people call the fields of two identities: of a run that is there, and of this one."""
        now = words_of(self._configuration(), self.tracks.to_arrow())
        return words_there(self.store, run), now

    def _configuration(self) -> JsonObject:
        """The command as resolved, and what people call its input."""
        return configuration_of(asdict(self.settings), self.analysis.input_in_words())

    def _note(self, run: Run) -> None:
        """Let the summary know the run."""
        remember(
            output=self.store.location,
            unit=self.analysis.run_type.unit,
            total=run.plan.rows,
            shards=run.plan.shards,
            complete=False,
        )

    def _closed(self, run: Run) -> Manifest | None:
        """The manifest of a complete run; nothing is written, and what is lost is noticed."""
        self._note(run)
        ledger = Ledger(self.store, run, self.analysis.run_type)
        manifest = ledger.manifest()
        if manifest is not None and (lost := ledger.lost()):
            raise DamagedRunError(lost, self.store.location)
        return manifest

    def _take_up(self, run: Run | None) -> _Planned | None:
        """A run that was planned to its end, with its plan."""
        if run is None:
            return None
        self._check_store()
        try:
            plan = read_plan(self.store, run.plan.parts, digests=run.plan.sha256)
        except MissingPartError:
            # a driver died between run.json and the plan, which follows from the same input
            return None
        self._put_tracks(run)
        return _Planned(run, plan, is_first=False)

    def _complete(self, ledger: Ledger, planned: _Planned) -> Manifest:
        """Compute what is missing and close the run; what was lost since its commit is computed again."""
        for repairs_left in reversed(range(_MOST_REPAIRS + 1)):
            self._work_through(ledger, planned)
            try:
                manifest = ledger.finish(planned.plan)
                break
            except DamagedRunError as damaged:
                # a run that another command has closed meanwhile is for a person to reopen
                if not repairs_left or ledger.manifest() is not None:
                    raise
                note(f"{damaged.summary} They are computed again.")
                set_aside(self.store, damaged.problems)
        for line in compare_repaired(ledger):
            note(line)
        return manifest

    def _begin(self) -> _Planned:
        """Read the input, and put the run's description, tracks and plan."""
        with self.analysis.read_input() as draft_input:
            check_partitions(draft_input.contigs)
            if self.settings.tracks is not None:
                note(f"tracks: {selection_in_words(self.tracks)}")
            for line in self.groups:
                note(line)
            identity = self.analysis.identity(draft_input.contigs, draft_input.rows)
            draft = draft_input.draft(identity_digest(identity))
            run = Run.of(
                identity,
                PlanSummary(
                    parts=len(draft.parts),
                    sha256=draft.sha256,
                    shards=len(draft.shards),
                    by_status=draft.by_status,
                    records=draft_input.records,
                    filtered=draft_input.filtered,
                    columns=self.analysis.columns_taken(draft_input),
                ),
                notice=self.notice,
                configuration=self._configuration(),
                tracks_digest=content_digest(self.tracks.to_arrow()),
            )
            return self._put(run, draft, draft_input.contigs)

    def _put(self, run: Run, draft: DraftPlan, contigs: Sequence[str]) -> _Planned:
        is_first = run.claim(self.store)
        check_letter_case(self.store, contigs)
        self._check_store()
        self._put_tracks(run)
        return _Planned(run, draft.put(self.store), is_first)

    def _put_tracks(self, run: Run) -> None:
        footer = Footer("tracks", run.digest, run.notice)
        self.store.put_if_absent(TRACKS_KEY, to_parquet(self.tracks.to_arrow(), footer))

    def _check_store(self) -> None:
        if not self.settings.single_writer:
            check_preconditions(self.store, RUN_KEY)

    def _work_through(self, ledger: Ledger, planned: _Planned) -> None:
        """Compute the shards that have no receipt."""
        plan = planned.plan
        done = {shard for shard in ledger.committed() if shard < len(plan.shards)}
        if len(done) == len(plan.shards):
            return
        unit = ledger.run_type.unit
        count = Count(
            plan.shards.total_rows, unit, sum(plan.shards[number].rows for number in done)
        )
        display = choose_display(self.settings.log_format, count)
        blocks = ReceiptBlocks(ledger, done, len(plan.shards))
        rows = -(-count.total // len(plan.shards))
        watch = Watch(
            display, blocks, f"computing; results come by shards of about {counted(rows, unit)}"
        )
        share = None if self.settings.share is None else Share.read(self.settings.share)
        shards = OpenShards(
            ledger,
            plan.shards,
            done=done,
            share=share,
            is_first=planned.is_first,
            tell=watch.see_elsewhere,
            objects_there=lambda: watch.objects_there,
        )
        tasks = (Task(f"shard {shard.number}", ShardTask(shard)) for shard in shards)
        factory = WorkerFactory(self.analysis.loader, ledger, self.workers.each)
        control = known_to_compute(ledger, plan)
        hint = hint_of_ray(self.settings.ray, len(plan.shards) - len(done))
        if hint is not None:
            note(hint)
        with display, kept_alive(display), watch, remembered(count, watch):
            display.phase(_STARTING.get(self.settings.ray, f"connecting to {self.settings.ray}"))
            with (
                make_pool(self.settings, self.workers, factory, unit, control) as pool,
                interruptible(pool) as interruption,
            ):
                display.follow(pool.items_in_hand)
                display.phase("loading the model")
                self._see_all(pool.run(tasks), watch)
        left = len(plan.shards) - len(done) - watch.shards_done - watch.shards_elsewhere
        check_none_left(left, ledger, len(plan.shards), watch, interruption)

    def _see_all(self, events: Iterator[Event], watch: Watch) -> None:
        try:
            for event in events:
                watch.see(event)
        except PoolError as error:
            raise PoolError(f"{error}\n{how_to_continue()}") from error

    def report(self, manifest: Manifest) -> int:
        """Say what came of a complete run.

        Returns:
            The exit code.
        """
        is_strict = getattr(self.settings, "strict", False)
        print_prose(self._report_lines(manifest, strict=is_strict))
        # as they are, so that they can be copied: neither a path nor a command may be broken
        print(f"output: {one_line(self.store.location)}")
        for label, question in self._questions(manifest):
            words = ["enformer-ray", "query", self.settings.out, question]
            print(f"{label}: {command_line(words)}")
        remember(
            complete=True,
            done=manifest.rows,
            shards_done=manifest.shards,
            by_status=dict(manifest.by_status),
            audit={name: asdict(summary) for name, summary in manifest.audit.items()},
        )
        if is_strict and audit_failed(manifest.audit):
            return exit_codes.AUDIT_FAILED
        return exit_code(manifest)

    def _report_lines(self, manifest: Manifest, *, strict: bool) -> Sequence[str]:
        counts = ", ".join(f"{rows:,} {status}" for status, rows in manifest.by_status.items())
        unit = self.analysis.run_type.unit
        notice = [manifest.notice] if manifest.notice else []
        rows = counted(manifest.rows, unit)
        return [
            f"{rows} in {counted(manifest.shards, 'shards')}: {counts}",
            *self._copied(manifest),
            *self._columns_taken(),
            *notice,
            *self.analysis.report(manifest),
            *audit_lines(manifest.audit, strict=strict, unit=unit),
            *audit_cost_lines(manifest.audit, manifest.audit_seconds, manifest.seconds),
            *self._of_nothing(manifest),
        ]

    def _copied(self, manifest: Manifest) -> Iterator[str]:
        """How many rows came from other runs, where some are named; and that none was audited for it."""
        if not getattr(self.settings, "reuse", ()):
            return
        run = read_run(self.store)
        assert run is not None, "it is complete"
        receipts = Ledger(self.store, run, self.analysis.run_type).receipts()
        copied = sum(each.count for receipt in receipts for each in receipt.copied)
        yield f"reused   {copied:,} of {manifest.rows:,}, copied from other runs"
        if copied and not manifest.audit and getattr(self.settings, "audit_fraction", 0):
            yield "audit    none: every allele that was drawn for it is copied, and copied ones are not audited"

    def _of_nothing(self, manifest: Manifest) -> Iterator[str]:
        """Where no row has values: that it is so, and one of them with its reason."""
        if manifest.by_status.get(Status.OK):
            return
        run_type = self.analysis.run_type
        table = run_type.tables[0]
        yield f"no {table}: of {counted(manifest.rows, run_type.unit)} none is ok, so nothing was computed"
        run = read_run(self.store)
        if run is not None:
            ledger = Ledger(self.store, run, run_type)
            yield from (one_line(line) for line in self.analysis.example_of_nothing(ledger))

    def _questions(self, manifest: Manifest) -> Iterator[tuple[str, str]]:
        """SQL that has an answer in this run, with what it is called: of rows without values, and of those with."""
        ok = manifest.by_status.get(Status.OK, 0)
        of_unscored = self.analysis.query_of_unscored
        if of_unscored is not None and ok < manifest.rows:
            yield "why not ok", of_unscored
        if ok:
            yield "ask it", self.analysis.example_query()
            for question in self.analysis.further_queries():
                yield "ask it", question

    def _columns_taken(self) -> Sequence[str]:
        """Which columns of the input were taken for what, as `run.json` has it."""
        run = read_run(self.store)
        taken = () if run is None else run.plan.columns
        return [f"columns: {line}" for line in self.analysis.columns_in_words(taken)]


def exit_code(manifest: Manifest) -> int:
    """The exit code of a complete run: rows that failed are told apart."""
    return exit_codes.FAILED_ROWS if manifest.by_status.get(Status.FAILED) else exit_codes.DONE


def hint_of_ray(ray: str, shards: int) -> str | None:
    """What to say where a Ray of this machine's own would take longer to start than it can save."""
    if ray != "local" or shards > 1:
        return None
    return (
        "one shard is left to compute, which takes one process: --ray off spares the start of Ray"
    )


def make_pool(
    settings: RunSettings, workers: Workers, factory: WorkerFactory, unit: str, control: Control
) -> Pool:
    """Workers where the settings want them: in this process, on this machine, on a cluster."""
    if settings.ray == "off":
        return local_pool(factory, classify=classify, control=control)
    from cluster.ray_backend import ray_pool  # `--ray off` works where Ray does not

    return ray_pool(
        factory,
        workers=workers.count,
        address=settings.ray,
        cpus_per_worker=workers.each.cpus,
        gpus_per_worker=workers.each.gpus,
        memory_bytes_per_worker=workers.each.memory_bytes,
        classify=classify,
        # a second copy of a shard needs a store that refuses the second put
        speculative=not settings.single_writer,
        unit=unit,
        figures=audit_figures,
        control=control,
    )

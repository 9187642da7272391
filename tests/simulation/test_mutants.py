"""Proof that the simulation can fail: mistakes in the real code, each caught by what must hold.

Each is caught within some seeds, in worlds in which the code as it is passes them all.
"""

import os
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from itertools import count
from unittest import mock

import pytest
from botocore import exceptions as boto

from enformer_core.analyses import link_computation
from enformer_core.analyses.contribution_run_type import ContributionsType
from enformer_core.analyses.insulator_run_type import InsulatorsType
from enformer_core.dataset import ledger
from enformer_core.errors import TransientStorageError
from enformer_core.storage.retry import RetryingStore
from enformer_core.storage.s3 import S3Store
from enformer_core.storage.s3_errors import status_of
from jobs.job import Job
from tests.simulation import subject as sent
from tests.simulation.drivers import World
from tests.simulation.fate import Fate
from tests.simulation.faults import Fault, Kind
from tests.simulation.other_kinds import CONTRIBUTIONS, INSULATORS, LINKS, OTHERS
from tests.simulation.seeds import Findings, run_seed
from tests.simulation.store import Client
from tests.simulation.subject import Subject, shard_of_key
from tests.simulation.toy import GENES
from tests.simulation.world import Hub

SEEDS = range(60 if "ENFORMER_RAY_THOROUGH" in os.environ else 20)


def stormy_world(seed: int, subject: Subject = GENES) -> World:
    """Twins, two drivers, lost answers, kills: what the mistakes need to show themselves."""
    chance = Hub(f"stormy {seed}").random
    place_s = chance.choice((0.05, 2.0))
    world = World(seed, machines=2, hardware_kinds=2, place_s=place_s, subject=subject)
    world.add_user()
    world.add_user(chance.uniform(0.0, 2.0))
    kinds = (
        Kind.LOST_ANSWER,
        Kind.LOST_ANSWER,
        Kind.SLOW_DOWN,
        Kind.WORKER_KILLED,
        Kind.STRAGGLER,
        Kind.TORN_UPLOAD,
    )
    Fate(world, [Fault(chance.choice(kinds), chance.uniform(0.0, 20.0)) for _ in range(5)])
    return world


def poisoned_world(seed: int, subject: Subject = GENES) -> World:
    """The same, and one place cannot be computed."""
    world = stormy_world(seed, subject)
    world.poison[subject.places[seed % len(subject.places)]] = "raise"
    return world


def crowded_world(seed: int) -> World:
    """Four commands at once, by chance at the same shards: what meets is answered 409, often on both sides."""
    world = World(seed, machines=2, place_s=0.05)
    world.hub.random.randint = lambda low, high: low  # where a command that comes later begins
    world.service.slowness, world.service.conflict_share = 5.0, 0.9
    for _ in range(4):
        world.add_user()
    return world


def motley_world(seed: int) -> World:
    """Machines that have other weights or another genome than the driver, from their first worker on."""
    world = World(seed, machines=2, place_s=0.05)
    world.add_user()
    Fate(world, [Fault((Kind.CORRUPT_WEIGHTS, Kind.OTHER_GENOME)[seed % 2], 0.1)])
    return world


def first_problem(seeds: range = SEEDS, make: Callable[[int], World] = stormy_world) -> Findings:
    """Up to the first seed in which something is wrong."""
    findings = Findings()
    for seed in seeds:
        findings.add(run_seed(seed, make))
        if findings.problems:
            break
    return findings


def test_control_the_code_as_it_is_passes_all_these_seeds():
    findings = first_problem()
    assert findings.seeds == len(SEEDS)
    assert not findings.problems, findings.told()
    for kind in (Kind.PRECONDITION, Kind.LOST_ANSWER):
        assert findings.effective[kind] > 5, kind


def test_control_commands_that_meet_at_their_shards_pass():
    findings = first_problem(range(10), crowded_world)
    assert findings.seeds == 10
    assert not findings.problems, findings.told()
    assert findings.effective[Kind.CONFLICT] > 20


@pytest.mark.parametrize("kind", [Kind.CORRUPT_WEIGHTS, Kind.OTHER_GENOME])
def test_control_other_files_are_refused(kind):
    findings = first_problem(range(10), motley_world)
    assert findings.seeds == 10
    assert not findings.problems, findings.told()
    assert findings.effective[kind] >= 3


def other_files_pass():
    """A worker does not mind that its weights, or its genome, are others than the run's."""
    return mock.patch.object(sent, "check_same_file", return_value=None)


def other_genomes_pass():
    """A worker does not mind that its genome is another one than the run's."""
    return mock.patch.object(sent, "check_same_contigs", return_value=None)


@contextmanager
def receipt_before_derived_tables():
    """A shard's receipt is put before its last table."""
    put = RetryingStore.put_if_absent
    late = {}

    def put_late(self, key, content):
        place = (Hub.current.process, shard_of_key(key))
        if key.startswith("effects/"):
            late[place] = (key, content)
            return True
        created = put(self, key, content)
        if key.startswith("commits/") and place in late:
            put(self, *late.pop(place))
        return created

    with mock.patch.object(RetryingStore, "put_if_absent", put_late):
        yield


def no_if_none_match():
    """Puts of shards do not ask that nothing be there; the probe before the run still does."""
    put = Client.put_object

    def unconditional(self, **how):
        if "/shard-" in how["Key"]:
            how.pop("IfNoneMatch")
        return put(self, **how)

    return mock.patch.object(Client, "put_object", unconditional)


@contextmanager
def manifest_before_receipts():
    """The run is closed without a look at which shards have a receipt, before they are computed."""
    work = Job._work_through

    def close_first(job, of_run, plan):
        of_run.finish(plan)
        work(job, of_run, plan)

    with (
        mock.patch.object(ledger, "check_complete", return_value=None),
        mock.patch.object(Job, "_work_through", close_first),
    ):
        yield


def conflict_taken_for_success():
    """409 is read as "stored"."""
    return _deaf_put(
        lambda error: status_of(error) == 409 if isinstance(error, boto.ClientError) else False
    )


def lost_answer_taken_for_success():
    """A connection that broke off is read as "stored", and nobody looks."""
    return _deaf_put(lambda error: isinstance(error, boto.HTTPClientError))


def lost_answer_taken_for_failure():
    """A put that was repeated because its answer was lost meets its own object, and that is read as another's fault."""
    put = S3Store.put_if_absent
    broken: set[tuple[int, str]] = set()

    def suspicious(self, key, content):
        try:
            created = put(self, key, content)
        except TransientStorageError:
            broken.add((id(self), key))
            raise
        if not created and (id(self), key) in broken:
            raise AssertionError(f"{key}: cannot be stored")
        return created

    return mock.patch.object(S3Store, "put_if_absent", suspicious)


def _deaf_put(is_ignored):
    put = Client.put_object

    def deaf(self, **how):
        try:
            return put(self, **how)
        except (boto.ClientError, boto.HTTPClientError) as error:
            if "/shard-" in how["Key"] and is_ignored(error):
                return {"ETag": "believed"}
            raise

    return mock.patch.object(Client, "put_object", deaf)


MUTANTS = {  # and how each shows itself
    no_if_none_match: "a stored object has changed|was stored more than once|names another",
    manifest_before_receipts: "the manifest stands while",
    conflict_taken_for_success: "which is not there|names another|objects that are missing|have no receipt|hang",
    lost_answer_taken_for_success: "which is not there|names another|objects that are missing|have no receipt|hang",
    lost_answer_taken_for_failure: "a traceback|statuses|has given the command|hang",
    other_files_pass: "or other values",
    other_genomes_pass: "or other values",
    receipt_before_derived_tables: "which is not there",
}
WORLDS = {
    conflict_taken_for_success: crowded_world,
    other_files_pass: motley_world,
    other_genomes_pass: motley_world,
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_mutant_is_caught(mutant):
    with mutant():
        findings = first_problem(make=WORLDS.get(mutant, stormy_world))
    assert findings.problems, f"{mutant.__doc__} survived {findings.seeds} seeds"
    (problems,) = findings.problems.values()
    print(findings.seeds, problems)
    pattern = MUTANTS[mutant]
    assert any(word in text for word in pattern.split("|") for text in problems), problems


def a_row_answers_a_target():
    """Statuses are read of the table's first rows, as if each target had one."""
    return mock.patch.object(
        ContributionsType,
        "statuses",
        lambda self, planned, stored: stored["status"].slice(0, planned.num_rows),
    )


def shuffles_of_each_attempt():
    """Every attempt shuffles elements in another way."""
    shuffled, attempts = link_computation.shuffled, count()

    def anew(element, codes, shuffles, seed):
        return shuffled(element, codes, shuffles, seed + next(attempts))

    return mock.patch.object(link_computation, "shuffled", anew)


def planned_statuses():
    """What was planned of a place is taken for what became of it."""
    return mock.patch.object(
        InsulatorsType, "statuses", lambda self, planned, stored: planned["status"]
    )


FEW_SEEDS = range(4)

MUTANTS_OF_ONE_KIND = {
    a_row_answers_a_target: (CONTRIBUTIONS, "is not there for just the rows that are ok"),
    shuffles_of_each_attempt: (LINKS, "or other values"),
    planned_statuses: (INSULATORS, "expected 3"),
}


@pytest.mark.parametrize("subject", OTHERS, ids=lambda subject: subject.name)
def test_control_the_other_kinds_pass_as_they_are(subject):
    findings = first_problem(FEW_SEEDS, partial(poisoned_world, subject=subject))
    assert findings.seeds == len(FEW_SEEDS)
    assert not findings.problems, findings.told()


@pytest.mark.parametrize("mutant", MUTANTS_OF_ONE_KIND, ids=lambda mutant: mutant.__name__)
def test_a_mutant_of_one_kind_is_caught_by_its_worlds_alone(mutant):
    subject, pattern = MUTANTS_OF_ONE_KIND[mutant]
    with mutant():
        of_genes = first_problem(range(3), poisoned_world)
        findings = first_problem(FEW_SEEDS, partial(poisoned_world, subject=subject))
    assert not of_genes.problems, of_genes.told()
    assert findings.problems, f"{mutant.__doc__} survived {findings.seeds} seeds"
    (problems,) = findings.problems.values()
    print(findings.seeds, problems)
    assert any(pattern in text for text in problems), problems

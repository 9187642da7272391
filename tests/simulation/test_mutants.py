"""Proof that the simulation can fail: four mistakes in the real code, each caught by what must hold.

Each is caught within some seeds, in worlds in which the code as it is passes them all.
"""

from contextlib import contextmanager
from unittest import mock

import pytest
from botocore import exceptions as boto

from enformer_core.dataset import ledger
from enformer_core.errors import TransientStorageError
from enformer_core.storage.s3 import S3Store
from enformer_core.storage.s3_errors import status_of
from jobs.job import Job
from tests.simulation.drivers import World
from tests.simulation.fate import Fate
from tests.simulation.faults import Fault, Kind
from tests.simulation.seeds import Findings, run_seed
from tests.simulation.store import Client
from tests.simulation.world import Hub

SEEDS = range(60)


def stormy_world(seed: int) -> World:
    """Twins, two drivers, lost answers, kills: what the mistakes need to show themselves."""
    chance = Hub(f"stormy {seed}").random
    world = World(seed, machines=2, hardware_kinds=2, allele_s=chance.choice((0.05, 2.0)))
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


def first_problem(seeds: range = SEEDS) -> Findings:
    """Up to the first seed in which something is wrong."""
    findings = Findings()
    for seed in seeds:
        findings.add(run_seed(seed, stormy_world))
        if findings.problems:
            break
    return findings


def test_control_the_code_as_it_is_passes_all_these_seeds():
    findings = first_problem()
    assert findings.seeds == len(SEEDS)
    assert not findings.problems, findings.told()
    for kind in (Kind.CONFLICT, Kind.PRECONDITION, Kind.LOST_ANSWER):
        assert findings.effective[kind] > 5, kind


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
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_mutant_is_caught(mutant):
    with mutant():
        findings = first_problem()
    assert findings.problems, f"{mutant.__doc__} survived {findings.seeds} seeds"
    (problems,) = findings.problems.values()
    print(findings.seeds, problems)
    pattern = MUTANTS[mutant]
    assert any(word in text for word in pattern.split("|") for text in problems), problems

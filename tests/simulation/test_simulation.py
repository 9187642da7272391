"""Worlds in which everything goes wrong that can; in each every allele ends with its one row, unchanged."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.simulation.drivers import World, inhabited
from tests.simulation.fate import Fate, make_world
from tests.simulation.faults import Fault, Kind
from tests.simulation.invariants import Watcher, check_end, lost_work
from tests.simulation.other_kinds import OTHERS
from tests.simulation.seeds import SETTLE_S, Findings, run_seed, run_seeds, run_world
from tests.simulation.toy import GENES

IS_THOROUGH = "ENFORMER_RAY_THOROUGH" in os.environ
SEEDS = int(os.environ.get("ENFORMER_RAY_SEEDS", "500" if IS_THOROUGH else "150"))
ALL_SEEDS = 10_000
ENOUGH_FOR_ALL = 100
"""In so many worlds of one kind of run everything comes at least once; in fewer only what is frequent."""
PROCESSES = 2
DRAWN = set(Kind) - {Kind.ALWAYS_FAILING, Kind.IGNORED_PRECONDITION}
FIGURES = {  # and how often a seed comes to it, at least
    "412": 0.1,
    "speculative copies": 0.1,
    "probes": 0.1,
    "puts by workers for which nobody waited": 0.1,
    "shards computed in vain": 0.1,
    "shards in flight at them": 0.1,
    "commands refused for corrupt weights": 0.005,
    "commands refused for corrupt input": 0.02,
    "commands refused for another genome": 0.005,
    "commands that ended with 5": 0.02,
    "commands that ended with 130": 0.01,
    "commands that ended with 143": 0.01,
    "commands that ended with None": 0.05,
}


def check(findings: Findings) -> None:
    """Nothing is wrong, and every kind of fault came and hit, often enough for so many seeds."""
    print(findings.told(), *sorted(findings.figures.items()), sep="\n")
    print(
        *(
            (kind.value, count, findings.effective[kind])
            for kind, count in findings.injected.most_common()
        ),
        sep="\n",
    )
    assert not findings.problems, findings.told()
    for kind in DRAWN:
        assert findings.injected[kind] >= 0.04 * findings.seeds, kind
        assert findings.effective[kind] >= 0.02 * findings.seeds, kind
    for figure, share in FIGURES.items():
        assert findings.figures[figure] >= share * findings.seeds, figure


@pytest.mark.timeout(1800)
def test_hundreds_of_worlds():
    check(run_seeds(range(SEEDS), processes=PROCESSES))


@pytest.mark.full
@pytest.mark.timeout(14_400)
def test_ten_thousand_worlds():
    check(run_seeds(range(ALL_SEEDS), processes=PROCESSES))


@pytest.mark.parametrize("subject", OTHERS, ids=lambda subject: subject.name)
def test_worlds_of_the_other_kinds_of_run(subject):
    findings = run_seeds(range(SEEDS // 5), make=partial(make_world, subject=subject))
    print(findings.told(), *sorted(findings.figures.items()), sep="\n")
    assert not findings.problems, findings.told()
    assert len(+findings.effective) > len(DRAWN) / 2
    if findings.seeds < ENOUGH_FOR_ALL:
        return
    for fault in DRAWN:
        assert findings.effective[fault] >= 0.01 * findings.seeds, fault
    for figure in FIGURES:
        assert findings.figures[figure] > 0, figure


def test_an_undisturbed_world_does_everything_once():
    world = World("undisturbed")
    world.add_user()
    assert run_world(world) == []
    assert [user.codes for user in world.users] == [[0], [0]]
    whole = [attempt.work.shard.number for attempt in world.attempts]
    assert set(whole) == set(range(6))
    assert lost_work(world) == 0
    assert not any(attempt.work.trial for attempt in world.attempts)
    copies = len(whole) - 6
    assert copies <= 2
    assert (
        world.service.conditional_losses <= 2 + 3 * copies
    )  # each command sees whether the store keeps its promise
    puts = sum(count for (kind, _), count in world.service.requests.items() if kind == "put")
    # three tables and a receipt each; run, tracks, plan, manifest
    shards, blocks, rest = 4 * 6, 6 // 2, 4
    assert puts <= shards + blocks + rest + 2 + 3 * copies


def sick_world(seed: int) -> World:
    """One of three machines fails at everything, for ever."""
    world = World(seed, machines=3, place_s=(1.0, 3.0)[seed % 2])
    world.cluster.machines[seed % 3].broken = True
    if seed % 5 == 0:
        world.poison[GENES.places[3]] = "raise"
    world.add_user()
    return world


def test_a_machine_that_always_fails_blames_no_allele():
    findings = Findings()
    for seed in range(100 if IS_THOROUGH else 20):
        findings.add(run_seed(seed, sick_world))
    assert not findings.problems, findings.told()


def test_what_one_command_gives_up_another_may_have_committed():
    """Faults of a world in which a driver gave a shard up after both searches, which its neighbour had long stored."""
    findings = Findings()
    findings.add(run_seed(5196))
    assert not findings.problems, findings.told()


def test_a_store_that_ignores_preconditions_is_refused_before_anything_is_computed():
    world = World("no preconditions")
    world.service.keeps_preconditions = False
    user = world.add_user()
    with inhabited(world):
        world.hub.run(lambda: user.codes != [], 1000.0)
    assert user.codes == [2]
    assert "it ignores If-None-Match" in world.log.of(user.drivers[0])
    assert "--single-writer" in world.log.of(user.drivers[0])
    assert world.attempts == []


def course(seed: int) -> tuple[object, ...]:
    """All that can be seen of a world."""
    world = make_world(seed)
    run_world(world)
    history = [
        (at_s, key, etag, process.name) for at_s, key, etag, process in world.service.history
    ]
    codes = [user.codes for user in world.users]
    return (
        world.hub.trace,
        history,
        codes,
        world.log.getvalue(),
        world.service.requests,
        world.weather.effective,
    )


@pytest.mark.parametrize("seed", range(11, 31 if IS_THOROUGH else 15))
def test_a_seed_decides_everything(seed):
    first, second = course(seed), course(seed)
    assert first == second
    assert len(first[0]) > 10


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_a_world_can_be_shown_again(hash_seed):
    """In another process too, whatever the order of its sets."""
    shown = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--seed", "11"],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    trace, _, _, log, *_ = course(11)
    assert shown.stdout.splitlines()[: len(trace)] == trace
    assert log in shown.stdout


def struck(kind: Kind, at_s: float, *, seed: int) -> tuple[World, Watcher]:
    """A world that one fault has befallen."""
    world = World(seed, machines=1)
    world.add_user()
    Fate(world, [Fault(kind, at_s)])
    with inhabited(world):
        watcher = Watcher(world)
        world.run()
        world.settle(SETTLE_S)  # copies that were overtaken have not ended yet
        assert check_end(world, watcher) == []
    assert world.weather.effective[kind]
    return world, watcher


@pytest.mark.parametrize("kind", [Kind.WORKER_KILLED, Kind.DRIVER_KILLED, Kind.HEAD_LOST])
def test_work_that_is_done_again_must_have_been_in_flight_at_a_kill(kind):
    world, watcher = next(
        found for seed in range(20) if (found := struck(kind, 16.0, seed=seed))[0].losses
    )
    world.losses.pop()
    problems = check_end(world, watcher)
    assert any("were in flight at kills" in text for text in problems), problems


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (Kind.INTERRUPTED, {130, 143}),
        (Kind.CORRUPT_WEIGHTS, {2}),
        (Kind.OTHER_GENOME, {2}),
        (Kind.CORRUPT_INPUT, {2}),
    ],
)
def test_an_exit_code_must_have_its_cause(kind, code):
    """Without what befell its driver it is a problem."""
    at_s = 1.0 if kind in (Kind.CORRUPT_WEIGHTS, Kind.OTHER_GENOME) else 16.0
    worlds = (struck(kind, at_s, seed=seed) for seed in range(20))
    world, watcher = next(found for found in worlds if code & {*found[0].users[0].codes})
    world.befallen.clear()
    problems = check_end(world, watcher)
    assert [text for text in problems if "ended with" in text and "after []" in text], problems


def test_the_dead_do_nothing():
    """A killed process's `finally` blocks run, and reach nothing."""
    world = World("the dead")
    process = world.cluster.process("one")
    seen = []

    def live() -> None:
        try:
            world.hub.sleep(10)
            seen.append("woke")
        finally:
            seen.append("unwound")
            world.service.store_of(process).put_if_absent("run.json", b"{}")
            seen.append("stored")

    with inhabited(world):
        process.spawn(live)
        world.hub.at(5.0, process.kill)
        world.hub.at(20.0, lambda: seen.append("end"))
        world.hub.run(lambda: "end" in seen, 100.0)
    assert seen == ["unwound", "end"]
    assert world.service.history == []


def test_findings_name_the_seed_and_the_command():
    findings = Findings(1, {7: ["something"]})
    assert "--seed 7" in findings.told()
    assert run_seed(0).seeds == 1

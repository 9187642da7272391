"""Several commands at one output: each has a part of its own, none computes what another has done, all is done."""

import random
from collections import Counter

import pytest

from enformer_core.analyses.base import ShardWorker
from enformer_core.dataset.plan import Shards
from enformer_core.errors import InputError
from jobs.settings import ScoreSettings
from jobs.sharing import OpenShards, Share


@pytest.mark.parametrize(("of", "shards"), [(1, 5), (3, 9), (4, 10), (8, 3), (5, 0)])
def test_parts_cover_every_shard_once_and_every_command_would_do_them_all(of, shards):
    own = []
    for number in range(1, of + 1):
        order = Share(number, of).order(shards)
        assert sorted(order) == list(range(shards))
        first, end = (shards * at // of for at in (number - 1, number))
        assert order[: end - first] == list(range(first, end))
        own += order[: end - first]
    assert own == list(range(shards))


def test_who_is_early_helps_from_the_others_ends_and_each_helper_with_other_shards():
    orders = [Share(number, 3).order(12) for number in (1, 2, 3)]
    assert [order[:4] for order in orders] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert [order[4:8] for order in orders] == [[7, 10, 5, 8], [11, 2, 9, 0], [3, 6, 1, 4]]
    assert [sorted(order[8:]) for order in orders] == [[4, 6, 9, 11], [1, 3, 8, 10], [0, 2, 5, 7]]


class Receipts:
    """A ledger that only says what is committed, and counts how often it is asked."""

    def __init__(self):
        self.done = set()
        self.asked = Counter()

    def has_receipt(self, shard):
        self.asked["one"] += 1
        return shard in self.done

    def committed(self):
        self.asked["all"] += 1
        return set(self.done)


def work(speeds, shards=400, *, alike=False):
    """Commands side by side, each of which needs so many ticks for a shard; None is one that never comes.

    Gives which shards were computed, how often, the shards that each was told of, and the ticks that it took.
    """
    ledger, computed, now = Receipts(), Counter(), [0]
    plan = Shards(["chr1"], contig=[0] * shards, part=[0] * shards, rows=[2] * shards)
    told, found = [[] for _ in speeds], Counter()
    commands = [
        iter(
            OpenShards(
                ledger,
                plan,
                done=set(),
                share=None if alike else Share(at + 1, len(speeds)),
                is_first=at == 0,
                tell=told[at].append,
                objects_there=lambda at=at: found[at],
                clock=lambda: now[0],
            )
        )
        for at in range(len(speeds))
    ]
    at_work = {}
    for tick in range(10_000):
        now[0] = tick
        for at, speed in enumerate(speeds):
            if speed is None or tick % speed:
                continue
            if at in at_work:
                shard = at_work.pop(at)
                found[at] += shard in ledger.done
                ledger.done.add(shard)
            shard = next(commands[at], None)
            if shard is not None:
                computed[shard.number] += 1
                at_work[at] = shard.number
        if not at_work:
            break
    assert ledger.done == set(range(shards))
    return computed, told, ledger, tick


@pytest.mark.parametrize(
    ("speeds", "most_twice"),
    [
        ((1, 1, 1, 1), 3),
        ((7, 1), 1),
        ((1, None, 1), 2),
        ((None, None, 3), 0),
        ((1, 2, 3, 5), 20),
        ((1, 2, 1, None, 3, 1, 2, 1), 20),
    ],
    ids=["equal", "a slow one", "one never comes", "two never come", "unequal", "any eight"],
)
def test_little_is_computed_twice_and_all_is_done(speeds, most_twice):
    """At the end each may be at what another is at, and where speeds differ much, a few more: of 400, one in twenty."""
    computed, told, ledger, _ = work(speeds)
    assert sum(computed.values()) - 400 <= most_twice
    for each in told:
        assert len({shard.number for shard in each}) == len(each)
    assert ledger.asked["all"] <= sum(computed.values()) + 2 * len(speeds)


@pytest.mark.parametrize("shards", [40, 400])
@pytest.mark.parametrize(
    "speeds",
    [(1, 1, 1, 1), (7, 1), (2, 2, 2), (1, 2, 3, 5), (1, 2, 1, 3, 1, 2, 1, 1), (3,)],
    ids=str,
)
def test_equal_commands_divide_the_work_without_being_told(speeds, shards):
    """Places are taken by chance: over twenty seeds none wastes more than this, nor leaves anything."""
    alone = shards / sum(1 / speed for speed in speeds)
    for seed in range(20):
        random.seed(seed)
        computed, told, _, ticks = work(speeds, shards, alike=True)
        twice = sum(computed.values()) - shards
        assert twice <= 4 * (len(speeds) - 1)
        assert ticks <= alone + 6 * max(speeds)
        for each in told:
            assert len({shard.number for shard in each}) == len(each)


def test_a_command_that_works_alone_asks_nothing():
    ledger = Receipts()
    plan = Shards(["chr1"], contig=[0] * 5, part=[0] * 5, rows=[2] * 5)
    shards = OpenShards(ledger, plan, done={1, 3}, share=None, is_first=True, tell=pytest.fail)
    assert [shard.number for shard in shards] == [0, 2, 4]
    assert not ledger.asked


def test_a_command_that_finds_the_run_begun_starts_amid_what_is_open():
    plan = Shards(["chr1"], contig=[0] * 12, part=[0] * 12, rows=[2] * 12)
    for seed in range(20):
        random.seed(seed)
        shards = OpenShards(
            Receipts(), plan, done={0, 1, 2, 3}, share=None, is_first=False, tell=pytest.fail
        )
        order = [shard.number for shard in shards]
        assert order[0] in range(6, 10)
        assert sorted(order) == list(range(4, 12))


@pytest.fixture
def command(genome, vcf):
    """Six alleles, five of which can be scored, each a shard."""
    return [
        *("score", str(vcf), "--genome", str(genome), "--model", "motif", "--tracks", "0,1"),
        *("--shard-size", "1", "--strands", "forward", "--audit-fraction", "0", "--ray", "off"),
    ]


def test_a_second_command_does_its_part_and_the_first_goes_on_with_what_is_left(
    command, run, rows, tmp_path, monkeypatch
):
    computed, ends = [], []
    compute = ShardWorker.compute

    def counted(worker, prepared):
        computed.append(prepared.task.shard.number)
        if len(computed) == 1:  # the other command comes, and works alone for a while
            ends.append(run(*command, "--out", tmp_path / "run", "--share", "1/2")[0])
        return compute(worker, prepared)

    monkeypatch.setattr(ShardWorker, "compute", counted)
    code, said, log = run(*command, "--out", tmp_path / "run", "--share", "2/2")
    assert (code, ends) == (0, [0]), log
    shards = len(list((tmp_path / "run" / "commits").iterdir()))
    # The other one has computed the first one's first shard too: it was all that was left.
    assert sorted(computed) == sorted([*range(shards), computed[0]])
    assert computed[0] == shards // 2
    assert "6 alleles" in said

    monkeypatch.undo()
    alone = tmp_path / "alone"
    assert run(*command, "--out", alone)[0] == 0
    assert rows(tmp_path / "run") == rows(alone)


def test_an_equal_command_leaves_the_first_shard_to_the_one_that_has_begun(
    command, run, tmp_path, monkeypatch
):
    begun = []
    compute = ShardWorker.compute

    def counted(worker, prepared):
        begun.append(prepared.task.shard.number)
        if len(begun) == 1:
            assert run(*command, "--out", tmp_path / "run")[0] == 0
        return compute(worker, prepared)

    monkeypatch.setattr(ShardWorker, "compute", counted)
    assert run(*command, "--out", tmp_path / "run")[0] == 0
    assert begun[0] == 0
    assert begun[1] in {1, 2, 3}


def test_a_share_is_no_part_of_a_runs_identity(command, run, tmp_path):
    out = tmp_path / "run"
    assert run(*command, "--out", out, "--share", "2/3")[0] == 0  # the others never come
    code, said, _ = run(*command, "--out", out)
    assert (code, said.splitlines()[0]) == (0, f"already complete: {out}")


@pytest.mark.parametrize("share", ["0/2", "3/2", "1", "1/0", "a/b", "1/2/3", "-1/2", "1 / 2", ""])
def test_what_is_no_share_is_refused(share):
    with pytest.raises(InputError, match=r"--share .*: must be I/N"):
        settings(share=share)


def test_a_share_needs_storage_that_keeps_what_is_there():
    with pytest.raises(InputError, match="several commands on one --out, --single-writer for one"):
        settings(share="1/2", single_writer=True)


def settings(**more):
    return ScoreSettings(variants=("a.vcf",), genome="g.fa", model="motif", out="out", **more)

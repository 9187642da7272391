"""Protections of a run, each with a check of the real code that holds, and that fails where the protection is gone.

`PROTECTIONS` names for every check the mutant that takes its protection away: a check that cannot fail shows here.
"""

import json
import signal
from contextlib import contextmanager
from dataclasses import replace
from unittest import mock

import pytest

import jobs.interruption
from enformer_core.analyses import model_inputs
from enformer_core.analyses.base import WorkerResources
from enformer_core.analyses.variant_effects import VariantEffectsLoader
from enformer_core.dataset import damage, ledger
from enformer_core.dataset.codec import from_parquet
from enformer_core.dataset.commit import Commit
from enformer_core.dataset.damage import DamagedRunError, Problem, set_aside, undo
from enformer_core.dataset.keys import receipt_key, table_key
from enformer_core.dataset.ledger import Ledger, ShardValues
from enformer_core.dataset.receipts import Provenance, read_receipt
from enformer_core.dataset.shard_task import ShardTask
from enformer_core.dataset.verify import _Verifier, verify_run
from enformer_core.errors import DatasetError, InputError
from enformer_core.models.registry import ModelSource
from enformer_core.storage.local import LocalStore
from tests.support.genomes import write_fasta
from tests.support.toy_runs import CONVENTIONS, begun_toy_run, score_spec


class Recording(LocalStore):
    """A store that remembers what it was asked to change, in order."""

    def __init__(self, root):
        super().__init__(root)
        object.__setattr__(self, "changes", [])

    def put_if_absent(self, key, content):
        self.changes.append(key)
        return super().put_if_absent(key, content)

    def move(self, key, to):
        self.changes.append(key)
        super().move(key, to)


class Committed:
    """A run with all its shards committed, and not closed."""

    def __init__(self, place):
        self.store = Recording(place / "run")
        run = begun_toy_run(self.store)
        self.plan = run.plan
        self.ledger = run.ledger
        self.worker = run.worker
        self.store.changes.clear()
        run.commit_all()

    def change_receipt(self, change):
        path = self.store.root / receipt_key(1)
        receipt = json.loads(path.read_text())
        change(receipt)
        path.write_text(json.dumps(receipt))


def load_on_a_node(place, *, weights_sha256, contig_sha256):
    genome = write_fasta(place / "g.fa", {"chr1": "ACGT" * 50})
    inputs = model_inputs.ModelInputs("motif", None, weights_sha256, "human", (0,), str(genome))
    loader = VariantEffectsLoader(inputs, score_spec(CONVENTIONS))
    with pytest.raises(InputError, match="Give every node the same file"):
        loader.load(WorkerResources("cpu", 1, 0, 1 << 30), {"chr1": contig_sha256})


def other_weights_are_refused(place):
    load_on_a_node(place, weights_sha256="0" * 64, contig_sha256="0" * 64)


def another_genome_is_refused(place):
    sha256 = ModelSource("motif", None).weights_sha256()
    load_on_a_node(place, weights_sha256=sha256, contig_sha256="0" * 64)


def receipts_of_another_run_are_refused(place):
    run = Committed(place)
    run.change_receipt(lambda receipt: receipt.update(identity="f" * 64))
    with pytest.raises(DatasetError, match=f"{receipt_key(1)}: of run ffff"):
        list(run.ledger.receipts())
    with pytest.raises(DamagedRunError, match=f"{receipt_key(1)}: of run ffff"):
        run.ledger.finish(run.plan)


def a_second_signal_ends_the_command(place):
    del place
    pool = mock.Mock()
    with jobs.interruption.interruptible(pool) as interruption:
        signal.raise_signal(signal.SIGTERM)
        assert interruption.signal_number == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    pool.interrupt.assert_called_once_with()


def verify_counts_rows(place):
    run = Committed(place)
    run.change_receipt(lambda receipt: receipt["tables"]["scores"].update(rows=7))
    (problem,) = verify_run(run.ledger).problems
    assert "rows, its receipt says 7" in problem


def verify_reads_values(place):
    run = Committed(place)
    run.change_receipt(lambda receipt: receipt["tables"]["effects"].update(content_digest="0" * 64))
    (problem,) = verify_run(run.ledger).problems
    assert "effects/chrom=chr1/shard-00000001.parquet: digest of values is" in problem


def a_commit_holds_the_plans_rows_in_order(place):
    run = Committed(place)
    shard = run.plan.shards[1]
    key = table_key("scores", shard.chrom, shard.number)
    scores, _ = from_parquet(run.store.get(key), key)
    turned = scores.take(list(reversed(range(scores.num_rows))))
    for written in undo(1, [key, table_key("effects", shard.chrom, 1)]):
        (run.store.root / written).unlink(missing_ok=True)
    planned = run.plan.parts[shard.part].slice(shard.first_row, shard.rows)
    values = ShardValues({"scores": turned}, Provenance())
    with pytest.raises(
        DatasetError, match="does not hold this shard's alleles in the plan's order"
    ):
        run.ledger.commit(shard, planned, values, derive=run.worker.computation.derive)
    assert run.store.get(receipt_key(1)) is None


def a_receipt_comes_after_the_tables_that_it_names(place):
    run = Committed(place)
    expected = []
    for shard in run.plan.shards:
        names = [table_key(name, shard.chrom, shard.number) for name in ("scores", "effects")]
        expected += [*names, receipt_key(shard.number)]
    assert run.store.changes == expected


def a_run_is_not_closed_over_lost_tables(place):
    run = Committed(place)
    (run.store.root / "effects/chrom=chr1/shard-00000001.parquet").unlink()
    with pytest.raises(
        DamagedRunError, match=r"effects/chrom=chr1/shard-00000001\.parquet: missing"
    ):
        run.ledger.finish(run.plan)
    assert run.store.get("manifest.json") is None


def a_repair_moves_what_vouches_for_others_first(place):
    run = Committed(place)
    run.ledger.finish(run.plan)
    run.store.changes.clear()
    tables = [table_key(name, "chr1", 1) for name in ("scores", "effects")]
    moved = set_aside(run.store, [Problem("lost", undo(1, tables))])
    assert moved == ["manifest.json", receipt_key(1), *sorted(tables)]
    assert run.store.changes == moved
    assert all(key.startswith("damaged/") for key in set(run.store.keys("damaged/")))
    run.worker(ShardTask(run.plan.shards[1]))
    run.ledger.finish(run.plan)
    assert verify_run(run.ledger).problems == ()


# Each takes a protection away.


def any_file_passes():
    return mock.patch.object(model_inputs, "check_same_file")


def any_genome_passes():
    return mock.patch.object(model_inputs, "check_same_contigs")


def any_receipt_counts():
    def believed(self, content, key):
        return replace(read_receipt(content, key, self.run_type.tables))

    return mock.patch.object(Ledger, "_checked", believed)


def second_signals_are_ignored():
    deaf = property(lambda self: None, lambda self, number: None)
    return mock.patch.object(jobs.interruption.Interruption, "signal_number", deaf, create=True)


def tables_are_not_compared():
    def believed(self, name, shard, receipt, content, stored):
        stored[name] = from_parquet(content, receipt.tables[name].key)[0]
        return iter(())

    return mock.patch.object(_Verifier, "_of_table", believed)


def keys_are_not_compared():
    return mock.patch.object(Commit, "_check_keys")


@contextmanager
def receipts_come_before_derived_tables():
    put, late = Recording.put_if_absent, {}

    def put_late(self, key, content):
        if key.startswith("effects/"):
            late[key] = content
            return True
        created = put(self, key, content)
        while key.startswith("commits/") and late:
            put(self, *late.popitem())
        return created

    with mock.patch.object(Recording, "put_if_absent", put_late):
        yield


def lost_tables_are_not_looked_for():
    return mock.patch.object(ledger, "problem_of_sizes", return_value=None)


def repairs_move_in_any_order():
    return mock.patch.object(damage, "_in_reverse_of_commits", lambda key: key)


PROTECTIONS = {
    other_weights_are_refused: any_file_passes,
    another_genome_is_refused: any_genome_passes,
    receipts_of_another_run_are_refused: any_receipt_counts,
    a_second_signal_ends_the_command: second_signals_are_ignored,
    verify_counts_rows: tables_are_not_compared,
    verify_reads_values: tables_are_not_compared,
    a_commit_holds_the_plans_rows_in_order: keys_are_not_compared,
    a_receipt_comes_after_the_tables_that_it_names: receipts_come_before_derived_tables,
    a_run_is_not_closed_over_lost_tables: lost_tables_are_not_looked_for,
    a_repair_moves_what_vouches_for_others_first: repairs_move_in_any_order,
}


@pytest.mark.parametrize("check", PROTECTIONS, ids=lambda check: check.__name__)
def test_the_protection_holds(check, tmp_path):
    check(tmp_path)


@pytest.mark.parametrize("check", PROTECTIONS, ids=lambda check: check.__name__)
def test_without_it_the_check_fails(check, tmp_path):
    with PROTECTIONS[check](), pytest.raises((AssertionError, ValueError, pytest.fail.Exception)):
        check(tmp_path)

"""How far a worker is within a shard travels with its sign of life, as progress shows it."""

import pickle
import threading

from cluster.worker_process import Done, WorkerProcess
from enformer_core.dataset.shard_task import ShardTask
from enformer_core.storage.local import LocalStore
from tests.support.toy_runs import CountingScorer, begun_toy_run

WAIT_S = 60


class WaitingScorer(CountingScorer):
    """Scores window after window; at the third it waits to be told to go on."""

    def __init__(self):
        super().__init__()
        self.is_waiting = threading.Event()
        self.may_go_on = threading.Event()

    def score(self, alleles, start):
        if len(self.scored) == 2:
            self.is_waiting.set()
            assert self.may_go_on.wait(WAIT_S)
        return super().score(alleles, start)


MADE = []


def made_worker():
    """What a worker's process makes of the factory that it is sent."""
    return MADE[-1]


def test_rows_of_a_shard_that_is_being_computed_are_told(tmp_path):
    scorer = WaitingScorer()
    run = begun_toy_run(LocalStore(tmp_path), scorer=scorer)
    MADE.append(run.worker)
    process = WorkerProcess()
    assert isinstance(process.build(pickle.dumps(made_worker)), Done)
    assert process.ping().items_done == 0
    answers = []
    first = next(shard for shard in run.plan.shards if shard.rows == 3)
    call = threading.Thread(target=lambda: answers.append(process.apply(ShardTask(first))))
    call.start()
    try:
        assert scorer.is_waiting.wait(WAIT_S)
        assert process.ping().items_done == 2
    finally:
        scorer.may_go_on.set()
        call.join(WAIT_S)
    (answer,) = answers
    assert (answer.value.rows, process.ping().items_done) == (3, 0)

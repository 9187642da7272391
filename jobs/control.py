"""A trial that shows whether workers can compute at all: a row of the run that some worker has computed before.

Knows receipts and the plan. Does not know what is computed.
"""

from collections.abc import Callable

import pyarrow.compute as pc

from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.plan import Plan
from enformer_core.dataset.plan_storage import read_shard
from enformer_core.dataset.shard_task import ShardTask
from enformer_core.variants.table import Status


def known_to_compute(ledger: Ledger, plan: Plan) -> Callable[[], ShardTask | None]:
    """What finds such a trial, when it is asked for one; None where nothing was computed without a failure yet."""

    def find() -> ShardTask | None:
        for receipt in ledger.receipts():
            # of what was copied from another run nothing would be computed
            if receipt.copied:
                continue
            if receipt.by_status.get(Status.OK) and not receipt.by_status.get(Status.FAILED):
                shard = plan.shards[receipt.shard]
                statuses = read_shard(ledger.store, shard)["status"]
                row = pc.index(statuses, Status.OK).as_py()
                # A row's allele may repeat that of the row before it, and the first of them is computed.
                return ShardTask(shard).probe(row, row + 1)
        return None

    return find

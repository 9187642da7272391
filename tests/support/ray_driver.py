"""A program that works on Ray of its own until it is interrupted."""

import os
import signal
import sys
import traceback

from cluster.pool import Task, TaskStarted
from cluster.ray_backend import ray_pool
from tests.support import toys


def work() -> None:
    """Keep two workers busy, and say when they are."""
    with ray_pool(toys.performer, workers=2, address="local", cpus_per_worker=1) as pool:
        # as the command does: a KeyboardInterrupt could be lost in a callback of Ray's
        signal.signal(signal.SIGINT, lambda *_: pool.interrupt())
        at_work = 0
        for event in pool.run(Task(str(number), ("sleep", 60)) for number in range(9)):
            at_work += isinstance(event, TaskStarted)
            if at_work == 2:
                print("both are at work", flush=True)
    sys.exit("interrupted")


if __name__ == "__main__":
    # as the command ends: of a Ray that is gone, its library would wait for a farewell
    try:
        work()
    finally:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)

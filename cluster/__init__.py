"""Where tasks are done, when, and again after a failure: pools of workers on Ray, in this process, or on paper.

The rule of this room: it knows tasks, workers and failures, and never what a task computes. No word of DNA stands here,
no tensor, no file format, and no other room of the project is imported; a task is a key and a payload that only its
worker function can read. Ray is imported in `ray_backend` alone, behind the protocol of `backend`, so that every
decision (`scheduler`, `placement`, `failure_policy`, `bisection`) can be tested in virtual time, without a cluster.
"""

__all__ = [
    "backend",
    "bisection",
    "failure_policy",
    "head_watcher",
    "local_backend",
    "local_ray",
    "placement",
    "pool",
    "pool_metrics",
    "ray_backend",
    "reservation",
    "scheduler",
    "task_queue",
    "worker_handle",
    "worker_process",
    "worker_set",
]

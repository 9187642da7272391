"""The output directory of a run: its plan, its commits, its proof.

Knows which objects lie where, in which order they are put, and how they are held against each other. Does not know how
values are made, nor who makes them: a kind of run is a `RunType` (see `run_type`), described in
`enformer_core.analyses`.
"""

__all__ = ["find_run", "ledger", "plan", "progress", "receipts", "run", "run_type", "verify"]

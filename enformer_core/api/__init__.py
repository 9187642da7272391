"""The program from Python: one variant or a few, a region or a sequence, and finished runs as tables.

`Scorer` computes in this process what `enformer-ray score` stores, by the same engines; `open_run` reads what it has
stored. Both are names of `enformer_core` itself; docs/python.md shows them.
"""

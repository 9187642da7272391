"""The commands: each joins what `enformer_core` computes to where `cluster` runs it.

Knows what users name and type, what a run prints and how it ends. Does not know how a score is computed or how a worker
is kept alive: a command that grows beyond joining the two rooms has something that belongs in one of them.
"""

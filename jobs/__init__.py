"""The commands: each joins what `enformer_core` computes to where `cluster` runs it."""

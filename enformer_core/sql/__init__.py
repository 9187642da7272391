"""Runs in SQL engines: the texts that open one in each, questions in each engine's words, and those that run here."""

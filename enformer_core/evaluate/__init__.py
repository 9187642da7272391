"""Scores held against experiments: how well a ranking by a score finds what an experiment found.

Knows tables of experiments and rankings. Does not know models.
"""

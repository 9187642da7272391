"""Scoring by differences: the reference once, then alt − ref through every layer."""

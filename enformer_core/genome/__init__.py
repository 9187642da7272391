"""Genome."""

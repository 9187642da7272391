"""Measurements of this project, each a program of its own; they are no part of what is installed."""

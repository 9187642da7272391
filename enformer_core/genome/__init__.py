"""The reference genome: its bases, its contigs and what they are called, and regions of it.

Knows sequence, names and intervals, 0-based and half-open. Does not know variants, windows or models.
"""

"""Which enhancer acts on which gene: pairs within reach, their contact, and the ABC score.

Knows places, activities and distances. Does not know sequences or models.
"""

"""What a model makes of insulators: attention around boundaries, against places that are like them otherwise.

Knows places, bases and attention as arrays. Does not know networks, nor how attention was read from one.
"""

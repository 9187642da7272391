"""The engine of differences: each window's reference once, and beside it alt - ref of every allele.

`engine` gives the alleles of a window to a `delta_model`: a tower that sees its surroundings and a trunk that mixes
far.
`layer_rules` holds what a difference becomes behind each nonlinear layer. Does not know files or shards.
"""

__all__ = ["delta_model", "engine", "layer_rules", "tower", "tower_levels", "transformer"]

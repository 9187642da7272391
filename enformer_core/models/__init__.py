"""Networks that read 4 letters and predict tracks, each with all that the rest of the program asks of it.

Knows architectures, their published weights and the names of their tracks. Does not know variants, scores or runs.
A model is a module `NAME_spec` of this folder that defines `SPEC` (see `spec`), one with its network, and a line here.
"""

from collections.abc import Mapping
from types import MappingProxyType

# Here and not in `registry`, so that `--help` can name the models without loading torch.
BUILTIN_MODELS: Mapping[str, str] = MappingProxyType(
    {
        "enformer": "Avsec et al. 2021",
        "basenji2": "Kelley 2020",
        "borzoi": "Linder et al. 2025",
        "flashzoi": "Hingerl et al. 2025",
        "motif": "a demonstration without training",
        "motif_core": "the same with shorter motifs",
    }
)
"""What `--help` says of each model, by its name; its module is `NAME_spec`."""

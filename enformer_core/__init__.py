"""Score variants and predict genomes with Enformer: the names that other programs may build on.

Everything that is imported from here keeps its meaning within a major version. `Scorer` scores variants and predicts
regions in this process, `open_run` reads a finished or half-finished run, `Genome` opens a reference, `STATISTICS`
names what a score can be (docs/python.md). Names are loaded when they are asked for: importing the package costs
nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from enformer_core.version import __version__

if TYPE_CHECKING:
    from enformer_core.api.mutations import Mutations
    from enformer_core.api.results import Prediction, VariantEffect
    from enformer_core.api.run_tables import RunTables, open_run
    from enformer_core.api.scorer import Scorer
    from enformer_core.errors import DatasetError, InputError, StorageError
    from enformer_core.genome.fasta import Genome
    from enformer_core.scoring.conventions import Conventions
    from enformer_core.scoring.statistics import STATISTICS, statistic

__all__ = [
    "STATISTICS",
    "Conventions",
    "DatasetError",
    "Genome",
    "InputError",
    "Mutations",
    "Prediction",
    "RunTables",
    "Scorer",
    "StorageError",
    "VariantEffect",
    "__version__",
    "open_run",
    "statistic",
]
_PLACES = {
    "Scorer": "enformer_core.api.scorer",
    "Mutations": "enformer_core.api.mutations",
    "VariantEffect": "enformer_core.api.results",
    "Prediction": "enformer_core.api.results",
    "open_run": "enformer_core.api.run_tables",
    "RunTables": "enformer_core.api.run_tables",
    "DatasetError": "enformer_core.errors",
    "InputError": "enformer_core.errors",
    "StorageError": "enformer_core.errors",
    "Genome": "enformer_core.genome.fasta",
    "Conventions": "enformer_core.scoring.conventions",
    "STATISTICS": "enformer_core.scoring.statistics",
    "statistic": "enformer_core.scoring.statistics",
}


def __getattr__(name: str) -> Any:
    """Load a public name from the module that defines it."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)

"""The kinds of run, one file each behind the interface in `base`.

To add one, write its file and name it in `_RUN_TYPES`; whoever reads a finished run finds its tables here.
A kind of run that is not listed registers itself with `register_run_type`.
"""

from importlib import import_module

from enformer_core.dataset.run_type import RunType
from enformer_core.errors import DatasetError

__all__ = ["register_run_type", "run_type_of", "run_types"]

# By name, so that reading a run imports only what its kind needs: tables and keys have files of their own, beside
# those that plan and compute.
_RUN_TYPES = {
    "variants": "enformer_core.analyses.variant_run_type:VariantEffectsType",
    "tiles": "enformer_core.analyses.tile_run_type:TilesType",
    "contributions": "enformer_core.analyses.contribution_run_type:ContributionsType",
    "contributions-attention": "enformer_core.analyses.contribution_run_type:AttendingContributionsType",
    "variants_and_genes": "enformer_core.analyses.gene_run_type:GeneEffectsType",
    "insulators": "enformer_core.analyses.insulator_run_type:InsulatorsType",
    "links": "enformer_core.analyses.link_run_type:LinksType",
}
_registered: dict[str, RunType] = {}


def register_run_type(run_type: RunType) -> None:
    """Make a kind of run known to `status`, `verify` and `query`."""
    _registered[run_type.name] = run_type


def run_types() -> tuple[RunType, ...]:
    """All kinds of run that are known."""
    return tuple(map(run_type_of, {**_RUN_TYPES, **_registered}))


def run_type_of(kind: str) -> RunType:
    """The kind of run that `run.json` names.

    Raises:
        DatasetError: for a kind that this program does not know.
    """
    if kind not in _registered:
        if kind not in _RUN_TYPES:
            known = ", ".join(_RUN_TYPES)
            raise DatasetError(
                f"run.json: a run of kind {kind!r}, this program knows {known}. Use its release."
            )
        module, _, name = _RUN_TYPES[kind].partition(":")
        _registered[kind] = getattr(import_module(module), name)()
    return _registered[kind]

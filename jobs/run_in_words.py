"""What people call the parts of a run's identity that are digests: its tracks, its groups of tracks, its genes."""

from typing import Any

import pyarrow as pa

from enformer_core.dataset.codec import JsonObject
from enformer_core.dataset.differences import InWords
from enformer_core.errors import first_few
from enformer_core.user_path import readable_name

INPUT_IN_WORDS = "input_in_words"
"""Field of a run's configuration: what the analysis calls the digests of its input."""

_SHOWN_GROUPS = 8


def words_of(configuration: JsonObject, tracks: pa.Table | None) -> InWords:
    """By the name of a field of the identity, what its user wrote, or would count.

    Args:
        configuration: of the run, as `run.json` has it; of earlier releases without what the analysis says.
        tracks: the run's table of tracks; None where there is none yet.
    """
    words: dict[str, str] = dict(configuration.get(INPUT_IN_WORDS) or {})
    groups = configuration.get("group")
    if groups:
        words["groups"] = first_few(groups, _SHOWN_GROUPS)
    if configuration.get("exon_tracks"):
        words["genes.exon_tracks"] = configuration["exon_tracks"]
    if tracks is not None:
        numbers = [str(index) for index in tracks["index"].to_pylist()]
        words["tracks"] = first_few(numbers, _SHOWN_GROUPS)
    return words


def readable(value: Any) -> Any:
    """The same settings with names as text, which the bytes of a path need not be."""
    if isinstance(value, str):
        return readable_name(value)
    if isinstance(value, dict):
        return {name: readable(item) for name, item in value.items()}
    return [readable(item) for item in value] if isinstance(value, list | tuple) else value

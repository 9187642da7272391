"""What people call the parts of a run's identity that are digests: its tracks, its groups of tracks, its genes."""

from typing import Any

import pyarrow as pa

from enformer_core.dataset.codec import JsonObject, from_parquet
from enformer_core.dataset.differences import InWords
from enformer_core.dataset.keys import TRACKS_KEY
from enformer_core.dataset.run import Run
from enformer_core.errors import first_few
from enformer_core.storage.store import Store
from enformer_core.user_path import readable_name

_INPUT_IN_WORDS = "input_in_words"
"""Field of a run's configuration: what the analysis calls the digests of its input."""

_SHOWN_GROUPS = 8


def configuration_of(settings: JsonObject, input_in_words: InWords) -> JsonObject:
    """What `run.json` says of a command, for people.

    Args:
        settings: all of them, by name.
        input_in_words: what the analysis calls the digests of its input.
    """
    readable: JsonObject = _readable(settings)
    return readable | ({_INPUT_IN_WORDS: dict(input_in_words)} if input_in_words else {})


def words_there(store: Store, run: Run) -> InWords:
    """The words of a run that a directory holds."""
    content = store.get(TRACKS_KEY)
    tracks = None if content is None else from_parquet(content, TRACKS_KEY)[0]
    return words_of(run.configuration, tracks)


def words_of(configuration: JsonObject, tracks: pa.Table | None) -> InWords:
    """By the name of a field of the identity, what its user wrote, or would count.

    Args:
        configuration: of the run, as `run.json` has it; of earlier releases without what the analysis says.
        tracks: the run's table of tracks; None where there is none yet.
    """
    words: dict[str, str] = dict(configuration.get(_INPUT_IN_WORDS) or {})
    groups = configuration.get("group")
    if groups:
        words["groups"] = first_few(groups, _SHOWN_GROUPS)
    if configuration.get("exon_tracks"):
        words["genes.exon_tracks"] = configuration["exon_tracks"]
    if tracks is not None:
        numbers = [str(index) for index in tracks["index"].to_pylist()]
        words["tracks"] = first_few(numbers, _SHOWN_GROUPS)
    return words


def _readable(value: Any) -> Any:
    """The same settings with names as text, which the bytes of a path need not be."""
    if isinstance(value, str):
        return readable_name(value)
    if isinstance(value, dict):
        return {name: _readable(item) for name, item in value.items()}
    return [_readable(item) for item in value] if isinstance(value, list | tuple) else value

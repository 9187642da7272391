"""What was run: model, genome, input, versions, and the settings that are not as they are by default."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from enformer_core.dataset.codec import JsonObject, parse_object
from enformer_core.dataset.conventions_in_words import conventions_in_words
from enformer_core.dataset.keys import RUN_KEY
from enformer_core.report.asked import Asked
from enformer_core.report.cells import shown
from enformer_core.report.content import Block, Figure, Figures, Pairs, Section, Source

RUN_FILE = Source("file", RUN_KEY)

_NO_SETTING = frozenset({"out", "input_in_words"})
"""Of a run's configuration: where it lies is said above, and the digests' names stand beside them."""

_DIGITS = 12
"""Of a digest: enough to tell two apart; all of them stand in `run.json`."""


def run_section(asked: Asked) -> Section:
    """The identity of a run, and how its command was given."""
    stored = parse_object(asked.ledger.store.get(RUN_KEY), RUN_KEY)
    blocks: list[Block] = [
        Figures(_figures(stored)),
        Pairs("Identity", list(_identity(stored)), RUN_FILE),
        Pairs("How alleles are scored", list(_conventions(stored)), RUN_FILE),
        Pairs("Input", list(_inputs(stored["identity"])), RUN_FILE),
        Pairs(_title(asked), list(_settings(stored, asked.defaults)), RUN_FILE),
    ]
    # of a kind of run without files there is nothing to list
    kept = [block for block in blocks if not isinstance(block, Pairs) or block.pairs]
    return Section("run", "What was run", kept)


def _figures(stored: JsonObject) -> list[Figure]:
    figures = [
        Figure(
            "model", stored["identity"]["model"]["name"], RUN_FILE, ("identity", "model", "name")
        ),
        Figure(
            "head", stored["identity"]["model"]["head"], RUN_FILE, ("identity", "model", "head")
        ),
        Figure(
            "tracks",
            stored["identity"]["tracks"]["count"],
            RUN_FILE,
            ("identity", "tracks", "count"),
        ),
        Figure(
            "contigs of the genome",
            stored["identity"]["reference"]["contigs"],
            RUN_FILE,
            ("identity", "reference", "contigs"),
        ),
    ]
    records = stored["plan"].get("records")
    if records is not None:
        figures.append(Figure("records of the input", records, RUN_FILE, ("plan", "records")))
    return figures


def _identity(stored: JsonObject) -> Iterator[tuple[str, str]]:
    identity = stored["identity"]
    yield "kind of run", shown(identity["kind"], "text")
    yield "identity", _short(stored["identity_sha256"])
    # of a model whose sizes were given, over both files
    yield "weights, with --params where given (sha256)", _short(identity["model"]["weights_sha256"])
    if "replicates" in identity["model"]:
        yield "mean of replicates", shown(identity["model"]["replicates"], "count")
    yield "tracks (sha256)", _short(identity["tracks"]["sha256"])
    letters = identity["reference"]["sha256"]
    if isinstance(letters, dict) and letters:
        yield "contigs that were read", shown(list(letters), "text")
    yield "version of scores", shown(identity["score_version"], "count")
    yield "begun by", shown(stored["created_by"], "text")
    yield "begun at", shown(stored["created_at"], "time")


def _conventions(stored: JsonObject) -> Iterator[tuple[str, str]]:
    said = conventions_in_words(stored["identity"].get("conventions"))
    for name, value in said.items():
        yield name.replace("-", " "), shown(value, "text")


def _inputs(value: object) -> Iterator[tuple[str, str]]:
    """Name, length and digest of each file that the identity holds, however deep."""
    if isinstance(value, dict):
        if {"name", "bytes", "sha256"} <= value.keys():
            text = f"{shown(value['bytes'], 'bytes')}, sha256 {_short(value['sha256'])}"
            yield shown(value["name"], "text"), text
        value = [*value.values()]
    if isinstance(value, list):
        for item in value:
            yield from _inputs(item)


def _title(asked: Asked) -> str:
    return "Settings" if asked.defaults is None else "Settings that are not the defaults"


def _settings(stored: JsonObject, defaults: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    for name, value in (stored.get("configuration") or {}).items():
        if name in _NO_SETTING or value in (None, [], {}, ""):
            continue
        # JSON has lists where settings have tuples
        if defaults is not None and name in defaults and _same(value, defaults[name]):
            continue
        yield f"--{name.replace('_', '-')}", _setting(value)


def _same(value: object, default: object) -> bool:
    return json.dumps(value, default=str) == json.dumps(default, default=str)


def _setting(value: object) -> str:
    if value is True:
        return "yes"
    if isinstance(value, list):
        return shown(", ".join(map(str, value)), "text")
    return shown(value if not isinstance(value, dict) else json.dumps(value), "text")


def _short(digest: object) -> str:
    return f"{str(digest)[:_DIGITS]}…"

"""Two drivers begin the same run at the same moment, with four workers each: who stored what, and what stands there?"""

import json
from collections import Counter
from dataclasses import dataclass, fields
from typing import Any

from tests.chaos.drivers import Drivers
from tests.chaos.findings import contents_of, digest_of, digests_in
from tests.support.proxy import FaultProxy
from tests.support.seaweed import SeaweedFS

_SHARD_OBJECTS = ("scores", "effects", "commits")


@dataclass(frozen=True)
class Races:
    """Counts over races.

    Attributes:
        races: how many.
        conflicts: objects of shards that came second and were refused (412).
        races_with_conflicts: in how many races that happened.
        race_rewrites: objects that were stored more than once.
        race_differences: tables that are not those of an undisturbed run, objects too few or too many, and drivers
            that did not end well.
    """

    races: int = 0
    conflicts: int = 0
    races_with_conflicts: int = 0
    race_rewrites: int = 0
    race_differences: int = 0

    def __add__(self, other: "Races") -> "Races":
        return Races(
            *(getattr(self, field.name) + getattr(other, field.name) for field in fields(self))
        )

    def figures(self) -> dict[str, int]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def sound(self) -> bool:
        return not self.race_rewrites and not self.race_differences


def race(
    prefix: str,
    drivers: Drivers,
    *,
    weed: SeaweedFS,
    proxy: FaultProxy,
    undisturbed: dict[str, Any],
) -> tuple[Races, list[str]]:
    """One race; what it came to in counts, and what was wrong in words.

    Args:
        prefix: of the run.
        drivers: of the paced command, on a cluster that has room for all workers of both.
        weed: the store, to look at what stands there.
        proxy: between drivers and store, to see every put. It must pass all requests untouched.
        undisturbed: manifest of the same run by one driver.
    """
    try:
        for _ in range(2):
            drivers.start(prefix)
        codes = drivers.wait()
    finally:
        drivers.kill_all()
    created, refused = (_of_run(counted, prefix) for counted in (proxy.created, proxy.refused))
    problems = [f"exit codes {codes}"] if codes != [0, 0] else []
    rewritten = [f"{key}: stored {count} times" for key, count in created.items() if count > 1]
    problems += _differences(contents_of(weed, prefix), undisturbed)
    conflicts = sum(count for key, count in refused.items() if key.startswith(_SHARD_OBJECTS))
    counts = Races(1, conflicts, int(conflicts > 0), len(rewritten), len(problems))
    return counts, rewritten + problems


def _of_run(counted: Counter[str], prefix: str) -> dict[str, int]:
    """What was counted by path, by key of a run."""
    return {
        path.partition(f"/{prefix}/")[2]: count
        for path, count in counted.copy().items()
        if f"/{prefix}/" in path and count
    }


def _differences(contents: dict[str, bytes], undisturbed: dict[str, Any]) -> list[str]:
    if "manifest.json" not in contents:
        return ["no manifest"]
    expected = digests_in(undisturbed)
    tables = [key for key in contents if key.startswith(("scores/", "effects/"))]
    receipts = [key for key in contents if key.startswith("commits/")]
    stored = {key: digest_of(contents[key], key) for key in tables}
    return [
        *(
            []
            if stored == expected == digests_in(json.loads(contents["manifest.json"]))
            else ["other tables"]
        ),
        *([] if len(receipts) == undisturbed["shards"] else [f"{len(receipts)} receipts"]),
    ]

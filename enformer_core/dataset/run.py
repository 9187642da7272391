"""A run's identity and description, put once as `run.json`.

Knows which settings decide the values of a run, and says which differ. Does not know commands or workers.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from enformer_core import __version__
from enformer_core.dataset.codec import canonical_json, readable_json
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.keys import RUN_KEY
from enformer_core.errors import DatasetError, InputError
from enformer_core.storage.store import Store

SCORE_VERSION = 1
"""Raised by every release that changes scores."""

_FORMAT = 1


@dataclass(frozen=True)
class Run:
    """What `run.json` holds.

    Attributes:
        identity: everything that decides values: equal identities, equal tables.
        configuration: the command as resolved, for people; not part of the identity.
        plan: its numbers of parts, shards and rows (alleles or tiles), and rows by status.
        notice: said in every object, where the model is a demonstration.
    """

    identity: Mapping[str, Any]
    configuration: Mapping[str, Any]
    plan: Mapping[str, Any]
    notice: str | None

    @property
    def digest(self) -> str:
        """Digest of the identity."""
        return identity_digest(self.identity)

    def claim(self, store: Store) -> None:
        """Put `run.json`, or find the same identity there.

        Raises:
            InputError: when the directory belongs to another run, naming the fields that differ.
        """
        content = {
            "format": _FORMAT,
            "notice": self.notice,
            "identity_sha256": self.digest,
            "identity": self.identity,
            "plan": self.plan,
            "configuration": self.configuration,
            "created_by": f"enformer-ray {__version__}",
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        if not store.put_if_absent(RUN_KEY, readable_json(content)):
            found = read_run(store)
            assert found is not None
            check_same(found.identity, self.identity)


def identity_digest(identity: Mapping[str, Any]) -> str:
    """What names a run: equal for equal identities."""
    return sha256(canonical_json(identity))


def read_run(store: Store) -> Run | None:
    """The run that a directory holds, if any.

    Raises:
        DatasetError: when `run.json` is damaged, or written by a newer format.
    """
    content = store.get(RUN_KEY)
    if content is None:
        return None
    try:
        read = json.loads(content)
        if read["format"] != _FORMAT:
            raise DatasetError(
                f"run.json: format {read['format']}, this program reads {_FORMAT}. Use its release."
            )
        run = Run(read["identity"], read["configuration"], read["plan"], read["notice"])
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"run.json: damaged, or not written by this program: {error!r}"
        ) from error
    if run.digest != read["identity_sha256"]:
        raise DatasetError(
            f"run.json: its identity's digest is {run.digest}, it says {read['identity_sha256']}"
        )
    return run


def check_same(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse to mix two runs in one directory.

    Raises:
        InputError: naming every field of the identity that differs, with both values.
    """
    differing = [
        f"  {field}: there {_short(a)}, now {_short(b)}"
        for field, a, b in _differences("", json.loads(canonical_json(found)), wanted)
    ]
    if differing:
        raise InputError(
            "the output directory holds another run; these fields differ:\n"
            + "\n".join(differing)
            + "\nUse another --out, or repeat that run's command."
        )


def _differences(prefix: str, found: Any, wanted: Any) -> list[tuple[str, Any, Any]]:
    wanted = json.loads(canonical_json(wanted))
    if isinstance(found, dict) and isinstance(wanted, dict):
        return [
            difference
            for field in sorted(found.keys() | wanted.keys())
            for difference in _differences(
                f"{prefix}.{field}" if prefix else field, found.get(field), wanted.get(field)
            )
        ]
    return [] if found == wanted else [(prefix, found, wanted)]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"

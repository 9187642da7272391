"""What this program writes into INFO: which keys, what they mean, and the text of each for the rows of `scores`.

A source of fields gives its header lines and its texts; `score_fields` names the sources; those of tables beside the
run are in `beside_fields`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float32, Int64

from enformer_core.dataset.conventions_in_words import conventions_in_words
from enformer_core.dataset.largest_values import NO_EFFECT, largest_value
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.run_tracks import ChosenTracks, check_scores, track_name
from enformer_core.export.vcf_text import in_quotes, in_value
from enformer_core.version import __version__

SOURCE = "enformer-ray"
"""What header lines of fields call their maker; by it a later export knows those of an earlier one."""

PREFIX = "ER_"
"""What keys begin with, unless the input has keys of its own that begin so."""

STATUS = "ER_STATUS"
RECORD = "ER_RECORD"

UNSIGNED = frozenset({"d1", "log_d1", "d2", "log_d2", "js"})
"""Statistics that are the same in both directions; all others change their sign where REF and ALT change places."""

Texts = Sequence[str | None]
"""Of each row of `scores` what stands for its ALT; None where nothing does."""


@dataclass(frozen=True)
class InfoField:
    """A key of INFO.

    Attributes:
        key: its name.
        kind: `Float`, `Integer` or `String`.
        description: what it means.
        number: of values: `A`, one for each ALT; `1`; or `.`, any.
    """

    key: str
    kind: str
    description: str
    number: str = "A"

    @property
    def line(self) -> str:
        """Its line of the header, which names its maker."""
        return (
            f"##INFO=<ID={self.key},Number={self.number},Type={self.kind},"
            f'Description={in_quotes(self.description)},Source="{SOURCE}",Version="{__version__}">'
        )

    def beginning(self, prefix: str) -> "InfoField":
        """The same field, its key beginning otherwise."""
        return replace(self, key=beginning(self.key, prefix))


def beginning(key: str, prefix: str) -> str:
    """A key with another beginning: of ER_STATUS and ER2_ it is ER2_STATUS."""
    return f"{prefix}{key.removeprefix(PREFIX)}"


@runtime_checkable
class FieldSource(Protocol):
    """Some fields, and how their texts follow from rows of `scores`."""

    @property
    def fields(self) -> Sequence[InfoField]:
        """The keys, in the order in which they stand in INFO."""
        ...

    def texts(self, scores: pa.Table) -> Mapping[str, Texts]:
        """What stands under each key, for each row."""
        ...


class StatusFields:
    """What became of each ALT, why, and what is worth knowing of it."""

    fields = (
        InfoField(
            STATUS,
            "String",
            "What became of each ALT: ok is scored, anything else says why not; not_committed where the run is "
            "unfinished and has not come to it",
        ),
        InfoField(
            "ER_REASON",
            "String",
            "Why an ALT is not scored, in words, percent-encoded (%20 is a blank)",
        ),
        InfoField(
            "ER_FLAGS",
            "String",
            "What is worth knowing of each ALT, joined by &: ref_swapped where the genome has ALT in the place of REF, "
            "duplicate where another record has the same allele, and others",
        ),
    )

    def texts(self, scores: pa.Table) -> Mapping[str, Texts]:
        """Statuses and flags as they are stored, reasons encoded."""
        reasons = scores["reason"].to_pylist()
        flags = scores["flags"].to_pylist()
        return {
            STATUS: scores["status"].to_pylist(),
            "ER_REASON": [in_value(reason) if reason else None for reason in reasons],
            "ER_FLAGS": ["&".join(map(in_value, of_row)) if of_row else None for of_row in flags],
        }


class SignField:
    """Whose effect a score is, where the input names an effect allele."""

    fields = (
        InfoField(
            "ER_SIGN",
            "Integer",
            "1 where the input's effect allele is ALT, -1 where it is REF: a signed score times this is that of the "
            "effect allele",
        ),
    )

    def texts(self, scores: pa.Table) -> Mapping[str, Texts]:
        """Signs of `effect_sign` as they are stored."""
        signs = scores["effect_sign"].to_pylist()
        return {"ER_SIGN": [None if sign is None else str(sign) for sign in signs]}


@dataclass(frozen=True)
class StrongestFields:
    """The largest value of a statistic, and the tracks where it is largest.

    Attributes:
        statistic: a list over tracks of `scores`.
        chosen: among which tracks.
        count: how many tracks are named.
        of_written: whether signs are those of the record's own ALT, also where REF and ALT were swapped.
        floor: size that is rounding, as that of smaller ones; no track is named for it.
    """

    statistic: str
    chosen: ChosenTracks
    count: int
    of_written: bool
    floor: float

    @property
    def fields(self) -> Sequence[InfoField]:
        """`ER_MAX_sad` and, if tracks are named, `ER_TOP_sad`."""
        name = self.statistic
        which = (
            "all tracks of the run"
            if self.chosen.are_all
            else f"{len(self.chosen):,} tracks that were chosen"
        )
        largest = InfoField(f"ER_MAX_{name}", "Float", f"Largest size of {name} over {which}")
        if not self.count:
            return (largest,)
        whose = "ALT minus REF as this record has them" if self.of_written else "ALT minus REF"
        strongest = InfoField(
            f"ER_TOP_{name}",
            "String",
            f"Strongest tracks of {name}, at most {self.count}, joined by &, each as value|track|name: the value "
            f"({whose}), the track's number, its name percent-encoded",
        )
        return (largest, strongest)

    def texts(self, scores: pa.Table) -> Mapping[str, Texts]:
        """Of rows with values; in the shortest letters that are the stored number again."""
        lists = scores[self.statistic]
        rows = np.flatnonzero(np.asarray(pc.is_valid(lists)))
        values = self.chosen.values(lists.filter(pc.is_valid(lists)))
        sizes = np.abs(values)
        largest: list[str | None] = [None] * scores.num_rows
        strongest: list[str | None] = [None] * scores.num_rows
        in_words = sizes.max(axis=1, initial=0).astype(str).tolist()
        for row, text in zip(rows.tolist(), in_words, strict=True):
            largest[row] = text
        texts: dict[str, Texts] = {f"ER_MAX_{self.statistic}": largest}
        if self.count:
            places = strongest_places(sizes, self.count)
            found = np.take_along_axis(values, places, axis=1)
            signed = found * self._signs(scores)[rows, None]
            in_text = signed.astype(str).tolist()
            # a track without an effect is none of the strongest; sizes fall from left to right
            named = (np.abs(found) > self.floor).sum(axis=1).tolist()
            for row, number, of_row, at in zip(
                rows.tolist(), named, in_text, places.tolist(), strict=True
            ):
                strongest[row] = self._in_words(of_row[:number], at[:number])
            texts[f"ER_TOP_{self.statistic}"] = strongest
        return texts

    def _signs(self, scores: pa.Table) -> Float32[np.ndarray, " rows"]:
        if not self.of_written or self.statistic in UNSIGNED:
            return np.ones(scores.num_rows, dtype=np.float32)
        signs = pc.coalesce(scores["effect_sign"], pa.scalar(1, pa.int8()))
        return np.asarray(signs, dtype=np.float32)

    @cached_property
    def _labels(self) -> Sequence[str]:
        rows = self.chosen.tracks.rows
        return [f"{track.index}|{in_value(track_name(track))}" for track in rows]

    def _in_words(self, values: Sequence[str], places: Sequence[int]) -> str | None:
        named = [
            f"{value}|{self._labels[place]}" for value, place in zip(values, places, strict=True)
        ]
        return "&".join(named) or None


def strongest_places(
    sizes: Float32[np.ndarray, "rows tracks"],
    count: int,
) -> Int64[np.ndarray, "rows strongest"]:
    """Where the largest sizes of each row stand, the largest first; of equals the first track."""
    most = min(count, sizes.shape[1])
    if most < sizes.shape[1]:
        # a full sort of 5,313 tracks takes ten times as long
        places = np.sort(np.argpartition(-sizes, most - 1, axis=1)[:, :most], axis=1)
    else:
        places = np.tile(np.arange(most), (sizes.shape[0], 1))
    order = np.argsort(-np.take_along_axis(sizes, places, axis=1), axis=1, kind="stable")
    return np.take_along_axis(places, order, axis=1)


def score_fields(
    ledger: Ledger,
    chosen: ChosenTracks,
    *,
    count: int,
    of_written: bool,
) -> tuple[FieldSource, ...]:
    """All sources of fields of a run that scored variants, in the order in which they stand in INFO.

    Args:
        ledger: of the run.
        chosen: tracks among which the strongest are looked for.
        count: how many are named for each statistic.
        of_written: whether records are the input's own, of which REF need not be the genome's.
    """
    names = check_scores(ledger)
    strongest = [
        StrongestFields(name, chosen, count, of_written, _floor(ledger, name) if count else 0.0)
        for name in names
    ]
    # records as scored have the genome's REF: there a sign says whose effect was asked for
    signs = [] if of_written else [SignField()]
    return (StatusFields(), *signs, *strongest)


def provenance_line(ledger: Ledger, kind: str) -> str:
    """Which program, run and model the fields are of."""
    run = ledger.run
    identity = run.typed_identity
    model = identity.model
    entries = {
        "Version": __version__,
        "Run": run.digest,
        "Model": model.name,
        "Head": model.head,
        "Weights": model.weights_sha256,
        **({"Replicates": f"{model.models}"} if model.models > 1 else {}),
        "Tracks": f"{identity.tracks.count}",
        "ScoreVersion": f"{identity.score_version}",
    }
    # IndelRule="left-fixed",Scale="as predicted": a score means nothing without them
    for name, value in conventions_in_words(run.identity.get("conventions")).items():
        entries["".join(word.capitalize() for word in name.split("-"))] = value
    if run.notice is not None:
        entries["Notice"] = run.notice
    said = ",".join(f"{key}={in_quotes(value)}" for key, value in entries.items())
    return f"##{SOURCE}=<ID={kind},{said}>"


def _floor(ledger: Ledger, statistic: str) -> float:
    """As `query` leaves rounding out of its view `top`."""
    table = ledger.run_type.value_tables[0].name
    return NO_EFFECT * largest_value(ledger, table, f"max_abs_{statistic}")

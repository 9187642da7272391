"""`enformer-ray lookup`: what runs say of alleles, by rsID or place."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.lookup import (
    Answer,
    FoundAllele,
    look_up,
)
from enformer_core.errors import InputError, first_few
from enformer_core.shell_words import command_line
from enformer_core.storage.open import parse_address
from enformer_core.user_path import one_line
from enformer_core.variants.allele_keys import AlleleKey, identifier_key, parse_key
from enformer_core.variants.table import Status
from enformer_core.words import agreeing, counted
from jobs import exit_codes
from jobs.finished_run import open_ledger
from jobs.log import note
from jobs.option_types import Files, Identifiers
from jobs.terminal import print_prose, terminal_columns
from jobs.text_columns import TextColumns

_KEYS = "rs6052080, chr20:4699605 or chr20:4699605:A:G"

_REGION = re.compile(r"(?P<chrom>[^/\s:]+):(?P<first>[0-9][0-9,]*)-(?P<last>[0-9][0-9,]*)")

_AT_A_PLACE = re.compile(r"(?P<chrom>[^\s:]+):(?P<pos>-?[0-9][0-9,]*)(?P<alleles>[:_][^\s]*)?")

_DESCRIBED = ("run", "variant_id", "id", "status", "reason")

_LARGEST = "max_abs_"

_STRONGEST = "strongest"

_PHRED = "phred"

_TOLD = 20
"""Keys of each kind that have a note of their own."""


@dataclass(frozen=True)
class LookupSettings:
    """What `enformer-ray lookup` is asked for."""

    words: Files = ()
    """runs (directories or s3://bucket/prefix) and keys: rs6052080, chr20:4699605 (from 1), chr20:4699605:A:G"""

    id: Identifiers = field(default=(), kw_only=True)
    """any other identifier, whatever its letters, such as COSV58737076; given again for each further one"""

    json: bool = field(default=False, kw_only=True)
    """print one JSON object: `alleles`, with every column but the lists and all kept effects, and keys without any"""


def look_up_alleles(settings: LookupSettings) -> int:
    """Print a row for each run and allele that a key finds, and say which keys find none.

    Returns:
        The exit code: bad input for a key that no run has, incomplete where it is not committed yet, complete with
        failed rows, or done.

    Raises:
        InputError: for a word that is neither a run nor a key; for a run of another kind.
        DatasetError: for objects of a run that are missing or damaged.
    """
    runs, keys = _runs_and_keys(settings.words, settings.id)
    ledgers = {run: open_ledger(run) for run in runs}
    answers = {run: look_up(ledger, keys) for run, ledger in ledgers.items()}
    _note_genomes(ledgers, keys)
    for run, answer in answers.items():
        if answer.note is not None:
            note(f"{run}: {answer.note}")
    given = [key.given for key in keys]
    found = {key for answer in answers.values() for key in answer.found()}
    waiting = {key for answer in answers.values() for key in answer.uncommitted} - found
    uncommitted = [key for key in given if key in waiting]
    missing = [key for key in given if key not in found | waiting]
    if settings.json:
        alleles = [_as_json(run, each) for run in runs for each in answers[run].alleles]
        print(json.dumps({"alleles": alleles, "uncommitted": uncommitted, "missing": missing}))
    else:
        _print_rows(answers)
    for key in uncommitted[:_TOLD]:
        note(f"{key}: its shard is not committed yet; the run's own command continues it")
    for key in missing[:_TOLD]:
        note(f"{key}: in none of the runs{_beside(key, answers.values())}")
    untold = len(uncommitted[_TOLD:]) + len(missing[_TOLD:])
    if untold:
        note(f"{counted(untold, 'further keys')} without a row: --json names all")
    if missing:
        return exit_codes.BAD_INPUT
    if uncommitted:
        return exit_codes.INCOMPLETE
    everybody = [each for answer in answers.values() for each in answer.alleles]
    has_failed = any(each.row["status"] == Status.FAILED for each in everybody)
    return exit_codes.FAILED_ROWS if has_failed else exit_codes.DONE


def _note_genomes(ledgers: Mapping[str, Ledger], keys: Sequence[AlleleKey]) -> None:
    """Say where runs are of several genomes: a place is another one in each."""
    runs_of: dict[str, list[str]] = {}
    for run, ledger in ledgers.items():
        genome = ledger.run.typed_identity.reference.names_and_lengths_sha256
        runs_of.setdefault(genome, []).append(run)
    if len(runs_of) > 1 and any(key.id is None for key in keys):
        those = " and ".join(first_few(runs, 2) for runs in runs_of.values())
        note(
            f"{those} are of genomes with other contigs, as of other assemblies: what is found by place is at that "
            "place of each run's own genome"
        )


def _runs_and_keys(
    words: Sequence[str],
    identifiers: Sequence[str],
) -> tuple[list[str], list[AlleleKey]]:
    runs = []
    keys = [identifier_key(each) for each in dict.fromkeys(identifiers) if each]
    for word in dict.fromkeys(words):
        key = parse_key(word)
        if key is None or key.pos == 0:
            _refuse_region(word)
            runs.append(word)
        else:
            keys.append(key)
    if not runs:
        raise InputError("no run is named. Give the --out directory of `enformer-ray score`.")
    if not keys:
        named = first_few(runs)
        raise InputError(
            f"no key is named: {named} {agreeing(len(runs), 'is', 'are')} taken for a run. Give {_KEYS}, "
            "and any other identifier by --id."
        )
    return runs, keys


def _refuse_region(word: str) -> None:
    """Refuse what is written as a region and is no directory either.

    Raises:
        InputError: with the question that has an answer.
    """
    if re.fullmatch("[0-9][0-9,]*", word) and not Path(word).exists():
        raise InputError(
            f"{word}: a place needs its contig. Give it as chr20:{word.replace(',', '')}"
        )
    if Path(word).exists():
        return
    _refuse_no_key(word)
    region = _REGION.fullmatch(word)
    if region is None:
        return
    first, last = (region[name].replace(",", "") for name in ("first", "last"))
    sql = f"FROM scores WHERE chrom = '{region['chrom']}' AND pos BETWEEN {first} AND {last}"
    raise InputError(
        f"{word}: is a region, and places are looked up one by one. Ask for it: "
        f"{command_line(['enformer-ray', 'query', 'RUN', sql])}"
    )


def _refuse_no_key(word: str) -> None:
    """Refuse what is written as a place, and is none that can be looked up so.

    Raises:
        InputError: with what it is, and the words that have an answer.
    """
    place = _AT_A_PLACE.fullmatch(word)
    if place is None or parse_address(word) is not None:
        return
    chrom, pos = place["chrom"], place["pos"]
    if "/" in chrom:
        raise InputError(
            f"{word}: has a slash, as names of directories have, and is taken for no place. Give the allele's own "
            "identifier by --id, or ask for the place by `enformer-ray query`."
        )
    if pos.startswith("-") or not pos.strip("0,"):
        raise InputError(f"{word}: there is no position {pos}: the first base of a contig is 1")
    if place["alleles"]:
        raise InputError(
            f"{word}: is an allele of other letters than A, C, G, T and N. Give its place, {chrom}:{pos}, or its "
            "identifier by --id."
        )


def _beside(
    key: str,
    answers: Iterable[Answer],
) -> str:
    """Of a key that names alleles, which others are there."""
    others = {each: None for answer in answers for each in answer.beside.get(key, ())}
    if not others:
        return ""
    return f"; at its place {agreeing(len(others), 'is', 'are')} {first_few([*others])}"


def _as_json(
    run: str,
    allele: FoundAllele,
) -> dict[str, object]:
    """A found allele with the digits that read back to what is stored.

    A kept column of the input may be called as what is said beside it: it is numbered then, as `keys_2`.
    """
    strongest = [_with_shortest(effect) for effect in allele.strongest]
    found: dict[str, object] = {"run": run, "keys": list(allele.keys)}
    own = {*found, _STRONGEST}
    for name, value in _with_shortest(allele.row).items():
        numbered = (f"{name}_{number}" for number in count(2))
        taken = own | allele.row.keys()
        free = name if name not in own else next(each for each in numbered if each not in taken)
        found[free] = value
    return found | {_STRONGEST: strongest}


def _with_shortest(row: Mapping[str, object]) -> dict[str, object]:
    return {name: _shortest(value) for name, value in row.items()}


def _shortest(value: Any) -> Any:
    # stored numbers are of 32 bits: 0.3, not 0.30000001192092896
    return float(str(np.float32(value))) if isinstance(value, float) else value


def _print_rows(
    answers: dict[str, Answer],
) -> None:
    """A row for each run and allele: its strongest track of each statistic, and the value there with its sign."""
    alleles = [(run, each) for run, answer in answers.items() for each in answer.alleles]
    if not alleles:
        return
    statistics = dict.fromkeys(name for _, each in alleles for name in _statistics(each))
    names = [*_DESCRIBED]
    has_ranks = any(_PHRED in effect for _, each in alleles for effect in each.strongest)
    for statistic in statistics:
        names += [statistic, f"{_LARGEST}{statistic}", f"{statistic}_track"]
        if has_ranks:
            names.append(f"{statistic}_{_PHRED}")
    rows = [_cells(run, each, statistics, has_ranks=has_ranks) for run, each in alleles]
    columns_of_cells = zip(names, *rows, strict=True)
    widths = [max(map(len, cells)) for cells in columns_of_cells]
    is_number = [
        name.removeprefix(_LARGEST).removesuffix(f"_{_PHRED}") in statistics for name in names
    ]
    kept = ["variant_id", "status", *statistics, *(f"{each}_track" for each in statistics)]
    kept += [*(f"{each}_{_PHRED}" for each in statistics if has_ranks), "id"]
    columns = TextColumns.fitted(
        names,
        widths,
        is_number,
        terminal_columns(),
        kept=kept,
    )
    print(columns.line(names))
    print(columns.rule())
    for row in rows:
        print(columns.line(row))
    if columns.left_out:
        left_out = ", ".join(columns.left_out)
        print_prose([f"not shown, as the terminal is too narrow: {left_out} (--json has them)"])


def _statistics(allele: FoundAllele) -> list[str]:
    return [
        name.removeprefix(_LARGEST)
        for name in allele.row
        if name.startswith(_LARGEST) and f"{name}_track" in allele.row
    ]


def _cells(
    run: str,
    allele: FoundAllele,
    statistics: Iterable[str],
    *,
    has_ranks: bool = False,
) -> list[str]:
    row: dict[str, object] = {"run": run, **allele.row}
    cells = [row.get(name) for name in _DESCRIBED]
    first = {effect["statistic"]: effect for effect in reversed(allele.strongest)}
    for statistic in statistics:
        track = row.get(f"{_LARGEST}{statistic}_track")
        # without effects (`--top-tracks 0`) the sign is in the lists alone
        effect = first.get(statistic, {})
        name = effect.get("description") or effect.get("identifier") or track
        # where all are 0 the first track stands there, which is no stronger than the others
        if not row.get(f"{_LARGEST}{statistic}"):
            name = None
        cells += [effect.get("value"), row.get(f"{_LARGEST}{statistic}"), name]
        if has_ranks:
            cells.append(effect.get(_PHRED))
    return [_text(cell) for cell in cells]


def _text(cell: object) -> str:
    return "" if cell is None else one_line(str(_shortest(cell)))

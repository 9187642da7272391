"""What a run was made of, found again: its file of variants and its genome, by the names that `run.json` keeps.

A file counts only if it is the one that was scored: its digest is part of the run's identity.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from enformer_core.dataset.codec import JsonObject, canonical_json, convert
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.keys import RUN_KEY
from enformer_core.dataset.ledger import Ledger
from enformer_core.errors import InputError, first_few
from enformer_core.genome.fasta import Genome
from enformer_core.storage.open import local_path
from enformer_core.variants.input_files import InputFile, check_file, input_digests
from enformer_core.variants.named_files import files_named
from enformer_core.variants.shown_names import STDIN, as_given, shown_name

_RECORDS = ("VCF", "BCF")


@dataclass(frozen=True)
class _Digest:
    name: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class _HasInput:
    """What is read of an identity that any release has written."""

    input: tuple[_Digest, ...]


@dataclass(frozen=True)
class RecordsFile:
    """The input of a run, whose records are to be annotated.

    Attributes:
        path: on this machine.
        given: what the user calls it.
        name: what rows of the run carry as `input_file`.
    """

    path: Path
    given: str
    name: str


def records_file(ledger: Ledger, given: str | None) -> RecordsFile | None:
    """The VCF or BCF that a run scored; None where its input has no such records.

    Args:
        ledger: of the run.
        given: the file by its present name; by default it is looked for where the run read it.

    Raises:
        InputError: where it is not there, is another file, or is one of several.
    """
    inputs = convert(ledger.run.identity, _HasInput, RUN_KEY).input
    if _is_mutagenesis(ledger):
        _refuse_given(given, "the run scored changes that a rule made, no records of a file")
        return None
    formats = _formats(ledger)
    known = [formats.get(each.name, _RECORDS[0]) for each in inputs]
    if not any(kind in _RECORDS for kind in known):
        _refuse_given(given, f"the run's input is {', '.join(sorted(set(known)))}, no VCF")
        return None
    if given is None and len(inputs) > 1:
        names = first_few([shown_name(each.name) for each in inputs])
        raise InputError(
            f"the run read {len(inputs)} files ({names}), and a VCF has the records of one: name it by --input FILE"
        )
    file = _named(ledger, inputs) if given is None else _one_file(given)
    planned = _planned(file, inputs)
    if formats.get(planned.name, _RECORDS[0]) not in _RECORDS:
        raise InputError(
            f"{shown_name(file.given)}: is {formats[planned.name]}, no VCF; name one that is by --input FILE"
        )
    return RecordsFile(file.path, file.given, planned.name)


def contig_lengths(ledger: Ledger, given: str | None) -> Mapping[str, int] | None:
    """Lengths in bp of the contigs of the run's genome, in its order; None where that is not at its place any more.

    Args:
        ledger: of the run.
        given: the genome by its present name; by default it is looked for where the run read it.

    Raises:
        InputError: where the genome that is given is not there, or is another one.
    """
    genome = run_genome(ledger, given)
    return None if genome is None else dict(genome.contigs)


def run_genome(ledger: Ledger, given: str | None) -> Genome | None:
    """The run's genome, told by names and lengths of its contigs; None where it is not at its place any more.

    Args:
        ledger: of the run.
        given: the genome by its present name; by default it is looked for where the run read it.

    Raises:
        InputError: where the genome that is given is not there, or is another one.
    """
    name = given or _text(ledger.run.configuration, "genome")
    if name is None:
        return None
    expected = ledger.run.typed_identity.reference.names_and_lengths_sha256
    try:
        genome = Genome(local_path(name), given=name)
        lengths = dict(genome.contigs)
    except InputError:
        if given is not None:
            raise
        return None
    if sha256(canonical_json(lengths)) == expected:
        return genome
    if given is None:
        return None
    raise InputError(
        f"{name}: is not the run's genome: names and lengths of its {len(lengths):,} contigs are others. Give the "
        "genome that the run was made with."
    )


def _named(ledger: Ledger, inputs: Sequence[_Digest]) -> InputFile:
    """The one file that the run's command named, where it was then."""
    names = ledger.run.configuration.get("variants")
    called = shown_name(inputs[0].name)
    if not isinstance(names, list) or not names:
        raise InputError(f"{called}: the run does not say where it was; give it by --input FILE")
    if STDIN in names:
        raise InputError(
            f"{called}: the run's variants came by standard input; give the same as a file by --input FILE"
        )
    try:
        file = _one_file(*map(str, names))
        with as_given(file.path, file.given):
            check_file(file.path)
    except InputError as error:
        raise InputError(
            f"{error}. The run read its variants there; give the file by its present name, --input FILE"
        ) from error
    return file


def _one_file(*names: str) -> InputFile:
    files = [file for name in names for file in files_named(name)]
    if len(files) != 1:
        raise InputError(f"{', '.join(names)}: stands for {len(files)} files; name one")
    return files[0]


def _planned(file: InputFile, inputs: Sequence[_Digest]) -> _Digest:
    """The input of the run that this file is, byte for byte.

    Raises:
        InputError: where it is none of them, naming both digests.
    """
    (found,) = input_digests([file])
    same = [each for each in inputs if each.sha256 == found["sha256"]]
    if not same:
        # that of its own name, which has most likely changed
        likely = next((each for each in inputs if each.name == found["name"]), inputs[0])
        raise InputError(
            f"{shown_name(file.given)}: is not the file that the run scored: {found['bytes']:,} bytes with sha256 "
            f"{found['sha256'][:12]}…, the run read {shown_name(likely.name)} of {likely.bytes:,} bytes with sha256 "
            f"{likely.sha256[:12]}…. Give that one by --input FILE, or score this one into another directory."
        )
    # of files with equal bytes the one of its own name
    return next((each for each in same if each.name == found["name"]), same[0])


def _formats(ledger: Ledger) -> dict[str, str]:
    """What each file was read as, as far as the run says so."""
    formats: dict[str, str] = {}
    for taken in ledger.run.plan.columns:
        kind = _text(taken, "format")
        files = taken.get("files")
        if kind is not None and isinstance(files, list):
            formats |= dict.fromkeys(map(str, files), kind)
    return formats


def _is_mutagenesis(ledger: Ledger) -> bool:
    configuration = ledger.run.configuration
    return bool(configuration.get("mutagenesis") or configuration.get("mutagenesis_around"))


def _refuse_given(given: str | None, why: str) -> None:
    if given is not None:
        raise InputError(f"--input {given}: {why}; leave it out, and what was scored is written")


def _text(values: JsonObject, key: str) -> str | None:
    value = values.get(key)
    return value if isinstance(value, str) else None

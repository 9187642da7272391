"""Which columns of files were taken for place and alleles, and how that is known: for people and for `run.json`."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from enformer_core.errors import first_few
from enformer_core.genome.contig_names import reconcile_contigs
from enformer_core.user_path import one_line
from enformer_core.variants.assembly_check import FEW, AssemblyCheck
from enformer_core.variants.formats.reader import Basis, Columns
from enformer_core.variants.named_assemblies import doubts_of_assembly
from enformer_core.variants.shown_names import shown_name
from enformer_core.variants.source import Source

_SHOWN_FILES = 3

_CHROMOSOME = re.compile(r"(?i:(?<![a-z0-9])chr)([0-9]{1,2}|X|Y|MT?)(?![A-Za-z0-9])")
"""In names of files such as ukb_chr20.vcf.gz."""

_NEARLY_ALL = 0.98
"""Part of a sample's effect alleles that the genome has, beyond which they are the reference allele of every record. Of
real effect alleles it has a half, more or less."""

_BASES: Mapping[Basis, str] = {
    "format": "by the format",
    "names": "by the columns' names",
    "dialect": "recognised",
    "given": "as given",
    "assumed": "ASSUMED",
}

_ORDER = (
    "identifier",
    "place",
    "place_and_alleles",
    "chrom",
    "pos",
    "end",
    "locus",
    "alleles",
    "ref",
    "alt",
    "allele",
    "effect_allele",
    "other_allele",
    "strand",
    "strand_only_flagged",
)
"""Of what columns are taken for, in words: `run.json` has its keys in the alphabet's order."""

_POSITIONS: Mapping[bool | None, str] = {
    True: "from 1",
    False: "from 0",
    None: "from 1 or from 0, as each record's END shows",
}


@dataclass(frozen=True)
class ColumnsTaken:
    """What was taken for what in files that say it alike.

    Attributes:
        files: by the names that rows carry.
        format: of the files.
        columns: names of columns, or their numbers where there are no names, by what they were taken for.
        positions: how they count.
        basis: how it is known which allele is which.
        why: the same in words.
        notes: what of the command line has no use for these files, in words.
    """

    files: tuple[str, ...]
    format: str
    columns: Mapping[str, str]
    positions: str
    basis: Basis
    why: str
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        files = first_few([shown_name(name) for name in self.files], count=_SHOWN_FILES)
        why = f": {self.why}" if self.why else ""
        known = f"alleles {_BASES[self.basis]}{why}"
        parts = [f"{files} ({self.format}): {self.pairs}", f"positions {self.positions}"]
        return one_line("; ".join([*parts, known, *self.notes]))

    @property
    def pairs(self) -> str:
        """What columns were taken for, and their names, in one order for every file."""
        in_order = sorted(self.columns, key=_ORDER.index)
        return ", ".join(
            f"{meaning.replace('_', ' ')} {self.columns[meaning]}" for meaning in in_order
        )


def columns_taken(sources: Iterable[Source]) -> list[ColumnsTaken]:
    """One for all files that say it alike, in the order of the first."""
    alike: dict[str, list[ColumnsTaken]] = {}
    for source in sources:
        taken = _taken(source)
        # all but the names of the files, in the words in which people read it
        said = str(replace(taken, files=()))
        alike.setdefault(said, []).append(taken)
    return [_of_all(group) for group in alike.values()]


def _of_all(group: Sequence[ColumnsTaken]) -> ColumnsTaken:
    names = tuple(name for taken in group for name in taken.files)
    return replace(group[0], files=names)


def _taken(source: Source) -> ColumnsTaken:
    columns = source.columns
    return ColumnsTaken(
        files=(source.name,),
        format=source.format,
        columns=_meanings(source),
        positions=_positions(source),
        basis=columns.basis,
        why=columns.why if columns.has_alleles else _alleles_of_sites(source),
        notes=source.notes,
    )


def _positions(source: Source) -> str:
    """How positions count, and whose they are where the file has none of its own."""
    count = _POSITIONS[source.rules.one_based]
    if source.sites is None:
        return count
    return (
        f"of {source.sites.shown} ({source.sites.format}), where identifiers are looked up, {count}"
    )


def _alleles_of_sites(source: Source) -> str:
    return source.columns.why if source.sites is None else f"those of {source.sites.shown}"


def _meanings(source: Source) -> dict[str, str]:
    """Names of columns by what they were taken for, in words."""
    columns = source.columns
    index = dict(columns.index)
    meanings = {
        "chrom": "chrom",
        "pos": "pos",
        "end": "end",
        "locus": "locus",
        "alleles": "alleles",
    }
    if source.declares_ref:
        meanings |= {"ref": "ref", "alt": "alt", "effect": "effect_allele"}
    elif "effect" in index:
        meanings |= {"alt": "allele", "ref": "other_allele", "effect": "effect_allele"}
    else:
        meanings |= {"alt": "effect_allele", "ref": "other_allele"}
    # of a declared REF a strand turns nothing: it may be a gene's
    meanings["strand"] = "strand_only_flagged" if source.declares_ref else "strand"
    if source.header.named_alleles:
        meanings = {"id": "place_and_alleles", "effect": "effect_allele", "alt": "effect_allele"}
        meanings["strand"] = "strand_only_flagged"
    elif source.header.named_places:
        meanings = {"id": "place", **meanings}
    elif source.sites is not None:
        meanings = {"id": "identifier", **meanings}
    return {
        meaning: _name(columns, index[role]) for role, meaning in meanings.items() if role in index
    }


def _name(columns: Columns, at: int) -> str:
    return columns.names[at] if at < len(columns.names) else f"column {at + 1}"


def doubts(source: Source, check: AssemblyCheck) -> Sequence[str]:
    """What a file has no use for, and what a sample shows against what was assumed of it, or what it is called."""
    return [
        *(f"{source.shown}: {note}" for note in source.notes),
        *_doubts_of_effect(source, check),
        *_doubts_of_name(source, check),
        *doubts_of_assembly(source, check.genome, check.genome_build),
    ]


def _doubts_of_name(source: Source, check: AssemblyCheck) -> Sequence[str]:
    """A file called after one chromosome that has records on others."""
    # of the file alone: a folder may be called after anything
    own_name = source.name.rsplit("/", 1)[-1]
    called = set(_CHROMOSOME.findall(own_name))
    if len(called) != 1:
        return []
    name = f"chr{called.pop()}"
    named = reconcile_contigs([name], dict.fromkeys(check.contigs, 0)).get(name)
    others = [contig for contig in check.contigs if contig != named]
    if not others:
        return []
    return [
        f"{source.shown}: called after {name}, and has records on {first_few(others)}; the records count"
    ]


def _doubts_of_effect(source: Source, check: AssemblyCheck) -> Sequence[str]:
    """An effect allele that was assumed, and is the genome's nearly everywhere."""
    columns = source.columns
    is_assumed = columns.basis == "assumed" and not source.declares_ref
    # of a handful of records all may have it by chance
    if not is_assumed or check.checked < FEW or check.alt_rate < _NEARLY_ALL:
        return []
    names = _meanings(source)
    effect = names.get("effect_allele")
    other = names.get("other_allele")
    return [
        f"{source.shown}: the genome has {effect}, taken for the effect allele, in {check.alt_rate:.1%} of "
        f"{check.checked:,} sampled records, as if it were REF. If the effect is of {other}, "
        f"give --effect-allele {other}"
    ]

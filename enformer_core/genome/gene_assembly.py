"""Whether genes were made for this genome: by contigs, their lengths, and the assembly that a file's header names.

A wrong assembly gives plausible scores of wrong places; here it stops the run. Does not know formats.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from enformer_core.errors import InputError, first_few
from enformer_core.genome.assemblies import different_lengths, known_build
from enformer_core.genome.contig_names import Lengths, known_contigs, reconcile_contigs
from enformer_core.genome.fasta import Genome
from enformer_core.genome.gene_drafts import GeneDraft
from enformer_core.genome.gene_files import GeneFile
from enformer_core.words import agreeing, counted

# `##sequence-region chr1 1 248956422`, of GFF3
_REGION = re.compile(r"##sequence-region\s+(?P<contig>\S+)\s+1\s+(?P<length>\d{1,18})\b")

# `#!genome-build GRCh38.p14` of Ensembl and RefSeq; `##description: … of the human genome (GRCh38), …` of GENCODE
_BUILD = re.compile(r"\b(?P<name>GRC[hm]\d+|T2T-CHM13v[\d.]+|hg\d+|mm\d+)(?![0-9])")

_UCSC_NAMES = {"hg19": "GRCh37", "hg38": "GRCh38", "mm10": "GRCm38", "mm39": "GRCm39"}


_GIVE_GENES = "Give the file with its lines of genes, as it was published"


def check_gene_assembly(
    name: str,
    content: GeneFile,
    genome: Genome,
) -> tuple[list[GeneDraft], list[str]]:
    """Refuse genes of another assembly; leave out those beyond the end of a genome that holds a part only.

    Args:
        name: of the file, for messages.
        content: what it says.
        genome: what it should have been made for.

    Returns:
        The genes that lie on the genome, and what a user should know of the others.

    Raises:
        InputError: with what shows it, and the remedy.
    """
    lengths = dict(genome.contigs)
    unknown = content.contigs.unknown
    if not content.drafts and unknown:
        raise InputError(
            f"{name}: shares no contig with {genome.path.name}. It has {first_few(list(unknown))}; the genome has "
            f"{first_few(list(lengths))}. Give the genome it was made for, or rename its contigs."
        )
    if not content.drafts:
        lost = f": {content.lost}. {_GIVE_GENES}" if content.lost else ""
        raise InputError(f"{name}: no genes in this file on contigs of {genome.path.name}{lost}")
    notes = _check_header(name, content.header, genome, lengths)
    inside, beyond = _by_end(content.drafts, lengths)
    if content.lost:
        notes.append(f"{name}: {content.lost}: left out. {_GIVE_GENES}")
    if unknown:
        names = first_few(list(unknown))
        notes.append(f"{name}: on contigs that {genome.path.name} does not have: {names}")
    if beyond:
        _check_beyond(inside, beyond, genome, lengths)
        notes.append(
            f"{name}: {counted(len(beyond), 'genes')} {agreeing(len(beyond), 'lies', 'lie')} behind the end of what "
            f"{genome.path.name} has of {first_few(_contigs_of(beyond))}: left out"
        )
    return inside, notes


def _check_header(
    name: str,
    header: Sequence[str],
    genome: Genome,
    lengths: Lengths,
) -> list[str]:
    """Refuse a file whose header names another assembly than the one that the genome's lengths are those of.

    Returns:
        What the header says that nothing shows to be wrong, nor right.
    """
    own = known_build(lengths)
    declared = _declared_lengths(header)
    # lengths say more than a name, which may be that of any file a header was copied from
    theirs = known_build(declared) or next(_named_builds(header), None)
    # `GRCh38 (hg38)`: what UCSC calls it stands behind a blank
    if own and theirs and own.split(" ")[0] != theirs.split(" ")[0]:
        raise InputError(
            f"{name}: its header names {theirs}, and the contigs of {genome.path.name} are those of {own}. "
            "Give the genome that the file was made for, or lift it over."
        )
    different = different_lengths(declared, lengths)
    for contig, (theirs_bp, own_bp) in different.items():
        # a longer contig is one of which the genome may hold the beginning only
        if own or theirs_bp < own_bp:
            raise InputError(
                f"{name}: its header says {contig} has {theirs_bp:,} bp; {genome.path.name} has {own_bp:,}. "
                "It looks like another assembly: give the genome that the file was made for, or lift it over."
            )
    if own:
        return []
    if theirs:
        _check_lengths_of(theirs, name, genome, lengths)
    return list(_not_shown(name, theirs, different, genome))


def _not_shown(
    name: str,
    build: str | None,
    longer: Mapping[str, tuple[int, int]],
    genome: Genome,
) -> Iterator[str]:
    """What is taken on trust of a genome of which the lengths do not show the assembly."""
    if build:
        yield (
            f"{name}: its header names {build}; of which assembly {genome.path.name} is, the lengths of its contigs do "
            "not show. See that it is the same"
        )
    elif longer:
        contig, (theirs_bp, own_bp) = next(iter(longer.items()))
        yield (
            f"{name}: its header says {contig} has {theirs_bp:,} bp; {genome.path.name} has {own_bp:,}, taken "
            "for the beginning of it. See that it is the same assembly"
        )


def _check_lengths_of(
    build: str,
    name: str,
    genome: Genome,
    lengths: Lengths,
) -> None:
    """Refuse a build in which a contig of the genome is shorter than it is there."""
    # only a longer contig contradicts: a genome may hold the beginning of one
    short_name, _, _ = build.partition(" ")
    for known in known_contigs():
        if not known.assembly.startswith(short_name) or not known.length_bp:
            continue
        for contig in reconcile_contigs([known.chromosome], lengths).values():
            if lengths[contig] > known.length_bp:
                raise InputError(
                    f"{name}: its header names {build}, in which {contig} has {known.length_bp:,} bp; "
                    f"{genome.path.name} has {lengths[contig]:,}. Give the genome that the file was made for, or lift "
                    "it over."
                )


def _declared_lengths(header: Sequence[str]) -> Lengths:
    found = filter(None, map(_REGION.match, header))
    return {match["contig"]: int(match["length"]) for match in found}


def _named_builds(header: Sequence[str]) -> Iterator[str]:
    for line in header:
        if match := _BUILD.search(line):
            name = match["name"]
            yield _UCSC_NAMES.get(name, name)


def _by_end(
    drafts: Sequence[GeneDraft], lengths: Lengths
) -> tuple[list[GeneDraft], list[GeneDraft]]:
    inside: list[GeneDraft] = []
    beyond: list[GeneDraft] = []
    for draft in drafts:
        _, end = draft.bounds
        fits = end <= lengths[draft.contig]
        (inside if fits else beyond).append(draft)
    return inside, beyond


def _check_beyond(
    inside: Sequence[GeneDraft],
    beyond: Sequence[GeneDraft],
    genome: Genome,
    lengths: Lengths,
) -> None:
    """Refuse genes behind a contig's end, unless the genome has the beginning of a longer contig only."""
    if inside and not known_build(lengths) and _are_cut_off(inside, beyond, lengths):
        return
    example = beyond[0]
    _, end = example.bounds
    more = f" (and {counted(len(beyond) - 1, 'genes')} more)" if len(beyond) > 1 else ""
    raise InputError(
        f"{example.where}: gene {example.name or example.id} ends at base {end:,}, {example.contig} of "
        f"{genome.path.name} has {lengths[example.contig]:,}{more}. It looks like another assembly: give the genome "
        "that the file was made for, or lift it over."
    )


def _are_cut_off(
    inside: Sequence[GeneDraft],
    beyond: Sequence[GeneDraft],
    lengths: Lengths,
) -> bool:
    """Whether contigs look like the beginnings of chromosomes: they lack most genes, and none beyond a known length."""
    # Of another assembly, whose chromosomes are a little shorter or longer, a few genes lie beyond. Of chr20's first
    # 10 Mb, 483 of 591 do.
    longest = _longest_known(lengths)
    kept = Counter(draft.contig for draft in inside)
    lost = Counter(draft.contig for draft in beyond)
    lack_most = all(lost[contig] > kept[contig] for contig in lost)
    # of a contig that no assembly knows there is no length to be believed
    lie_on_known = all(draft.bounds[1] <= longest.get(draft.contig, 0) for draft in beyond)
    return lack_most and lie_on_known


def _longest_known(lengths: Lengths) -> Mapping[str, int]:
    """For the genome's contigs, the greatest length in bp that the chromosome has in any known assembly."""
    longest: dict[str, int] = {}
    for known in known_contigs():
        for contig in reconcile_contigs([known.chromosome], lengths).values():
            longest[contig] = max(longest.get(contig, 0), known.length_bp or 0)
    return longest


def _contigs_of(drafts: Sequence[GeneDraft]) -> list[str]:
    # each once, in the order of the file
    return list(dict.fromkeys(draft.contig for draft in drafts))

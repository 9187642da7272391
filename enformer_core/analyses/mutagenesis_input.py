"""Every change of some bases in the place of variants from files: which bases, and what stands for it in an identity.

Knows how regions and files are named by people. Does not know what becomes of the alleles.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.genome.region_list import RegionList
from enformer_core.genome.regions import place_regions
from enformer_core.user_path import named_as_given
from enformer_core.variants.input_files import InputDigest, InputFile, input_names
from enformer_core.variants.mutagenesis import (
    Target,
    deletions_name,
    mutated,
    substitutions_name,
    unknown_bases,
)
from enformer_core.variants.mutagenesis_around import surroundings
from enformer_core.variants.source import Source
from enformer_core.words import agreeing, counted

OPTION = "--mutagenesis"

UNKNOWN_BASE = "unknown_base"
"""Under this name bases that are N, and stretches that hold N, are counted among the records that were taken out."""

NOT_PLACED = "not_placed"
"""Under this name, records around which nothing is mutated, since no allele of theirs fits the genome."""


@dataclass(frozen=True)
class Mutagenesis:
    """What is mutated.

    Attributes:
        targets: regions that were named.
        flank_bp: bases on either side of each record, of files of variants that were named.
        deletions_bp: length of the stretches that are removed too; None for none.
    """

    targets: tuple[Target, ...]
    flank_bp: int
    deletions_bp: int | None

    def around(
        self,
        file: str,
        placed: Iterable[pa.Table],
        contigs: Mapping[str, int],
    ) -> tuple[Target, int]:
        """The regions around the records of a file, and how many records have none.

        Args:
            file: its name.
            placed: its alleles of PLACED_SCHEMA, whole records.
            contigs: the genome's, with their lengths in bp.
        """
        found = surroundings(placed, contigs, flank_bp=self.flank_bp)
        return Target(self._around(file), found.regions), found.left_out

    def sources(
        self,
        around: Sequence[Target],
        genome: Genome,
        *,
        not_placed: int = 0,
    ) -> "MutatedSources":
        """All changes as sources of variants.

        Args:
            around: the regions around the records of files.
            genome: that all regions are of.
            not_placed: records that have no region.

        Raises:
            InputError: when no region is as long as the stretches that are to be removed.
        """
        sources = mutated((*self.targets, *around), genome, deletions_bp=self.deletions_bp)
        return MutatedSources(tuple(sources), not_placed)

    def digests(
        self,
        files: Sequence[InputDigest],
    ) -> list[InputDigest]:
        """What names the changes in a run's identity: for each source a digest of what it follows from.

        Args:
            files: of the files around whose records is mutated. Their regions follow from them and the genome.
        """
        digests = [_digest(target) for target in self.targets]
        digests += [_renamed(file, self._around(file["name"])) for file in files]
        # both kinds of changes follow from the same: the name says which they are
        named = [_renamed(each, substitutions_name(each["name"])) for each in digests]
        bp = self.deletions_bp
        if bp is not None:
            named += [_renamed(each, deletions_name(each["name"], bp)) for each in digests]
        return named

    def _around(self, file: str) -> str:
        return f"around-{self.flank_bp}:{file}"


@dataclass(frozen=True)
class MutatedSources:
    """Sources that were made, not read from files.

    Attributes:
        sources: of substitutions, then of deletions.
        not_placed: records of files around which nothing is mutated.
    """

    sources: tuple[Source, ...]
    not_placed: int

    def left_out(self) -> dict[str, int]:
        """What has no rows, by why; known when all sources were read."""
        # a reason that took out nothing is not worth a sentence
        counts = {NOT_PLACED: self.not_placed, UNKNOWN_BASE: unknown_bases(self.sources)}
        return {why: count for why, count in counts.items() if count}


FILTERED_UNIT = "bases or stretches"
"""What filters take out of changes that a rule makes: a record has all changes of a base, or removes a stretch."""


def passed_over(why: str, number: int) -> str | None:
    """What has no rows though no filter took it out, in a sentence; None for what a filter took out.

    Args:
        why: the name under which it is counted.
        number: how many.
    """
    if why == NOT_PLACED:
        have = agreeing(number, "has", "have")
        them = agreeing(number, "it", "them")
        records = counted(number, "records")
        return f"{records} {have} no allele that fits the genome: nothing is mutated around {them}"
    if why == UNKNOWN_BASE:
        stretches = agreeing(number, "base, or stretch", "bases, or stretches")
        are = agreeing(number, "is N or holds N: it has", "are N or hold N: they have")
        return f"{number:,} {stretches} to be removed, {are} no rows"
    return None


def in_words(left_out: Mapping[str, int]) -> list[str]:
    """What has no rows, a sentence for each reason."""
    said = (
        passed_over(why, left_out[why]) for why in (NOT_PLACED, UNKNOWN_BASE) if why in left_out
    )
    return [text for text in said if text is not None]


def _digest(target: Target) -> InputDigest:
    sha256, size_bytes = target.regions.digest()
    return {"name": target.name, "sha256": sha256, "bytes": size_bytes}


def _renamed(digest: InputDigest, name: str) -> InputDigest:
    return {"name": name, "sha256": digest["sha256"], "bytes": digest["bytes"]}


def find_targets(
    given: Sequence[InputFile],
    genome: Genome,
) -> tuple[Target, ...]:
    """The regions that were named, each text and each BED file a target.

    Args:
        given: a region's text, or a BED file on this machine, and how the user called it.
        genome: whose contigs they must be.

    Raises:
        InputError: for a region that cannot be, an empty BED file, and what is given twice.
    """
    files = [each for each in given if each.path.is_file()]
    # a text has no name of its own: it is called as the genome calls its contig, in plain numbers
    names_of_files = dict(zip(files, input_names(files), strict=True))
    targets = []
    for each in given:
        with named_as_given(each.path, each.given):
            regions = RegionList.of(place_regions(str(each.path), genome, option=OPTION))
        # only a file can have none: a text names its bases
        if not regions.bases:
            raise InputError(
                f"{each.given}: no regions to mutate in this BED file. Its lines have contig, start and end."
            )
        name = names_of_files.get(each) or regions.name[0].as_py()
        targets.append(Target(name, regions))
    times_given = Counter(target.name for target in targets)
    for name, times in times_given.items():
        # rows are named by target and base: two of one name could not be told apart
        if times > 1:
            raise InputError(f"{OPTION}: {name} is given twice. Give each region once.")
    return tuple(targets)

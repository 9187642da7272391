"""Which bases of the genome are asked for: everything, one region, or the regions of a BED file.

Knows contigs and intervals, 0-based and half-open, and how people write them. Does not know tiles or models.
"""

import gzip
import hashlib
import json
import os
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from enformer_core.errors import InputError, first_few
from enformer_core.genome.contig_names import called_otherwise, reconcile_contigs
from enformer_core.genome.fasta import Genome
from enformer_core.genome.whole_number import whole_number

Intervals = Int64[np.ndarray, "regions 2"]
"""Rows of a first base and the one after the last."""

Regions = Mapping[str, Intervals]
"""Intervals of each contig, in order and disjoint."""

# with the dash of typesetters, and blanks, as they come out of papers and browsers
_REGION = re.compile(r"(?P<contig>.+):\s*(?P<first>[0-9,]+)\s*[–-]\s*(?P<last>[0-9,]+)")

_BED_HEADERS = ("#", "track", "browser")

_GZIP_MAGIC = b"\x1f\x8b"

# of a line that cannot be read
_SHOWN_LETTERS = 60


class _NamedRegion(NamedTuple):
    """A region as it was given; `end` is None for a whole contig.

    Attributes:
        given: the option and its text, or the BED file.
        line: of the BED file; None for a text.
        contig: as it was written.
        start: first base.
        end: the one after the last.
        name: the BED file's fourth column, if there is one.
        strand: its sixth, `+` or `-`; None for anything else.
    """

    given: str
    line: int | None
    contig: str
    start: int
    end: int | None
    name: str | None = None
    strand: str | None = None

    @property
    def where(self) -> str:
        """What was given, for a message."""
        return self.given if self.line is None else f"{self.given}, line {self.line}"


class PlacedRegion(NamedTuple):
    """A region of the genome, as somebody named it.

    Attributes:
        contig: the genome's own name.
        start: first base.
        end: the one after the last.
        name: what a BED file calls it, if it does.
        strand: `+` or `-`, where a BED file says so.
        where: what was given, for a message.
    """

    contig: str
    start: int
    end: int
    name: str | None
    strand: str | None = None
    where: str = ""


def read_regions(regions: str | None, genome: Genome) -> Regions:
    """Read regions, in the order of the genome's contigs; overlapping and touching ones are joined.

    Args:
        regions: the path of a BED file (0-based, half-open; plain or gzip); or a contig; or `contig:first-last`,
            1-based with both ends, commas in numbers allowed; or None for the whole genome.
        genome: whose contigs they must be. Names that differ by `chr` and the like are reconciled.

    Raises:
        InputError: for a region that cannot be, naming it and what the genome has.
    """
    lengths = dict(genome.contigs)
    if regions is None:
        return {contig: np.array([[0, length_bp]]) for contig, length_bp in lengths.items()}
    by_contig = defaultdict(list)
    for region in place_regions(regions, genome, option="--regions"):
        by_contig[region.contig].append((region.start, region.end))
    if not by_contig:
        raise InputError(
            f"{regions}: no regions in this BED file. To predict the whole genome leave out --regions."
        )
    intervals = {contig: np.array(by_contig[contig]) for contig in lengths if contig in by_contig}
    return {contig: merge_intervals(bounds) for contig, bounds in intervals.items()}


def place_regions(
    regions: str,
    genome: Genome,
    *,
    option: str,
    warn: Callable[[str], None] | None = None,
) -> Iterator[PlacedRegion]:
    """Find regions in the genome one by one, in the order in which they were given; none are joined.

    Args:
        regions: a BED file, a contig, or `contig:first-last`, as `read_regions` takes them; a BED file may be empty.
        genome: whose contigs they must be.
        option: by which they were given, for messages.
        warn: is told at the end which contigs the genome calls otherwise.

    Raises:
        InputError: as `read_regions`, where there is none that cannot be.
    """
    lengths = dict(genome.contigs)
    path = Path(regions)
    where = f"{option} {regions}"
    # a region may be longer than a name, of which `Path` would raise
    is_file = os.path.isfile(path)  # noqa: PTH113
    named = _read_bed(path) if is_file else [_parse_region(where, regions, lengths)]
    own_names: dict[str, str] = {}
    for region in named:
        if region.contig not in own_names:
            own_names |= reconcile_contigs([region.contig], lengths)
        contig = own_names.get(region.contig)
        if contig is None:
            unknown = _unknown_contig(region, genome.called, lengths)
            raise InputError(f"{unknown}{_what_to_give(region)}")
        start, end = _interval(region, contig, lengths[contig])
        yield PlacedRegion(contig, start, end, region.name, region.strand, region.where)
    said = called_otherwise(own_names, lengths)
    if warn is not None and said is not None:
        warn(f"{regions}: {said}")


def find_region(region: str, genome: Genome) -> tuple[str, int, int]:
    """The genome's own name of a region's contig, its first base, and the one after its last.

    Args:
        region: a contig, or `contig:first-last`, as `read_regions` takes them.
        genome: whose it must be.

    Raises:
        InputError: as `read_regions`.
    """
    lengths = dict(genome.contigs)
    named = _parse_region(region, region, lengths)
    contig = reconcile_contigs([named.contig], lengths).get(named.contig)
    if contig is None:
        raise InputError(_unknown_contig(named, genome.called, lengths))
    return contig, *_interval(named, contig, lengths[contig])


def merge_intervals(intervals: Intervals) -> Int64[np.ndarray, "merged 2"]:
    """Sort intervals and join those that overlap or touch; at least one."""
    # [5, 9), [0, 3), [1, 2), [3, 4):   starts     0 1 3 5
    #                                   reached    3 3 4 9    the furthest end so far
    #                                   is_beyond    - - x    of each start but the first: 5 lies beyond 4
    # A merged interval begins at the first start and at each that lies beyond; one finishes before each of these, at
    # what was reached there, and the last at the end: [0, 4), [5, 9).
    order = np.argsort(intervals[:, 0], kind="stable")
    starts, ends = intervals[order].T
    reached = np.maximum.accumulate(ends)
    is_beyond = starts[1:] > reached[:-1]
    begins = starts[np.append(True, is_beyond)]
    finishes = reached[np.append(is_beyond, True)]
    return np.stack([begins, finishes], axis=1)


def regions_digest(regions: Regions) -> str:
    """Return the sha256 of the bases that regions come to: the same in whatever words, and order, they were given."""
    intervals = {contig: bounds.tolist() for contig, bounds in regions.items()}
    # Part of a run's identity: bytes as the identity itself is written, so that the digest stays what it was.
    text = json.dumps(intervals, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def parse_region(option: str, text: str) -> tuple[str, int, int]:
    """The contig of `contig:first-last` as written, its first base, counted from 0, and the one after the last.

    Args:
        option: by which it was given, for the message.
        text: the region; its numbers may have commas.

    Raises:
        InputError: for anything else.
    """
    if not looks_like_region(text):
        raise InputError(f"{option} {text}: is no region; give one as chr20:4600000-4800000")
    region = _parse_region(f"{option} {text}", text, {})
    # a region of this form has an end
    return region.contig, region.start, region.end or region.start


def looks_like_region(text: str) -> bool:
    """Whether a text is `contig:first-last`, whatever contig that may be."""
    return _REGION.fullmatch(text.strip()) is not None


def _parse_region(where: str, text: str, lengths: Mapping[str, int]) -> _NamedRegion:
    text = text.strip()
    match = _REGION.fullmatch(text)
    if text in lengths or match is None:  # a contig's own name may hold a colon
        return _NamedRegion(where, None, text, 0, None)
    first = _number(where, match["first"])
    last = _number(where, match["last"])
    if first < 1 or last < first:
        raise InputError(
            f"{where}: from base {first} to {last}; bases count from 1, and the first comes first"
        )
    return _NamedRegion(where, None, match["contig"], first - 1, last)


_MOST_DIGITS = 18


def _number(where: str, text: str) -> int:
    digits = text.replace(",", "")
    # of 19 digits some do not fit into 64 bits, and no contig has so many bases
    if len(digits) > _MOST_DIGITS:
        raise InputError(f"{where}: base {digits[:_MOST_DIGITS]}…: no contig has so many bases")
    return int(digits or 0)  # "," alone is refused as base 0


def _read_bed(path: Path) -> Iterator[_NamedRegion]:
    for number, line in enumerate(_lines(path), 1):
        if line.strip() and not line.startswith(_BED_HEADERS):
            yield _parse_bed(path, number, line)


def _parse_bed(path: Path, number: int, line: str) -> _NamedRegion:
    separator = "\t" if "\t" in line else None  # None: any white space
    fields = line.split(separator)
    try:
        contig = fields[0].strip()
        start = whole_number(fields[1])
        end = whole_number(fields[2])
    except (IndexError, ValueError):
        shown = line.strip()[:_SHOWN_LETTERS]
        raise InputError(
            f"{path}, line {number}: {shown!r} is not BED: it needs contig, start, end"
        ) from None
    if start < 0 or end <= start:
        raise InputError(
            f"{path}, line {number}: from {start} to {end}; BED counts from 0, and the end comes after the start"
        )
    name = fields[3].strip() if len(fields) > 3 else None
    strand = fields[5].strip() if len(fields) > 5 else None
    return _NamedRegion(
        str(path), number, contig, start, end, name, strand if strand in ("+", "-") else None
    )


def _lines(path: Path) -> list[str]:
    try:
        content = path.read_bytes()
        if content.startswith(_GZIP_MAGIC):
            content = gzip.decompress(content)
        return content.decode("utf-8-sig").splitlines()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as BED: {error}") from error


def _unknown_contig(region: _NamedRegion, genome: str, lengths: Mapping[str, int]) -> str:
    message = (
        f"{region.where}: {genome} has no contig {region.contig!r}, it has {first_few([*lengths])}"
    )
    looks_like_a_path = region.end is None and Path(region.contig).suffix
    return f"{message}; there is no such BED file either" if looks_like_a_path else message


def _what_to_give(region: _NamedRegion) -> str:
    """What places may be, where a word is given that is neither a region nor like a file's name: perhaps a gene's."""
    is_word = region.line is None and region.end is None and not Path(region.contig).suffix
    if not is_word:
        return ""
    return (
        ". Give a region such as chr20:4699478-4699861, a contig, or a BED file. "
        f"Is {region.contig} a gene? Then give where it lies"
    )


def _interval(region: _NamedRegion, contig: str, length_bp: int) -> tuple[int, int]:
    end = length_bp if region.end is None else region.end
    if end > length_bp:
        raise InputError(
            f"{region.where}: ends at base {end:,}, {contig} of the genome has {length_bp:,}. "
            "Are the regions of the same assembly?"
        )
    return region.start, end

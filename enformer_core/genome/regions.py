"""Which bases of the genome are asked for: everything, one region, or the regions of a BED file.

Knows contigs and intervals, 0-based and half-open, and how people write them. Does not know tiles or models.
"""

import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from enformer_core.errors import InputError
from enformer_core.genome.contig_names import reconcile_contigs
from enformer_core.genome.fasta import Genome

Regions = Mapping[str, Int64[np.ndarray, "regions 2"]]
"""First base and the one after the last, for each contig, in order and disjoint."""

_REGION = re.compile(r"(?P<contig>.+):(?P<first>[\d,]+)-(?P<last>[\d,]+)")

_HEADER = ("#", "track", "browser")


@dataclass(frozen=True)
class _Named:
    """A region as it was given; `end` is None for a whole contig."""

    where: str
    contig: str
    start: int
    end: int | None


def read_regions(asked: str | None, genome: Genome) -> Regions:
    """The regions asked for, in the order of the genome's contigs; overlapping and touching ones are joined.

    Args:
        asked: the path of a BED file (0-based, half-open; plain or gzip); or a contig; or `contig:first-last`, 1-based
            with both ends, commas in numbers allowed; or None for the whole genome.
        genome: whose contigs they must be. Names that differ by `chr` and the like are reconciled.

    Raises:
        InputError: for a region that cannot be, naming it and what the genome has.
    """
    lengths = dict(genome.contigs)
    if asked is None:
        return {contig: np.array([[0, length]]) for contig, length in lengths.items()}
    named = list(_read_bed(Path(asked))) if Path(asked).is_file() else [_parse(asked, lengths)]
    own_names = reconcile_contigs({region.contig for region in named}, lengths)
    found: dict[str, list[tuple[int, int]]] = {}
    for region in named:
        contig = own_names.get(region.contig)
        if contig is None:
            raise InputError(_unknown(region, genome.path, lengths))
        found.setdefault(contig, []).append(_checked(region, contig, lengths[contig]))
    return {contig: _joined(found[contig]) for contig in lengths if contig in found}


def _parse(text: str, lengths: Mapping[str, int]) -> _Named:
    where = f"--regions {text}"
    match = _REGION.fullmatch(text)
    if text in lengths or match is None:  # a contig's own name may hold a colon
        return _Named(where, text, 0, None)
    first, last = (int(match[name].replace(",", "") or 0) for name in ("first", "last"))
    if first < 1 or last < first:
        raise InputError(
            f"{where}: from base {first} to {last}; bases count from 1, and the first comes first"
        )
    return _Named(where, match["contig"], first - 1, last)


def _read_bed(path: Path) -> Iterator[_Named]:
    count = 0
    for number, line in enumerate(_lines(path), 1):
        if not line.strip() or line.startswith(_HEADER):
            continue
        count += 1
        yield _parse_bed(f"{path}, line {number}", line)
    if not count:
        raise InputError(
            f"{path}: no regions in this BED file. To predict the whole genome leave out --regions."
        )


def _parse_bed(where: str, line: str) -> _Named:
    fields = line.split("\t") if "\t" in line else line.split()
    try:
        contig, start, end = fields[0].strip(), int(fields[1]), int(fields[2])
    except (IndexError, ValueError):
        raise InputError(
            f"{where}: {line.strip()[:60]!r} is not BED: it needs contig, start, end"
        ) from None
    if start < 0 or end <= start:
        raise InputError(
            f"{where}: from {start} to {end}; BED counts from 0, and the end comes after the start"
        )
    return _Named(where, contig, start, end)


def _lines(path: Path) -> list[str]:
    try:
        content = path.read_bytes()
        return (
            (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)
            .decode()
            .splitlines()
        )
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as BED: {error}") from error


def _unknown(region: _Named, genome: Path, lengths: Mapping[str, int]) -> str:
    names = [*lengths][:5]
    neither = (
        ""
        if region.end is not None or Path(region.contig).suffix == ""
        else "; there is no such BED file either"
    )
    shown = ", ".join(names) + (f" and {len(lengths) - 5} more" if len(lengths) > 5 else "")
    return f"{region.where}: {genome} has no contig {region.contig!r}, it has {shown}{neither}"


def _checked(region: _Named, contig: str, length: int) -> tuple[int, int]:
    end = length if region.end is None else region.end
    if end > length:
        raise InputError(
            f"{region.where}: ends at base {end:,}, {contig} of the genome has {length:,}. "
            "Are the regions of the same assembly?"
        )
    return region.start, end


def _joined(intervals: Iterable[tuple[int, int]]) -> Int64[np.ndarray, "regions 2"]:
    ordered = np.array(sorted(intervals), dtype=np.int64)
    reached = np.maximum.accumulate(ordered[:, 1])
    firsts = np.flatnonzero(np.concatenate([[True], ordered[1:, 0] > reached[:-1]]))
    lasts = np.append(firsts[1:], len(ordered)) - 1
    return np.stack([ordered[firsts, 0], reached[lasts]], axis=1)


def regions_digest(regions: Regions) -> str:
    """Return the sha256 of the bases that regions come to: the same in whatever words, and order, they were given."""
    intervals = {contig: bounds.tolist() for contig, bounds in regions.items()}
    text = json.dumps(intervals, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()

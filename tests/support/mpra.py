"""A made-up saturation mutagenesis whose truth is known: an effect is the change in the number of GATA1's sites.

The model `motif_core` looks for WGATAR on both strands; sites are counted here by their letters, apart from the model.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

_SITES = (re.compile("(?=[AT]GATA[AG])"), re.compile("(?=[CT]TATC[AT])"))
"""WGATAR, and the same read on the other strand; sites may overlap."""

_FLANK_BP = 6
"""As long as a site: farther bases take no part in it."""

HEADER = (
    *("#Chrom", "Pos", "Ref", "Alt", "Tags"),
    *("DNA", "RNA", "Coefficient", "pValue", "Element"),
)

Row = tuple[object, ...]


def sites(letters: str) -> int:
    """How many sites there are, of both strands."""
    return sum(len(pattern.findall(letters)) for pattern in _SITES)


def mutagenesis(
    letters: str, start: int, end: int, *, chrom: str, element: str = "GATA"
) -> Iterator[Row]:
    """Every substitution and deletion of the bases [start, end) of a contig, 0-based, as CAGI5's tables have them."""
    for base in range(start, end):
        ref = letters[base]
        before = letters[base - _FLANK_BP : base]
        behind = letters[base + 1 : base + 1 + _FLANK_BP]
        for alt in (*sorted(set("ACGT") - {ref}), "-"):
            changed = before + alt.replace("-", "") + behind
            # what a deletion draws near is the next base behind
            if alt == "-":
                changed += letters[base + 1 + _FLANK_BP]
            effect = sites(changed) - sites(before + ref + behind)
            yield (chrom, base + 1, ref, alt, 20, 9, 9, float(effect), 0.01, element)


def write_mutagenesis(path: Path, rows: Sequence[Row]) -> Path:
    """The table as text, with two lines of remarks above its header."""
    lines = ["## saturation mutagenesis, made up", "##"]
    lines += ["\t".join(map(str, cells)) for cells in (HEADER, *rows)]
    path.write_text("\n".join([*lines, ""]))
    return path

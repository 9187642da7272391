"""Which human or mouse assembly contigs belong to, told by their lengths.

Knows lengths only.
"""

from collections.abc import Mapping

from enformer_core.genome.contig_names import reconcile_contigs

# NCBI assembly reports: GCF_000001405.25, GCF_000001405.40, GCF_009914755.1, GCF_000001635.26, GCF_000001635.27
_GRCH37 = (
    *(
        249250621,
        243199373,
        198022430,
        191154276,
        180915260,
        171115067,
        159138663,
        146364022,
        141213431,
        135534747,
    ),
    *(
        135006516,
        133851895,
        115169878,
        107349540,
        102531392,
        90354753,
        81195210,
        78077248,
        59128983,
        63025520,
    ),
    *(48129895, 51304566, 155270560, 59373566),
)

_GRCH38 = (
    *(
        248956422,
        242193529,
        198295559,
        190214555,
        181538259,
        170805979,
        159345973,
        145138636,
        138394717,
        133797422,
    ),
    *(
        135086622,
        133275309,
        114364328,
        107043718,
        101991189,
        90338345,
        83257441,
        80373285,
        58617616,
        64444167,
    ),
    *(46709983, 50818468, 156040895, 57227415),
)

_T2T = (
    *(
        248387328,
        242696752,
        201105948,
        193574945,
        182045439,
        172126628,
        160567428,
        146259331,
        150617247,
        134758134,
    ),
    *(
        135127769,
        133324548,
        113566686,
        101161492,
        99753195,
        96330374,
        84276897,
        80542538,
        61707364,
        66210255,
    ),
    *(45090682, 51324926, 154259566, 62460029),
)

_NAMES = (*map(str, range(1, 23)), "X", "Y")

_BUILDS: Mapping[str, Mapping[str, int]] = {
    "GRCh37 (hg19)": dict(zip(_NAMES, _GRCH37, strict=True)),
    "GRCh38 (hg38)": dict(zip(_NAMES, _GRCH38, strict=True)),
    "T2T-CHM13v2.0": dict(zip(_NAMES, _T2T, strict=True)),
    "GRCm38 (mm10)": {"1": 195471971},
    "GRCm39 (mm39)": {"1": 195154279},
}


def known_build(contigs: Mapping[str, int]) -> str | None:
    """The assembly of which some of these contigs have the length; None if there is none, or more than one."""
    found = []
    for build, lengths in _BUILDS.items():
        names = reconcile_contigs(contigs, lengths)
        if any(contigs[theirs] == lengths[ours] for theirs, ours in names.items()):
            found.append(build)
    return found[0] if len(found) == 1 else None


def different_lengths(
    declared: Mapping[str, int], genome: Mapping[str, int]
) -> dict[str, tuple[int, int]]:
    """Contigs that both have, with lengths that differ: as declared, and the genome's, in bp."""
    names = reconcile_contigs(declared, genome)
    return {
        theirs: (declared[theirs], genome[ours])
        for theirs, ours in names.items()
        if declared[theirs] != genome[ours]
    }

"""Which columns of a variant file hold the contig, position, alleles and identifier, found by their names.

Knows the names that programs write; see docs/variants.md for the table. Not how a file is read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from enformer_core.errors import InputError

REQUIRED = ("chrom", "pos", "ref", "alt")

Role = Literal[
    "chrom", "pos", "end", "id", "ref", "alt", "effect", "frequency", "filter", "info", "risk"
]
"""What a column holds. `ref` and `alt` are the other and the effect allele where the order is not declared; `effect` is
a column that says which of both is the effect allele; `risk` is an identifier with the risk allele, rs1-A."""

VCF_COLUMNS: Mapping[str, int] = {
    "chrom": 0,
    "pos": 1,
    "id": 2,
    "ref": 3,
    "alt": 4,
    "filter": 6,
    "info": 7,
}
"""The order that the VCF specification (section 1.4) fixes."""

# Tiers of names: those of an earlier tier win over those of a later; two of one tier are a question to the user.
_PLACES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "chrom": (
        ("hm_chrom",),
        ("chrom", "chr", "chromosome", "contig", "seqnames", "chrom_name", "chr_name"),
        ("chr_id", "hg38chrom", "hg19chrom"),
    ),
    "pos": (
        ("hm_pos",),
        (
            "pos",
            "position",
            "bp",
            "base_pair_location",
            "base_pair",
            "basepair",
            "bp_position",
            "chr_position",
        ),
        (
            "pos_grch38",
            "pos_grch37",
            "pos_hg38",
            "pos_hg19",
            "pos_b38",
            "pos_b37",
            "bp_hg38",
            "bp_hg19",
            "pos38",
        ),
        ("chr_pos", "pos_start"),
        ("genpos",),  # regenie; in BOLT-LMM it is a genetic position, and BP is there too
    ),
}

_STARTS = (("chromstart", "chrom_start"), ("start",))

_ENDS = (("chromend", "chrom_end", "end", "stop"),)

_REF = (("ref", "reference"), ("ref_allele", "reference_allele", "refallele"))

_ALT = (("alt", "alternate"), ("alt_allele", "alternate_allele", "altallele", "alternative_allele"))

_EFFECT = (
    ("hm_effect_allele",),
    ("effect_allele", "ea", "effectallele", "tested_allele", "coded_allele", "effect_al"),
    ("a1", "allele1", "allele_1", "alt1", "alleleb"),  # alleleB: SNPTEST
)

_OTHER = (
    ("hm_other_allele",),
    (
        "other_allele",
        "oa",
        "nea",
        "non_effect_allele",
        "noneffect_allele",
        "otherallele",
        "noncoded_allele",
        "neff_al",
    ),
    ("a2", "allele2", "allele_2", "allele0", "a0", "ax", "omitted", "allelea"),
)

_FREQUENCY = (
    ("maf", "minor_allele_frequency", "minor_allele_freq"),
    (
        "effect_allele_frequency",
        "hm_effect_allele_frequency",
        "eaf",
        "a1freq",
        "a1_freq",
        "alt_freqs",
        "alt_freq",
    ),
    (
        "af",
        "freq",
        "frq",
        "frequency",
        "af1",
        "af_allele2",
        "freq1",
        "a1_frequency",
        "effect_allele_freq",
    ),
)

_RISK = (
    (
        "strongest snp-risk allele",
        "strongest_snp_risk_allele",
        "strongest.snp.risk.allele",
        "riskallele",
    ),
)

_ID = (
    *(
        ("hm_rsid",),
        ("rsid",),
        ("rs_id",),
        ("rsids",),
        ("id",),
        ("snp",),
        ("snps",),
        ("markername",),
        ("marker",),
    ),
    *(("snpid",), ("markerid",), ("rs",), ("variant_id",), ("variant",), ("name",)),
)


@dataclass(frozen=True)
class Columns:
    """Where the columns are.

    Attributes:
        index: 0-based, by role.
        declares_ref: whether `ref` is the genome's allele by the format's own rule.
        one_based_start: how positions count: True 1-based, False 0-based, None where `start` and `end` must tell.
    """

    index: Mapping[str, int]
    declares_ref: bool = True
    one_based_start: bool | None = True
    names: Sequence[str] = field(default=(), repr=False)

    @property
    def has_place(self) -> bool:
        """Whether contig and position are there."""
        return "chrom" in self.index and "pos" in self.index

    @property
    def has_alleles(self) -> bool:
        """Whether both alleles are there."""
        return "ref" in self.index and "alt" in self.index


def find_columns(names: Sequence[str], where: str) -> Columns | None:
    """The columns whose names are known.

    Args:
        names: names of the columns, in any case; a leading `#` does not count.
        where: the file, for the message.

    Returns:
        None when they are no header of variants: when neither a contig and a position nor an identifier is named, or
        no allele beside the place.

    Raises:
        InputError: when two columns could be meant.
    """
    plain = [name.strip().strip('"').lower().removeprefix("#") for name in names]
    found: dict[str, int] = {}

    def put(role: str, tiers: Sequence[Sequence[str]]) -> None:
        index = _choose(plain, tiers, f"{where}: columns", role)
        if index is not None:
            found[role] = index

    for role, tiers in _PLACES.items():
        put(role, tiers)
    one_based: bool | None = True
    if "pos" not in found:
        one_based = _find_start(plain, found, where)
    put("id", _ID)
    put("risk", _RISK)
    put("frequency", _FREQUENCY)
    put("filter", (("filter",),))
    declares_ref = _find_alleles(plain, found, where)
    columns = Columns(found, declares_ref, one_based, tuple(names))
    known = columns.has_place and (columns.has_alleles or "id" in found)
    return columns if known or "id" in found else None


def _find_start(plain: Sequence[str], found: dict[str, int], where: str) -> bool | None:
    """Find the start, and where it matters the end; how positions count."""
    for certain, tier in zip((True, False), _STARTS, strict=True):
        start = _choose(plain, (tier,), f"{where}: columns", "pos")
        end = _choose(plain, _ENDS, f"{where}: columns", "end")
        if start is not None and (certain or end is not None):
            found["pos"] = start
            if certain or end is None:
                return False
            found["end"] = end
            return None
    return True


def _find_alleles(plain: Sequence[str], found: dict[str, int], where: str) -> bool:
    """Find both alleles; whether which of them is REF is declared."""
    label = f"{where}: columns"
    ref, alt = _choose(plain, _REF, label, "ref"), _choose(plain, _ALT, label, "alt")
    effect, other = (
        _choose(plain, _EFFECT, label, "effect_allele"),
        _choose(plain, _OTHER, label, "other_allele"),
    )
    if (
        effect is not None
        and other is not None
        and "af_allele2" in plain
        and plain[effect] == "allele1"
    ):
        effect, other = other, effect  # SAIGE, whose Allele2 is tested
    if ref is not None and alt is not None:
        found |= {"ref": ref, "alt": alt}
        if effect is not None:
            found["effect"] = effect
        return True
    if other is None and effect != ref:
        other = ref
    if effect is None:
        effect = alt
    if other is not None:
        found["ref"] = other
    if effect is not None:
        found["alt"] = effect
    return False


def _choose(
    plain: Sequence[str], tiers: Sequence[Sequence[str]], label: str, role: str
) -> int | None:
    for tier in tiers:
        matches = [index for index, name in enumerate(plain) if name in tier]
        if len(matches) > 1 and role != "id":
            both = " and ".join(repr(plain[index]) for index in matches)
            raise InputError(f"{label} {both} could both be {role}. Rename or drop one.")
        if matches:
            return matches[0]
    return None


def listed(names: Sequence[str]) -> str:
    """The first of the names, for a message."""
    shown = ", ".join(repr(name[:40]) for name in names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"

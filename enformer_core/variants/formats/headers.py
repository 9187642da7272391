"""Names that programs write above the columns of variants, and the dialects of text that they make up.

Three tables: NAMES says which names mean the same whoever wrote them; DIALECTS knows the programs that differ, and what
a file with such a header is called; HEADLESS has the layouts without a header. docs/variants.md says the same in words.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from enformer_core.variants.formats.reader import Columns

Kind = Literal[
    "chrom",
    "pos",
    "chrom_start",
    "start",
    "end",
    "id",
    "ref",
    "alt",
    "effect_allele",
    "other_allele",
    "frequency",
    "filter",
    "risk",
]
"""What a name means. REF and ALT are declared by the format; of effect and other allele the genome has either."""

Tiers = tuple[tuple[str, ...], ...]
"""Cleaned names: those of an earlier tier win over those of a later; two of one tier are a question to the user."""

NAMES: Mapping[Kind, Tiers] = {
    "chrom": (
        # the GWAS Catalog's harmonised files keep the columns as submitted beside their own, which begin with hm_
        ("hm_chrom",),
        (
            "chrom",
            "chr",
            "chromosome",
            "contig",
            "seqnames",
            "chrom_name",
            "chr_name",
        ),
        # chr_id and, below, chr_pos: the GWAS Catalog's associations
        ("chr_id", "hg38chrom", "hg19chrom"),
    ),
    "pos": (
        ("hm_pos",),
        (
            "pos",
            "position",
            "bp",  # PLINK 1
            "base_pair_location",  # GWAS-SSF
            "base_pair",
            "basepair",
            "bp_position",
            "chr_position",  # the PGS Catalog
        ),
        # which assembly a name means is not believed: the sample of alleles shows what the positions fit
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
    "chrom_start": (("chromstart", "chrom_start"),),  # UCSC's: always from 0
    "start": (("start",),),  # from 0 or 1: the end shows which
    "end": (("chromend", "chrom_end", "end", "stop"),),
    # one name a tier: tables often have rsIDs beside identifiers of their own, and the rsIDs are what sites have
    "id": (
        ("hm_rsid",),
        ("rsid",),
        ("rs_id",),
        ("rsids",),
        ("id",),
        ("snp",),
        ("snps",),  # the GWAS Catalog
        ("markername",),  # METAL
        ("marker",),
        ("snpid",),
        ("markerid",),  # SAIGE
        ("rs",),
        ("variant_id",),  # GTEx: holds place and alleles
        ("variant",),  # UK Biobank of the Neale laboratory: likewise
        ("name",),  # BED
    ),
    # the GWAS Catalog's STRONGEST SNP-RISK ALLELE, as it is, and as R or SQL write it
    "risk": (
        (
            "strongest snp-risk allele",
            "strongest_snp_risk_allele",
            "strongest.snp.risk.allele",
            "riskallele",
        ),
    ),
    # of the rarer allele or of either: filters turn what is above a half
    "frequency": (
        ("maf", "minor_allele_frequency", "minor_allele_freq"),
        (
            "effect_allele_frequency",
            "hm_effect_allele_frequency",
            "eaf",
            "a1freq",  # regenie, BOLT-LMM
            "a1_freq",  # PLINK 2, association
            "alt_freqs",  # PLINK 2, .afreq
            "alt_freq",
        ),
        (
            "af",
            "freq",
            "frq",  # LDSC
            "frequency",
            "af1",
            "af_allele2",  # SAIGE
            "freq1",  # METAL
            "a1_frequency",
            "effect_allele_freq",
        ),
    ),
    "filter": (("filter",),),
    "ref": (
        ("ref", "reference"),
        ("ref_allele", "reference_allele", "refallele"),
    ),
    "alt": (
        ("alt", "alternate"),
        (
            "alt_allele",
            "alternate_allele",
            "altallele",
            "alternative_allele",
        ),
    ),
    "effect_allele": (
        ("hm_effect_allele",),
        (
            "effect_allele",
            "ea",
            "effectallele",
            "tested_allele",
            "coded_allele",
            "effect_al",
        ),
        # allele1 is tested in METAL, BOLT-LMM and regenie; alleleB in SNPTEST; not so in SAIGE, see DIALECTS
        ("a1", "allele1", "allele_1", "alt1", "alleleb"),
    ),
    "other_allele": (
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
        (
            "a2",
            "allele2",
            "allele_2",
            "allele0",
            "a0",
            "ax",
            "omitted",
            "allelea",
        ),
    ),
}


def cleaned(name: str) -> str:
    """A column's name as it stands in the tables: lower case, without quotes or a leading `#`."""
    return name.strip().strip('"').lower().removeprefix("#")


@dataclass(frozen=True)
class Dialect:
    """One program's or repository's table with a header line.

    Attributes:
        format: its name, for people.
        names: cleaned names of columns that must all be there.
        fits: what else must hold of the columns once they are found, if anything.
        columns: names that mean something else in this dialect than NAMES says; these win.
    """

    format: str
    names: frozenset[str] = frozenset()
    fits: Callable[[Columns], bool] | None = None
    columns: Mapping[Kind, str] = field(default_factory=dict)

    def applies(self, columns: Columns) -> bool:
        """Whether these columns are this dialect's."""
        has_names = self.names <= set(map(cleaned, columns.names))
        return has_names and (self.fits is None or self.fits(columns))


def begins_like_vcf(columns: Columns) -> bool:
    """Whether the header is that of a VCF, `#CHROM POS ID REF ALT`, as far as place and alleles go."""
    others = [cleaned(name) for name in columns.names[1:5]]
    return columns.names[0] == "#CHROM" and others == [
        "pos",
        "id",
        "ref",
        "alt",
    ]


def _is_pvar(columns: Columns) -> bool:
    # PLINK 2's association results begin likewise, but name the effect allele
    return begins_like_vcf(columns) and "effect" not in columns.index


def _has_association(columns: Columns) -> bool:
    results = {"beta", "p", "pval", "p_value"} & set(map(cleaned, columns.names))
    return not columns.declares_ref or "effect" in columns.index or bool(results)


DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "GWAS-SSF",
        names=frozenset(
            {
                "chromosome",
                "base_pair_location",
                "effect_allele",
                "other_allele",
            }
        ),
    ),
    Dialect("PLINK 2 .pvar", fits=_is_pvar),
    Dialect(
        "GWAS Catalog associations",
        fits=lambda columns: "risk" in columns.index,
    ),
    Dialect(
        "BED-like text",
        fits=lambda columns: columns.one_based_start is not True,
    ),
    Dialect(
        "summary statistics",  # SAIGE, which tests Allele2; elsewhere allele1 is the effect allele
        names=frozenset({"allele1", "allele2", "af_allele2"}),
        columns={"effect_allele": "allele2", "other_allele": "allele1"},
    ),
    Dialect("summary statistics", fits=_has_association),
)
"""Dialects with a header; the first that applies counts. Another program's table is one more row."""


NAMED_ALLELES = (
    r"^(?P<chrom>(?:[cC][hH][rR])?[A-Za-z0-9.]+)[:_-](?P<pos>[0-9]+)[:_-]"
    r"(?P<ref>[A-Za-z*]+|<[^<>]+>)[:_/>-](?P<alt>[A-Za-z*]+|<[^<>]+>)(?:_b3[78])?$"
)
"""Names such as 1:55516888:G:GA, 1-55516888-G-GA and chr1_55516888_G_GA_b38."""

_BIM_ALLELE = re.compile(r"[ACGTN]+|[0ID.*-]|<[^<>]+>", re.IGNORECASE)

_LETTERS = re.compile(r"[ACGTN.-]+", re.IGNORECASE)

_RSID = re.compile(r"rs\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Headless:
    """A layout without a header line, told by what its first record looks like.

    Attributes:
        format: its name, for people.
        columns: of a record's fields, where place and alleles are; None when it is no such record.
        named_alleles: whether the identifiers are NAMED_ALLELES.
    """

    format: str
    columns: Callable[[Sequence[str]], Columns | None]
    named_alleles: bool = False


def is_whole_number(text: str) -> bool:
    """Whether a field is decimal digits and nothing else."""
    return text.isascii() and text.isdecimal()


def _bim_columns(fields: Sequence[str]) -> Columns | None:
    """Chromosome, identifier, centimorgans (which PLINK 2 may leave out), position, A1, A2."""
    if len(fields) not in {5, 6}:
        return None
    pos = len(fields) - 3
    if not all(_BIM_ALLELE.fullmatch(allele.strip()) for allele in fields[pos + 1 :]):
        return None
    # a negative position is PLINK's way to leave a variant out; with a number for an identifier it would be a BED file
    if not is_whole_number(fields[pos].removeprefix("-")):
        return None
    if is_whole_number(fields[1]):
        return None
    index = {
        "chrom": 0,
        "id": 1,
        "pos": pos,
        "alt": pos + 1,
        "ref": pos + 2,
    }
    return Columns(index, declares_ref=False)


def _bed_columns(fields: Sequence[str]) -> Columns | None:
    """Contig, start, end; REF and ALT behind them, or behind a name, or behind name, score and strand."""
    if len(fields) < 5 or not (is_whole_number(fields[1]) and is_whole_number(fields[2])):
        return None
    if int(fields[1]) > int(fields[2]):
        return None
    for ref in (3, 4, 6):
        alleles = fields[ref : ref + 2]
        if len(alleles) == 2 and all(_LETTERS.fullmatch(allele) for allele in alleles):
            index = {"chrom": 0, "pos": 1, "ref": ref, "alt": ref + 1}
            if ref > 3:
                index["id"] = 3
            return Columns(index, one_based_start=False)
    return None


def _rsid_columns(fields: Sequence[str]) -> Columns | None:
    if len(fields) == 1 and _RSID.fullmatch(fields[0].strip()):
        return Columns({"id": 0}, declares_ref=False)
    return None


def _name_columns(fields: Sequence[str]) -> Columns | None:
    if len(fields) == 1 and re.fullmatch(NAMED_ALLELES, fields[0].strip()):
        return Columns({"id": 0})
    return None


HEADLESS: tuple[Headless, ...] = (
    Headless("PLINK 1 .bim", _bim_columns),
    Headless("BED-like text", _bed_columns),
    Headless("list of rsIDs", _rsid_columns),
    Headless("list of variants", _name_columns, named_alleles=True),
)
"""Layouts without a header; the first that applies counts."""

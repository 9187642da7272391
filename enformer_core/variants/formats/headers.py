"""Names that programs write above the columns of variants, and the dialects of text that they make up.

NAMES says which names mean the same whoever wrote them, NUMBERED_ALLELES and REMADE which belong together; DIALECTS
knows the programs that differ, and what a file with such a header is called. docs/variants.md says the same in words.
"""

import re
from collections.abc import Callable, Mapping
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
    "locus",
    "alleles",
    "strand",
    "build",
]
"""What a name means. REF and ALT are declared by the format; of effect and other allele the genome has either."""

Tiers = tuple[tuple[str, ...], ...]
"""Cleaned names: those of an earlier tier win over those of a later; two of one tier are a question to the user."""

NAMES: Mapping[Kind, Tiers] = {
    "chrom": (
        (
            "chrom",
            "chr",
            "chromosome",
            "contig",
            "seqnames",
            "chrom_name",
            "chr_name",
            "chromosome_name",
        ),
        ("chr_id",),  # the GWAS Catalog's associations, with chr_pos
    ),
    "pos": (
        (
            "pos",
            "position",
            "bp",  # PLINK 1
            "base_pair_location",  # GWAS-SSF
            "base_pair",
            "basepair",
            "bp_position",
            "chr_position",  # the PGS Catalog
            "pos(1-based)",  # dbNSFP
        ),
        ("chr_pos",),
        ("pos_start",),
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
        ("variantid",),  # Open Targets
        ("variant",),  # UK Biobank of the Neale laboratory: likewise
        ("spdi",),
        ("variationid",),  # ClinVar, as its VCF's ID has it
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
        ("ref_allele", "reference_allele", "refallele", "referenceallele"),
    ),
    "alt": (
        ("alt", "alternate"),
        (
            "alt_allele",
            "alternate_allele",
            "altallele",
            "alternative_allele",
            "alternateallele",  # Open Targets, with referenceAllele
        ),
    ),
    "effect_allele": (
        (
            "effect_allele",
            "ea",
            "effectallele",
            "tested_allele",
            "coded_allele",
            "effect_al",
        ),
    ),
    "other_allele": (
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
    ),
    # Hail: chr20:1000001, and ["T","G"] with REF first
    "locus": (("locus",),),
    "alleles": (("alleles",),),
    "build": (
        ("genome_build", "genome_assembly", "genomebuild", "ncbi_build", "assembly", "build"),
    ),
    "strand": (("strand",), ("allele_strand", "snp_strand", "strand_allele")),
}

NUMBERED_ALLELES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("a1", ("a2", "a0", "ax", "omitted")),
    ("allele1", ("allele2", "allele0")),
    ("allele_1", ("allele_2", "allele_0")),
    ("alleleb", ("allelea",)),
    ("allele_b", ("allele_a",)),
    ("alt1", ("ref1", "a2", "omitted")),
)
"""Names that say nothing of the effect: what most programs take for it, and the names of its partner; both alleles of
a record are of one row."""

REMADE = re.compile(
    r"(?P<before>hg18|hg19|hg38|(?:grch|b|build|ncbi)3[678]|t2t|chm13|locus)[._ -]?(?P<name>.+)"
    r"|(?P<base>.+?)[._ (-]*(?P<after>hg18|hg19|hg38|(?:grch|b|build|ncbi)?3[678]|t2t|chm13)\)?"
)
"""Names of columns beside others of the same meaning: of an assembly (hg38_chr, pos38), of a structure (locus.contig).

Which assembly a name means is not believed: the sample of alleles shows what the positions fit."""


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
        program: whose table it is, where that says which of two numbered alleles is the effect allele.
    """

    format: str
    names: frozenset[str] = frozenset()
    fits: Callable[[Columns], bool] | None = None
    columns: Mapping[Kind, str] = field(default_factory=dict)
    program: str = ""

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


def _results(program: str, names: str) -> Dialect:
    """Results of a program, whose numbered alleles are those of NUMBERED_ALLELES."""
    return Dialect(
        "summary statistics", frozenset(names.split()), _has_association, program=program
    )


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
    # Start, Stop, ReferenceAllele and AlternateAllele beside them are HGVS's: of an insertion other places
    Dialect(
        "ClinVar's variant_summary",
        names=frozenset({"positionvcf", "referenceallelevcf", "alternateallelevcf"}),
        columns={
            "pos": "positionvcf",
            "ref": "referenceallelevcf",
            "alt": "alternateallelevcf",
        },
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
    Dialect("Hail's text", names=frozenset({"locus", "alleles"})),
    Dialect(
        "summary statistics",
        names=frozenset({"allele1", "allele2", "af_allele2"}),
        columns={"effect_allele": "allele2", "other_allele": "allele1"},
        program="SAIGE",
    ),
    _results("REGENIE and BOLT-LMM", "genpos allele0 allele1 a1freq"),
    _results("METAL", "markername allele1 allele2 direction"),
    _results("METAL", "markername allele1 allele2 effect stderr"),
    _results("METAL", "markername allele1 allele2 zscore"),
    _results("GCTA-COJO", "snp a1 a2 freq b se p n"),
    _results("LDSC", "snp a1 a2 z n"),
    _results("PLINK 1", "snp a1 a2 f_a f_u"),
    _results("PLINK 2", "id ref alt a1 test"),
    _results("SNPTEST", "rsid allelea alleleb"),
    Dialect("summary statistics", fits=_has_association),
)
"""Dialects with a header; the first that applies counts. Another program's table is one more row."""

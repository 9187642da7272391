"""What exports can be told beside the run and their files: options of `enformer-ray export`, and their help."""

from typing import Annotated, Literal

from cyclopts import Parameter

from jobs.option_types import Groups, OptionalFile, OptionalStream, Selection

_TABLE_HELP = """with --tsv: which table of the run, such as gene_effects; its first by default, such as scores"""

_INPUT_HELP = """with --vcf: the file that was scored, where it is no longer at its place, or is one of several"""

_GENOME_HELP = "the run's genome, if it is no longer at its place: --vcf, --vep and --bigwig tell its contigs' lengths"

_TRACKS_HELP = (
    "which of the run's tracks, written as for `score`; all by default. With --vcf: among which the strongest are "
    "looked for; with --vep, --hdf5 and, of tiles, --bigwig: which are written"
)

_TOP_TRACKS_HELP = (
    """with --vcf: strongest tracks that are named for each ALT and statistic (default 3)"""
)

_SUMSTATS_HELP = (
    "summary statistics that are matched with the run's alleles: any table that `score` reads, with BETA and SE, OR "
    "and SE, Z, or P"
)

_N_HELP = "sample size of the --sumstats; by default their column N, or cases and controls"

_PRIOR_HELP = (
    "SQL over the columns of scores, such as max_abs_sad: the weight of an allele; by default its PHRED-scaled rank "
    "in the run"
)

_AMBIGUOUS_HELP = (
    "A/T and C/G pairs of --sumstats: as the others are, as written, or left out (default majority)"
)

_SITES_HELP = "places of the --sumstats, where they have identifiers alone: dbSNP's VCF, a .bim"

_EFFECT_ALLELE_HELP = (
    "column of the --sumstats whose allele the effects are of, where its name does not say it"
)

_GROUP_HELP = "tracks under a name, again for each group; by default a group for each assay"

_FEW_MATCHES_HELP = (
    "go on where less than 1 % of the --sumstats are alleles of the run, or one alone"
)

JSON_HELP = "print what was written, and how --sumstats were matched, as JSON"

_Table = Annotated[str | None, Parameter(help=_TABLE_HELP, metavar="NAME")]
_Input = Annotated[OptionalFile, Parameter(help=_INPUT_HELP)]
_Genome = Annotated[OptionalFile, Parameter(help=_GENOME_HELP)]
_Tracks = Annotated[Selection, Parameter(help=_TRACKS_HELP)]
_TopTracks = Annotated[int | None, Parameter(help=_TOP_TRACKS_HELP, metavar="N")]
_Sumstats = Annotated[OptionalStream, Parameter(help=_SUMSTATS_HELP, allow_leading_hyphen=True)]
_N = Annotated[float | None, Parameter(help=_N_HELP, metavar="N")]
_Prior = Annotated[
    str | None, Parameter(help=_PRIOR_HELP, metavar="SQL", allow_leading_hyphen=True)
]
_Ambiguous = Annotated[Literal["majority", "keep", "drop"] | None, Parameter(help=_AMBIGUOUS_HELP)]
_Sites = Annotated[OptionalFile, Parameter(help=_SITES_HELP)]
_EffectAllele = Annotated[str | None, Parameter(help=_EFFECT_ALLELE_HELP, metavar="COLUMN")]
_FewMatches = Annotated[bool | None, Parameter(help=_FEW_MATCHES_HELP, negative="")]
_Group = Annotated[Groups, Parameter(help=_GROUP_HELP)]

EXPORT_OPTIONS = {
    "table": _Table,
    "input": _Input,
    "genome": _Genome,
    "tracks": _Tracks,
    "top_tracks": _TopTracks,
    "sumstats": _Sumstats,
    "n": _N,
    "prior": _Prior,
    "ambiguous": _Ambiguous,
    "sites": _Sites,
    "effect_allele": _EffectAllele,
    "few_matches": _FewMatches,
    "group": _Group,
}
"""What some exports can be told, whichever formats are asked for."""

"""From settings to genes: which are meant, and which bins of them are summed; for `score` and `plan` alike."""

from enformer_core.analyses.gene_effects import GenesAsked
from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.genome.genes import Genes
from enformer_core.models.tracks.selector import select_tracks
from enformer_core.models.tracks.table import Tracks
from enformer_core.scoring.gene_bins import DEFAULT_TSS_BINS
from jobs.gene_settings import GeneSettings
from jobs.log import note


def genes_asked(settings: GeneSettings, file: str, tracks: Tracks) -> GenesAsked:
    """The genes that the settings name.

    Args:
        settings: of the command.
        file: of genes.
        tracks: those that are computed, among which some may be summed over exons.

    Raises:
        InputError: for tracks that are not computed.
    """
    return GenesAsked(
        file=file,
        types=settings.gene_types,
        listed=settings.gene_list,
        tss_bins=DEFAULT_TSS_BINS if settings.tss_bins is None else settings.tss_bins,
        exon_tracks=_exon_tracks(settings, tracks),
    )


def read_asked(asked: GenesAsked, genome: Genome) -> Genes:
    """The genes themselves; what a user should know of their file is told.

    Raises:
        InputError: when they cannot be read, or belong to another assembly.
    """
    genes = asked.read(genome)
    for line in genes.notes:
        note(line)
    return genes


def _exon_tracks(settings: GeneSettings, tracks: Tracks) -> tuple[int, ...]:
    if settings.exon_tracks is None:
        return ()
    try:
        chosen, notes = select_tracks(tracks, settings.exon_tracks)
    except InputError as error:
        # the grammar is that of --tracks, and so are its words
        raise InputError(f"{error}".replace("--tracks", "--exon-tracks", 1)) from error
    for line in notes:
        note(line)
    return tuple(chosen.indices())

"""Which tokens of an alternate window are the chromosome's own, only elsewhere: those of its two flanks.

Left and right of an allele the alternate window reads the genome's own bases. An insertion or deletion moves one flank
or both, so that their tokens differ from those of the reference's window; but they are the tokens of another window of
the genome, which begins as many bases earlier or later as the flank has moved.

Knows alleles and windows. Does not know networks, nor who has which tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from enformer_core.scoring.delta.reference_tokens import Place
from enformer_core.scoring.delta.spans import meeting, mirrored
from enformer_core.scoring.windows import Allele, Window


@dataclass(frozen=True)
class Flank:
    """Tokens of an alternate window that see bases of one flank alone.

    Attributes:
        place: the window of the genome's own sequence that has the same tokens there.
        span: which tokens they are, in the direction of reading.
    """

    place: Place
    span: range


def flanks_of(
    allele: Allele,
    alternate: Window,
    *,
    reverse: bool,
    tokens: int,
    token_bp: int,
    halo_tokens: int,
) -> tuple[Flank, Flank]:
    """Both flanks of an alternate window, in the direction of reading.

    Args:
        allele: what is put in.
        alternate: the window of the edited sequence.
        reverse: whether it is read backwards.
        tokens: of a window.
        token_bp: bases of a token.
        halo_tokens: neighbours that a token sees at either side.
    """
    # An insertion of 2 bp at 1,000 in a window of 16 tokens of 128 bp that begins at 0, of which nothing is cut off:
    #     left    window 0, bases 0 … 1,000; token 7 holds the last of them and is seen from 4 on: tokens 0 … 3
    #     right   bases 1,003 … 2,048 are the genome's 1,001 … 2,046, as in the window at −2; token 7 holds the first
    #             and is seen up to 10: tokens 11 … 15
    left_start = alternate.start + alternate.trim_bp
    right_start = left_start - allele.gain_bp
    left_end_bp = allele.start - left_start
    right_begin_bp = left_end_bp + len(allele.alt)
    whole = range(tokens)
    left = meeting(range(left_end_bp // token_bp - halo_tokens), whole)
    right = meeting(range(-(-right_begin_bp // token_bp) + halo_tokens, tokens), whole)
    along_chromosome = (
        Flank(Place(allele.contig, left_start, reverse=False), left),
        Flank(Place(allele.contig, right_start, reverse=False), right),
    )
    if not reverse:
        return along_chromosome
    second, first = (_turned(flank, tokens) for flank in along_chromosome)
    return first, second


def parts_read(
    place: Place, tokens: int, flanks: Sequence[tuple[Flank, Flank]]
) -> list[tuple[Place, range]]:
    """The genome's own tokens that alternate windows beside the reference's window are made of.

    Args:
        place: the reference's window, of which all are read.
        tokens: of a window.
        flanks: of the alternate windows; those that have not moved read nothing else.
    """
    moved = [flank for both in flanks for flank in both if flank.place != place]
    return [(place, range(tokens)), *((flank.place, flank.span) for flank in moved)]


def _turned(flank: Flank, tokens: int) -> Flank:
    """The same flank where the window is read backwards."""
    return Flank(replace(flank.place, reverse=True), mirrored(flank.span, tokens))

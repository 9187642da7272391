"""What is computed of every pair of a run of links, every setting resolved. Loads no torch."""

from dataclasses import dataclass

from enformer_core.analyses.contribution_spec import TrackGroup
from enformer_core.errors import InputError
from enformer_core.scoring.conventions import Strands

# names of scores, as the command line has them
GRADIENT = "gradient"
ATTENTION = "attention"
MUTAGENESIS = "mutagenesis"
SHUFFLES = "shuffles"

SCORE_COLUMNS = {
    GRADIENT: (GRADIENT, f"{GRADIENT}_2kb"),
    ATTENTION: (ATTENTION,),
    MUTAGENESIS: (MUTAGENESIS,),
    SHUFFLES: (SHUFFLES,),
}
"""The scores that a model gives to a pair, and their columns."""

MOST_SHUFFLES = 1_000
"""Of an element: its mean is known to a thirtieth of their spread by then."""


@dataclass(frozen=True)
class LinkSpec:
    """What is computed of a pair.

    Attributes:
        groups: of tracks.
        strands: which are averaged.
        scores: of SCORE_COLUMNS, in their order.
        shuffles: how many of each element, where they are asked for; else 0.
        seed: which shuffles they are.
    """

    groups: tuple[TrackGroup, ...]
    strands: Strands
    scores: tuple[str, ...]
    shuffles: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        # the mean of none is no number
        if SHUFFLES in self.scores and self.shuffles < 1:
            raise InputError(f"--shuffles {self.shuffles}: must be at least 1")
        if self.shuffles > MOST_SHUFFLES:
            raise InputError(
                f"--shuffles {self.shuffles}: is too many. The most is {MOST_SHUFFLES:,}: each is a prediction of "
                "every element"
            )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the scores of a pair have, in the order of the table."""
        return columns_of(self.scores)


def columns_of(scores: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of some scores, in order."""
    return tuple(column for score in scores for column in SCORE_COLUMNS[score])

"""What scores of sequence models do not say: stands where a report shows numbers, before they are read."""

from collections.abc import Iterator, Sequence

from enformer_core.report.content import Block, Prose, Section
from enformer_core.scoring.statistic_meanings import meaning_of

_TEXTS = (
    "Distal effects are underestimated: models of this kind rest on what lies near promoters and mostly ignore distant "
    "enhancers, and what they predict shrinks with the distance to the gene, which measured effects do not. A small "
    "score far from a promoter is no evidence that nothing happens (Karollus et al. 2023, Genome Biology 24:56, "
    "doi:10.1186/s13059-023-02899-9).",
    "The sign of effects between individuals is often wrong: gene by gene, over many people's genomes, predicted and "
    "measured expression correlate around 0 and often negatively. A sign here is not the direction in which carriers "
    "differ (Huang et al. 2023, Nature Genetics 55:2056; Sasse et al. 2023, Nature Genetics 55:2060).",
    "The strongest of many are strong by chance too: of thousands of tracks some reach any size. Percentiles among "
    "common variants (enformer-ray docs calibration) say how rare a size is in one track.",
)

SHORT = (
    "Predictions, not measurements: distal effects are underestimated (Karollus et al. 2023), and the sign of effects "
    "between individuals is often wrong (Huang et al. 2023, Sasse et al. 2023)."
)
"""What stands beside each table and picture of effects."""


_FIRST = "Values are a model's predictions, not measurements, and no proof of a cause."

_SIZES = "Sizes are compared within a track and statistic, not between tracks or loci."


def limits_section(statistics: Sequence[str] = ()) -> Section:
    """The limits at length.

    Args:
        statistics: of a run of scores, whose meanings are said.
    """
    title = "Before you read effects" if statistics else "Before you read values"
    return Section("limits", title, list(_blocks(statistics)))


def _blocks(statistics: Sequence[str]) -> Iterator[Block]:
    known = {name: meaning_of(name) for name in statistics}
    said = "; ".join(f"{name} is {words}" for name, words in known.items() if words)
    values = f" Of each allele and track, {said}." if said else ""
    yield Prose(f"{_FIRST}{values} {_SIZES}")
    for text in _TEXTS:
        yield Prose(text)

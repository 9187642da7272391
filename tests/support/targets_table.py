"""A small targets table in the layout of the published ones."""

from enformer_core.models.tracks.cross2020 import CROSS2020_HEADS
from enformer_core.models.tracks.table import HeadLayout, Tracks, unnamed_tracks
from enformer_core.models.tracks.targets import read_targets

NAMES = [
    ("ENC0", "DNASE:K562"),
    ("ENC1", "DNASE:K562"),
    ("ENC2", "DNASE:K562 G1 phase"),
    ("ENC3", "DNASE:CD4-positive, alpha-beta T cell (26 years)"),
    ("ENC4", "ATAC:liver"),
    ("ENC5", "CHIP:H3K27ac:K562"),
    ("ENC6", "CHIP:BMAL1:U2OS stably expressing Bmal1:Luc"),
    ("CNhs7", "CAGE:cell line:K562"),
]

SIZE = len(NAMES)

HEADER = "index\tgenome\tidentifier\tfile\tclip\tscale\tsum_stat\tdescription"


def read_table(path_or_url: str, *, head: str, count: int) -> Tracks:
    """A table of a head of Enformer, of another size."""
    return read_targets(path_or_url, head=head, count=count, layouts=CROSS2020_HEADS)


def without_table(head: str, count: int) -> Tracks:
    """What is known of a head of Enformer without its table."""
    return unnamed_tracks(head, count, CROSS2020_HEADS.get(head, HeadLayout()))


def lines(first: int = 0, names: list[tuple[str, str]] = NAMES) -> list[str]:
    """Lines of the table, whose indices count on from `first`."""
    rows = [
        f"{first + i}\t0\t{name}\t/private/{i}.w5\t32\t2\tmean\t{text}"
        for i, (name, text) in enumerate(names)
    ]
    return [HEADER, *rows]

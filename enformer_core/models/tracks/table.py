"""A table of the tracks of one head."""

from dataclasses import asdict, dataclass, replace

import pyarrow as pa

# Columns of the published heads, in order; the mouse table counts on where the human one ends.
ASSAYS = {
    "human": (("DNASE", 674), ("ATAC", 10), ("CHIP", 3991), ("CAGE", 638)),
    "mouse": (("DNASE", 101), ("ATAC", 127), ("CHIP", 1058), ("CAGE", 357)),
}

_NAMES = ("identifier", "description", "assay", "biosample", "target")

TRACKS_SCHEMA = pa.schema(
    [
        ("index", pa.int32()),
        ("list_position", pa.int32()),
        *((name, pa.string()) for name in _NAMES),
    ]
)


@dataclass(frozen=True, kw_only=True)
class Track:
    """One output column of a head.

    Attributes:
        index: 0-based column of the head.
        identifier: accession of the experiment (`ENCFF833POA`, `CNhs11250`).
        description: as published, `CAGE:…` or `CHIP:H3K27ac:…`; several tracks may share one.
        assay: DNASE, ATAC, CHIP, CAGE and so on.
        biosample: what was measured: the description after the assay, and after the target of a CHIP track.
        target: the protein or mark of a CHIP track.
    """

    index: int
    identifier: str | None = None
    description: str | None = None
    assay: str | None = None
    biosample: str | None = None
    target: str | None = None


@dataclass(frozen=True)
class Tracks:
    """The tracks of one head, or a selection of them.

    Attributes:
        head: the head's name.
        head_size: number of columns of the head, selected or not.
        rows: tracks in ascending order of their index.
        first_index: index of the head's column 0 in the table that was read (5313 in the published mouse table).

    Raises:
        ValueError: for an index beyond the head, or indices that do not ascend.
    """

    head: str
    head_size: int
    rows: tuple[Track, ...]
    first_index: int = 0

    def __post_init__(self) -> None:
        bounds = [-1, *self.indices(), self.head_size]
        if bounds != sorted(set(bounds)):
            raise ValueError(
                f"indices of tracks must ascend within the {self.head_size} of head {self.head}"
            )

    def __len__(self) -> int:
        return len(self.rows)

    def indices(self) -> list[int]:
        """Columns of the head, ascending."""
        return [track.index for track in self.rows]

    def to_arrow(self) -> pa.Table:
        """One row per track (`TRACKS_SCHEMA`); `list_position` is its 1-based place in the lists of a scores file."""
        rows = [
            {"list_position": place, **asdict(track)}
            for place, track in enumerate(self.rows, start=1)
        ]
        return pa.Table.from_pylist(rows, schema=TRACKS_SCHEMA)


def described_track(index: int, identifier: str | None, description: str | None) -> Track:
    """A track with assay, target and biosample read off its description, where it names an assay before a colon."""
    named = Track(index=index, identifier=identifier, description=description)
    assay, colon, sample = (description or "").partition(":")
    if not colon:
        return named
    target = None
    if assay.upper() == "CHIP" and ":" in sample:
        target, _, sample = sample.partition(":")
    return replace(named, assay=assay, biosample=sample, target=target)


def builtin_tracks(head: str, count: int) -> Tracks:
    """The tracks of a head without a targets table: assays where this is a published head, no names.

    Args:
        head: name of the head.
        count: its number of columns.
    """
    runs = ASSAYS.get(head, ())
    assays: list[str | None] = [assay for assay, size in runs for _ in range(size)]
    if len(assays) != count:
        assays = [None] * count
    return Tracks(
        head, count, tuple(Track(index=index, assay=assay) for index, assay in enumerate(assays))
    )

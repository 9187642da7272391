"""A table of the tracks of one head."""

from dataclasses import asdict, dataclass, replace

import pyarrow as pa

from enformer_core.models.tracks.squashing import Squashing

_NAMES = ("identifier", "description", "assay", "biosample", "target")

TRACKS_SCHEMA = pa.schema(
    [
        ("index", pa.int32()),
        ("list_position", pa.int32()),
        *((name, pa.string()) for name in _NAMES),
    ]
)


@dataclass(frozen=True)
class HeadLayout:
    """What is known of a head before its table of tracks is read; part of a model's spec.

    Attributes:
        assays: names of assays in the order of the columns, each with its number of columns.
        first_index: index of the head's column 0 in the published table.
        published_at: where the published table is, for messages.
    """

    assays: tuple[tuple[str, int], ...] = ()
    first_index: int = 0
    published_at: str = "the table that came with the model"

    @property
    def size(self) -> int:
        """Number of columns of the published head."""
        return sum(columns for _, columns in self.assays)


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
        strand_pair: the column that measures the other strand of the same experiment, its own where it measures both;
            None where no table says it.
        squashing: how its data were squashed for training; None where no table says it.
    """

    index: int
    identifier: str | None = None
    description: str | None = None
    assay: str | None = None
    biosample: str | None = None
    target: str | None = None
    strand_pair: int | None = None
    squashing: Squashing | None = None


@dataclass(frozen=True)
class Tracks:
    """The tracks of one head, or a selection of them.

    Attributes:
        head: the head's name.
        head_size: number of columns of the head, selected or not.
        rows: tracks in ascending order of their index.
        first_index: index of the head's column 0 in the table that was read (5313 in the published mouse table).
        layout: what is known of the published head.

    Raises:
        ValueError: for an index beyond the head, or indices that do not ascend.
    """

    head: str
    head_size: int
    rows: tuple[Track, ...]
    first_index: int = 0
    layout: HeadLayout = HeadLayout()

    def __post_init__(self) -> None:
        # Ascending without repeats, between the bounds: the same as its own sorted set.
        bounds = [-1, *self.indices(), self.head_size]
        if bounds != sorted(set(bounds)):
            raise ValueError(
                f"indices of tracks must ascend within the {self.head_size} of head {self.head}"
            )

    def __len__(self) -> int:
        return len(self.rows)

    def indices(self) -> list[int]:
        """Columns of the head that are in this table, ascending."""
        return [track.index for track in self.rows]

    def strand_pairs(self) -> tuple[int, ...] | None:
        """Of each track the column that a reverse complement's prediction of it is in; None where no table says it."""
        pairs = tuple(track.strand_pair for track in self.rows if track.strand_pair is not None)
        return pairs if len(pairs) == len(self.rows) else None

    def squashings(self) -> tuple[Squashing, ...] | None:
        """Of each track how its data were squashed for training; None where no table says it."""
        known = tuple(track.squashing for track in self.rows if track.squashing is not None)
        return known if len(known) == len(self.rows) else None

    def to_arrow(self) -> pa.Table:
        """One row per track (`TRACKS_SCHEMA`); `list_position` is its 1-based place in the lists of a scores file."""
        # From 1, as SQL counts the elements of a list: sad[list_position] is the track's score.
        rows = [
            {"list_position": position, **_described(track)}
            for position, track in enumerate(self.rows, start=1)
        ]
        return pa.Table.from_pylist(rows, schema=TRACKS_SCHEMA)


def _described(track: Track) -> dict[str, object]:
    """What a run's table of tracks says of one."""
    values = asdict(track)
    return {name: values[name] for name in ("index", *_NAMES)}


def described_track(index: int, identifier: str | None, description: str | None) -> Track:
    """A track with assay, target and biosample read off its description, where it names an assay before a colon.

    `CHIP:H3K27ac:K562` is assay CHIP, target H3K27ac, biosample K562; `CAGE:liver` has no target.
    """
    track = Track(index=index, identifier=identifier, description=description)
    assay, colon, sample = (description or "").partition(":")
    if not colon:
        return track
    target = None
    # Only a ChIP track names what was bound; other descriptions may hold further colons (`CAGE:cell line:K562`).
    if assay.upper() == "CHIP" and ":" in sample:
        target, _, sample = sample.partition(":")
    return replace(track, assay=assay, biosample=sample, target=target)


def unnamed_tracks(head: str, count: int, layout: HeadLayout) -> Tracks:
    """The tracks of a head without a targets table: no names, but assays where the head has the published size.

    Args:
        head: name of the head.
        count: its number of columns.
        layout: what is known of the published head.
    """
    assays: list[str | None] = [None] * count
    if count == layout.size:
        assays = [assay for assay, columns in layout.assays for _ in range(columns)]
    rows = tuple(Track(index=index, assay=assay) for index, assay in enumerate(assays))
    return Tracks(head, count, rows, layout=layout)

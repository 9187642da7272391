"""A session of IGV beside exported tracks: it opens all of them, named and coloured, where there is something to see.

IGV reads the file; paths of tracks are seen from where it lies, so that the folder can be moved as a whole.
Elements and attributes are those that IGV's own sessions have (version 8). Knows files and names, not runs.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import escape

from enformer_core.export.whole_file import whole_file
from enformer_core.genome.assemblies import known_build
from enformer_core.pictures.text import shown
from enformer_core.pictures.theme import LIGHT

SESSION = "igv.xml"

_VERSION = 8
_UCSC_NAME = re.compile(r"\((?P<name>\w+)\)")
_OF_IGV = {"T2T-CHM13v2.0": "hs1"}
_HEIGHT = 60

_NEGATIVE = LIGHT.warning
"""Of values below 0, whatever their track's own colour."""


@dataclass(frozen=True)
class SessionTrack:
    """A file that a session opens.

    Attributes:
        file: its name, in the session's folder.
        name: as IGV shows it.
        kind: tracks of one kind have one colour.
        scale: tracks of one scale have one axis; None for an axis of its own.
    """

    file: str
    name: str
    kind: str
    scale: str | None = None


def write_session(
    folder: Path,
    tracks: Sequence[SessionTrack],
    *,
    contigs: Mapping[str, int],
    fasta: str | None,
    locus: str | None,
) -> None:
    """Write `igv.xml` into the folder of the tracks; there is none where there is no track.

    Args:
        folder: of the tracks.
        tracks: in the order in which they stand below one another.
        contigs: of the genome, with their lengths in bp; some are enough.
        fasta: the genome's file, which IGV is given where it is no assembly that is known.
        locus: what is seen first, `chr20:1-5000`; None for the whole genome.

    Raises:
        InputError: when it cannot be written.
    """
    if tracks:
        with whole_file(folder / SESSION) as out:
            genome = igv_genome(contigs) or fasta or ""
            out.write("\n".join([*_lines(tracks, genome, locus or "All"), ""]).encode())


def igv_genome(contigs: Mapping[str, int]) -> str | None:
    """What IGV calls the assembly of which some contigs have the length, as `hg38`; None where it is not known."""
    build = known_build(contigs)
    if build is None:
        return None
    named = _UCSC_NAME.search(build)
    return named["name"] if named else _OF_IGV.get(build)


def _lines(
    tracks: Sequence[SessionTrack],
    genome: str,
    locus: str,
) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8" standalone="no"?>'
    yield f"<Session {_attributes(genome=genome, locus=locus, version=_VERSION)}>"
    yield "    <Resources>"
    for track in tracks:
        yield f"        <Resource {_attributes(path=track.file, type='bigwig')}/>"
    yield "    </Resources>"
    yield '    <Panel name="DataPanel">'
    yield from (f"        <Track {_attributes(**each)}/>" for each in _tracks(tracks))
    yield "    </Panel>"
    yield "</Session>"


def _tracks(tracks: Sequence[SessionTrack]) -> Iterator[Mapping[str, object]]:
    kinds = list(dict.fromkeys(track.kind for track in tracks))
    scales = list(dict.fromkeys(track.scale for track in tracks if track.scale is not None))
    for track in tracks:
        own = LIGHT.category[kinds.index(track.kind) % len(LIGHT.category)]
        scale = {} if track.scale is None else {"autoscaleGroup": scales.index(track.scale) + 1}
        yield {
            "clazz": "org.broad.igv.track.DataSourceTrack",
            "id": track.file,
            "attributeKey": track.file,
            "name": track.name,
            "color": _rgb(own),
            "altColor": _rgb(_NEGATIVE),
            "autoScale": "true",
            **scale,
            "height": _HEIGHT,
            "renderer": "BAR_CHART",
            "visible": "true",
            "windowFunction": "mean",
        }


def _attributes(**values: object) -> str:
    return " ".join(f'{name}="{escape(shown(str(value)))}"' for name, value in values.items())


def _rgb(colour: str) -> str:
    """`#0072b2` as `0,114,178`."""
    return ",".join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))

"""Pictures as files: the same picture, the same bytes."""

import re
from pathlib import Path
from typing import IO
from xml.sax.saxutils import escape

from enformer_core.errors import InputError
from enformer_core.pictures.page import picture_page
from enformer_core.pictures.picture import Picture
from enformer_core.pictures.spec import file_spec
from enformer_core.pictures.text import shown

SUFFIXES = (".png", ".svg", ".html")
PNG_SCALE = 2

_DRAWN_NAME = re.compile(r'(?<=\bid=")(clip|gradient_)(\d+)(?=")')


def picture_suffix(name: str | Path) -> str:
    """Which kind of picture a name asks for.

    Raises:
        InputError: for a name that ends with none of `SUFFIXES`.
    """
    suffix = Path(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{name}: pictures are written as .png, .svg or .html; name one")
    return suffix


def write_picture(
    picture: Picture,
    file: IO[bytes],
    suffix: str,
) -> None:
    """Write a picture to an open file.

    Args:
        picture: what to write.
        file: to write to.
        suffix: one of `SUFFIXES`: `.png` has two dots for each of the chart's, `.html` is a page that needs no network.
    """
    file.write(picture_bytes(picture, suffix))


def picture_bytes(picture: Picture, suffix: str) -> bytes:
    """The content of a file of a picture; see `write_picture`."""
    if suffix == ".html":
        return picture_page(picture).encode()
    svg = _svg(picture)
    if suffix == ".svg":
        return svg.encode()
    import vl_convert  # noqa: PLC0415 - 40 MB, of which a page needs nothing but the text

    return vl_convert.svg_to_png(svg, scale=PNG_SCALE)


def _svg(picture: Picture) -> str:
    import vl_convert  # noqa: PLC0415 - see above

    # what a chart names is never fetched
    drawn = vl_convert.vegalite_to_svg(file_spec(picture), allowed_base_urls=[])
    head, end, body = _with_own_names(drawn).partition(">")
    told = f"<title>{_xml(picture.title)}</title><desc>{_xml(picture.description)}</desc>"
    return f'{head} role="img"{end}{told}{body}'


def _with_own_names(svg: str) -> str:
    """The same with names from 1 on: Vega goes on counting from one picture of a process to the next."""
    names = dict.fromkeys(f"{kind}{number}" for kind, number in _DRAWN_NAME.findall(svg))
    for number, name in enumerate(names, 1):
        svg = svg.replace(f'id="{name}"', f'id="drawn-{number}"')
        svg = svg.replace(f"url(#{name})", f"url(#drawn-{number})")
    return svg


def _xml(text: str) -> str:
    return escape(shown(text))

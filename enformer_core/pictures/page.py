"""Pages of pictures that need no network: Vega once, then as many specifications as there are charts.

    page = environment.get_template(...).render(
        style=page_style(),
        script=page_script(),
        figures=[figure(picture, f"picture-{number}") for number, picture in enumerate(pictures)],
    )

`figure` gives the HTML of one picture, `page_script` the one script that draws all figures of a page. Text of pictures
stays text.
"""

from functools import cache
from importlib import resources

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from enformer_core.pictures.picture import Picture
from enformer_core.pictures.spec import chart_spec, page_themes
from enformer_core.pictures.text import shown
from enformer_core.words import counted

MOST_TABLE_ROWS = 1000
"""Of more rows a page shows the first."""


def picture_page(picture: Picture) -> str:
    """One picture as a page of its own."""
    return _template("page.html.jinja").render(
        title=shown(picture.title),
        style=page_style(),
        script=page_script(),
        figure=figure(picture, "picture-1", is_titled=False),
    )


def figure(
    picture: Picture,
    name: str,
    *,
    is_titled: bool = True,
) -> Markup:
    """The HTML of one picture: notes, chart, description, and its table, folded away.

    Args:
        picture: what is shown.
        name: the `id` of the figure, once on a page.
        is_titled: whether the title stands above it; else the page has it.
    """
    html = _template("figure.html.jinja").render(
        name=name,
        title=shown(picture.title) if is_titled else None,
        notes=[shown(note) for note in picture.notes],
        description=shown(picture.description),
        spec=Markup(chart_spec(picture)),  # noqa: S704 - has no sign of HTML
        table=table_html(picture.table),
    )
    return Markup(html)  # noqa: S704 - the template escapes


def table_html(table: pl.DataFrame) -> Markup:
    """A table, folded away; of more than `MOST_TABLE_ROWS` rows the first, which it says."""
    names = table.columns
    is_number = [kind.is_numeric() for kind in table.dtypes]
    rows = [[_cell(value) for value in row] for row in table.head(MOST_TABLE_ROWS).iter_rows()]
    summary = f"Table ({counted(table.height, 'rows')})"
    if table.height > len(rows):
        summary = f"Table (the first {len(rows):,} of {counted(table.height, 'rows')})"
    html = _template("table.html.jinja").render(
        summary=summary,
        names=[shown(name) for name in names],
        rows=rows,
        is_number=is_number,
    )
    return Markup(html)  # noqa: S704 - the template escapes


@cache
def vega_bundle() -> str:
    """Vega, Vega-Lite and their embedding as one script without imports, 0.9 MB; it may stand within `<script>`."""
    import vl_convert  # noqa: PLC0415 - 40 MB

    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    # within a text or a pattern of JavaScript both mean the same
    return bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def page_script() -> Markup:
    """The script of a page, to stand once within `<script>`, after all figures: Vega, both themes, what draws."""
    drawing = _text("drawing.js").replace("THEMES", page_themes())
    return Markup(f"{vega_bundle()}\n{drawing}")  # noqa: S704 - no text of a picture is in it


def page_style() -> Markup:
    """The style of a page, to stand within `<style>`."""
    return Markup(_text("page.css"))  # noqa: S704 - a file of this package


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else shown(str(value))


def _text(name: str) -> str:
    return resources.files("enformer_core.pictures").joinpath(name).read_text()


def _template(name: str) -> Template:
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("enformer_core.pictures", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

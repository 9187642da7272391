"""Pictures for notebooks: Altair charts with title and theme, whose texts are never code.

Altair puts a chart's specification into a page's script as it is: a name with `</script>` in it would end that.
"""

from typing import Any

import altair as alt

from enformer_core.pictures.picture import Chart, Picture
from enformer_core.pictures.text import shown
from enformer_core.pictures.theme import LIGHT, config

_NO_TAG = "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}"


def notebook_chart(picture: Picture) -> Chart:
    """The chart of a picture, to stand alone: a notebook shows it, `save` writes it.

    Returns:
        An Altair chart of a copy of the picture's; `<` in names is `‹` in it.
    """
    chart = picture.chart.copy(deep=False)
    chart.title = alt.Title(picture.title, subtitle=list(picture.notes))
    chart.description = picture.description
    plain: Chart = _plain(chart)
    plain.config = config(LIGHT)
    return plain


def _plain(value: Any) -> Any:
    """The same with all texts such that they begin no tag."""
    if isinstance(value, str):
        return shown(value).replace("<", _NO_TAG)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {_plain(name): _plain(each) for name, each in value.items()}
    if isinstance(value, alt.SchemaBase):
        copy = value.copy(deep=False)
        # it gives no other list of what it holds
        for name, each in copy._kwds.items():
            copy[name] = _plain(each)
        return copy
    return value

"""Pictures as files: whole, equal for equal pictures, offline, and with text that stays text."""

import json
import re
import struct
from html.parser import HTMLParser

import altair as alt
import polars as pl
import pytest

from enformer_core.errors import InputError
from enformer_core.pictures.page import figure, page_script, page_style, vega_bundle
from enformer_core.pictures.picture import Picture, labelled, padded, values_of
from enformer_core.pictures.spec import chart_spec, file_spec
from enformer_core.pictures.text import shown, shown_in
from enformer_core.pictures.write import picture_bytes, picture_suffix, write_picture

HOSTILE = "</script><script>window.stolen=1</script><img src=x onerror=alert(1)>&amp;\x1b[2J\u2028\ufffe<!--"


def picture(name: str = "rs1", **changed) -> Picture:
    """Three points, of which the first has a name."""
    table = pl.DataFrame({"name": [name, "b", "c"], "x": [1.5, 2.0, 4.0], "y": [3, 1, 2]})
    chart = (
        alt.Chart(values_of(table))
        .mark_point(clip=True)
        .encode(x="x:Q", y="y:Q", color=alt.Color("name:N"))
    )
    given = {
        "title": f"Title of {name}",
        "description": f"Words on {name}",
        "notes": [f"Note {name}"],
    }
    return Picture(chart, table=table, **(given | changed))


class Parsed(HTMLParser):
    """Tags with their attributes, and the text within each kind of tag."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open = tag

    def handle_data(self, data):
        self.texts.setdefault(self._open, []).append(data)


def test_a_png_has_two_dots_for_each_of_the_chart():
    svg = picture_bytes(picture(), ".svg").decode()
    png = picture_bytes(picture(), ".png")
    width, height = (int(side) for side in re.findall(r'(?:width|height)="(\d+)"', svg)[:2])
    assert png.startswith(b"\x89PNG\r\n")
    assert struct.unpack(">II", png[16:24]) == (2 * width, 2 * height)


@pytest.mark.parametrize("suffix", [".png", ".svg", ".html"])
def test_equal_pictures_are_equal_files(suffix):
    first = picture_bytes(picture(), suffix)
    other = picture_bytes(picture("other"), suffix)
    assert picture_bytes(picture(), suffix) == first
    assert other != first


def test_an_svg_names_and_describes_itself():
    svg = picture_bytes(picture("a<b"), ".svg").decode()
    assert "<title>Title of a&lt;b</title><desc>Words on a&lt;b</desc>" in svg
    assert 'role="img"' in svg[:300]


def test_a_page_is_whole_without_a_network():
    page = Parsed(picture_bytes(picture(), ".html").decode())
    assert ("html", {"lang": "en"}) in page.tags
    assert page.texts["title"][0] == page.texts["h1"][0] == "Title of rs1"
    assert page.texts["figcaption"][0] == "Words on rs1"
    assert not [
        tag for tag, given in page.tags if tag == "link" or "src" in given or "href" in given
    ]
    assert [tag for tag, _ in page.tags].count("details") == 1
    assert "rs1" in page.texts["td"]


def test_hostile_names_stay_text():
    page = picture_bytes(picture(HOSTILE), ".html").decode()
    harmless = picture_bytes(picture("harmless"), ".html").decode()
    parsed = Parsed(page)
    assert [tag for tag, _ in parsed.tags] == [tag for tag, _ in Parsed(harmless).tags]
    assert "\x1b" not in page
    (spec,) = re.findall(r'class="chart-spec">(.*?)</script>', page)
    (rows,) = json.loads(spec)["datasets"].values()
    names = [row["name"] for row in rows]
    assert names[0] == shown(HOSTILE)
    assert names[0].endswith(r"\x1b[2J\u2028\ufffe<!--")


def test_hostile_names_make_no_tags_in_an_svg():
    svg = picture_bytes(picture(HOSTILE), ".svg").decode()
    assert "<img" not in svg
    assert "<script" not in svg


def test_a_page_of_several_pictures_has_vega_once():
    page = "".join([figure(picture(name), name) for name in ("one", "two")] + [page_script()])
    assert page.count(vega_bundle()) == 1
    assert page.count("Title of") == 2
    assert re.findall(r'<figure class="picture" id="(\w+)"', page) == ["one", "two"]


def test_the_script_of_a_page_ends_no_script():
    script = page_script().lower()
    assert "</script" not in script
    assert "<!--" not in script
    assert "themes = {" in script.replace('{"', "{")


def test_what_hides_a_chart_of_the_other_theme_outweighs_the_style_of_vega_embed():
    # which has one class, `.vega-embed`, and comes later
    selectors = re.findall(r"^ *(.*) \{ display: none; \}", page_style(), re.MULTILINE)
    assert {selector.count(".") for selector in selectors} == {2}
    assert ".vega-embed {" in vega_bundle()


def test_a_specification_for_pages_leaves_title_and_theme_to_the_page():
    spec = json.loads(chart_spec(picture()))
    assert "title" not in spec
    assert "config" not in spec
    assert spec["description"] == "Words on rs1"
    assert file_spec(picture())["title"]["subtitle"] == ["Note rs1"]


def test_numbers_that_are_none_are_null_and_others_are_as_they_were():
    table = pl.DataFrame({"x": [float("nan"), float("inf"), 0.1, None], "n": [1, 2, 3, 4]})
    values = values_of(table).to_dict()["values"]
    assert [row["x"] for row in values] == [None, None, 0.1, None]
    assert [row["n"] for row in values] == [1, 2, 3, 4]


def test_tables_of_any_length_are_drawn():
    table = pl.DataFrame({"x": range(6000)})
    assert len(values_of(table).to_dict()["values"]) == 6000


def test_many_marks_are_not_read_one_by_one():
    assert labelled(200) == {}
    assert labelled(201) == {"aria": False}


def test_an_axis_around_numbers_holds_one_number_too():
    assert padded(0.0, 100.0) == [-3, 103]
    assert padded(7.0, 7.0) == [6.5, 7.5]


def test_long_tables_are_cut_and_say_so():
    table = pl.DataFrame({"x": range(1200)})
    page = figure(Picture(picture().chart, "t", "d", table), "p")
    assert "the first 1,000 of 1,200 rows" in page
    assert page.count("<tr>") == 1001


def test_the_suffix_says_what_is_written(tmp_path):
    assert picture_suffix("A.PNG") == ".png"
    with pytest.raises(InputError, match=r"a\.jpg: pictures are written as \.png, \.svg or \.html"):
        picture_suffix("a.jpg")
    with (tmp_path / "a.svg").open("wb") as file:
        write_picture(picture(), file, ".svg")
    assert (tmp_path / "a.svg").read_bytes() == picture_bytes(picture(), ".svg")


def test_signs_that_would_end_the_drawing_stand_there_by_number():
    assert shown("a\x1b[2J\nb\ud800\uffff") == r"a\x1b[2J\nb\ud800\uffff"
    assert shown_in({"\x07": ["\x07", 1, None]}) == {r"\x07": [r"\x07", 1, None]}

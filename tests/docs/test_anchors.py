"""Links to headings lead there on the site and in a repository alike, which name headings in ways of their own."""

import re

from tests.support.page_blocks import ROOT

PAGES = sorted((ROOT / "docs").glob("*.md"))
LINK = re.compile(r"\]\((?P<page>[a-z_]+\.md)?#(?P<anchor>[^)]+)\)")


def plain(heading):
    """A heading without links, code and emphasis."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).translate({ord("`"): "", ord("*"): ""})


def in_a_repository(heading):
    return re.sub(r"[^\w\- ]", "", plain(heading).lower()).replace(" ", "-")


def on_the_site(heading):
    letters = re.sub(r"[^\w\s-]", "", plain(heading)).strip().lower()
    return re.sub(r"[-\s]+", "-", letters)


def headings(path):
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^#{1,6} +(.+)$", text, flags=re.MULTILINE)


def test_the_two_ways():
    heading = "Effects on genes (`--genes`)"
    assert in_a_repository(heading) == "effects-on-genes---genes"
    assert on_the_site(heading) == "effects-on-genes-genes"


def test_every_anchor_is_a_heading_of_its_page():
    links = 0
    for path in PAGES:
        for link in LINK.finditer(path.read_text()):
            of_page = headings(path.with_name(link["page"]) if link["page"] else path)
            for named in (in_a_repository, on_the_site):
                assert link["anchor"] in map(named, of_page), (path.name, link[0], named.__name__)
            links += 1
    assert links > 30

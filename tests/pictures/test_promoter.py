"""The README's picture: every change of the promoter once, with the patient's change and the site in their places."""

import re
from pathlib import Path

import pytest

from benchmarks.pictures import mutation_map
from jobs.demo import Scored
from jobs.gp1bb import KNOWN_ID, write_input

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """What `enformer-ray demo` scores."""
    return write_input(tmp_path_factory.mktemp("gp1bb"))


def test_every_change_is_drawn_once_at_its_place(given):
    scored = [
        Scored("", each.name or None, each.start + 1, each.alt, "motif-GATA1", number / 7)
        for number, each in enumerate(given.snvs)
    ]
    spec = mutation_map(given, scored).chart.to_dict()
    sets = list(spec["datasets"].values())
    cells = next(rows for rows in sets if "value" in rows[0] and len(rows) == 198)
    assert {(row["pos"], row["alt"]): row["value"] for row in cells} == {
        (each.pos, each.alt): each.sad for each in scored
    }
    (known,) = [each for each in scored if each.name == KNOWN_ID]
    assert [{"pos": known.pos, "alt": known.alt}] in sets
    assert known.pos == 19_710_933
    (site,) = [rows for rows in sets if "from" in rows[0] and "lane" in rows[0]]
    assert (site[0]["from"], site[0]["to"]) == (19_710_928.5, 19_710_934.5)


def test_the_picture_in_docs_is_of_this_promoter(given):
    picture = (DOCS / "gp1bb.svg").read_text()
    assert "The promoter of GP1BB: every change of 66 bases" in picture
    # letters of the genome in their places, and the four of the axis
    letters = re.findall(r">([ACGT])</text>", picture)
    assert len(letters) == len(given.letters) + 4

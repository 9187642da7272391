"""Pictures of README and docs, made anew of data that the repository ships: `python -m benchmarks.pictures`.

The promoter of GP1BB: what each of its SNVs around the site of GATA1 does, of the run that `enformer-ray demo` made.
The same run, the same bytes.
"""

import argparse
from pathlib import Path

import altair as alt
import polars as pl

from enformer_core.pictures.change_row import change_row
from enformer_core.pictures.marks import upright
from enformer_core.pictures.picture import Picture, values_of
from enformer_core.pictures.stack import Axis, Layer, Row, Stretch, stacked
from enformer_core.pictures.write import picture_bytes
from jobs.demo import Scored, demo, scores_of
from jobs.gp1bb import CONTIG, KNOWN_ID, DemoInput, write_input
from jobs.settings import DemoSettings

_SITE_HEIGHT = 34
_LETTERS = "ACGT"
_SHOWN = KNOWN_ID.removeprefix("GP1BB_").replace("-", "\N{MINUS SIGN}")


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--demo", type=Path, default=Path("demo-run"), help="of `make demo`")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder of the pictures")
    given = parser.parse_args()
    run = given.demo / "gp1bb-scores"
    if not (run / "manifest.json").exists():
        demo(DemoSettings(out=str(given.demo)))
    picture = mutation_map(write_input(given.demo / "gp1bb"), scores_of(str(run)))
    place = given.out / "gp1bb.svg"
    place.write_bytes(picture_bytes(picture, ".svg"))
    print(place)


def mutation_map(given: DemoInput, scored: list[Scored]) -> Picture:
    """What each change of the promoter does, with the site and the patient's change.

    Args:
        given: the letters, and where the site is.
        scored: of each change the strongest effect.
    """
    effects = {(each.pos, each.alt): each.sad for each in scored}
    (known,) = [each for each in scored if each.name == KNOWN_ID]
    table = pl.DataFrame(
        [
            {"pos": pos, "ref": ref, "alt": alt, "value": effects.get((pos, alt))}
            for pos, ref in enumerate(given.letters, given.first + 1)
            for alt in _LETTERS
        ],
        schema_overrides={"value": pl.Float64},
    )
    changes = change_row(
        table, name="strongest effect of each change on the occupancy of a factor", title="SAD"
    )
    marked = pl.DataFrame({"pos": [known.pos], "alt": [known.alt]})

    def draw(along: Axis) -> Layer:
        mark = alt.Chart(values_of(marked)).mark_point(
            shape="circle", style="ink", filled=False, size=170, strokeWidth=2, opacity=1
        )
        return alt.layer(changes.draw(along), mark.encode(x=along("pos"), y="alt:N"))

    row = Row(changes.name, draw, changes.height, changes.description, changes.table)
    stretch = Stretch(CONTIG, given.first + 1, given.first + len(given.letters))
    return stacked(
        stretch,
        [_site_row(given, known), row],
        title=f"The promoter of GP1BB: every change of {len(given.letters)} bases",
        notes=[
            "blue: the site is lost; orange: another site is made; grey: nothing changes; letters: the genome's own",
            f"circle: {_SHOWN}, found in a patient with Bernard-Soulier syndrome (Ludlow et al. 1996)",
            "model: a demonstration, whose weights were set by hand from textbook motifs",
        ],
    )


def _site_row(given: DemoInput, known: Scored) -> Row:
    """The bar of the site, and the name of the change at its place."""
    site = pl.DataFrame(
        {"from": [given.site.start + 0.5], "to": [given.site.end + 0.5], "label": ["site of GATA1"]}
    )
    name = pl.DataFrame({"at": [float(known.pos)], "label": [_SHOWN]})

    def draw(along: Axis) -> Layer:
        lane = upright("lane", (0.0, 1.0), None)
        bar = alt.Chart(values_of(site.with_columns(lane=0.22))).mark_bar(
            style="accent", height=9, aria=False
        )
        said = alt.Chart(values_of(site.with_columns(lane=0.22))).mark_text(
            style="ink", align="right", dx=-8
        )
        change = alt.Chart(values_of(name.with_columns(lane=0.75))).mark_text(
            style="ink", fontWeight="bold"
        )
        return alt.layer(
            bar.encode(x=along("from"), x2="to", y=lane),
            said.encode(x=along("from"), y=lane, text="label:N"),
            change.encode(x=along("at"), y=lane, text="label:N"),
        )

    words = f"The site of GATA1: {given.site.start + 1:,}-{given.site.end:,}."
    return Row("site", draw, _SITE_HEIGHT, words, pl.DataFrame())


if __name__ == "__main__":
    main()

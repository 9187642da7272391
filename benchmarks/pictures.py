"""Pictures of README and docs, made anew of data that the repository ships: `python -m benchmarks.pictures`.

The promoter of GP1BB: what each of its SNVs around the site of GATA1 does, of the run that `enformer-ray demo` made;
what is predicted with the patient's change and without it, and which bases that rests on; the locus of the
made-up study around it, as docs/tutorial.md makes it; and what sites of GATA1 around it do to the gene. The same run,
the same bytes.
"""

import argparse
from contextlib import chdir
from pathlib import Path

import altair as alt
import polars as pl

from enformer_core.pictures.change_row import change_row
from enformer_core.pictures.marks import upright
from enformer_core.pictures.picture import Picture, values_of
from enformer_core.pictures.stack import Axis, Layer, Row, Stretch, stacked
from enformer_core.pictures.write import picture_bytes
from jobs.cli import main as enformer_ray
from jobs.demo import Scored, demo, scores_of
from jobs.gp1bb import CONTIG, KNOWN_ID, DemoInput, write_input
from jobs.settings import DemoSettings

_MODEL = "motif_core"
_KNOWN = "chr22:19710933:C:G"
_TRACKS = "motif-GATA1,expression-blood"
_LOCUS = "chr22:19689000-19731000"
_SITES = (19_696_995, 19_706_955, 19_718_617, 19_725_141)
"""Where AGATAA or TTATCT stands around the gene, from 0: stretches about them are the elements of `plot_elements`."""

_ELEMENT_BP = 500
_OFF = ("--ray", "off", "--audit-fraction", "0")

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
    plots = {
        "locus": plot_study,
        "links": plot_elements,
        "track": plot_change,
        "logo": plot_bases,
    }
    for name, plot in plots.items():
        place = given.out / f"plot-{name}.svg"
        plot(given.demo, place.absolute())
        print(place)


def plot_change(made: Path, picture: Path) -> None:
    """Draw what is predicted around the patient's change with it and without it.

    Args:
        made: the demonstration's folder.
        picture: the file to write.
    """
    with chdir(made / "gp1bb"):
        words = ("--variant", _KNOWN, "--genome", "chr22.fa.gz", "--model", _MODEL)
        _run("plot", "track", *words, "--tracks", _TRACKS, "--flank", "4096", "--out", str(picture))


def plot_bases(made: Path, picture: Path) -> None:
    """Draw which bases the prediction of GATA1 rests on, as `plot_change` takes folder and file."""
    with chdir(made / "gp1bb"):
        lines = Path("gp1bb.vcf").read_text(encoding="ascii").splitlines(keepends=True)
        kept = [line for line in lines if line.startswith("#") or KNOWN_ID in line]
        Path("known.vcf").write_text("".join(kept), encoding="ascii")
        words = ("known.vcf", "--genome", "chr22.fa.gz", "--model", _MODEL, "--ray", "off")
        _run("attribute", *words, "--group", "GATA1=motif-GATA1", "--out", "contributions")
        _run("plot", "logo", "contributions", "--target", _KNOWN, "--out", str(picture))


def plot_study(made: Path, picture: Path) -> None:
    """Draw the locus of a study that nobody made, with what its fine-mapping and its scores say.

    Args:
        made: the demonstration's folder; study and run are made in it where they are not there yet.
        picture: the file to write.
    """
    folder = made / "study"
    demo(DemoSettings(gwas=str(folder)))
    sumstats = ("--sumstats", "gwas.tsv", "--effect-allele", "A1")
    ld = ("--ld", "panel.bed")
    # names of files stand in the picture, and no folder of whoever draws it
    with chdir(folder):
        words = ("gwas.tsv", "--effect-allele", "A1", "--genome", "chr22.fa.gz")
        _run(
            "score", *words, "--model", _MODEL, "--max-offset-bp", "8192", *_OFF, "--out", "scores"
        )
        prior = ("--prior", "scores", "--prior-sql", "max_abs_sad")
        # it takes the place of no file
        Path("finemap.tsv").unlink(missing_ok=True)
        _run("finemap", *sumstats, *ld, *prior, "--out", "finemap.tsv")
        drawn = (*sumstats, *ld, "--pips", "finemap.tsv", "--genes", "genes.bed")
        _run("plot", "locus", "scores", "--locus", _LOCUS, *drawn, "--out", str(picture))


def plot_elements(made: Path, picture: Path) -> None:
    """Draw what stretches around sites of GATA1 do to GP1BB, as `plot_study` takes folder and file."""
    folder = made / "study"
    demo(DemoSettings(gwas=str(folder)))
    with chdir(folder):
        rows = ["chr\tstart\tend\tname\tactivity_base\n"]
        for number, site in enumerate(_SITES, 1):
            start = site - _ELEMENT_BP // 2
            # an activity is asked for in such tables, and is no part of the gradient
            rows.append(f"{CONTIG}\t{start}\t{start + _ELEMENT_BP}\tsite {number}\t1\n")
        Path("elements.tsv").write_text("".join(rows), encoding="ascii")
        words = ("--genes", "genes.bed", "--candidates", "elements.tsv", "--genome", "chr22.fa.gz")
        model = ("--model", _MODEL, "--ray", "off", "--group", "blood=expression-blood")
        _run("links", *words, *model, "--scores", "gradient", "--out", "links")
        _run("plot", "links", "links", "--gene", "GP1BB", "--out", str(picture))


def _run(*words: str) -> None:
    code = enformer_ray(words)
    if code:
        raise SystemExit(code)


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

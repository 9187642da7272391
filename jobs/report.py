"""`enformer-ray report`: a run on one page of HTML, with the question to each of its numbers."""

import time
from contextlib import suppress
from dataclasses import MISSING, dataclass, field, fields
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs import exit_codes
from jobs.option_types import Directory, Regions, Tables, WrittenFile, listed_under
from jobs.plot_settings import REPORT, LocusSources

if TYPE_CHECKING:
    from enformer_core.dataset.run import Run

_TOLD_EVERY_S = 10.0

_PAGES = (".html", ".htm")

_SETTINGS = {
    "variants": "jobs.settings:ScoreSettings",
    "variants_and_genes": "jobs.settings:ScoreSettings",
    "tiles": "jobs.settings:TileSettings",
    "contributions": "jobs.attribute_settings:AttributeSettings",
    "contributions-attention": "jobs.attribute_settings:AttributeSettings",
    "links": "jobs.link_settings:LinksSettings",
    "insulators": "jobs.insulator_settings:InsulatorSettings",
}
"""Of each kind of run the settings of its command, whose defaults a report leaves out."""


@dataclass(frozen=True)
@listed_under(REPORT)
class _OfRun:
    """Whose report. Positions come first in a command line, and so in a class."""

    config_group = REPORT  # no field: under which heading `--config` is listed

    run: Directory
    """directory or s3://bucket/prefix of the run, finished or not; nothing of it is changed"""

    out: WrittenFile = field(kw_only=True)
    """page to write, such as report.html: one file that needs no network"""

    attach: Tables = field(default=(), kw_only=True)
    """a table of your own that the page shows, as `finemap --out` writes it; given again for each further one"""

    locus: Regions = field(default=(), kw_only=True)
    """a locus that the page shows as `plot locus` draws it: chr20:4600000-4800000; given again for each further one"""


@dataclass(frozen=True, kw_only=True)
class ReportSettings(LocusSources, _OfRun):
    """What `enformer-ray report` is asked for."""


def report(settings: ReportSettings) -> int:
    """Write the page.

    Returns:
        The exit code: done; incomplete where the run is not finished yet and the page is of what is committed; bad
        input where something of it is lost, and the page is of what is left.

    Raises:
        InputError: where there is no run, or the page cannot be written; for loci as `plot locus` refuses them.
        DatasetError: for a run that is damaged.
    """
    from enformer_core.dataset.damage import damage_in_words
    from enformer_core.errors import InputError
    from enformer_core.export.whole_file import STDOUT, is_stream, replaces
    from enformer_core.report.asked import Asked
    from enformer_core.report.make import make_report
    from enformer_core.report.of_run import MEMORY
    from enformer_core.report.page import page
    from enformer_core.sql.notes import notes_of_values
    from jobs.log import note, tell
    from jobs.output_guard import check_output
    from jobs.query import fenced_run
    from jobs.report_locus import locus_sections, read_loci

    path = Path(settings.out)
    if path != STDOUT and not is_stream(path) and path.suffix.lower() not in _PAGES:
        raise InputError(f"--out {path}: the page is HTML; name it {path.stem or 'report'}.html")
    with fenced_run(settings.run, settings.attach, memory=MEMORY, question="") as run:
        check_output(path, run.ledger, (each.file for each in run.attached))
        instead = " (replaced the file that was there)" if replaces(path) else ""
        asked = Asked(
            run.ledger,
            run.connection,
            settings.run,
            notes=partial(notes_of_values, run.ledger, run.connection),
            defaults=_defaults(run.ledger.run),
            attached={each.name: str(each.file) for each in run.attached},
        )
        loci = read_loci(settings, settings.run, settings.locus)
        for locus in loci:
            for text in (*locus.found.notes, *locus.found.hints):
                note(f"{locus.region}: {text}")
        made = make_report(
            asked,
            datetime.now(UTC),
            _Begun().tell,
            loci=partial(locus_sections, asked, loci),
        )
        size = _write(path, page(made, settings.attach))
        tell("report", f"written, {size / 1e6:.2g} MB{instead}", prefix=settings.out)
        if asked.progress.lost:
            note(damage_in_words(asked.progress.lost, settings.run))
            return exit_codes.BAD_INPUT
        if asked.progress.finished:
            return exit_codes.DONE
        note(f"{settings.run}: is not complete; the page says so, and is of what is committed")
        return exit_codes.INCOMPLETE


class _Begun:
    """Says which part is made, where the parts before it took long."""

    def __init__(self) -> None:
        self._last_s = time.monotonic()

    def tell(self, part: str) -> None:
        """A part of the page is begun."""
        from jobs.log import note

        if time.monotonic() - self._last_s >= _TOLD_EVERY_S:
            self._last_s = time.monotonic()
            note(f"report: {part}")


def _defaults(run: "Run") -> dict[str, Any] | None:
    """The defaults of the command that made a run, by setting; None of a kind that this release does not know."""
    place = _SETTINGS.get(run.typed_identity.kind)
    if place is None:
        return None
    module, _, name = place.partition(":")
    settings = getattr(import_module(module), name)
    return {each.name: each.default for each in fields(settings) if each.default is not MISSING}


def _write(path: Path, text: str) -> int:
    """Write the page.

    Returns:
        Its bytes.
    """
    from enformer_core.export.whole_file import ReaderLeftError, whole_file

    content = text.encode()
    with suppress(ReaderLeftError), whole_file(path) as stream:
        stream.write(content)
    return len(content)

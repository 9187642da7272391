"""A report as Python has it: shown by a notebook, or written to a file."""

from dataclasses import dataclass
from html import escape
from pathlib import Path

from enformer_core.api.arguments import path
from enformer_core.dataset.ledger import Ledger
from enformer_core.export.taken_places import check_output
from enformer_core.export.whole_file import whole_file

_HEIGHT_PX = 800


@dataclass(frozen=True, repr=False)
class RunReport:
    """A run on one page, as `enformer-ray report` writes it.

    Attributes:
        location: of the run.
        html: the page, which needs nothing else.
        ledger: of the run, which says what it was made of.
    """

    location: str
    html: str
    ledger: Ledger

    def save(self, file: str | Path) -> None:
        """Write the page; it appears when it is whole, in the place of a file that was there.

        Raises:
            InputError: where it cannot be written, within a run, and for a file that the run was made of.
        """
        place = Path(path("file", file))
        check_output(place, self.ledger)
        with whole_file(place) as stream:
            stream.write(self.html.encode())

    def _repr_html_(self) -> str:
        # a frame of its own: neither the page's style nor its script meets the notebook's
        return (
            f'<iframe title="Report of {escape(self.location)}" sandbox="allow-scripts" width="100%" '
            f'height="{_HEIGHT_PX}" srcdoc="{escape(self.html)}"></iframe>'
        )

    def __repr__(self) -> str:
        return f"RunReport of {self.location}: {len(self.html) / 1e6:.1f} MB of HTML; .save(FILE) writes it"

"""What a catalog's tables have of runs: files that their metadata names, be they still there or not.

Asks metadata alone: no file of a run is opened, so that runs whose files are lost can be asked for too.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from enformer_core.dataset.keys import TRACKS_KEY
from enformer_core.errors import InputError
from enformer_core.publish.addresses import ON_DISK
from enformer_core.publish.run_files import TRACKS

if TYPE_CHECKING:
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table

RUN = "run"
"""The column that says of which run a row is, by the digest of its identity."""

CHROM = "chrom"

ATTEMPTS = 20
"""How often a change is tried anew where another writer was first."""

_NO_RETRIES = {"commit.retry.num-retries": "0"}


def files_of_run(found: "Table", digest: str) -> "list[DataFile]":
    """The files that a table has of a run now; summaries say it of all snapshots, also of undone ones."""
    from pyiceberg.expressions import EqualTo  # noqa: PLC0415 - an extra

    tasks = found.scan(row_filter=EqualTo(RUN, digest)).plan_files()
    return [task.file for task in tasks]


def runs_of(found: "Table") -> dict[str, str]:
    """Of each place whose files a table has, which run they are of, by the digest of its identity."""
    files = (task.file for task in found.scan().plan_files())
    return {place_of(found, file): str(file.partition[0]) for file in files}


def place_of(found: "Table", file: "DataFile") -> str:
    """The directory of the run that a file of a table is of, as `address_of_place` writes it."""
    name = found.name()[-1]
    if name == TRACKS:
        return file.file_path.removesuffix(f"/{TRACKS_KEY}")
    # what lies above a run may be called so as well
    return file.file_path.rsplit(f"/{name}/", 1)[0]


def shown_place(address: str) -> str:
    """A run's place as a user writes it."""
    return address.removeprefix(ON_DISK)


def are_gone(found: "Table", files: "Iterable[DataFile]") -> bool:
    """Whether the first of the files is not there any more; False too where nothing can be asked of its storage."""
    for file in files:
        try:
            return not found.io.new_input(file.file_path).exists()
        except OSError:
            return False
    return False


def is_made_here(found: "Table") -> bool:
    """Whether publishing made the table, which its partitions show."""
    return _partitions(found) in ([RUN], [RUN, CHROM])


def check_made_here(found: "Table") -> None:
    """Refuse a table that publishing did not make.

    Raises:
        InputError: naming its partitions.
    """
    if not is_made_here(found):
        name = ".".join(found.name())
        raise InputError(
            f"{name}: is a table that `publish` did not make: its partitions are by "
            f"{', '.join(_partitions(found)) or 'nothing'}. Give another --namespace."
        )


def forbid_retries(found: "Table") -> None:
    """In memory alone: pyiceberg would add files once more on top of whoever was first, be it this very run."""
    properties = {**found.metadata.properties, **_NO_RETRIES}
    found.metadata = found.metadata.model_copy(update={"properties": properties})


def _partitions(found: "Table") -> list[str]:
    return [field.name for field in found.spec().fields]

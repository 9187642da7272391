"""Why files of a run could not be read in a question: storage failed, or one of them is damaged.

Knows what the fence around a run has seen. Does not know the question.
"""

from enformer_core.dataset.damaged_files import damaged, first_damage
from enformer_core.dataset.ledger import Ledger
from enformer_core.errors import DatasetError, StorageError
from enformer_core.storage.fenced_files import FencedFiles


def failure_of_storage(files: FencedFiles, location: str) -> StorageError | DatasetError | None:
    """What a file that was asked for came to; None where each that was opened was there."""
    failure = files.failure
    if isinstance(failure, DatasetError):
        return damaged(str(failure), location)
    return failure if isinstance(failure, StorageError) else None


def damage_of_files(ledger: Ledger, files: FencedFiles, location: str) -> DatasetError | None:
    """The first file that was read and is no sound table; all of them are read for that."""
    found = first_damage(ledger, files.opened)
    return None if found is None else damaged(found, location)

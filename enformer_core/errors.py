"""The ways in which a run can refuse to go on; every message names the item, both values and the remedy."""


class InputError(Exception):
    """What the user gave cannot be used: a file, a name, a setting (exit code 2)."""


class DatasetError(Exception):
    """What lies in the output directory is not what this run wrote, or has been damaged since (exit code 2)."""


class StorageError(Exception):
    """Storage, disk or credentials are at fault: what is committed stays, the same command continues (exit code 5)."""


class TransientStorageError(StorageError):
    """Storage that may work at the next attempt: overload, a broken connection, two writers at the same moment."""

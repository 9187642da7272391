"""The two ways in which a run can refuse to go on; every message names the item, both values and the remedy."""


class InputError(Exception):
    """What the user gave cannot be used: a file, a name, a setting (exit code 2)."""


class DatasetError(Exception):
    """What lies in the output directory is not what this run wrote, or has been damaged since (exit code 2)."""

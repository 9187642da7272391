"""pyBigWig, by which bigWig files are read and written; it is an extra."""

from types import ModuleType

from enformer_core.errors import InputError


def import_pybigwig(is_done: str, instead: str) -> ModuleType:
    """The library.

    Args:
        is_done: what it does here: `read` or `written`.
        instead: what to do without it, for the message.

    Raises:
        InputError: where it is not installed.
    """
    try:
        import pyBigWig  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise InputError(
            f"bigWig is {is_done} by pyBigWig, which is not installed. Run: pip install pyBigWig; or {instead}."
        ) from error
    module: ModuleType = pyBigWig
    return module

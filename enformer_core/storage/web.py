"""Small files at addresses that are no store's: read whole, never written, not kept."""

from collections.abc import Callable

_TIMEOUT_S = 60


def read_url(address: str) -> bytes:
    """What a web server answers, or a file of this machine has.

    Raises:
        OSError: when it cannot be reached, refuses, or breaks off.
    """
    # Most commands read no address: they need not load what speaks to servers.
    from http.client import HTTPException  # noqa: PLC0415
    from urllib.request import urlopen  # noqa: PLC0415

    try:
        with urlopen(address, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - the scheme is checked by READERS
            return bytes(answer.read())
    except HTTPException as error:
        raise OSError(str(error) or type(error).__name__) from error


def read_google(address: str) -> bytes:
    """An object of Google Cloud Storage.

    Raises:
        OSError: when it cannot be read.
    """
    import pyarrow.fs  # noqa: PLC0415 - brings half a second of clients, for these addresses only

    filesystem, path = pyarrow.fs.FileSystem.from_uri(address)
    with filesystem.open_input_file(path) as file:
        return bytes(file.read())


READERS: dict[str, Callable[[str], bytes]] = {
    "file": read_url,
    "http": read_url,
    "https": read_url,
    "gs": read_google,
}
"""How the addresses of a scheme are read."""

"""Files that are opened more than once: what they are is seen before they are read. Does not know what is in them."""

from pathlib import Path

from enformer_core.errors import InputError
from enformer_core.storage.open import local_path


def regular_file(name: str) -> Path:
    """The path of what a name means, which can be read again and again.

    Args:
        name: a path or an object's address.

    Raises:
        InputError: for pipes and devices, which give what they have once.
    """
    path = Path(local_path(name))
    if path.is_fifo() or path.is_char_device() or path.is_socket():
        raise InputError(
            f"{name}: is a stream, which can be read once only. Write it to a file, and give that."
        )
    return path

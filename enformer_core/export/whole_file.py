"""Files that appear under their name when they are whole, or not at all."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from enformer_core.errors import InputError


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file beside `path` that takes its name when the block ends well, and is gone when it does not.

    What is there and is no file, such as `/dev/stdout` or a pipe, is written to as it is, until its reader leaves.

    Raises:
        InputError: when it cannot be written.
    """
    scratch: Path | None = None
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as stream:
                yield stream
            return
        with tempfile.NamedTemporaryFile(
            "wb", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as out:
            scratch = Path(out.name)
            yield out
        # temporary files are for their owner alone; an export is as readable as any new file
        scratch.chmod(0o644)
        scratch.replace(path)
    except BrokenPipeError:
        return  # who reads a pipe may have enough, as `head` has
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        if scratch is not None:
            scratch.unlink(missing_ok=True)

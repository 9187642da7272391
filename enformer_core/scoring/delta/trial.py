"""Tries a piece of work that may fail where it has never run before, and says what it failed with.

Does not know kernels.
"""

from collections.abc import Callable

import torch

_MOST_LETTERS = 120


def why_not(work: Callable[[], object]) -> str | None:
    """What a piece of work fails with, in a line; None where it succeeds."""
    try:
        work()
    except torch.OutOfMemoryError:
        # says nothing about kernels
        raise
    except Exception as error:  # noqa: BLE001 - Triton, its compilers and the driver have their own kinds
        said = str(error).strip() or repr(error)
        return f"{type(error).__name__}: {said.splitlines()[0][:_MOST_LETTERS]}"
    return None

"""Memory that is freed stays with the process, to be used again.

glibc gives large blocks back to the system at once, and the next one of the same size comes as new pages, each filled
with zeros at its first touch: a quarter of the CPU time of a tower, whose activations are blocks of tens of megabytes.
"""

import ctypes

# <malloc.h>
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

_MOST = 2**31 - 1
"""The largest number that mallopt takes: blocks of up to 2 GB are kept, and as much of the heap's end."""


def keep_freed_memory() -> bool:
    """Keep freed memory from now on: what the process takes stays at its highest.

    Returns:
        Whether this system's C library could be asked for it; glibc can.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS has none; Windows no library of that name
        return False
    asked = {
        _M_MMAP_THRESHOLD: _MOST,
        _M_TRIM_THRESHOLD: _MOST,
        # the heaps of other threads end at 64 MB, behind which blocks come from the system again
        _M_ARENA_MAX: 1,
    }
    answers = [mallopt(parameter, value) for parameter, value in asked.items()]
    return answers == [1] * len(asked)

"""Whether memory that was freed comes back without new pages."""

import platform
import subprocess
import sys

import pytest

NEW_PAGES = """
import resource, sys
from enformer_core.freed_memory import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()


def new_pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        bytearray(b"x" * 2**26)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


new_pages()
print(new_pages())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_blocks_are_used_again():
    counts = {}
    for how in ("give back", "keep"):
        command = [sys.executable, "-c", NEW_PAGES, how]
        counts[how] = int(subprocess.run(command, check=True, capture_output=True).stdout)
    assert counts["keep"] < counts["give back"] / 10

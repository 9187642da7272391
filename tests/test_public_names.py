"""What other programs may import: every name is there, and the package itself costs nothing."""

import subprocess
import sys

import enformer_core


def test_every_public_name_is_there():
    for name in enformer_core.__all__:
        assert getattr(enformer_core, name) is not None, name


def test_importing_the_package_loads_no_library():
    code = (
        "import sys, enformer_core; "
        "print([name for name in ('torch', 'polars', 'pyarrow', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

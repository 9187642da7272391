"""Files of `docs/site`, which are no package: `make docs` alone loads them."""

import importlib.util
from types import ModuleType

from tests.support.page_blocks import ROOT


def load_site_file(name: str) -> ModuleType:
    """A module of that folder."""
    found = importlib.util.spec_from_file_location(name, ROOT / f"docs/site/{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module

"""Shape checking for every test, and the places of the real data."""

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from jaxtyping import config as shape_checks
from jaxtyping import install_import_hook
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.support.mock_s3 import bucket, moto_endpoint, use_endpoint  # noqa: F401 - fixtures
from tests.support.threads import one_thread  # noqa: F401 - a fixture

_IS_THOROUGH = "ENFORMER_RAY_THOROUGH" in os.environ
"""Set by `make test-full`: shapes and types are checked everywhere, and properties are tried eight times as often."""

_ROOT = Path(__file__).parent.parent


def _with_shapes() -> list[str]:
    """Modules that state shapes. Types of the others are mypy's: checking each call there takes much of the time."""
    return [
        ".".join(path.relative_to(_ROOT).with_suffix("").parts)
        for path in (_ROOT / "enformer_core").rglob("*.py")
        if "from jaxtyping import" in path.read_text(encoding="utf-8")
    ]


# Shapes and types in signatures are checked; it must be switched on before the modules are imported.
install_import_hook(["enformer_core"] if _IS_THOROUGH else _with_shapes(), "beartype.beartype")

# Machines differ in speed; no property depends on it.
hypothesis.settings.register_profile("house", deadline=None, max_examples=25)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=200)
hypothesis.settings.load_profile("thorough" if _IS_THOROUGH else "house")

_SHARED = _ROOT.parent / "shared"


_HERE = Path(__file__).parent

_WITH_RAY = (
    *("cluster/", "chaos/", "real/test_cohort_run.py"),
    *("jobs/test_s3_run.py", "jobs/test_resilience.py", "jobs/test_demo.py"),
    "jobs/test_summaries_on_ray.py",
)
"""Files that start Ray or an object store: one after another, for each keeps the machine's memory and ports busy."""

_TOGETHER = {"ray": _WITH_RAY, "sql": ("sql/",)}
"""Files of which a process runs all, one after another; those of SQL start each engine once."""

_LONG = (*_WITH_RAY, "simulation/", "real/", "sql/", "scoring/delta/", "jobs/")


_AS_USERS_RUN = (
    *(
        "api/",
        "browser/",
        "chaos/",
        "cluster/",
        "export/",
        "jobs/",
        "publish/",
        "real/",
        "simulation/",
        "sql/",
    ),
    *("summaries/", "variants/test_fuzz"),
)
"""Whole runs, in which checking shapes takes as long as the rest: there they are checked by `make test-full` alone."""


class OneFileAtATime(LoadScopeScheduling):
    """A file's tests run in one process; those of several files that share what takes long to start, in one too."""

    def _split_scope(self, nodeid: str) -> str:
        place = nodeid.partition("::")[0].removeprefix("tests/")
        together = (name for name, files in _TOGETHER.items() if place.startswith(files))
        return next(together, place)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneFileAtATime:
    """Where tests run in several processes (`-n 2`). Groups would do, but this pytest does not hand them to xdist."""
    return OneFileAtATime(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files begin first, or one process would wait for the other at the end."""
    places = {item: item.path.relative_to(_HERE).as_posix() for item in items}
    items.sort(
        key=lambda item: next(
            (at for at, long in enumerate(_LONG) if places[item].startswith(long)), len(_LONG)
        )
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Whether shapes are checked in this test, and in the fixtures that are made for it."""
    place = item.path.relative_to(_HERE).as_posix()
    is_left_out = place.startswith(_AS_USERS_RUN) and not _IS_THOROUGH
    shape_checks.update("jaxtyping_disable", is_left_out)


def pytest_make_parametrize_id(val: object) -> str | None:
    """What is packed bears the second it was packed in: two processes would know the test by two names."""
    return "gzip" if isinstance(val, bytes) and val.startswith(b"\x1f\x8b") else None


def _outside_data(variable: str, default: Path) -> Path:
    path = Path(os.environ.get(variable, default))
    if path.is_dir():
        return path
    reason = f"{variable}: there is no directory {path}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Base codes of the tests' genomes go when the tests' directories go; the user's cache is left alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENFORMER_RAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Real sequence and variants."""
    return _outside_data("ENFORMER_RAY_DATA", _SHARED / "data")


@pytest.fixture(scope="session")
def golden_dir() -> Path:
    """Outputs of the original programs under seeded weights."""
    return _outside_data("ENFORMER_RAY_GOLDEN", _SHARED / "golden")

"""The site as a reader has it who opens it as a file: its search answers, and nothing is fetched from elsewhere."""

import json
import os
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MKDOCS = ROOT / ".venv-docs" / "bin" / "mkdocs"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """All pages, as `make docs` makes them."""
    if not MKDOCS.exists():
        pytest.fail(f"there is no {MKDOCS}: `make docs` installs it")
    place = tmp_path_factory.mktemp("site")
    words = [MKDOCS, "build", "--quiet", "--site-dir", place]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    subprocess.run(words, cwd=ROOT, env=quiet, check=True, timeout=500)
    return place


def test_pages_name_no_script_of_elsewhere(site):
    for page in site.rglob("*.html"):
        assert 'src="http' not in page.read_text(), page


def test_search_answers_in_a_file(site):
    words = ["node", HERE / "search.mjs", site / "index.html", "percentiles"]
    seen = subprocess.run(words, capture_output=True, text=True, timeout=500, check=False)
    assert seen.stdout, seen.stderr
    found = json.loads(seen.stdout)
    assert found["faults"] == []
    assert found["found"] > 1
    assert found["first"].split("#")[0].split("?")[0] in {each.name for each in site.glob("*.html")}

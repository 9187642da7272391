"""Tables of tracks in files."""

import pytest

from tests.support.targets_table import SIZE, lines, read_table


@pytest.fixture
def write(tmp_path):
    def written(rows):
        path = tmp_path / "targets.txt"
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
        return str(path)

    return written


@pytest.fixture
def human(write):
    return read_table(write(lines()), head="human", count=SIZE)

"""Names of files for targets and groups: none leads elsewhere, none is another's, each has room."""

from itertools import combinations

import pytest

from enformer_core.export.file_names import FileNames


def named(*texts):
    names = FileNames()
    return [names.of(text) for text in texts]


def test_plain_names_stay_and_others_are_escaped():
    assert FileNames().of("GATA1 K562", "b/d") == "GATA1 K562.b%2Fd"
    assert FileNames().of("a@b", "x", safe="@") == "a@b.x"


def test_no_name_has_a_colon_and_what_it_becomes_stays_apart():
    names = named("chr1:5", "chr1_5", "chr1:5")
    assert names[0] == names[2] == "chr1_5"
    assert names[1].startswith("chr1_5~")
    # a text that looks like the name of the second
    again = FileNames()
    found = [again.of(text) for text in ("chr1:5", names[1], "chr1_5")]
    assert len(set(found)) == 3


@pytest.mark.parametrize("text", [".", "..", "...", ".hidden", "../x", "/etc/x"])
def test_no_name_leads_out_of_its_folder_or_is_hidden(text, tmp_path):
    (name,) = named(text)
    assert not name.startswith(".")
    assert (tmp_path / name).resolve().parent == tmp_path.resolve()


def test_long_names_have_room_and_stay_apart(tmp_path):
    long = "é" * 200
    names = named(long, long + "x")
    assert names[0] != names[1]
    for name in names:
        # as it is while it is written
        (tmp_path / f".{name}.bw.01234567").touch()


def test_no_two_names_differ_by_capitals_only():
    names = named("K562", "k562", "K562", "K562 ")
    assert names[0] == names[2] == "K562"
    others = {names[1], names[3], names[0]}
    assert len(others) == 3
    assert all(one.lower() != other.lower() for one, other in combinations(others, 2))


def test_the_same_texts_are_called_the_same_every_time():
    long = "x" * 300
    assert named("a", "A", long) == named("a", "A", long)

"""What a refused command is told: which fields of the identity differ, and how."""

import pytest

from enformer_core.dataset.run import check_same
from enformer_core.errors import InputError


def message(there, now):
    with pytest.raises(InputError) as refusal:
        check_same(there, now)
    return str(refusal.value)


def file(name, sha256, size=10):
    return {"name": name, "sha256": sha256, "bytes": size}


A = file("a.parquet", "eedcc4c" + "0" * 57, 1512)
B = file("b.parquet", "0" * 64)


def test_equal_identities_are_one():
    check_same({"input": [A, B], "sites": None}, {"sites": None, "input": [A, B]})


@pytest.mark.parametrize(
    ("now", "says"),
    [
        ([A, B], ["input[1]: there nothing, now", "b.parquet"]),
        ([B, A], ["input[0]: there nothing, now", "b.parquet"]),
        ([A, A], ["len(input): there 1, now 2"]),
        ([A | {"bytes": 7}], ["input[0].bytes: there 1512, now 7"]),
    ],
)
def test_lists_are_compared_item_by_item(now, says):
    text = message({"input": [A]}, {"input": now})
    for words in says:
        assert words in text
    assert "a.parquet" not in text, "what did not change is not shown"


def test_what_is_shown_of_two_values_differs():
    long = "x" * 500
    text = message({"k": f"{long}A{long}"}, {"k": f"{long}B{long}"})
    line = next(line for line in text.splitlines() if line.startswith("  k: "))
    there, now = line.removeprefix("  k: there ").split(", now ")
    assert there != now
    assert len(line) < 200


def test_of_many_differences_the_first_are_shown():
    text = message({"input": [file(f"{i}", "0") for i in range(90)]}, {"input": []})
    assert "and 70 more" in text
    assert text.count("there {") == 20


def tracks(count, sha256):
    return {"count": count, "sha256": sha256}


def test_hashes_are_shown_where_nothing_else_differs():
    there = {"a": tracks(1, "01"), "genes": {"genes": 2, "sha256": "02"}}
    assert 'a.sha256: there "01", now "03"' in message(there, there | {"a": tracks(1, "03")})
    text = message(there, {"a": tracks(2, "03"), "genes": {"genes": 3, "sha256": "04"}})
    assert "a.count: there 1, now 2" in text
    assert "genes.genes: there 2, now 3" in text
    assert "sha256" not in text


def test_what_has_words_is_told_in_these():
    there = {"groups": [{"name": "k", "tracks": tracks(1, "01")}], "genes": {"sha256": "02"}}
    now = {"groups": [{"name": "l", "tracks": tracks(1, "03")}], "genes": {"sha256": "04"}}
    in_words = (
        {"groups": "k=1", "genes.sha256": "2 genes, 3 TSSs, 1 exon"},
        {"groups": "l=2", "genes.sha256": "2 genes, 2 TSSs, 1 exon"},
    )
    with pytest.raises(InputError) as refusal:
        check_same(there, now, lambda: in_words)
    assert str(refusal.value).splitlines()[1:-1] == [
        "  genes: there 2 genes, 3 TSSs, 1 exon, now 2 genes, 2 TSSs, 1 exon",
        "  groups: there k=1, now l=2",
    ]


def test_words_that_are_the_same_say_nothing():
    same = {"genes.sha256": "2 genes, 2 TSSs, 0 exons"}
    with pytest.raises(InputError, match=r'genes\.sha256: there "02", now "04"'):
        check_same({"genes": {"sha256": "02"}}, {"genes": {"sha256": "04"}}, lambda: (same, same))

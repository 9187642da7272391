"""Messages name what is meant without ending in a list of thousands."""

from enformer_core.errors import first_few, nearest


def test_the_first_few_of_many_names():
    assert first_few([]) == ""
    assert first_few(["a", "b"]) == "a, b"
    assert first_few(list("abcde")) == "a, b, c, d, e"
    assert first_few(list("abcdefg")) == "a, b, c, d, e and 2 more"
    assert first_few(list("abc"), 1) == "a and 2 more"


def test_what_was_meant_is_found_in_any_case():
    assert nearest("gp1bb", ["TBX1", "GP1BB"]) == "; did you mean GP1BB?"
    assert nearest("SAT", ["sad", "js"]) == "; did you mean sad?"
    assert nearest("xyz", ["sad", "js"]) == "; known are sad, js"

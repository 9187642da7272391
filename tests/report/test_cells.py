"""Values as a reader sees them, by examples."""

import pytest

from enformer_core.report.cells import shown, sort_key

EXAMPLES = [
    (1234567, "count", "1,234,567"),
    (-5, "count", "−5"),
    (4828, "index", "4828"),
    (0.123456, "number", "0.1235"),
    (-1234.5, "number", "−1,234"),
    (3.1e-9, "number", "3.1e−09"),
    (0.00701, "percent", "0.701 %"),
    (0.956, "seconds", "0.96 s"),
    (45, "seconds", "45 s"),
    (7199, "seconds", "2 h 00 min"),
    (200_000, "seconds", "2 d 07 h"),
    (2.778e-07, "hours", "0.001 s"),
    (1.5, "hours", "1 h 30 min"),
    (11_407_197, "bytes", "11.4 MB"),
    (float("nan"), "number", "NaN"),
    (float("-inf"), "number", "−∞"),
    (None, "number", ""),
    (True, "count", "yes"),
    ("2026-11-27T15:34:25+02:00", "time", "2026-11-27 13:34:25 UTC"),
    (["a", "b"], "text", "a, b"),
    (list(range(20)), "text", "0, 1, 2, 3, 4, 5, 6, 7, … (20 in all)"),
    ("a\x1b[31m\n", "text", "a\\x1b[31m\\n"),
    ("x" * 400, "text", "x" * 300 + "… (400 letters)"),
]


@pytest.mark.parametrize(("value", "form", "text"), EXAMPLES)
def test_examples(value, form, text):
    assert shown(value, form) == text


def test_what_numbers_are_sorted_by_has_all_their_digits():
    assert [sort_key(value) for value in (1 / 3, -7, True, None, "7", float("nan"))] == [
        "0.3333333333333333",
        "-7",
        "",
        "",
        "",
        "",
    ]

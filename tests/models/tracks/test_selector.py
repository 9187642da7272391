"""Every way to choose tracks, and what is said of a term that names none."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enformer_core.errors import InputError
from enformer_core.models.motif_spec import motif_tracks
from enformer_core.models.tracks.selector import select_tracks, selection_in_words
from enformer_core.models.tracks.table import Tracks, described_track
from tests.support.targets_table import SIZE, lines, read_table, without_table


def table_of(size):
    return Tracks(
        "human",
        size,
        tuple(described_track(i, f"ID{i}", f"DNASE:sample {i % 3}") for i in range(size)),
    )


@pytest.mark.parametrize(
    ("selector", "indices"),
    [
        (None, list(range(SIZE))),
        ("4", [4]),
        ("2-4", [2, 3, 4]),
        (" 2 - 4 , 0", [0, 2, 3, 4]),
        ("6,1-2,2,1", [1, 2, 6]),
        ("assay=DNASE", [0, 1, 2, 3]),
        ("Assay=cage,assay=atac", [4, 7]),
        ("ENC5", [5]),
        ("CNhs7,0", [0, 7]),
        ("CAGE:.*K562", [7]),
        ("^DNASE:K562", [0, 1, 2]),
        ("K562$", [0, 1, 5, 7]),
        (r"DNASE:CD4-positive\, alpha-beta T cell (26 years)", [3]),
        ("DNASE:CD4-positive, alpha-beta T cell (26 years)", [3]),
        (r"positive\, alpha,ATAC", [3, 4]),
        (r"K5{0\,1}62 G", [2]),
        ("(5-6)|G1", [2]),
    ],
)
def test_selectors(human, selector, indices):
    chosen, notes = select_tracks(human, selector)
    assert chosen.indices() == indices
    assert chosen.rows == tuple(human.rows[index] for index in indices)
    assert notes == []


def test_a_selection_is_told_with_its_first_tracks(human):
    chosen, _ = select_tracks(human, "DNASE:K562")
    shown = "0 DNASE:K562, 1 DNASE:K562, 2 DNASE:K562 G1 phase"
    assert selection_in_words(chosen) == f"3 of {SIZE}: {shown}"
    assert selection_in_words(human).endswith(f" and {SIZE - 3} more")
    assert selection_in_words(select_tracks(without_table("human", 9), "1-2")[0]).endswith(": 1, 2")
    long = Tracks("human", 1, (described_track(0, None, "DNASE:" + "x" * 99),))
    assert selection_in_words(long) == f"1 of 1: 0 DNASE:{'x' * 53}…"


@pytest.mark.parametrize("term", ["CAGE", "CAGE:K562"])
def test_a_head_of_few_tracks_names_them_all(term):
    """There is no table to look into, and nothing need be guessed."""
    with pytest.raises(
        InputError, match=r"found\. Its tracks are motif-CTCF, motif-GATA1, .*-liver\.$"
    ):
        select_tracks(motif_tracks("human"), term)


def test_a_description_selects_its_tracks_and_those_that_contain_it_and_says_so(human):
    chosen, notes = select_tracks(human, "DNASE:K562")
    assert chosen.indices() == [0, 1, 2]
    assert notes == [
        "'DNASE:K562' is the description of 2 tracks: 0, 1",
        "'DNASE:K562' is also found in 1 track with a longer description: 2. An identifier or a column names just one.",
    ]


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("", "--tracks: an empty term"),
        ("4,", "--tracks: an empty term"),
        ("8", "--tracks 8: the human head has 8 tracks; give columns of 0-7"),
        ("7-8", "--tracks 7-8: the human head has 8 tracks"),
        ("-1", "--tracks -1: the human head has 8 tracks"),
        ("3-2", "--tracks 3-2: .*a range from the smaller to the larger"),
        (
            "assay=DNAS",
            "--tracks assay=DNAS: no track of the human head has this assay; did you mean DNASE?",
        ),
        ("assay=dnas", "did you mean DNASE?"),
        ("assay=Q", "known are DNASE, ATAC, CHIP, CAGE"),
        ("ENC9", "'ENC9': no track of the human head has this identifier.*did you mean 'ENC"),
        ("CAGE:K563", r"'CAGE:K563': no track .*"),
        ("k562", "did you mean '(?i)k562' (5 tracks)?"),
        (
            "DNASE:CD4-positiv(e",
            "neither an identifier, a description nor a regular expression: missing )",
        ),
        (
            "zzzzzzzz",
            "'zzzzzzzz': no track of the human head has .*. Look into the targets table for names.",
        ),
    ],
)
def test_selectors_that_name_nothing(human, selector, message):
    pattern = ".*".join(re.escape(part) for part in message.split(".*"))
    with pytest.raises(InputError, match=pattern):
        select_tracks(human, selector)


def test_an_assay_and_a_text_further_on(human):
    chosen, notes = select_tracks(human, "CAGE:K562")
    assert chosen.indices() == [7]
    assert notes == ["'CAGE:K562' is read as 'K562' in any CAGE description: 1 track, 7"]


@pytest.mark.parametrize("selector", ["K562", "ENC1", "assay=DNASE"])
def test_names_need_a_table(selector):
    with pytest.raises(
        InputError, match=r"--targets FILE.*calico/basenji, manuscripts/cross2020/targets_human.txt"
    ):
        select_tracks(without_table("human", SIZE), selector)


def test_assays_of_a_published_head_need_no_table():
    chosen, _ = select_tracks(without_table("human", 5313), "assay=cage")
    assert chosen.indices() == list(range(4675, 5313))


def test_published_mouse_indices_are_known_where_the_table_gave_them(write):
    mouse = read_table(write(lines(5313)), head="mouse", count=SIZE)
    chosen, notes = select_tracks(mouse, "5314-5316,0,5320")
    assert chosen.indices() == [0, 1, 2, 3, 7]
    assert notes == [
        "5314-5316 is the targets table's index; in the mouse head it is column 1-3",
        "5320 is the targets table's index; in the mouse head it is column 7",
    ]
    for outside in ["8", "5312", "5321", "5320-5321", "0-5313"]:
        with pytest.raises(InputError, match=f"--tracks {outside}: the mouse head has 8 tracks"):
            select_tracks(mouse, outside)


def test_published_mouse_indices_are_refused_without_the_table(write):
    for tracks in [
        without_table("mouse", SIZE),
        read_table(write(lines()), head="mouse", count=SIZE),
    ]:
        with pytest.raises(InputError, match="5314 is column 1; --targets FILE makes it known"):
            select_tracks(tracks, "5314")


def test_a_number_is_always_a_column(write):
    """Where a head is larger than the table's first index, both readings would be possible: the column wins."""
    mouse = read_table(write(lines(5313, [("m", "DNASE:m")] * 5400)), head="mouse", count=5400)
    chosen, notes = select_tracks(mouse, "5313")
    assert (chosen.indices(), notes) == ([5313], [])
    with pytest.raises(
        InputError, match=r"give columns of 0-5399, a range from the smaller to the larger\.$"
    ):
        select_tracks(mouse, "5400")


def test_a_selection_of_a_selection_cannot_leave_it(human):
    chosen, _ = select_tracks(human, "1-3")
    with pytest.raises(InputError, match="--tracks 4: none of 3 tracks to choose from"):
        select_tracks(chosen, "4")


columns = st.lists(st.integers(0, 29), min_size=1, max_size=12)


@given(columns)
def test_columns_select_exactly_themselves(indices):
    chosen, _ = select_tracks(table_of(30), ",".join(map(str, indices)))
    assert chosen.indices() == sorted(set(indices))


terms = st.one_of(
    st.integers(0, 29).map(str),
    st.tuples(st.integers(0, 14), st.integers(14, 29)).map(lambda ends: f"{ends[0]}-{ends[1]}"),
    st.integers(0, 29).map("ID{}".format),
    st.sampled_from(["assay=dnase", "DNASE:sample 1", "sample [02]$"]),
)


@given(st.lists(terms, min_size=1, max_size=5))
def test_a_list_of_terms_is_their_union_and_repeating_it_changes_nothing(parts):
    tracks = table_of(30)
    selector = ",".join(parts)
    chosen, _ = select_tracks(tracks, selector)
    union = {index for part in parts for index in select_tracks(tracks, part)[0].indices()}
    assert chosen.indices() == sorted(union)
    assert select_tracks(chosen, selector)[0] == chosen
    assert select_tracks(tracks, ",".join(reversed(parts)))[0] == chosen

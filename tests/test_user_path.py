"""What a user means by a path, what stands in its way, and how its name is shown."""

import errno
import json
import os
import subprocess

import pytest

from enformer_core.errors import InputError
from enformer_core.shell_words import command_line
from enformer_core.user_path import (
    file_in_the_way,
    for_json,
    for_terminal,
    named_as_given,
    one_line,
    why_unwritable,
)
from jobs.log import printable, unprintable_names


def test_the_part_of_a_path_that_is_a_file_is_found(tmp_path):
    file = tmp_path / "file"
    file.touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(file)
    assert file_in_the_way(file) == file
    assert file_in_the_way(file / "x" / "y") == file
    assert file_in_the_way(tmp_path / "link" / "x") == tmp_path / "link"
    for name in ("folder", "folder/x", "none/x", "x" * 300):
        assert file_in_the_way(tmp_path / name) is None


def test_why_a_file_cannot_be_written(tmp_path):
    file = tmp_path / "file"
    file.touch()
    error = OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    assert why_unwritable(file / "x", error) == f"{file} is a file"
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert why_unwritable(tmp_path / "x", full) == "No space left on device"


def test_what_breaks_a_line_is_shown_by_its_sign():
    assert one_line("a\nb\r\t\x1b[31m\x7f\u2028ü…") == r"a\nb\r\t\x1b[31m\x7f\u2028ü…"


def test_a_messages_own_lines_stay_where_names_are_escaped():
    names = unprintable_names(["score", "--out=a\nb", "x\x1by.vcf", "plain"])
    assert set(names) == {"--out=a\nb", "a\nb", "x\x1by.vcf"}
    said = printable("a\nb/x: damaged:\n  x\x1by.vcf: lost", names)
    assert said == "a\\nb/x: damaged:\n  x\\x1by.vcf: lost"


@pytest.mark.parametrize(
    "words",
    [
        ["a b", "it's", "a = 'b' < c", "'$x'", "'`!'"],
        ["a\nb", "'\\\t\n\x1b'", "ü"],
        ["a\\nb"],
        [""],
        ["caf\udce9", "\udce9b'"],
    ],
)
def test_a_command_line_is_one_line_that_a_shell_reads_as_it_was(words):
    line = command_line(words)
    assert len(line.splitlines()) == 1
    shown = ["bash", "-c", f"printf '%s\\0' {line}"]
    read = subprocess.run(shown, capture_output=True, check=True).stdout
    assert [os.fsdecode(word) for word in read.split(b"\0")[:-1]] == words


def test_sql_is_quoted_so_that_it_can_be_read():
    assert command_line(["FROM top WHERE a = 'sad'"]) == """"FROM top WHERE a = 'sad'\""""
    # what means something between double quotes is quoted as ever
    assert command_line(["it's $5!"]) == """'it'"'"'s $5!'"""


def test_a_copy_is_called_as_the_user_does():
    with (
        pytest.raises(InputError, match=r"^s3://b/x\.fa: is no FASTA; remove s3://b/x\.fa$"),
        named_as_given("/cache/7/x.fa", "s3://b/x.fa"),
    ):
        raise InputError("/cache/7/x.fa: is no FASTA; remove /cache/7/x.fa")
    refusal = InputError("--head dog: there is none")
    for path, given in (("/cache/7/x.fa", "s3://b/x.fa"), (None, None), ("x", None)):
        with pytest.raises(InputError) as raised, named_as_given(path, given):
            raise refusal
        assert raised.value is refusal


MOVING = [chr(number) for number in (*range(32), *range(0x7F, 0xA0), *range(0x202A, 0x202F))]
MOVING += [chr(number) for number in (0x2028, 0x2029, *range(0x2066, 0x206A))]


@pytest.mark.parametrize("sign", MOVING, ids=ascii)
def test_no_sign_that_a_terminal_obeys_is_left(sign):
    number = ord(sign)
    assert one_line(f"a{sign}b") == f"a{sign}b".encode("unicode_escape").decode()
    shown = f"a{sign}b" if sign in "\n\t" else one_line(f"a{sign}b")
    assert for_terminal(f"a{sign}b") == shown
    encoded = for_json(json.dumps(sign, ensure_ascii=False))
    assert json.loads(encoded) == sign
    assert number < 32 or encoded == f'"\\u{number:04x}"'


def test_letters_of_all_scripts_stay():
    text = "Größe é ש ع 漢 🧬 a\u0301 \u200d"
    assert one_line(text) == for_terminal(text) == for_json(text) == text

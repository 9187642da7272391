"""Whatever becomes of standard output and standard error, a command does its work and ends with its own code."""

import errno
import io
import subprocess
import sys
from pathlib import Path

import pytest

from enformer_core.export.whole_file import STDOUT, whole_file
from jobs.cli import main
from jobs.count import Count
from jobs.output import SafeStream, escaped_on_terminals, protected_streams, safe
from jobs.progress import choose_display
from tests.support.terminals import on_terminal


class BrokenStream(io.StringIO):
    """Takes so many writes, then fails as a system fails."""

    def __init__(self, error, after=0):
        super().__init__()
        self._error = error
        self._left = after
        self.attempts = 0

    def write(self, text):
        self.attempts += 1
        self._left -= 1
        if self._left < 0:
            raise self._error
        return super().write(text)


BROKEN = {
    "reader gone": BrokenPipeError(errno.EPIPE, "Broken pipe"),
    "terminal gone": OSError(errno.EIO, "Input/output error"),
    "disk full": OSError(errno.ENOSPC, "No space left on device"),
    "closed": ValueError("I/O operation on closed file."),
}


@pytest.fixture(params=BROKEN.values(), ids=BROKEN.keys())
def broken(request):
    return BrokenStream(request.param, after=2)


def in_encoding(name):
    """A stream whose bytes are letters of this encoding, and those bytes."""
    content = io.BytesIO()
    return io.TextIOWrapper(content, encoding=name), content


def test_the_first_failure_ends_the_stream_and_nothing_else(broken):
    stream = safe(broken)
    for _ in range(5):
        assert stream.write("a") == 1
    assert broken.getvalue() == "aa"
    assert broken.attempts == 3
    assert stream.lost


def test_a_stream_that_is_closed_or_was_never_there_is_nowhere():
    closed = io.StringIO()
    closed.close()
    for stream in (safe(None), safe(closed)):
        print("a", file=stream, flush=True)
        assert not stream.isatty()
        assert stream.lost


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "1 µs … ━━ ü ☃ \\xff\n"),
        ("latin-1", "1 µs ... -- ü \\u2603 \\xff\n"),
        ("ascii", "1 us ... -- \\xfc \\u2603 \\xff\n"),
    ],
)
def test_letters_that_a_terminal_lacks_are_shown_by_plainer_ones_or_their_number(encoding, shown):
    stream, content = in_encoding(encoding)
    # The last is how Python names a byte of a file's name that is no UTF-8.
    print("1 µs … ━━ ü ☃ \udcff", file=safe(stream), flush=True)
    assert content.getvalue().decode(encoding) == shown


@pytest.mark.parametrize(
    ("encoding", "shown"), [("utf-8", "café.vcf\n"), ("ascii", "caf\\xe9.vcf\n")]
)
def test_letters_that_the_system_took_for_bytes_are_whole_again(encoding, shown):
    stream, content = in_encoding(encoding)
    # as Python has a name in UTF-8 where LC_ALL=C is taken at its word
    name = "café.vcf".encode().decode("ascii", "surrogateescape")
    print(name, file=safe(stream), flush=True)
    assert content.getvalue().decode(encoding) == shown


def test_what_is_safe_is_not_wrapped_again():
    stream = safe(io.StringIO())
    assert safe(stream) is stream
    assert isinstance(stream, SafeStream)


def test_streams_are_as_before_afterwards(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", None)
    with protected_streams():
        print("a")
        print("b", file=sys.stderr)
    assert sys.stdout is out
    assert sys.stderr is None
    assert out.getvalue() == "a\n"


SMALL = [*("--model", "motif", "--ray", "off", "--strands", "forward", "--tracks", "0")]
SMALL += ["--audit-fraction", "0"]


@pytest.fixture
def score(vcf, genome, tmp_path):
    """The code of a small run."""

    def call(*more):
        run = [*("score", str(vcf), "--genome", str(genome), "--out", str(tmp_path / "run"))]
        return main([*run, *SMALL, *more])

    return call


@pytest.mark.parametrize(
    ("stream", "log_format"),
    [("stdout", "text"), ("stderr", "json"), ("both", "text"), ("both", "json")],
)
def test_a_run_ends_well_whatever_becomes_of_what_it_says(
    score, tmp_path, monkeypatch, stream, log_format
):
    gone = BrokenStream(BROKEN["terminal gone"])
    with monkeypatch.context() as patch:
        for name in ("stdout", "stderr") if stream == "both" else (stream,):
            patch.setattr(sys, name, gone)
        assert score("--log-format", log_format) == 0
    assert gone.attempts
    assert main(["verify", str(tmp_path / "run")]) == 0


def test_without_any_stream_a_run_ends_well_too(score, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        patch.setattr(sys, "stderr", None)
        assert score() == 0


def test_an_answer_for_which_there_is_no_stream_is_no_answer(score, tmp_path, monkeypatch, capsys):
    said = "enformer-ray: standard output: cannot be written: it is closed\n"
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        # a run is work, and done whoever hears of it
        assert score() == 0
        assert said in capsys.readouterr().err
        run = str(tmp_path / "run")
        for command in (["status", run], ["query", run, "SELECT 1"], ["docs"]):
            assert main(command) == 2
            assert said in capsys.readouterr().err
        with pytest.raises(SystemExit) as help_ended:
            main(["--help"])
        assert help_ended.value.code == 2
    # what writes nothing there loses nothing
    assert main(["verify", run]) == 0


@pytest.mark.parametrize("name", ["disk full", "terminal gone", "reader gone"])
@pytest.mark.parametrize("command", [["config", "init"], ["docs"]])
def test_an_answer_that_could_not_be_written_is_no_answer(monkeypatch, capsys, command, name):
    monkeypatch.setattr(sys, "stdout", BrokenStream(BROKEN[name]))
    is_left = name == "reader gone"
    assert main(command) == (0 if is_left else 2)
    said = capsys.readouterr().err
    assert is_left or f"standard output: cannot be written: {BROKEN[name].strerror}" in said


def test_a_full_disk_that_shows_only_at_the_end_counts():
    """Text is written when enough has come together: a short answer when it is handed on."""
    command = [sys.executable, "-m", "jobs.cli", "config", "init", "tiles"]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 2
    assert "standard output: cannot be written: No space left on device" in ended.stderr


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["score", "--help"], ["weights"], ["status", "RUN"]]
)
def test_help_that_a_full_disk_does_not_take_is_no_help(finished, words):
    run = str(finished("run", *SMALL)) if "RUN" in words else ""
    command = [sys.executable, "-m", "jobs.cli", *words]
    command = [run if word == "RUN" else word for word in command]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 2
    said = "enformer-ray: standard output: cannot be written: No space left on device\n"
    assert said in ended.stderr


def test_a_run_is_done_whether_or_not_a_full_disk_takes_its_summary(score, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", BrokenStream(BROKEN["disk full"]))
        assert score() == 0
    assert "standard output: cannot be written" in capsys.readouterr().err


def test_a_bar_on_a_terminal_without_its_letters_is_drawn_by_those_that_it_has(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream, content = in_encoding("ascii")
    monkeypatch.setattr(stream, "isatty", lambda: True)
    with choose_display("text", Count(2, "alleles"), stream=stream) as display:
        display.advance(1)
        display.say("note", "µ…")
    shown = content.getvalue().decode("ascii")
    assert "---" in shown
    assert "u..." in shown


def test_lines_of_json_are_json_on_every_terminal():
    stream, content = in_encoding("ascii")
    with choose_display("json", Count(2, "alleles"), stream=stream) as display:
        display.say("note", "µ… ü ☃")
    assert b"\\u2603" in content.getvalue()
    assert b"\\xfc" not in content.getvalue()


def test_descriptors_that_the_shell_has_closed_lead_nowhere(tmp_path):
    """In a process of its own, for the descriptors are those of a process."""
    program = f"""
import os
os.close(1)
os.close(2)
from jobs.output import fill_descriptors
fill_descriptors()
opened = os.open({str(tmp_path / "table")!r}, os.O_CREAT | os.O_WRONLY)
os.write(2, b"a library complains")
os._exit(opened)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode > 2
    assert (tmp_path / "table").read_bytes() == b""


ODD = "a\x1b[31m\x9b2J\u202eb\x7f\r\n\tc"


def test_a_terminal_obeys_nothing_and_a_file_is_given_all(monkeypatch, tmp_path, capsys):
    with on_terminal(monkeypatch) as terminal, protected_streams(), escaped_on_terminals():
        print(ODD)
        with whole_file(STDOUT) as out:
            for byte in ODD.encode():
                out.write(bytes([byte]))
            out.write(b"\xff\n")
    escaped = "a\\x1b[31m\\x9b2J\\u202eb\\x7f\\r\n\tc"
    assert terminal.shown.decode() == f"{escaped}\n{escaped}\\xff\n"
    with protected_streams(), escaped_on_terminals():
        print(ODD)
    assert capsys.readouterr().out == f"{ODD}\n"
    with whole_file(tmp_path / "file") as out:
        out.write(ODD.encode())
    assert (tmp_path / "file").read_bytes() == ODD.encode()


def test_colours_that_a_command_paints_itself_are_left_to_it(monkeypatch):
    with on_terminal(monkeypatch) as terminal, protected_streams():
        with whole_file(STDOUT, is_painted=True) as out:
            out.write(b"\x1b[31m")
        print("\x1b[0m")
    assert terminal.shown == b"\x1b[31m\x1b[0m\n"

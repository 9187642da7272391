"""Standard output and standard error that never end a run: what cannot be shown is not shown, and the work goes on.

    with protected_streams():
        print("1 µs … ━━")    # on an ASCII terminal: 1 us ... --

A reader may leave (`| head`), a terminal may be gone (a lost SSH session), a descriptor may be closed from the start
(`2>&-`), and a terminal may not know a letter. None of that is a reason to lose an hour of computing, so nothing of it
comes back to whoever prints: the first failure of a stream ends that stream, and only that. Knows streams and letters.
Does not know what is printed.
"""

import errno
import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

from enformer_core.user_path import for_terminal

_SIGNS = {
    "-": "━─═╌╍┄┅╴╶╸╺–—‒−",
    "|": "│┃║╵╷╹╻",
    "+": "┌┐└┘├┤┬┴┼╭╮╰╯┏┓┗┛┣┫┳┻╋╒╓╔╕╖╗╘╙╚╛╜╝╞╟╠╡╢╣╤╥╦╧╨╩╪╫╬┠┨┯┷┡┩╇",
    "#": "█▉▊▋▌▍▎▏▇▆▅▄▃▂▁",
    "*": "•·",
    "'": "‘’",
    '"': "“”",
    " ": "\N{NO-BREAK SPACE}",
    "...": "…",
    "x": "×",
    "u": "µμ",
    "d": "Δ",
    "sum": "Σ",
    "->": "→",
    "<=": "≤",
    ">=": "≥",
    "^2": "²",
    "^3": "³",
    "+-": "±",
}
"""What stands for a sign on a terminal that does not have it; any other is shown by its number, as `\\xfc`."""

_PLAIN = str.maketrans({sign: plain for plain, signs in _SIGNS.items() for sign in signs})

# as Python has bytes of a name that are no letters of the system's encoding: under LC_ALL=C all beyond ASCII
_UNDECODED = re.compile("[\udc80-\udcff]+")


class SafeStream(io.TextIOBase):
    """A text stream of which nothing can go wrong for who writes to it.

    Args:
        stream: where the text goes; None where there is no such stream, as a closed standard error.

    Attributes:
        lost: whether it has failed; nothing is written to it any more.
        failure: why something that was written is not there, unless its reader left.
        is_escaped: whether a terminal is given signs that it would obey as text.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.lost = stream is None
        self.failure: OSError | None = None
        self.is_escaped = False

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """By which letters become bytes; `utf-8` where that is not known."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    @property
    def buffer(self) -> Any:
        """The bytes below, for programs that write some; not protected."""
        return getattr(self._stream, "buffer", None)

    def write(self, text: str) -> int:
        """Write what the stream's letters can say of a text, in plainer signs where they must be.

        Returns:
            The length of the text, whatever came of it.
        """
        if self._stream is None and text:
            self.failure = OSError(errno.EBADF, "it is closed")
        shown = for_terminal(text) if self.is_escaped and self.isatty() else text
        if not self.lost:
            try:
                cast("TextIO", self._stream).write(self.plain(shown))
            except (OSError, ValueError) as error:  # broken or closed
                self._lose(error)
        return len(text)

    def flush(self) -> None:
        """Hand what was written on to the system; a failure ends this stream."""
        if self.lost:
            return
        try:
            cast("TextIO", self._stream).flush()
        except (OSError, ValueError) as error:
            self._lose(error)

    def _lose(self, error: OSError | ValueError) -> None:
        self.lost = True
        # a full disk or a broken one has taken a part only, and whoever reads it later cannot know
        if isinstance(error, OSError) and error.errno != errno.EPIPE:
            self.failure = error

    def isatty(self) -> bool:
        """Whether it is a terminal that is still there."""
        if self.lost:
            return False
        try:
            return cast("TextIO", self._stream).isatty()
        except (OSError, ValueError):
            return False

    def fileno(self) -> int:
        """The descriptor below.

        Raises:
            OSError: where there is none.
        """
        if self._stream is None:
            raise io.UnsupportedOperation("fileno")
        return self._stream.fileno()

    def writable(self) -> bool:
        """Always: what cannot be written is left out."""
        return True

    def plain(self, text: str) -> str:
        """The text in letters that the stream has: `…` as `...`, other letters by their numbers."""
        if _is_in(self.encoding, text):
            return text
        whole = _UNDECODED.sub(_in_letters, text)
        return "".join(_nearest(letter, self.encoding) for letter in whole)


def _in_letters(undecoded: re.Match[str]) -> str:
    r"""The letters that bytes are in UTF-8; a byte that is in none, as names of Latin-1 have them, by its number."""
    content = undecoded[0].encode("utf-8", "surrogateescape")
    return content.decode("utf-8", "backslashreplace")


def _is_in(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _nearest(letter: str, encoding: str) -> str:
    if _is_in(encoding, letter):
        return letter
    return letter.translate(_PLAIN).encode("ascii", errors="backslashreplace").decode("ascii")


def safe(stream: TextIO | None) -> TextIO:
    """The stream so that nothing can go wrong; one that is so already is given back as it is."""
    is_safe = isinstance(stream, SafeStream)
    return cast("TextIO", stream if is_safe else SafeStream(stream))


def output_failure() -> OSError | None:
    """Why a part of what was printed on standard output is not there; None where all is, or its reader left."""
    sys.stdout.flush()
    return getattr(sys.stdout, "failure", None)


@contextmanager
def protected_streams() -> Iterator[None]:
    """While this lasts, whatever is printed is printed safely, by libraries too."""
    before = sys.stdout, sys.stderr
    sys.stdout = safe(before[0])
    sys.stderr = safe(before[1])
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


@contextmanager
def escaped_on_terminals() -> Iterator[None]:
    """While this lasts, nothing that is printed moves the cursor of a terminal: neither names nor what is in tables.

    Files and pipes are given everything as it is.
    """
    out = sys.stdout
    # whoever captures it within a program shows it as they like
    if not isinstance(out, SafeStream):
        yield
        return
    before = out.is_escaped
    out.is_escaped = True
    try:
        yield
    finally:
        out.is_escaped = before


def fill_descriptors() -> None:
    """Open what the shell has closed of 0, 1 and 2, to nowhere.

    Otherwise the next file to be opened would get that number, and a library that complains on descriptor 2 would
    write into it: into a table of the run.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is taken, and those below are in use by now.
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)
        else:
            # A parent may have made the pipe or terminal one that refuses instead of waiting for its reader.
            if descriptor:
                with suppress(OSError):
                    os.set_blocking(descriptor, True)

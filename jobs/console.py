"""The process of the command `enformer-ray`: how it begins, and that it ends with the code that the command came to.

Python ends a process by taking apart, one after another, all that was ever loaded. Threads of libraries are still
running then, and now and then one of them makes the process abort (exit code 134) after everything was said and done.
So this process ends itself: what the program holds has been given back by then, what was to be done at exit is done,
and the rest is the system's. Knows processes. Does not know commands.
"""

import atexit
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import NoReturn

from jobs import exit_codes
from jobs.interruption import SIGNALS, StoppedError
from jobs.output import fill_descriptors, protected_streams

_SHUTDOWN_S = 20.0
"""For what libraries do at exit, such as ending Ray; a Ray that is gone would never be done."""

_A_BUG = 1


def run() -> NoReturn:
    """Run the command line of this process, and end the process."""
    fill_descriptors()  # before anything is opened
    with protected_streams():
        code = _exit_code(_command)
        _end(code)


def _command() -> int:
    from jobs.cli import main

    return main()


def _exit_code(command: Callable[[], int]) -> int:
    """What the command comes to; an error that it does not expect is shown as Python shows it."""
    try:
        return command()
    except SystemExit as end:
        return _code_of(end)
    except StoppedError as stopped:
        return 128 + stopped.signal_number
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED
    except BaseException:  # noqa: BLE001 - the process must end with a code in any case
        traceback.print_exc()
        return _A_BUG


def _code_of(end: SystemExit) -> int:
    if isinstance(end.code, str):
        print(end.code, file=sys.stderr)
        return _A_BUG
    return end.code or 0


def _end(code: int) -> NoReturn:
    """Do what was to be done at exit, hand on what was printed, and end at once."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # it is ending; nobody's patience changes its code
    sys.stdout.flush()  # before libraries have their say: what was found is more than their farewell
    sys.stderr.flush()
    timer = threading.Timer(_SHUTDOWN_S, os._exit, (code,))
    timer.daemon = True
    timer.start()
    atexit._run_exitfuncs()  # Ray and temporary files hang on it
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
